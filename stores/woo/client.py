"""The only WooCommerce client: the `woocommerce` package, pooled, guarded, strict about errors and tolerant of junk.

No retry in here but the one immediate repeat of a GET on a dead kept-alive connection; a retry belongs to the due row.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from requests.auth import HTTPBasicAuth
from woocommerce import API

from postpurchase import clock, http
from stores.models import Store
from stores.woo import counts, decode, freshness
from stores.woo.errors import KeysRefused, Missing, Unreachable, WooError

# Plugins keep values of 10 MB in an order.
MAX_SINGLE = 16 * 1024 * 1024
USER_AGENT = f"Postpurchase/{settings.VERSION}"


@dataclass(frozen=True)
class Page:
    """One page of a list. `total` and `pages` are what the shop told, None where it told nothing.

    On a page past the end some shops tell 0: take totals from a first page only.
    """

    rows: list[dict[str, Any]]
    total: int | None
    pages: int | None
    fetched_at: datetime
    # When the shop says that it answered, by its own clock.
    told_at: datetime | None = None
    # A cache answered in spite of all: what is new may be missing.
    stale: bool = False


class _Signer(API):
    """The package with its private request replaced: pooled, no redirects, parameters once, whole answers only."""

    def __init__(self, url: str, key: str, secret: str, *, mode: str, ca: str) -> None:
        super().__init__(url, key, secret, version="wc/v3", query_string_auth=mode == "query", user_agent=USER_AGENT)
        # OAuth is for shops behind a proxy that hides https from them, too.
        self.is_ssl = mode != "oauth"
        self.session = http.session(ca=ca)

    def __repr__(self) -> str:
        return f"<_Signer {self.url}>"

    def _API__request(
        self, method: str, endpoint: str, data: Any, params: Mapping[str, str] | None = None, **kwargs: Any
    ) -> http.Answer:
        asked = dict(params or {})
        url = self._API__get_url(endpoint)
        auth = None
        if not self.is_ssl:
            # Shops that end https before WordPress take themselves for http: what is signed says http.
            scheme, _, rest = url.partition("://")
            signed = self._API__get_oauth_url(
                f"http://{rest}?{urlencode(asked)}" if asked else f"http://{rest}", method
            )
            url = f"{scheme}://{signed.partition('://')[2]}"
        else:
            if self.query_string_auth:
                asked |= {"consumer_key": self.consumer_key, "consumer_secret": self.consumer_secret}
            else:
                auth = HTTPBasicAuth(self.consumer_key, self.consumer_secret)
            url = f"{url}?{urlencode(asked)}" if asked else url
        headers = {"User-Agent": self.user_agent, "Accept": "application/json"}
        body = None
        if data is not None:
            body = json.dumps(data, default=str).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        return http.call(self.session, method, url, headers=headers, data=body, auth=auth, **kwargs)


def _told(value: Any) -> str:
    """A parameter as the shop reads it everywhere: lists comma-joined, because PHP keeps only the last of repeated ones."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return gmt(value)
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_told(item) for item in value)
    return str(value)


