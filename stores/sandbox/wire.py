"""What travels: requests as PHP reads them, answers, errors in WordPress's shapes, JSON as PHP writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Body = dict[str, Any]

# Stored documents carry this address; it is replaced by the address that the caller used.
BASE = "http://store.invalid"
BASE_JSON = BASE.replace("/", "\\/")


def encode(value: Any) -> str:
    """JSON as PHP's json_encode writes it: ASCII, slashes escaped, no blanks."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/")


def with_base(text: str, base: str) -> str:
    """The JSON text with the store's own address put in."""
    return text.replace(BASE_JSON, base.replace("/", "\\/"))


def php_query(query: str) -> dict[str, Any]:
    """A query string as PHP reads it: the last of equal names wins, `a[]` and `a[0]` make lists."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        stem, bracket, _ = name.partition("[")
        if bracket:
            present = found.get(stem)
            found[stem] = [*present, value] if isinstance(present, list) else [value]
        else:
            found[name] = value
    return found


class RestError(Exception):
    """An answer of WordPress's error kind."""

    def __init__(self, code: str, message: str, status: int, *, data: Any = None, extra: Body | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data = data if data is not None else {"status": status, **(extra or {})}

    def body(self) -> Body:
        return {"code": self.code, "message": self.message, "data": self.data}


def no_route() -> RestError:
    return RestError("rest_no_route", "No route was found matching the URL and request method.", 404)


def missing_params(names: list[str]) -> RestError:
    return RestError(
        "rest_missing_callback_param", f"Missing parameter(s): {', '.join(names)}", 400, extra={"params": names}
    )


@dataclass
class Request:
    method: str
    path: str
    query_string: str
    query: dict[str, Any]
    headers: dict[str, str]
    raw: bytes
    base: str
    secure: bool
    remote: str
    via_rest_route: bool = False
    key: Any = None

    @property
    def role(self) -> str:
        return self.key.role if self.key else ""

    def json(self) -> Body:
        """The body as a dictionary: JSON, or a form; nothing is an empty dictionary."""
        if not self.raw.strip():
            return {}
        if "application/x-www-form-urlencoded" in self.headers.get("content-type", ""):
            return php_query(self.raw.decode("utf-8", "replace"))
        try:
            value = json.loads(self.raw)
        except ValueError:
            raise RestError(
                "rest_invalid_json",
                "Invalid JSON body passed.",
                400,
                extra={"json_error_code": 4, "json_error_message": "Syntax error"},
            ) from None
        return value if isinstance(value, dict) else {}

    def flag(self, name: str) -> bool:
        return str(self.query.get(name, "")).lower() in ("1", "true", "yes")


@dataclass
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    # Runs outside the store's lock, before the answer leaves: a ping or a callback that WooCommerce waits for.
    after: Callable[[], Response | None] | None = None
    # Set by faults only: close the connection instead of answering, or after so many bytes of the body.
    drop: bool = False
    cut: int | None = None


REST_HEADERS = {
    "Content-Type": "application/json; charset=UTF-8",
    "X-Robots-Tag": "noindex",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Expose-Headers": "X-WP-Total, X-WP-TotalPages, Link",
    "Access-Control-Allow-Headers": "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type",
}
NO_CACHE = {
    "Expires": "Wed, 11 Jan 1984 05:00:00 GMT",
    "Cache-Control": "no-cache, must-revalidate, max-age=0, no-store, private",
}


def json_response(request: Request, text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A REST answer from JSON text that may hold the placeholder address."""
    sent = {**REST_HEADERS, "Link": f'<{request.base}/wp-json/>; rel="https://api.w.org/"'}
    if request.key is not None:
        sent.update(NO_CACHE)
    else:
        sent["Vary"] = "Origin"
    sent.update(headers or {})
    return Response(status, with_base(text, request.base).encode("ascii"), sent)


def html_response(text: str, *, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(status, text.encode(), {"Content-Type": "text/html; charset=UTF-8", **(headers or {})})
