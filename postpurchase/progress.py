"""Progress of a command: one moving bar on a terminal, plain lines in a pipe."""

from typing import TextIO

from postpurchase import clock

_BAR_CHARS = 28
_LINE_EVERY_SECONDS = 5.0
_DRAW_EVERY_SECONDS = 0.1


class Progress:
    """Show how far something is. In a pipe a line comes every five seconds and one at the end.

    with Progress(self.stdout, "orders", total=7000) as progress:
        progress.to(200)
    """

    def __init__(self, out: TextIO, what: str, *, total: int = 0) -> None:
        self.out, self.what, self.total, self.done = out, what, total, 0
        self._terminal = out.isatty()
        self._begun = self._shown_at = clock.monotonic()

    def to(self, done: int, *, total: int | None = None) -> None:
        """`done` of `total` are done now."""
        self.done = done
        self.total = self.total if total is None else total
        every = _DRAW_EVERY_SECONDS if self._terminal else _LINE_EVERY_SECONDS
        if clock.monotonic() - self._shown_at >= every:
            self._show(last=False)

    def _show(self, *, last: bool) -> None:
        self._shown_at = clock.monotonic()
        text = f"{self.what}: {self.done:,} of {self.total:,}" if self.total else f"{self.what}: {self.done:,}"
        if last:
            text += f" in {self._shown_at - self._begun:.1f} s"
        if not self._terminal:
            self.out.write(f"{text}\n")
            return
        full = min(self.done / self.total, 1.0) if self.total else 0.0
        bar = "#" * round(full * _BAR_CHARS)
        self.out.write(f"\r\x1b[K[{bar:<{_BAR_CHARS}}] {text}" + ("\n" if last else ""))
        self.out.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._show(last=True)
