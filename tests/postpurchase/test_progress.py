"""A bar on a terminal, lines in a pipe."""

from io import StringIO

import pytest

from postpurchase import clock
from postpurchase.progress import Progress


@pytest.fixture
def seconds(monkeypatch):
    at = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    return at


class Terminal(StringIO):
    def isatty(self):
        return True


def test_a_pipe_gets_plain_lines_now_and_then_and_at_the_end(seconds):
    out = StringIO()
    with Progress(out, "orders", total=7000) as progress:
        for done in (100, 200, 4000, 7000):
            seconds[0] += 2
            progress.to(done)
    assert out.getvalue() == "orders: 4,000 of 7,000\norders: 7,000 of 7,000 in 8.0 s\n"


def test_a_terminal_gets_one_bar_that_moves(seconds):
    out = Terminal()
    with Progress(out, "orders") as progress:
        seconds[0] += 1
        progress.to(50, total=100)
        progress.to(51)
    first, last = out.getvalue().split("\r\x1b[K")[1:]
    assert first == f"[{'#' * 14}{' ' * 14}] orders: 50 of 100"
    assert last.endswith("orders: 51 of 100 in 1.0 s\n")
