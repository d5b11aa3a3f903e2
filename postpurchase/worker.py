"""The worker: django-q2's cluster, made to die loudly instead of going on deaf.

All children of a cluster share queues whose locks a killed child never gives back: after `kill -9` of an idle worker the
cluster would look alive and take no work again. So a child that ends by a signal ends the whole cluster with exit code
70, and whoever supervises starts it anew. The kernel takes every process along with its parent. What was being worked
on is a due row, whose lease runs out. The kill tests in tests/faults hold this; it overrides `Sentinel.reincarnate`, so
run them before a new version of django-q2 is taken.
"""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawValue
from multiprocessing.synchronize import Event
from types import FrameType
from typing import NoReturn

from django.conf import settings
from django.db import connections
from django_q.cluster import Sentinel

from postpurchase import clock, queue
from postpurchase.processes import RESTART, die_with_parent

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
# How long the other cluster may go on when one of the two has failed.
GRACE_SECONDS = 5.0


class LoudSentinel(Sentinel):
    """The guard of one cluster. Ends everything with RESTART as soon as one of its children was killed."""

    def start(self) -> None:
        # Without a lock, unlike Event: a reader that is killed must not take a lock along.
        self.stop_flag = RawValue("b", 0)
        queue.stop_when(lambda: bool(self.stop_flag.value))
        os.register_at_fork(after_in_child=partial(self._in_child, os.getpid()))
        signal.signal(signal.SIGCHLD, self._on_child_end)
        # The main process alone answers SIGTERM, also when the whole process group gets it; children inherit this.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        super().start()

    def stop(self) -> None:
        self.stop_flag.value = 1
        super().stop()

    def reincarnate(self, process: BaseProcess) -> None:
        if process.exitcode is not None and process.exitcode < 0:
            self._end_loudly(process.pid)
        super().reincarnate(process)
        if process.exitcode is None:
            # Over its time-out and still there: what the base class sends is SIGTERM.
            process.kill()

    @staticmethod
    def _in_child(parent: int) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(parent)

    def _children(self) -> list[int]:
        return [child.pid for child in (*self.pool, self.monitor, self.pusher) if child is not None and child.pid]

    def _on_child_end(self, signum: int, frame: FrameType | None) -> None:
        # At once and not only in the guard's loop, which may itself be waiting for a lock of the killed child.
        # WNOWAIT leaves the ended child for whoever reaps it. Workers that ran into their time-out are no longer in
        # the pool when the guard ends them.
        for child in self._children():
            try:
                ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                continue
            if ended is not None and ended.si_code in {os.CLD_KILLED, os.CLD_DUMPED}:
                self._end_loudly(child)

    def _end_loudly(self, child: int | None) -> NoReturn:
        log.critical("process %s of the worker was killed; the whole worker ends and must be started again", child)
        for other in self._children():
            try:
                os.kill(other, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os._exit(RESTART)


def _guard(parent: int, stop: Event, started: Event) -> None:
    die_with_parent(parent)
    LoudSentinel(stop, started, uuid.uuid4())


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that gets the number of each SIGTERM and SIGINT of this process."""
    seen: list[int] = []
    before = {
        number: signal.signal(number, lambda got, frame: seen.append(got)) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_cluster() -> int:
    """Run the cluster named by Q_CLUSTER_NAME in this process and its children.

    Returns 0 after SIGTERM or SIGINT, when the present parts of the work are done, and RESTART when something died.
    """
    context = multiprocessing.get_context("fork")
    stop, started = context.Event(), context.Event()
    queue.ensure_schedule()
    _tick_soon()
    connections.close_all()
    with _stop_signals() as signals:
        guard = context.Process(target=_guard, args=(os.getpid(), stop, started), name="guard")
        guard.start()
        while guard.is_alive():
            guard.join(LOOK_SECONDS)
            if signals and not stop.is_set() and guard.is_alive():
                stop.set()
    if signals and guard.exitcode == 0:
        return 0
    log.critical("the worker's guard ended with exit code %s", guard.exitcode)
    return RESTART


def _tick_soon() -> None:
    """One tick at the start, so that what a dead worker left is swept without waiting for the minute."""
    from django_q.tasks import async_task

    if os.environ.get("Q_CLUSTER_NAME", queue.CLUSTERS[0]) == queue.CLUSTERS[0]:
        async_task("postpurchase.queue.tick", cluster=queue.CLUSTERS[0])


def run_all() -> int:
    """Run each cluster as a child of this process until SIGTERM or SIGINT (0) or until one of them ends (RESTART)."""
    with _stop_signals() as signals:
        children = [_spawn(name) for name in queue.CLUSTERS]
        while not signals and all(child.poll() is None for child in children):
            time.sleep(LOOK_SECONDS)
        for child in children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        ends = None if signals else clock.monotonic() + GRACE_SECONDS
        while any(child.poll() is None for child in children):
            if ends is not None and clock.monotonic() > ends:
                for child in children:
                    child.kill()
            time.sleep(LOOK_SECONDS)
    return 0 if signals and all(child.returncode == 0 for child in children) else RESTART


def _spawn(cluster: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker", "--cluster", cluster],
        env={**os.environ, "Q_CLUSTER_NAME": cluster},
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
