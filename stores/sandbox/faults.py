"""Lies on demand: the ways in which a shop's server goes wrong."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from .wire import Request, Response

KINDS = (
    *("status", "headers", "prefix", "truncate", "delay", "drop_before", "drop_after_commit", "stale", "strip"),
    *("short_page", "empty_list", "drop_rows", "ignore", "cached", "break_on", "replace", "batch"),
)


@dataclass
class Fault:
    """`method` and `path` (a regular expression, searched) choose requests; `nth` is the first of them that is hit.

    `times` is how many are hit, 0 for all from then on. `options` by kind: status {status, body, headers},
    headers {headers}, prefix {text, default a BOM}, truncate {bytes, default half}, delay {seconds},
    empty_list {totals: true also tells 0}, drop_rows {ids}: rows that may not be shown, taken out after the page was cut,
    ignore {params}: as of a version that does not know them, cached {seconds, blind: whatever was asked}: a cache in
    front, with `Age` and an old `Date`, break_on {ids}: status 500 for every answer with one of these objects in whole,
    replace {old, new}: another text in the answer's body, batch {refuse: places whose row is refused, only: how many rows
    are carried out, missing: places left out of the answer}: of the rows that a batch is to create.
    """

    kind: str
    method: str = ""
    path: str = ""
    nth: int = 1
    times: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    used: int = 0
    kept: dict[str, tuple[datetime, Response]] = field(default_factory=dict, repr=False)

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
            return [{k: v for k, v in vars(fault).items() if k != "kept"} for fault in self._set]

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
        elif fault.kind == "strip":
            request.headers.pop(str(fault.options.get("header", "authorization")).lower(), None)
        elif fault.kind == "batch":
            _spoil_batch(request, fault.options)
        elif fault.kind == "stale":
            request.headers["x-sandbox-stale"] = "1"
        elif fault.kind == "ignore":
            for name in fault.options.get("params", []):
                request.query.pop(name, None)
        elif fault.kind == "status":
            status = int(fault.options.get("status", 500))
            page = (
                f"<!DOCTYPE html>\n<html><head><title>Error {status}</title></head><body>Error {status}</body></html>"
            )
            headers = {"Content-Type": "text/html; charset=UTF-8", **fault.options.get("headers", {})}
            return Response(status, str(fault.options.get("body", page)).encode(), headers)
    return None


def _spoil_batch(request: Request, options: dict[str, Any]) -> None:
    """Some rows of a batch are refused, or the server ends in the middle of it."""
    given = json.loads(request.raw)
    rows = given.get("create", [])
    for place in options.get("refuse", []):
        if place < len(rows):
            rows[place]["code"] = ""
    given["create"] = rows[: options.get("only", len(rows))]
    request.raw = json.dumps(given).encode()


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
        elif fault.kind == "batch" and fault.options.get("missing"):
            told = json.loads(response.body)
            left_out = set(fault.options["missing"])
            told["create"] = [row for place, row in enumerate(told.get("create", [])) if place not in left_out]
            response.body = json.dumps(told).encode()
        elif fault.kind == "empty_list" and response.body[:1] == b"[":
            response.body = b"[]"
            if fault.options.get("totals"):
                response.headers |= {"X-WP-Total": "0", "X-WP-TotalPages": "0"}
        elif fault.kind == "drop_rows" and response.body[:1] == b"[":
            gone = fault.options.get("ids", [])
            response.body = json.dumps([row for row in json.loads(response.body) if row.get("id") not in gone]).encode()
        elif fault.kind == "replace":
            old, new = (str(fault.options.get(name, "")).encode() for name in ("old", "new"))
            response.body = response.body.replace(old, new)
        elif fault.kind == "break_on":
            _break_on(fault.options.get("ids", []), response)
        elif fault.kind == "short_page" and response.body[:1] == b"[":
            response.body = json.dumps(json.loads(response.body)[:-1]).encode()
    return response


def _break_on(ids: list[int], response: Response) -> None:
    rows = json.loads(response.body) if response.body[:1] in (b"[", b"{") else []
    # The ids alone cost nothing to tell; it is the whole object that the shop trips over.
    if any(row.get("id") in ids and "meta_data" in row for row in (rows if isinstance(rows, list) else [rows])):
        response.status, response.body = 500, b"<!DOCTYPE html><html><body>Error 500</body></html>"
        response.headers["Content-Type"] = "text/html; charset=UTF-8"


def from_cache(faults: list[Fault], request: Request, now: datetime) -> Response | None:
    """What a cache in front of the store still has of this address."""
    for fault in faults:
        kept = fault.kept.get(_address(fault, request)) if fault.kind == "cached" and request.method == "GET" else None
        if kept and now - kept[0] < timedelta(seconds=float(fault.options.get("seconds", 600))):
            answer = kept[1]
            age = str(int((now - kept[0]).total_seconds()))
            return replace(answer, headers={**answer.headers, "Age": age, "X-Cache": "HIT"})
    return None


def to_cache(faults: list[Fault], request: Request, response: Response, now: datetime) -> None:
    """What a cache in front of the store takes over from an answer on its way."""
    for fault in faults:
        if fault.kind == "cached" and request.method == "GET" and response.status == 200:
            fault.kept[_address(fault, request)] = (now, replace(response, headers=dict(response.headers)))


def _address(fault: Fault, request: Request) -> str:
    return request.path if fault.options.get("blind") else f"{request.path}?{request.query_string}"
