"""Is everything well? Checks of the installation and of each store: the same for `doctor` and the System page."""

import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection

from postpurchase import clock, health, queue
from postpurchase.errors import BusinessError
from stores import registries, spool
from stores.models import Store
from stores.registries import Check
from stores.sync import figures

# A long job may hold the workers of `sync` for some minutes; the tick rings them each minute.
SYNC_STALE = timedelta(minutes=10)
DISK_FREE_BYTES = 1_000_000_000


def installation() -> list[Check]:
    """What belongs to no single store: worker, queue, database, mail, disk, address.

    Without a database, or without its tables, nothing else can be asked; then that is the only line.
    """
    try:
        migrations = _migrations()
    except Error as error:
        sentence = f"The database does not answer: {str(error).strip()}"
        return [Check("database", False, sentence, "Start it, or correct DATABASE_URL.")]
    if not migrations.ok:
        return [migrations]
    return [
        migrations,
        _worker(),
        _sync_worker(),
        _queue(),
        _schedule(),
        _database(),
        _secrets(),
        _mail(),
        _disk(),
        _address(),
        *_cache(),
        *_spool(),
    ]


def _spool() -> list[Check]:
    """Only what waits too long is worth a line: the files are taken in with the next minute of a database that answers."""
    lost = spool.unreadable()
    if lost:
        return [
            Check(
                "spool",
                False,
                f"{lost} webhook deliveries in {spool.folder()} cannot be read: the key that they were written with is gone. "
                "Their objects come with the next poll.",
                "Put the earlier key back into FIELD_KEYS and name the files .unchecked, or remove them.",
                level="warn",
            )
        ]
    return []


def store_checks(store: Store) -> list[Check]:
    """All that the apps check of one store. A check that itself breaks is a failed check."""
    try:
        return registries.checks(store)
    except Exception as error:
        return [Check("checks", False, f"A check broke: {type(error).__name__}: {error}", "See the log; report it.")]


def report() -> dict[str, Any]:
    """All checks, as `doctor --json` prints them. `ok` is False when a check of level "bad" fails."""
    own = installation()
    readable = any(check.name == "secrets" and check.ok for check in own)
    stores = [(store, store_checks(store)) for store in Store.objects.order_by("slug")] if readable else []
    everything = [*own, *(check for _, checks in stores for check in checks)]
    return {
        "ok": all(check.ok or check.level == "warn" for check in everything),
        "version": settings.VERSION,
        "installation": [_plain(check) for check in own],
        "stores": [
            {"store": store.slug, "checks": [_plain(check) for check in checks], "figures": figures.of(store)}
            for store, checks in stores
        ],
    }


def _plain(check: Check) -> dict[str, Any]:
    return {
        "name": check.name,
        "ok": check.ok,
        "level": check.level,
        "sentence": str(check.sentence),
        "fix": str(check.fix),
    }


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return "less than a minute" if minutes < 1 else "1 minute" if minutes == 1 else f"{minutes} minutes"


def _migrations() -> Check:
    ok = health.migrations_applied()
    return Check(
        "migrations",
        ok,
        "The database has the tables of this version." if ok else "The database lacks changes of this version.",
        "Run `manage.py migrate`.",
    )


def _worker() -> Check:
    age = health.tick_age()
    ok = age is not None and age <= health.TICK_STALE
    told = "has not begun yet" if age is None else f"last ticked {_minutes(age)} ago"
    return Check("worker", ok, f"The worker {told}.", "Start `manage.py worker`; nothing due is lost meanwhile.")


def _sync_worker() -> Check:
    last = queue.last_beat(queue.worker_name("sync"))
    ok = last is not None and clock.now() - last <= SYNC_STALE
    told = "has not begun yet" if last is None else f"last answered {_minutes(clock.now() - last)} ago"
    return Check(
        "sync worker",
        ok,
        f"The worker for long jobs {told}.",
        "Start `manage.py worker` without --cluster, or a second one with --cluster sync.",
        level="warn",
    )


def _queue() -> Check:
    late = health.lag()
    ok = late <= health.LAG_BAD
    sentence = "Nothing waits beyond its time." if not late else f"The oldest due work waits for {_minutes(late)}."
    return Check("queue", ok, sentence, "See whether the worker runs and whether the shops answer.")


def _schedule() -> Check:
    from django_q.models import Schedule

    names = list(Schedule.objects.values_list("name", flat=True))
    ok = names == [queue.TICK]
    return Check(
        "schedule",
        ok,
        "The one-minute tick is scheduled." if ok else f"Schedules are {names or 'missing'}; only one belongs here.",
        "Delete others under /admin/django_q/schedule/; `manage.py migrate` makes a missing one.",
    )


def _database() -> Check:
    if connection.vendor != "sqlite":
        return Check("database", True, f"{connection.display_name} answers.")
    name = str(connection.settings_dict["NAME"])
    size = Path(name).stat().st_size if Path(name).exists() else 0
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = str(cursor.fetchone()[0])
    ok = mode in {"wal", "memory"}
    return Check(
        "database",
        ok,
        f"SQLite answers; the file has {size / 1e6:,.1f} MB, journal mode {mode}.",
        "Let the worker and the web process open the file on a local disk, where they may write.",
    )


def _secrets() -> Check:
    try:
        count = len(Store.objects.all())
    except BusinessError as error:
        return Check("secrets", False, error.message, "See docs/operator.md, section Keys.")
    return Check("secrets", True, f"The secrets of all stores can be read ({count}).")


def _mail() -> Check:
    # Raw, because an encrypted column cannot be filtered by; empty stays empty in it.
    without = Store.objects.extra(where=["email_url = ''"]).count()
    ok = bool(settings.EMAIL_URL) or settings.DEBUG or not without
    if settings.EMAIL_URL:
        sentence = "Mail leaves through EMAIL_URL."
    elif settings.DEBUG:
        sentence = "Mail goes to the local inbox, to nobody else."
    else:
        sentence = f"EMAIL_URL is not set; stores without a mail account of their own: {without}."
    return Check("mail", ok, sentence, "Set EMAIL_URL, or a mail account in each store's settings.", level="warn")


def _disk() -> Check:
    place = settings.VAR_DIR if Path(settings.VAR_DIR).exists() else settings.BASE_DIR
    free = shutil.disk_usage(place).free
    return Check(
        "disk",
        free >= DISK_FREE_BYTES,
        f"{free / 1e9:,.1f} GB are free in {place}.",
        "Free some space: a full disk stops the database.",
    )


def _address() -> Check:
    parts = urlsplit(settings.PUBLIC_URL)
    ok = parts.scheme == "https" or settings.DEBUG
    return Check(
        "address",
        ok,
        f"Shops and shoppers reach this site at {settings.PUBLIC_URL}.",
        "Set PUBLIC_URL to an https address.",
    )


def _cache() -> Iterable[Check]:
    if not settings.REDIS_URL:
        return
    try:
        cache.get("doctor")
        yield Check("cache", True, "Redis answers.")
    except Exception as error:
        yield Check("cache", False, f"Redis does not answer: {type(error).__name__}.", "Start it, or unset REDIS_URL.")
