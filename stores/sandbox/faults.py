"""Lies on demand: the ways in which a shop's server goes wrong."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from .wire import Request, Response

KINDS = (
    *("status", "headers", "prefix", "truncate", "delay", "drop_before", "drop_after_commit", "stale", "short_page"),
    "empty_list",
)


@dataclass
class Fault:
    """`method` and `path` (a regular expression, searched) choose requests; `nth` is the first of them that is hit.

    `times` is how many are hit, 0 for all from then on. `options` by kind: status {status, body, headers},
    headers {headers}, prefix {text, default a BOM}, truncate {bytes, default half}, delay {seconds}.
    """

    kind: str
    method: str = ""
    path: str = ""
    nth: int = 1
    times: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    used: int = 0

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Fault:
        """Reads the control's form {match: {method, path, nth}, do, times, ...options}. Raises ValueError."""
        if given.get("do") not in KINDS:
            raise ValueError(f"do is one of {', '.join(KINDS)}")
        match = given.get("match") or {}
        options = {key: value for key, value in given.items() if key not in ("match", "do", "times")}
        return cls(
            kind=given["do"],
            method=str(match.get("method", "")).upper(),
            path=str(match.get("path", "")),
            nth=int(match.get("nth", 1)),
            times=int(given.get("times", 1)),
            options=options,
        )

    def takes(self, request: Request) -> bool:
        if self.method and request.method != self.method:
            return False
        if self.path and not re.search(self.path, request.path):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times and self.used >= self.times):
            return False
        self.used += 1
        return True


class Faults:
    """The faults that are set; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._set.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._set.clear()

    def state(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(vars(fault)) for fault in self._set]

    def for_request(self, request: Request) -> list[Fault]:
        if not self._set:
            return []
        with self._lock:
            return [fault for fault in self._set if fault.takes(request)]


def before(faults: list[Fault], request: Request) -> Response | None:
    """What happens before the store sees the request; a response ends it there."""
    for fault in faults:
        if fault.kind == "delay":
            time.sleep(float(fault.options.get("seconds", 1)))
        elif fault.kind == "drop_before":
            return Response(0, drop=True)
        elif fault.kind == "stale":
            request.headers["x-sandbox-stale"] = "1"
        elif fault.kind == "status":
            status = int(fault.options.get("status", 500))
            page = (
                f"<!DOCTYPE html>\n<html><head><title>Error {status}</title></head><body>Error {status}</body></html>"
            )
            headers = {"Content-Type": "text/html; charset=UTF-8", **fault.options.get("headers", {})}
            return Response(status, str(fault.options.get("body", page)).encode(), headers)
    return None


def after(faults: list[Fault], response: Response) -> Response:
    """What happens to the answer on its way."""
    for fault in faults:
        if fault.kind == "drop_after_commit":
            response.drop = True
        elif fault.kind == "headers":
            for name, value in fault.options.get("headers", {}).items():
                if value is None:
                    response.headers.pop(name, None)
                else:
                    response.headers[name] = str(value)
        elif fault.kind == "prefix":
            response.body = str(fault.options.get("text", "\ufeff")).encode() + response.body
        elif fault.kind == "truncate":
            response.cut = int(fault.options.get("bytes", len(response.body) // 2))
        elif fault.kind == "empty_list" and response.body[:1] == b"[":
            response.body = b"[]"
        elif fault.kind == "short_page" and response.body[:1] == b"[":
            response.body = json.dumps(json.loads(response.body)[:-1]).encode()
    return response
