"""System checks: each has an id and a fix, and is silent when all is well."""

import sqlite3
from copy import deepcopy

import pytest
from cryptography.fernet import Fernet

from postpurchase import checks

STRONG = "k7Qz0vJp2mXw9sRt4uYb6nCd8eFg1hLa3"


def ids(found):
    assert all(message.hint for message in found)
    return [message.id for message in found]


def test_field_keys_must_be_fernet_keys(settings):
    settings.FIELD_KEYS = [Fernet.generate_key().decode(), "short"]
    (message,) = checks.check_field_keys(None)
    assert message.id == "postpurchase.E001"
    assert "Key 2" in message.msg
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    assert checks.check_field_keys(None) == []


@pytest.mark.parametrize("weak", ["short", "insecure-development-key-that-is-long-enough", "a" * 50])
def test_weak_keys_are_refused_outside_debug_only(settings, weak):
    settings.LINK_KEYS, settings.SECRET_KEY = [STRONG, weak], weak
    assert ids(checks.check_link_keys(None)) == ["postpurchase.E002"]
    assert ids(checks.check_secret_key(None)) == ["postpurchase.E003"]
    settings.DEBUG = True
    assert checks.check_link_keys(None) == checks.check_secret_key(None) == []


def test_strong_keys_pass(settings):
    settings.LINK_KEYS, settings.SECRET_KEY = [STRONG], STRONG
    assert checks.check_link_keys(None) == checks.check_secret_key(None) == []


def test_the_public_address_is_https_outside_debug(settings):
    settings.PUBLIC_URL = "http://after.example.com"
    assert ids(checks.check_public_url(None)) == ["postpurchase.E004"]
    settings.PUBLIC_URL = "https://after.example.com"
    assert checks.check_public_url(None) == []


def database(settings, **fields):
    # A copy: Django's own connection goes on with what it was set up with.
    settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/x.sqlite3"} | fields}


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
def test_database_checks(settings, monkeypatch):
    database(settings)
    assert checks.check_database(None) == []
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    assert ids(checks.check_database(None)) == ["postpurchase.E005"]
    monkeypatch.undo()
    database(settings, NAME="/nonexistent/folder/x.sqlite3")
    assert ids(checks.check_database(None)) == ["postpurchase.E010"]
    monkeypatch.setattr(checks, "network_mount", lambda path: "nfs4")
    database(settings)
    assert ids(checks.check_database(None)) == ["postpurchase.E007"]
    database(settings, ENGINE="django.db.backends.postgresql", OPTIONS={"pool": True})
    assert ids(checks.check_database(None)) == ["postpurchase.E006"]


def test_the_longest_mount_point_decides_what_a_path_lies_on(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/x /srv nfs4 rw 0 0\n/dev/sdb /srv/local xfs rw 0 0\n"
        "//nas/y /mnt/my\\040share cifs rw 0 0\n"
    )
    kinds = {
        path: checks.network_mount(path, mounts=mounts)
        for path in ("/srv/db.sqlite3", "/srv/local/db.sqlite3", "/srvx/db", "/mnt/my share/db", "relative")
    }
    assert kinds == {
        "/srv/db.sqlite3": "nfs4",
        "/srv/local/db.sqlite3": "",
        "/srvx/db": "",
        "/mnt/my share/db": "cifs",
        "relative": "",
    }


def test_the_workers_times_fit_together(settings):
    assert checks.check_queue(None) == []
    changed = deepcopy(settings.Q_CLUSTER) | {"retry": 180}
    settings.Q_CLUSTER = changed
    assert ids(checks.check_queue(None)) == ["postpurchase.E009"]
    settings.Q_CLUSTER = changed | {"retry": 240, "orm": None}
    assert ids(checks.check_queue(None)) == ["postpurchase.E008"]


def test_missing_mail_and_static_files_are_warned_of(settings, tmp_path):
    settings.EMAIL_URL, settings.STATIC_ROOT = "", tmp_path
    assert ids(checks.check_mail(None)) == ["postpurchase.W001"]
    assert ids(checks.check_static(None)) == ["postpurchase.W002"]
    settings.EMAIL_URL = "smtp://localhost"
    (tmp_path / "staticfiles.json").write_text("{}")
    assert checks.check_mail(None) == checks.check_static(None) == []
