"""A file of 50,000 orders is tried in memory that does not grow with it."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from stores import jobs
from stores.elsewhere import importing
from stores.models import Job
from tests.factories import make_store
from tests.stores.elsewhere.test_files import HEADER, counts, kept

pytestmark = pytest.mark.django_db
ROWS, BAD = 50_000, 100


def test_memory_stays_flat_over_50_000_orders(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
    rows = (
        f"L-{n},2026-11-20 10:00,{'x' if n % BAD == 0 else n},p{n}@example.com,SKU-{n % 50},1,{n}\n"
        for n in range(1, ROWS + 1)
    )
    source = kept(make_store(), HEADER + "".join(rows))
    job = importing.start(source, dry=True)
    peaks: list[int] = []
    save = jobs.save

    def watched(*given: Any, **more: Any) -> None:
        save(*given, **more)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()

    monkeypatch.setattr(jobs, "save", watched)
    tracemalloc.start(1)
    try:
        assert jobs.run_one(job.pk, 600)
    finally:
        tracemalloc.stop()
    job = Job.objects.get(pk=job.pk)
    assert counts(job) == (ROWS - ROWS // BAD, 0, 0, ROWS // BAD)
    assert len(peaks) >= ROWS // importing.BATCH
    tenth = len(peaks) // 10
    # What is kept of each order is a digest of eight bytes.
    assert max(peaks[-tenth:]) - max(peaks[1:tenth]) < ROWS * 160