def gmt(at: datetime) -> str:
    """A moment as naive GMT in whole seconds. Goes with `dates_are_gmt=True`; a `Z` together with it is shifted."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Client:
    """Calls to one shop. Every failure is a `stores.woo.errors.WooError`; none holds a key or an address with keys.

    `pollution` is what stood around the JSON of the last polluted answer, "" when there was none. `cached` is set once
    a cache answered instead of the shop; from then on each GET carries a parameter that no cache has seen.
    """

    def __init__(self, base_url: str, *, key: str, secret: str, mode: str = "basic", ca: str = "") -> None:
        self.base_url = base_url.rstrip("/")
        self.pollution = ""
        self.cached = False
        self.calls = 0
        # Whose requests are counted; 0 while nobody has the shop yet.
        self.store_id = 0
        self._reads = False
        self._freshness = freshness.Freshness()
        self._signer = _Signer(self.base_url, key, secret, mode=mode, ca=ca)

    def __repr__(self) -> str:
        return f"<Client {self.base_url}>"

    def get(self, path: str, **params: Any) -> Any:
        """One object (dict) or a short list. A path that ends in an id must bring the object of that id."""
        value, _, _ = self._call("GET", path, None, params)
        last = path.rstrip("/").rpartition("/")[2]
        if last.isdecimal() and (not isinstance(value, dict) or str(value.get("id", last)) != last):
            raise _misshapen()
        if not isinstance(value, dict | list):
            raise _misshapen()
        return value

    def page(self, path: str, **params: Any) -> Page:
        """One page of a list: its rows and the totals told."""
        begun = clock.now()
        value, headers, stale = self._call("GET", path, None, params)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise _misshapen()
        told = freshness.told_at(headers)
        return Page(value, _number(headers, "X-WP-Total"), _number(headers, "X-WP-TotalPages"), begun, told, stale)

    def fulfilments(self, order_id: int) -> list[dict[str, Any]] | None:
        """Parcels that the shop keeps of an order; None while that feature is off there: the address is then missing."""
        try:
            told = self.get(f"orders/{order_id}/fulfillments")
        except Missing:
            return []
        except Unreachable as error:
            if error.code == "rest_no_route":
                return None
            raise
        rows = told.get("fulfillments") if isinstance(told, dict) else told
        return [row for row in rows or [] if isinstance(row, dict)]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Create. Never repeated here: look the natural key up before asking again."""
        return self._call("POST", path, body, {})[0]

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Change."""
        return self._call("PUT", path, body, {})[0]

    def delete(self, path: str, **params: Any) -> Any:
        """Trash, or with force=True delete for good."""
        return self._call("DELETE", path, None, params)[0]

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None, params: dict[str, Any]
    ) -> tuple[Any, Mapping[str, str], bool]:
        asked = {name: _told(value) for name, value in params.items() if value is not None}
        single = method != "GET" or path.rstrip("/").rpartition("/")[2].isdecimal()
        limit = MAX_SINGLE if single else http.MAX_BYTES
        try:
            found = self._read(method, path, body, asked, limit)
        except WooError as error:
            counts.add(self.store_id, error)
            raise
        counts.add(self.store_id, None)
        return found

    def _read(
        self, method: str, path: str, body: dict[str, Any] | None, asked: dict[str, str], limit: int
    ) -> tuple[Any, Mapping[str, str], bool]:
        answer, stale = (
            self._fresh(path, asked, limit)
            if method == "GET"
            else (self._send(method, path, body, asked, limit), False)
        )
        value, junk = decode.read(answer, method=method, key_reads=self._reads)
        if junk:
            self.pollution = junk
        if method == "GET":
            self._reads = True
        return value, answer.headers, stale

    def _fresh(self, path: str, asked: dict[str, str], limit: int) -> tuple[http.Answer, bool]:
        """The shop's own answer, not a cache's: a stale one is asked for again by an address that no cache knows.

        The second value says that the answer is an old one nevertheless.
        """
        answer = self._send("GET", path, None, asked | _unseen() if self.cached else asked, limit)
        stale = self._freshness.is_stale(answer.headers)
        if stale and not self.cached:
            answer = self._send("GET", path, None, asked | _unseen(), limit)
            stale = self._freshness.is_stale(answer.headers)
            by_clock = stale and freshness.age(answer.headers) < freshness.OLD
            self.cached = not by_clock
            if by_clock:
                # No cache says that it answered: the shop's clock was set back, or stands.
                self._freshness.start_anew()
            stale = stale and not by_clock
        return answer, stale

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None, asked: dict[str, str], limit: int
    ) -> http.Answer:
        self.calls += 1
        try:
            answer: http.Answer = self._signer._API__request(method, path.strip("/"), body, asked, max_bytes=limit)
        except http.NoAnswer as error:
            raise Unreachable(f"{error} Nothing was lost; it is tried again by itself.", code=error.kind) from None
        except UnicodeEncodeError:
            raise KeysRefused(
                "The keys hold signs that no WooCommerce key has. Copy them once more.", code="keys_refused"
            ) from None
        return answer


def _unseen() -> dict[str, str]:
    """A parameter that WordPress does not read, with a value that was never asked for."""
    return {"_": secrets.token_hex(8)}


def _misshapen() -> Unreachable:
    return Unreachable(
        "The shop answered with something else than what was asked for. Nothing was lost; it is tried again by itself.",
        code="wrong_shape",
    )


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else None


_clients: dict[int, tuple[tuple[Any, ...], Client]] = {}


def root_of(store: Store) -> str:
    """Where the shop's REST API hangs: its address, with /index.php for shops without pretty rewriting."""
    return store.base_url.rstrip("/") + ("/index.php" if store.capabilities.get("index_php") else "")


def client_for(store: Store) -> Client:
    """The pooled client of a store in this process; a new one when its address or keys changed, or after a fork."""
    marks = (os.getpid(), root_of(store), store.consumer_key, store.consumer_secret, store.auth_mode, store.ca_file)
    kept = _clients.get(store.pk)
    if kept and kept[0] == marks:
        found = kept[1]
    else:
        found = Client(
            root_of(store), key=store.consumer_key, secret=store.consumer_secret, mode=store.auth_mode, ca=store.ca_file
        )
        found.store_id = store.pk
        _clients[store.pk] = (marks, found)
    # Forgotten with the shop's record: the daily look believes a cache gone, and the next stale answer says otherwise.
    found.cached = bool(store.capabilities.get("cached"))
    return found
