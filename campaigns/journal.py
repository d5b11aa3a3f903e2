"""What was handed over, written outside the database: so that a database restored from yesterday sends nothing twice.

One file for each machine, only ever appended to: a line `<seconds> <store> <digest> +` for each message of a batch, on disk
before the first of them is handed over, and the same with `-` for one that was not handed over after all. Digests only.
The database knows how far it has seen the file. At start a longer file with messages that the database does not know means
that the database is older than what was sent: those messages are entered into the ledger as sent, and all sending waits for
the operator.
"""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from campaigns import guards
from campaigns.models import Journal, Message, SendingHold, SentLedger
from postpurchase import clock
from postpurchase.due import State
from stores.models import Store

Status = Message.Status
Entry = tuple[int, str]
_WAITING = (Status.PLANNED, Status.HELD, Status.APPROVAL, Status.RETRY)
RESTORED = "sent before the database was restored"


def folder() -> Path | None:
    """Where the files lie; None when the operator keeps none."""
    return Path(settings.SEND_JOURNAL) if settings.SEND_JOURNAL not in {"", "-"} else None


def _name(host: str) -> str:
    row, _ = Journal.objects.get_or_create(host="")
    return f"{row.installation.hex}.{host}.log"


def _host() -> str:
    return "".join(part for part in platform.node() if part.isalnum() or part in "-.")[:100] or "host"


def write(messages: Sequence[Message]) -> None:
    """Note a batch that is about to be handed over; on disk when this returns."""
    _append(((each.store_id, guards.mark(each.store_id, each.key)) for each in messages), "+", keep=True)


def take_back(messages: Sequence[Message]) -> None:
    """These were not handed over after all."""
    _append(((each.store_id, guards.mark(each.store_id, each.key)) for each in messages), "-", keep=False)


def _append(entries: Iterable[Entry], sign: str, *, keep: bool) -> None:
    base, lines = folder(), []
    at = int(clock.now().timestamp())
    for store, digest in entries:
        lines.append(f"{at} {store} {digest.removeprefix('journal:')} {sign}\n")
    if base is None or not lines:
        return
    base.mkdir(parents=True, exist_ok=True)
    handle = os.open(base / _name(_host()), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, "".join(lines).encode())
        if keep:
            os.fsync(handle)
        size = os.fstat(handle).st_size
    finally:
        os.close(handle)
    changed = Journal.objects.filter(host=_host(), position__lt=size).update(position=size)
    if not changed:
        Journal.objects.get_or_create(host=_host(), defaults={"position": size})


def compare() -> int:
    """At start: enter what the files know and the database does not; how many messages. Then all sending is held."""
    base = folder()
    if base is None or not base.is_dir():
        return 0
    marked = 0
    prefix = _name("")[: -len(".log")]
    for path in sorted(base.glob(f"{prefix}*.log")):
        host = path.name.removeprefix(prefix).removesuffix(".log")
        row, _ = Journal.objects.get_or_create(host=host)
        if path.stat().st_size > row.position:
            marked += _catch_up(path, row)
    return marked


def _catch_up(path: Path, row: Journal) -> int:
    with path.open("rb") as file:
        file.seek(row.position)
        text = file.read().decode(errors="replace")
        end = file.tell()
    entries = _read(text)
    unknown = {entry: at for entry, at in entries.items() if entry not in _known(entries)} if entries else {}
    with transaction.atomic():
        if unknown:
            _mark(unknown)
            SendingHold.objects.get_or_create(
                store=None,
                kind=SendingHold.Kind.RESTORE,
                released_at=None,
                defaults={"seen": {"marked": len(unknown)}},
            )
        Journal.objects.filter(pk=row.pk, position__lt=end).update(position=end)
    return len(unknown)


def _read(text: str) -> dict[Entry, datetime]:
    """The messages that stand as handed over, with their times; a line cut off by a crash is left out."""
    found: dict[Entry, datetime] = {}
    for line in text.splitlines():
        parts = line.split(" ")
        if len(parts) != 4 or not parts[0].isdigit() or not parts[1].isdigit() or len(parts[2]) != 32:
            continue
        entry = (int(parts[1]), f"journal:{parts[2]}")
        if parts[3] == "+":
            found[entry] = datetime.fromtimestamp(int(parts[0]), UTC)
        else:
            found.pop(entry, None)
    return found


def _known(entries: dict[Entry, datetime]) -> set[Entry]:
    """What the database knows to be in a worker's hands, or to have been, at these times: the remains of a crash."""
    first = min(entries.values()) - timedelta(minutes=1)
    rows = Message.objects.filter(Q(state=State.RUNNING) | Q(handed_at__gte=first) | Q(status=Status.HANDING))
    return {(store, guards.mark(store, key)) for store, key in rows.values_list("store_id", "key").iterator()}


def _mark(entries: dict[Entry, datetime]) -> None:
    """Into the ledger, by digest; what is planned in this database and went out already gets that as its end."""
    stores = set(Store.objects.values_list("pk", flat=True))
    SentLedger.objects.bulk_create(
        [SentLedger(store_id=store, key=digest, at=at) for (store, digest), at in entries.items() if store in stores],
        ignore_conflicts=True,
        batch_size=500,
    )
    waiting = Message.objects.filter(status__in=_WAITING).values_list("pk", "store_id", "key")
    gone = [pk for pk, store, key in waiting.iterator() if (store, guards.mark(store, key)) in entries]
    for start in range(0, len(gone), 500):
        Message.objects.filter(pk__in=gone[start : start + 500]).update(
            status=Status.ACCEPTED, state=State.DONE, reason=RESTORED, finished_at=clock.now()
        )
