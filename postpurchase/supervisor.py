"""Runs several programs as one: lines with a name in front, starts again what ends, and takes all along at the end.

For the demo and for development. In production the system's own supervisor does this (docs/operator.md).
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TextIO

from postpurchase import clock
from postpurchase.processes import die_with_parent

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
# Whoever ran this long has begun well; its next end is a new story.
SOUND_SECONDS = 30.0
STOP_SECONDS = 25.0
_LOOK_SECONDS = 0.2


@dataclass
class Program:
    """One program: the name that stands before its lines, its command, and what it has in its environment besides."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class _Running:
    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    begun: float = 0.0
    pause: float = FIRST_PAUSE
    again_at: float | None = None
    rest: bytes = b""


class Supervisor:
    """Starts programs and keeps them running until SIGINT, SIGTERM or SIGHUP; a second signal kills."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.signals = 0
        self._all: list[_Running] = []
        self._selector = selectors.DefaultSelector()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.signals += 1

    def start(self, program: Program) -> None:
        """Start one more program."""
        running = _Running(program)
        self._all.append(running)
        self._begin(running)

    def _begin(self, running: _Running) -> None:
        running.process = subprocess.Popen(
            list(running.program.command),
            env=os.environ | running.program.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C reaches only the supervisor, which then stops them in order.
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        running.begun, running.again_at, running.rest = clock.monotonic(), None, b""
        assert running.process.stdout is not None
        os.set_blocking(running.process.stdout.fileno(), False)
        self._selector.register(running.process.stdout, selectors.EVENT_READ, running)

    def run(self, *, until: Callable[[], bool] | None = None, seconds: float | None = None) -> bool:
        """Keep all running until `until()` is true (then True), until a signal comes or the seconds are over (False)."""
        ends = None if seconds is None else clock.monotonic() + seconds
        while not self.signals:
            if until is not None and until():
                return True
            if ends is not None and clock.monotonic() > ends:
                return False
            self._read(_LOOK_SECONDS)
            self._look()
        return False

    def _read(self, wait: float) -> None:
        if not self._selector.get_map():
            time.sleep(wait)
        for key, _ in self._selector.select(wait):
            self._copy(key.data, key.fileobj)  # type: ignore[arg-type]

    def _copy(self, running: _Running, pipe: IO[bytes]) -> None:
        try:
            data = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(pipe)
            pipe.close()
        *lines, running.rest = (running.rest + data).split(b"\n")
        if not data and running.rest:
            lines.append(running.rest)
            running.rest = b""
        for line in lines:
            self._say(running.program.name, line.decode(errors="replace"))

    def _say(self, name: str, line: str) -> None:
        width = max(len(running.program.name) for running in self._all)
        self.out.write(f"{name:<{width}} | {line}\n")
        self.out.flush()

    def _look(self) -> None:
        now = clock.monotonic()
        for running in self._all:
            if running.process is not None and running.process.poll() is not None:
                if now - running.begun > SOUND_SECONDS:
                    running.pause = FIRST_PAUSE
                code = running.process.returncode
                self._say(running.program.name, f"ended with exit code {code}; starts again in {running.pause:.0f} s")
                running.process, running.again_at = None, now + running.pause
                running.pause = min(running.pause * 2, LONGEST_PAUSE)
            elif running.again_at is not None and now >= running.again_at:
                self._begin(running)

    def stop(self) -> None:
        """Stop all, the last one first: ask, wait, then kill. A further signal kills at once."""
        asked_at, signals = clock.monotonic(), self.signals
        processes = [running.process for running in reversed(self._all) if running.process is not None]
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        while any(process.poll() is None for process in processes):
            if self.signals > signals or clock.monotonic() - asked_at > STOP_SECONDS:
                for process in processes:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)
            self._read(_LOOK_SECONDS)
        while self._selector.get_map() and any(self._selector.select(0)):
            self._read(0)
