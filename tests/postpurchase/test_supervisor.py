"""The supervisor of `make run`: starts again what ends, stops all, leaves nobody. Real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from postpurchase import first_env, supervisor
from postpurchase.supervisor import Program, Supervisor

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture
def boss():
    """A supervisor; handlers of signals are put back at the end."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    boss = Supervisor(StringIO())
    yield boss
    boss.signals = 1
    boss.stop()
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def text(boss):
    return boss.out.getvalue()


def test_lines_carry_the_name_and_the_environment_is_added(boss):
    boss.start(Program("long name", SLEEPER))
    boss.start(Program("one", [*SLEEPER[:2], "import os; print(os.environ['X']); input()"], {"X": "seen"}))
    assert boss.run(until=lambda: "up" in text(boss) and "seen" in text(boss), seconds=10)
    assert "long name | up\n" in text(boss)
    assert "one       | seen\n" in text(boss)


def test_what_ends_is_started_again_after_a_growing_pause(boss, monkeypatch):
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.0)
    boss.start(Program("worker", [sys.executable, "-c", "import sys; print('again'); sys.exit(70)"]))
    boss._all[0].pause = 0.1
    assert boss.run(until=lambda: text(boss).count("again\n") == 3, seconds=10)
    assert "worker | ended with exit code 70; starts again in 0 s" in text(boss)
    assert boss._all[0].pause >= 0.4


def test_a_signal_ends_the_run_and_stop_takes_all_along(boss):
    boss.start(Program("a", SLEEPER))
    boss.start(Program("b", SLEEPER))
    assert boss.run(until=lambda: text(boss).count("up") == 2, seconds=10)
    os.kill(os.getpid(), signal.SIGTERM)
    assert boss.run(seconds=10) is False
    boss.stop()
    assert [running.process.returncode for running in boss._all] == [-signal.SIGTERM] * 2


def test_killing_the_supervisor_leaves_nobody(tmp_path: Path):
    child = (
        "import sys; from postpurchase.supervisor import *; boss = Supervisor(sys.stdout);"
        f"boss.start(Program('child', [{sys.executable!r}, '-c', "
        "'import os, time; print(os.getpid(), flush=True); time.sleep(60)'])); boss.run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", child], stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR, env=dict(os.environ)
    )
    pid = int(process.stdout.readline().split("|")[1])
    process.kill()
    process.wait()
    process.stdout.close()
    ends = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_a_taken_port_is_named_with_its_fix_and_nothing_starts(settings):
    settings.DEBUG = True
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"Port {port} cannot be used .*`make run PORT={port + 10}`"):
            call_command("run", port=port)


def test_the_demo_is_refused_outside_debug():
    with pytest.raises(CommandError, match="DEBUG=true"):
        call_command("run", port=1)


def test_first_settings_are_written_once_with_random_keys_for_the_owner_only(tmp_path: Path):
    one, two = tmp_path / "a" / "env", tmp_path / "b" / "env"
    assert first_env.write(one)
    assert first_env.write(two)
    before = one.read_text()
    assert one.stat().st_mode & 0o777 == 0o600
    assert not first_env.write(one)
    assert one.read_text() == before
    assert not set(before.splitlines()[3:6]) & set(two.read_text().splitlines())
