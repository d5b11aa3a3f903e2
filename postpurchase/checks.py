"""System checks of the installation's settings: `manage.py check --deploy`. Each has an id and says the fix."""

import math
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

SQLITE_AT_LEAST = (3, 35, 0)  # RETURNING
KEY_CHARS = 32  # Django itself warns of a SECRET_KEY below 50
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "afs"}

_NEW_KEY = 'Make one with `python3 -c "import secrets; print(secrets.token_urlsafe(48))"`'
_NEW_FIELD_KEY = (
    'Make one with `python3 -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"`'
)


@register(Tags.security)
def check_field_keys(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Keys of the encrypted fields can encrypt."""
    found: list[CheckMessage] = []
    for number, key in enumerate(settings.FIELD_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(
                    f"Key {number} of FIELD_KEYS is not 32 url-safe base64-encoded bytes.",
                    hint=f"{_NEW_FIELD_KEY}; put a new key in front and keep the old ones behind it.",
                    id="postpurchase.E001",
                )
            )
    return found


@register(Tags.security)
def check_link_keys(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Keys of signed links cannot be guessed."""
    if settings.DEBUG or all(_strong(key) for key in settings.LINK_KEYS):
        return []
    return [
        Error(
            f"A key of LINK_KEYS is a development key or shorter than {KEY_CHARS} characters.",
            hint=f"{_NEW_KEY}; links of removed keys stop working.",
            id="postpurchase.E002",
        )
    ]


@register(Tags.security)
def check_secret_key(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """SECRET_KEY cannot be guessed: it also signs what the worker is asked to do."""
    if settings.DEBUG or _strong(settings.SECRET_KEY):
        return []
    return [
        Error(
            f"SECRET_KEY is a development key or shorter than {KEY_CHARS} characters.",
            hint=f"{_NEW_KEY}; people must sign in again.",
            id="postpurchase.E003",
        )
    ]


def _strong(key: str) -> bool:
    return len(key) >= KEY_CHARS and not key.startswith("insecure") and len(set(key)) >= 8


@register(Tags.security)
def check_public_url(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Shoppers and shops reach this site over https."""
    if settings.DEBUG or urlsplit(settings.PUBLIC_URL).scheme == "https":
        return []
    return [
        Error(
            f"PUBLIC_URL is {settings.PUBLIC_URL}, which is not https; sign-in cookies and links need https.",
            hint="Put a proxy with a certificate in front and set PUBLIC_URL=https://... (docs/operator.md).",
            id="postpurchase.E004",
        )
    ]


@register(Tags.database)
def check_database(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The database can do what claims and counters need, and is not where it would break."""
    database = settings.DATABASES["default"]
    if database.get("OPTIONS", {}).get("pool"):
        return [
            Error(
                "The database connection has a pool; the worker's processes would share its connections.",
                hint="Remove `pool` from the options of DATABASE_URL; connections are kept open without it.",
                id="postpurchase.E006",
            )
        ]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    found: list[CheckMessage] = []
    if sqlite3.sqlite_version_info < SQLITE_AT_LEAST:
        found.append(
            Error(
                f"SQLite is {sqlite3.sqlite_version}; 3.35 or newer is needed.",
                hint="Use a newer system, or PostgreSQL through DATABASE_URL.",
                id="postpurchase.E005",
            )
        )
    folder = Path(database["NAME"]).parent
    if str(database["NAME"]).startswith("/") and not os.access(folder, os.W_OK | os.X_OK):
        found.append(
            Error(
                f"The folder {folder} of the SQLite file does not exist or may not be written to.",
                hint=f"mkdir -p {folder}, owned by the user that runs web and worker.",
                id="postpurchase.E010",
            )
        )
    if network := network_mount(str(database["NAME"])):
        found.append(
            Error(
                f"The SQLite file {database['NAME']} lies on a network file system ({network}), where its locks fail.",
                hint="Move it to a local disk (VAR_DIR, DATABASE_URL), or use PostgreSQL.",
                id="postpurchase.E007",
            )
        )
    return found


def network_mount(path: str, *, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the network file system that a path lies on; empty for a local one or where it cannot be told."""
    if not path.startswith("/") or not mounts.exists():
        return ""
    best, kind = "", ""
    for line in mounts.read_text().splitlines():
        fields = line.split()
        point = fields[1].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind if kind in _NETWORK else ""


@register("worker")
def check_queue(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """The worker's times fit together, and the queue lies in the database, where a restart does not lose it."""
    conf: dict[str, Any] = settings.Q_CLUSTER
    found: list[CheckMessage] = []
    if conf.get("orm") != "default":
        found.append(
            Error(
                'The worker\'s queue is not in the database (Q_CLUSTER["orm"] is not "default").',
                hint="Leave Q_CLUSTER as it is; Redis is for the cache only.",
                id="postpurchase.E008",
            )
        )
    clusters = {conf["name"]: conf} | {name: conf | own for name, own in conf.get("ALT_CLUSTERS", {}).items()}
    for name, own in clusters.items():
        rounds = 1 + math.ceil((own["queue_limit"] + own["bulk"]) / own["workers"])
        if own["retry"] <= own["timeout"] * rounds:
            found.append(
                Error(
                    f"Cluster {name} hands a task out again after {own['retry']} s, though it may take "
                    f"{own['timeout'] * rounds} s.",
                    hint="Raise its retry, or lower its timeout or queue_limit, in Q_CLUSTER.",
                    id="postpurchase.E009",
                )
            )
    return found


@register(Tags.security, deploy=True)
def check_mail(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Mail can leave."""
    if settings.EMAIL_URL:
        return []
    return [
        Warning(
            "EMAIL_URL is not set, so a store without a mail account of its own cannot send.",
            hint="Set EMAIL_URL, such as smtp+tls://user:password@mail.example.com:587 (docs/operator.md).",
            id="postpurchase.W001",
        )
    ]


@register(Tags.staticfiles, deploy=True)
def check_static(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Style sheets and pictures have been collected."""
    if settings.DEBUG or (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        return []
    return [
        Warning(
            f"Static files are not collected in {settings.STATIC_ROOT}; pages would fail.",
            hint="Run `manage.py collectstatic --noinput` after each upgrade.",
            id="postpurchase.W002",
        )
    ]
