"""The sandbox store in a process of its own, with its pages kept ready once they have been asked for.

Commands come as lines: `seconds` answers how long it has worked since the last time it was asked, `pages` what was asked
for in that time; both begin anew. Arguments: scale, seconds that each order of an answer takes, bytes of pages kept ready.
"""

import json
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

CACHE = 2_000_000_000


class Shop:
    """A running store: `url`, `key`, `secret`; a context manager."""

    def __init__(self, scale: int, *, seconds_an_order: float = 0.0, ready: bool = True) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.shop", str(scale), str(seconds_an_order), str(CACHE if ready else 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = self._line()
        self.url, self.key, self.secret, self.orders = told["url"], told["key"], told["secret"], told["orders"]

    def __enter__(self) -> "Shop":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def ask(self, command: str) -> Any:
        """Send a command; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _slow(app: Any, seconds: float) -> None:
    """Have each answer wait for the orders in it; several answers wait at the same time, as a shop's processes do."""
    quick = app.respond

    def respond(environ: dict[str, Any]) -> Any:
        answer = quick(environ)
        time.sleep(seconds * answer.body.count(b'"order_key":'))
        return answer

    app.respond = respond


def main() -> None:
    from stores.sandbox.server import Sandbox

    sandbox = Sandbox(
        seed=1, scale=int(sys.argv[1]), history="original", page_cache_bytes=int(sys.argv[3]), control=False
    )
    # Where nobody looks at more than the last requests, the log is short; here a whole reading is looked at.
    from collections import deque

    sandbox.app.log = deque()
    if seconds := float(sys.argv[2]):
        _slow(sandbox.app, seconds)
    with sandbox:
        told = {
            "url": sandbox.url,
            "key": sandbox.key,
            "secret": sandbox.secret,
            "orders": sandbox.store.storage.count("kind = 'order'", ()),
        }
        print(json.dumps(told), flush=True)
        for line in sys.stdin:
            asked = list(sandbox.app.log)
            sandbox.app.log.clear()
            if line.strip() == "seconds":
                print(json.dumps(sum(one["seconds"] for one in asked)), flush=True)
            else:
                pages = [(one["path"], one["query"]) for one in asked if one["status"] == 200]
                print(json.dumps(pages), flush=True)


if __name__ == "__main__":
    main()
