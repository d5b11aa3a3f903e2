"""Processes that do their part of a round at a word: how two workers share one database."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any


class Workers:
    """`count` forked processes, each of which runs one of the named `jobs` when told and answers with its result."""

    def __init__(self, count: int, jobs: Mapping[str, Callable[[], Any]]) -> None:
        from django.db import connection

        # A fork must not share its parent's connection.
        connection.close()
        fork = multiprocessing.get_context("fork")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = fork.Pipe()
            process = fork.Process(target=_serve, args=(theirs, jobs), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.send("")
        for process in self._processes:
            process.join(10)

    def run(self, job: str) -> Sequence[Any]:
        """All do this job at once; their results."""
        for pipe in self._pipes:
            pipe.send(job)
        found = [pipe.recv() for pipe in self._pipes]
        broken = [one for one in found if isinstance(one, Exception)]
        if broken:
            raise broken[0]
        return found


def _serve(pipe: Connection, jobs: Mapping[str, Callable[[], Any]]) -> None:
    from django.db import connection

    while job := pipe.recv():
        try:
            pipe.send(jobs[job]())
        except Exception as error:
            pipe.send(RuntimeError(f"{job}: {type(error).__name__}: {error}"))
    connection.close()
