import os
import time
from datetime import timedelta
from pathlib import Path

from django.apps import AppConfig

LEASE = timedelta(seconds=1)


def work(budget_seconds: float) -> int:
    """Take one row, say who has it, take the seconds that the row asks for on its first attempt, and finish it."""
    from postpurchase import due
    from stores.models import SyncTask

    rows = due.claim(SyncTask, limit=1, lease=LEASE)
    for row in rows:
        Path(os.environ["SLOW_WORK_FILE"]).write_text(f"{os.getpid()} {row.key}")
        if row.attempts == 1:
            time.sleep(row.params["seconds"])
        due.finish(row)
    return len(rows)


class SlowWorkConfig(AppConfig):
    name = "tests.faults.slow_work"

    def ready(self) -> None:
        from postpurchase import queue

        for drains in queue._drains.values():
            drains.clear()
        queue.register_drain("slow", work)
