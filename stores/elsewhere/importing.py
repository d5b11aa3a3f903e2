"""The import of a file as a job: tried first if wanted, in slices, each order once, with a file of what was refused."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase import clock, killpoints
from postpurchase.errors import BusinessError
from postpurchase.exporting import safe_cell
from stores import jobs
from stores.elsewhere import files
from stores.elsewhere.fields import NEEDED, Fault
from stores.elsewhere.taking import Refusal, TakenIn, take_in
from stores.jobs import JobProgress
from stores.models import Job, OrderFile, User

KIND = "orders from a file"
TRIAL = "trial of orders from a file"
BATCH = 200
SHOWN = 20
# Contents of a file that nobody imported, and rows that were refused: both tell of people.
KEPT = timedelta(days=7)
REFUSED_KEPT = timedelta(days=30)
_DIGEST = 8
_COUNTS = ("new", "changed", "unchanged", "refused")


def register() -> None:
    """Called once from `StoresConfig.ready`."""
    jobs.register(KIND, run_slice, label=gettext_lazy("Import of orders from a file"))
    jobs.register(TRIAL, run_slice, label=gettext_lazy("Trial of orders from a file"))


def check_mapping(source: OrderFile) -> None:
    """BusinessError while the file cannot be read as it is mapped."""
    columns = source.mapping.get("columns", {})
    missing = [name for name in NEEDED if name not in columns]
    if "email" not in columns and "phone" not in columns:
        missing.append("email")
    if missing:
        raise BusinessError(
            _("Nothing was read yet. Say which column holds: %(fields)s.") % {"fields": ", ".join(missing)},
            "not_mapped",
        )


def start(source: OrderFile, *, dry: bool, user: User | None = None) -> Job:
    """Begin the trial or the import of a file; the channel remembers how it was read. BusinessError if it cannot be."""
    if not source.file:
        raise _gone()
    check_mapping(source)
    source.channel.mapping = source.mapping
    source.channel.save(update_fields=["mapping"])
    # The mapping is part of what is asked for: with another one a trial is another job.
    job = jobs.start(
        source.store,
        TRIAL if dry else KIND,
        params={"file": source.pk, "mapping": source.mapping},
        user=user,
        key=f"orders:{uuid4().hex}",
    )
    if dry:
        source.trial = job
    else:
        source.job = job
    source.save(update_fields=["mapping", "trial", "job"])
    return job


def _gone() -> BusinessError:
    return BusinessError(
        _(
            "The contents of this file are gone. What was imported stays. Upload the file again; nothing is taken twice."
        ),
        "file_gone",
    )


def run_slice(job: Job, budget_seconds: float) -> JobProgress:
    """Take in as many orders as the time allows."""
    dry = job.kind == TRIAL
    source = OrderFile.objects.select_related("channel", "store").get(pk=job.params["file"], store=job.store)
    source.mapping = job.params["mapping"]
    ends = clock.monotonic() + budget_seconds
    place: dict[str, Any] = job.cursor or {
        "place": 0, "row": 1, "rows": 0, "seen": 0, "error_bytes": 0, "ended": False, **dict.fromkeys(_COUNTS, 0),
    }  # fmt: skip
    phase = _("Trying") if dry else _("Importing")
    if place["ended"]:
        # The worker died when all was in, with the contents perhaps deleted already.
        return _end(source, place, phase, dry=dry)
    if not source.file or not source.file.storage.exists(str(source.file.name)):
        raise _gone()
    finished = False
    with (
        Path(source.file.path).open("rb") as handle,
        _seen(source, job, place["seen"]) as seen,
        _errors(job, place) as errors,
    ):
        told = files.orders(source, handle, place=place["place"], row=place["row"])
        while clock.monotonic() < ends:
            batch = list(islice(told, BATCH))
            if not batch:
                finished = True
                break
            with transaction.atomic():
                done = _take(source, batch, seen, dry=dry)
                last = batch[-1]
                place = _onwards(place, source, batch, done, seen.count)
                place["error_bytes"] = errors.write(source, batch, done)
                place |= {"place": last.ends, "row": last.row + last.rows - 1}
                jobs.save(
                    job,
                    cursor=place,
                    done=place["rows"],
                    total=source.layout["rows"],
                    phase=phase,
                    last_item=last.values.get("external_id", ""),
                    errors=place["refused"],
                )
            if not jobs.wanted(job):
                break
    if finished:
        jobs.save(job, cursor=place | {"ended": True})
        return _end(source, place, phase, dry=dry)
    return JobProgress(False, phase, place["rows"], source.layout["rows"], errors=place["refused"])


def _end(source: OrderFile, place: dict[str, Any], phase: str, *, dry: bool) -> JobProgress:
    if not dry:
        forget(source)
        killpoints.reach("orders.file.deleted")
    result = {**{name: place[name] for name in _COUNTS}, "sentence": sentence(place, dry=dry)}
    return JobProgress(True, phase, place["rows"], source.layout["rows"], errors=place["refused"], result=result)


def sentence(counts: dict[str, Any], *, dry: bool) -> str:
    """How the import or its trial ended."""
    words = _("%(new)s new, %(changed)s changed, %(unchanged)s as they were, %(refused)s refused.") % {
        name: f"{counts[name]:,}" for name in _COUNTS
    }
    return (_("So it would be:") if dry else _("Done:")) + " " + words


def _take(source: OrderFile, batch: list[files.Told], seen: "_Seen", *, dry: bool) -> TakenIn:
    given, refused = [], []
    for one in batch:
        values = one.values | ({"lines": one.lines} if one.lines else {})
        name = str(one.values.get("external_id", ""))
        if one.wide:
            detail = _(
                "The row has %(n)s cells more than the header. Text with separators in it needs quotation marks."
            )
            refused.append(Refusal(one.row, name, [Fault("", "too_wide", detail % {"n": one.wide})]))
        elif name and not seen.add(name):
            detail = _("The order was in an earlier row. Rows of one order have to stand together.")
            refused.append(Refusal(one.row, name, [Fault("external_id", "twice", detail)]))
        else:
            given.append((one.row, values))
    done = take_in(source.store, given, channel=source.channel, style=files.style(source.mapping), dry=dry)
    done.refused = sorted([*done.refused, *refused], key=lambda one: one.row)
    return done


def _onwards(
    place: dict[str, Any], source: OrderFile, batch: list[files.Told], done: TakenIn, seen: int
) -> dict[str, Any]:
    further = place | {"seen": seen, "rows": place["rows"] + sum(one.rows for one in batch)}
    further |= {
        "new": place["new"] + done.new,
        "changed": place["changed"] + done.changed,
        "unchanged": place["unchanged"] + done.unchanged,
        "refused": place["refused"] + len(done.refused),
    }
    return further


class _Seen:
    """The ids that the file told so far, as digests in a file beside it."""

    def __init__(self, handle: IO[bytes], ids: set[bytes]) -> None:
        self.handle, self.ids = handle, ids

    @property
    def count(self) -> int:
        self.handle.flush()
        return len(self.ids)

    def add(self, name: str) -> bool:
        digest = blake2b(name.encode(), digest_size=_DIGEST).digest()
        if digest in self.ids:
            return False
        self.ids.add(digest)
        self.handle.write(digest)
        return True


@contextmanager
def _seen(source: OrderFile, job: Job, count: int) -> Iterator[_Seen]:
    path = Path(f"{source.file.path}.{job.pk}.seen")
    path.touch()
    with path.open("r+b") as handle:
        # What was written by a slice that was not committed is cut off.
        handle.truncate(count * _DIGEST)
        known = handle.read()
        yield _Seen(handle, {known[at : at + _DIGEST] for at in range(0, len(known), _DIGEST)})


class _Errors:
    def __init__(self, job: Job, handle: IO[bytes]) -> None:
        self.job, self.handle = job, handle

    def write(self, source: OrderFile, batch: list[files.Told], done: TakenIn) -> int:
        by_row = {one.row: one for one in batch}
        text = io.StringIO()
        writer = csv.writer(text)
        if done.refused and not self.handle.tell():
            writer.writerow([safe_cell(name) for name in (_("Row"), _("What is wrong"), *source.layout["columns"])])
        for refusal in done.refused:
            what = " ".join(f"{fault.field}: {fault.detail}".removeprefix(": ") for fault in refusal.faults)
            writer.writerow([refusal.row, *(safe_cell(cell) for cell in (what, *by_row[refusal.row].cells))])
        self.handle.write(text.getvalue().encode())
        self.handle.flush()
        return self.handle.tell()


@contextmanager
def _errors(job: Job, place: dict[str, Any]) -> Iterator[_Errors]:
    if not job.error_file:
        job.error_file.name = f"jobs/{uuid4().hex}.csv"
        Job.objects.filter(pk=job.pk).update(error_file=job.error_file.name)
    path = Path(settings.MEDIA_ROOT, str(job.error_file.name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open("r+b") as handle:
        handle.truncate(place["error_bytes"])
        handle.seek(0, io.SEEK_END)
        yield _Errors(job, handle)


def refused(source: OrderFile, job: Job, limit: int = SHOWN) -> list[dict[str, Any]]:
    """The first rows that a trial or an import refused: {"row", "id", "what"}; none once they were forgotten."""
    if not job.error_file or not job.error_file.storage.exists(str(job.error_file.name)):
        return []
    columns: dict[str, str] = job.params["mapping"]["columns"]
    place = 2 + source.layout["columns"].index(columns["external_id"])
    with job.error_file.open("rb") as handle:
        rows = (cells for _ends, cells in files.records(handle, ",", 1) if any(cells))
        return [
            {"row": int(cells[0]), "what": cells[1], "id": files.clean(cells[place]) if place < len(cells) else ""}
            for cells in islice(rows, 1, limit + 1)
        ]


def forget(source: OrderFile) -> None:
    """Delete the contents of a file; that it was there stays known."""
    if not source.file:
        return
    path = Path(source.file.path)
    for beside in path.parent.glob(f"{path.name}.*.seen"):
        beside.unlink(missing_ok=True)
    source.file.delete(save=False)
    source.layout = {**source.layout, "sample": []}
    source.save(update_fields=["file", "layout"])


def tidy() -> int:
    """Delete contents of files that nobody imported within a week, and refused rows after 30 days; how many.

    Called each minute. What a job still reads stays.
    """
    now = clock.now()
    read = Job.objects.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    old = (
        OrderFile.objects.exclude(file="")
        .filter(uploaded_at__lt=now - KEPT)
        .exclude(job__in=read)
        .exclude(trial__in=read)[:20]
    )
    for source in old:
        forget(source)
    told = Job.objects.filter(kind__in=[KIND, TRIAL], created_at__lt=now - REFUSED_KEPT).exclude(error_file="")[:20]
    for job in told:
        job.error_file.delete(save=False)
        Job.objects.filter(pk=job.pk).update(error_file="")
    return len(old) + len(told)
