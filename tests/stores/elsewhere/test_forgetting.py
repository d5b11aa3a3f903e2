"""Files and refused rows forget: a person who is erased, and everybody after their time."""

import csv
from pathlib import Path
from typing import Any

import pytest

from postpurchase import clock, due
from stores import jobs, registries
from stores.elsewhere import importing
from stores.models import Job, Order, OrderFile
from tests.factories import NOON, make_customer, make_store
from tests.stores.elsewhere.test_files import HEADER, counts, imported, kept

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _place(settings: Any, tmp_path: Path) -> None:
    clock.freeze(NOON)
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}


WHO = "Order ID,Order date,Total,Email,Phone,First name,Last name\n"
ANA = [
    "A-1,2026-11-20,x,ANA@example.com,,,",
    "A-2,2026-11-20,x,,+40 712 345 678,,",
    "A-3,2026-11-20,x,ana@@example,,Ana,Pop",
    'A-4,2026-11-20,x,"ana@example.com\nsecond line",,,',
]
ION = "B-1,2026-11-20,x,ion@example.com,0722 111 222,Ion,Pop"


def everything(place: Path) -> str:
    return "".join(path.read_text() for path in place.rglob("*.csv"))


def test_erasure_reaches_refused_rows_and_files_that_wait(settings: Any) -> None:
    store = make_store()
    ana = make_customer(store, email="ana@example.com", phone="0712345678", first_name="Ana", last_name="Pop")
    job = imported(kept(store, WHO + "\n".join([ANA[0], ION, *ANA[1:]]) + "\n"))
    waiting = kept(store, WHO + "\n".join([*ANA, ION]) + "\n")
    assert counts(job) == (0, 0, 0, 5)
    size = Path(waiting.file.path).stat().st_size
    registries.erase(ana)
    said = everything(Path(settings.MEDIA_ROOT)).casefold()
    assert [word for word in ("ana@", "712", "second line", "ana,pop", "a-1") if word in said] == []
    assert said.count("ion@example.com") == 2
    waiting.refresh_from_db()
    assert waiting.layout["sample"] == [ION.split(",")]
    assert Path(waiting.file.path).stat().st_size == size
    job.refresh_from_db()
    assert [line[0] for line in csv.reader(jobs.error_csv(job).splitlines())] == ["Row", "3"]
    assert [one["id"] for one in importing.refused(waiting, job)] == ["B-1"]
    assert "ana" not in str(Job.objects.filter(pk=job.pk).values().get()).casefold()
    # The rest of the file that waits is taken in as before.
    assert counts(imported(waiting)) == (0, 0, 0, 1)


def test_erasure_finds_a_person_by_the_id_of_an_order() -> None:
    store = make_store()
    imported(kept(store, HEADER + "A-1,2026-11-20,10,ana@example.com,,,\n"))
    job = imported(kept(store, HEADER + "A-1,2026-11-20,ten,,,,\nA-9,2026-11-20,ten,,,,\n"))
    registries.erase(Order.objects.get().customer)
    assert [one["id"] for one in importing.refused(OrderFile.objects.latest("pk"), job)] == ["A-9"]


def test_erasure_in_the_middle_of_an_import_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    store = make_store()
    ana = make_customer(store, email="ana@example.com")
    rows = "A-1,2026-11-20,x,ana@example.com,,,\nB-1,2026-11-20,5,b@example.com,,,\n"
    source = kept(store, HEADER + rows + "A-2,2026-11-20,9,ana@example.com,,,\nB-2,2026-11-20,x,c@example.com,,,\n")
    job = importing.start(source, dry=False)
    budget = iter([0.0, 0.0, 0.0, 100.0])
    with monkeypatch.context() as patch:
        patch.setattr(clock, "monotonic", lambda: next(budget, 100.0))
        jobs.run_one(job.pk, 1.0)
    registries.erase(ana)
    jobs.run_one(job.pk, 60)
    job.refresh_from_db()
    assert counts(job) == (1, 0, 0, 2)
    assert list(Order.objects.values_list("external_id", flat=True)) == ["B-1"]
    assert [one["id"] for one in importing.refused(source, job)] == ["B-2"]


def test_refused_rows_are_forgotten_after_thirty_days() -> None:
    job = imported(kept(make_store(), HEADER + "A-1,soon,10,ana@example.com,,,\n"))
    path = Path(job.error_file.path)
    clock.freeze(NOON + importing.REFUSED_KEPT * 0.99)
    importing.tidy()
    assert path.exists()
    clock.freeze(NOON + importing.REFUSED_KEPT * 1.01)
    assert (importing.tidy(), path.exists()) == (1, False)
    job.refresh_from_db()
    assert jobs.error_csv(job).splitlines() == ["object,id,reason,at"]
    assert importing.refused(OrderFile.objects.get(), job) == []
    assert counts(job) == (0, 0, 0, 1)
    assert importing.tidy() == 0


def test_a_file_is_not_deleted_under_a_job_that_reads_it() -> None:
    source = kept(make_store(), HEADER + "A-1,2026-11-20,10,ana@example.com,,,\n")
    job = importing.start(source, dry=False)
    clock.freeze(NOON + importing.KEPT * 1.01)
    assert importing.tidy() == 0
    assert jobs.run_one(job.pk, 60)
    job.refresh_from_db()
    assert (job.status, counts(job)) == ("done", (1, 0, 0, 0))


def test_a_worker_that_dies_after_the_contents_are_deleted_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = kept(make_store(), HEADER + "A-1,2026-11-20,10,ana@example.com,,,\n")
    job = importing.start(source, dry=False)

    class Killed(BaseException):
        pass

    def die(name: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("postpurchase.killpoints.reach", die)
        with pytest.raises(Killed):
            jobs.run_one(job.pk, 60)
    source.refresh_from_db()
    job.refresh_from_db()
    assert (bool(source.file), job.status) == (False, "running")
    clock.advance(jobs.LEASE * 2)
    due.sweep(Job)
    assert jobs.run_one(job.pk, 60)
    job.refresh_from_db()
    assert (job.status, counts(job)) == ("done", (1, 0, 0, 0))


def test_a_job_whose_contents_are_gone_says_so_at_once_and_what_to_do() -> None:
    source = kept(make_store(), HEADER + "A-1,2026-11-20,10,ana@example.com,,,\n")
    job = importing.start(source, dry=False)
    jobs.pause(job)
    clock.freeze(NOON + importing.KEPT * 1.01)
    assert importing.tidy() == 1
    jobs.resume(job)
    jobs.run_one(job.pk, 60)
    job.refresh_from_db()
    assert (job.status, job.state, job.attempts) == ("failed", "dead", 1)
    assert "Upload the file again" in job.error
