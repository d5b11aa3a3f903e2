"""kill -9 anywhere in the worker: nothing is lost, nothing goes deaf, nobody is left behind. Real processes."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from postpurchase import clock
from stores.models import Heartbeat, Store, SyncTask

ALIAS = "kills"
# Far more than it takes, for machines that are busy with other things.
WAIT_SECONDS = 60
MANAGE = str(settings.BASE_DIR / "manage.py")
RESTART = 70
# The main process; for each of the two clusters its process, sentinel, monitor and pusher; and the workers of both.
ALL_PROCESSES = 1 + 2 * 4 + 2 + settings.SYNC_WORKERS


def until(fact: Callable[[], object], what: str) -> None:
    """Look until the fact is true; fail when it is not in time."""
    ends = time.monotonic() + WAIT_SECONDS
    while not fact():
        assert time.monotonic() < ends, f"waited in vain until {what}"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """Living children, oldest first."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return sorted(int(child) for child in found)


def family(pid: int) -> list[int]:
    return [pid, *(one for child in children(pid) for one in family(child))]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, django_db_blocker) -> Iterator[dict[str, str]]:
    """A database of its own, open to other processes, and the environment in which they find it."""
    folder = tmp_path_factory.mktemp("kills")
    default = settings.DATABASES["default"]
    with django_db_blocker.unblock():
        if "postgresql" in default["ENGINE"]:
            name = f"kills_{uuid.uuid4().hex[:8]}"
            with connections["default"]._nodb_cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
            host = f"{default['HOST'] or '127.0.0.1'}:{default['PORT'] or 5432}"
            address = f"postgres://{default['USER']}:{default['PASSWORD']}@{host}/{name}"
        else:
            name = str(folder / "kills.sqlite3")
            address = f"sqlite:///{name}"
        variables = {
            **os.environ,
            "DATABASE_URL": address,
            "DJANGO_SETTINGS_MODULE": "tests.faults.slow_work.settings",
            "SLOW_WORK_FILE": str(folder / "taken"),
            "PYTHONPATH": str(settings.BASE_DIR),
        }
        variables.pop("Q_CLUSTER_NAME", None)
        subprocess.run([sys.executable, MANAGE, "migrate", "-v0"], env=variables, check=True)
        connections.databases[ALIAS] = {**connections.databases["default"], "NAME": name}
        yield variables
        connections[ALIAS].close()
        del connections.databases[ALIAS]
        if "postgresql" in default["ENGINE"]:
            with connections["default"]._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def shop(environment, django_db_blocker) -> Iterator[Store]:
    with django_db_blocker.unblock():
        Path(environment["SLOW_WORK_FILE"]).unlink(missing_ok=True)
        OrmQ.objects.using(ALIAS).all().delete()
        Heartbeat.objects.using(ALIAS).all().delete()
        shop = Store.objects.using(ALIAS).create(slug=uuid.uuid4().hex, name="Kills")
        yield shop
        shop.delete(using=ALIAS)


def add(shop: Store, key: str, *, seconds: float = 0) -> SyncTask:
    return SyncTask.objects.using(ALIAS).create(store=shop, entity="order", key=key, params={"seconds": seconds})


def ring() -> None:
    """Put a wake-up into the queue of the other database."""
    name = uuid.uuid4().hex
    task = {
        "id": name,
        "name": name,
        "func": "postpurchase.queue.answer",
        "args": ("postpurchase",),
        "kwargs": {},
        "started": timezone.now(),
    }
    OrmQ.objects.using(ALIAS).create(key="postpurchase", payload=SignedPackage.dumps(task), lock=timezone.now())


@contextmanager
def worker(environment: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A running worker; whatever is left of it is killed at the end."""
    Heartbeat.objects.using(ALIAS).all().delete()
    process = subprocess.Popen([sys.executable, MANAGE, "worker", *arguments], env=environment, start_new_session=True)
    try:
        yield process
    finally:
        for pid in family(process.pid):
            if lives(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def has_begun(process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"the worker ended with {process.returncode}"
    return Heartbeat.objects.using(ALIAS).filter(name="tick").exists()


def is_done(row: SyncTask) -> bool:
    row.refresh_from_db()
    return row.state == "done"


def taken_by(environment: dict[str, str]) -> int:
    until(lambda: Path(environment["SLOW_WORK_FILE"]).exists(), "somebody takes the row")
    until(lambda: Path(environment["SLOW_WORK_FILE"]).read_text(), "the taker has written its id")
    return int(Path(environment["SLOW_WORK_FILE"]).read_text().split()[0])


def all_end(pids: list[int]) -> None:
    until(lambda: not any(lives(pid) for pid in pids), f"all of {pids} have ended")


ONE = ("--cluster", "postpurchase")


def test_an_idle_worker_or_the_guard_killed_ends_all_and_the_next_start_works(environment, shop):
    with worker(environment, *ONE) as process:
        until(lambda: has_begun(process), "the worker has begun")
        everybody = family(process.pid)
        (guard,) = children(process.pid)
        assert len(children(guard)) == 4
        os.kill(children(guard)[0], signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == RESTART
        all_end(everybody)
    row = add(shop, "after")
    with worker(environment, *ONE) as process:
        until(lambda: is_done(row), "the next worker does the row")
        later = add(shop, "later")
        ring()
        until(lambda: is_done(later), "it hears the bell")
        assert (row.attempts, later.attempts) == (1, 1)
        everybody = family(process.pid)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == RESTART
        all_end(everybody)


def test_a_busy_worker_killed_loses_no_row(environment, shop):
    row = add(shop, "busy", seconds=60)
    with worker(environment, *ONE) as process:
        busy = taken_by(environment)
        everybody = family(process.pid)
        assert busy in everybody
        os.kill(busy, signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == RESTART
        all_end(everybody)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("running", 1)
    until(lambda: row.lease_until < clock.now(), "the lease runs out")
    with worker(environment, *ONE):
        until(lambda: is_done(row), "the next worker does the row")
    assert row.attempts == 2


def test_the_main_process_killed_leaves_nobody(environment, shop):
    row = add(shop, "busy", seconds=60)
    with worker(environment, *ONE) as process:
        taken_by(environment)
        everybody = family(process.pid)
        assert len(everybody) == 6
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == -signal.SIGKILL
        all_end(everybody)
    row.refresh_from_db()
    assert row.state == "running"


def test_sigterm_finishes_the_row_in_hand_and_ends_with_zero(environment, shop):
    row = add(shop, "in hand", seconds=1)
    with worker(environment, *ONE) as process:
        taken_by(environment)
        everybody = family(process.pid)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(WAIT_SECONDS) == 0
        all_end(everybody)
    assert is_done(row)
    assert row.attempts == 1


def test_both_clusters_live_and_die_together(environment, shop):
    with worker(environment) as process:
        until(lambda: len(family(process.pid)) == ALL_PROCESSES, "both clusters run")
        until(lambda: has_begun(process), "the worker has begun")
        everybody = family(process.pid)
        # One cluster fails: the other is asked to stop, and whoever started both learns that they must start again.
        os.kill(children(process.pid)[1], signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == RESTART
        all_end(everybody)


def test_the_process_above_both_clusters_killed_leaves_nobody(environment, shop):
    with worker(environment) as process:
        until(lambda: len(family(process.pid)) == ALL_PROCESSES, "both clusters run")
        everybody = family(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        all_end(everybody)
