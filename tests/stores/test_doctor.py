"""doctor: what is well and what is not."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django_q.models import Schedule

from postpurchase import clock, health, queue
from stores import doctor, registries
from stores.models import SyncTask
from stores.registries import Check
from tests.factories import NOON, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def well(settings):
    """An installation without a fault."""
    settings.PUBLIC_URL, settings.EMAIL_URL = "https://after.example.com", "smtp://localhost"
    queue.ensure_schedule()
    with clock.frozen(NOON):
        queue.beat(queue.TICK)
        queue.beat(queue.worker_name("sync"))
        yield


def run(*arguments):
    out = StringIO()
    code = 0
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as ended:
        code = ended.code
    return code, out.getvalue()


def failed():
    return {check.name for check in doctor.installation() if not check.ok}


def test_a_sound_installation_is_well(well, monkeypatch):
    monkeypatch.setattr(registries, "_checks", [])
    make_store(slug="one")
    code, text = run()
    assert code == 0
    assert text.endswith("All well.\n")
    assert "Store one" in text


def test_a_silent_worker_is_bad_and_the_fix_is_told(well):
    clock.advance(health.TICK_STALE + timedelta(seconds=1))
    assert failed() == {"worker"}
    code, text = run()
    assert code == 1
    assert "BAD   worker: The worker last ticked 4 minutes ago." in text
    assert "Start `manage.py worker`" in text


def test_a_second_schedule_and_a_missing_one_are_bad(well):
    Schedule.objects.create(func="x.y", name="other")
    assert failed() == {"schedule"}
    Schedule.objects.all().delete()
    assert failed() == {"schedule"}


def test_old_work_and_a_plain_address_are_bad(well, settings):
    SyncTask.objects.create(store=make_store(), entity="order", key="a", due_at=NOON - timedelta(hours=1))
    settings.PUBLIC_URL = "http://after.example.com"
    assert failed() == {"queue", "address"}


def test_missing_mail_is_a_warning(well, settings, monkeypatch):
    monkeypatch.setattr(registries, "_checks", [])
    settings.EMAIL_URL = ""
    make_store()
    assert failed() == {"mail"}
    assert run()[0] == 0


def test_missing_tables_are_the_only_line(monkeypatch):
    monkeypatch.setattr(health, "migrations_applied", lambda: False)
    report = doctor.report()
    assert report["ok"] is False
    assert [check["name"] for check in report["installation"]] == ["migrations"]


def test_json_holds_the_checks_of_every_store(well, monkeypatch):
    monkeypatch.setattr(
        registries, "_checks", [lambda store: [Check("keys", store.slug == "good", f"Keys of {store.slug}", "Mend.")]]
    )
    make_store(slug="bad")
    make_store(slug="good")
    code, text = run("--json")
    report = json.loads(text)
    assert (code, report["ok"]) == (1, False)
    assert [(store["store"], store["checks"][0]["ok"]) for store in report["stores"]] == [
        ("bad", False),
        ("good", True),
    ]


def test_a_check_that_breaks_is_a_failed_check(well, monkeypatch):
    def breaks(store):
        raise ValueError("oops")

    monkeypatch.setattr(registries, "_checks", [breaks])
    (check,) = doctor.store_checks(make_store())
    assert (check.ok, check.sentence) == (False, "A check broke: ValueError: oops")


def test_unreadable_secrets_are_told_instead_of_breaking_the_doctor(well, settings):
    make_store(consumer_secret="cs")
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    report = doctor.report()
    assert failed() == {"secrets"}
    assert (report["ok"], report["stores"]) == (False, [])
