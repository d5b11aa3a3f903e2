"""The WSGI application: from a request to the answer, with the lies that were asked for."""

from __future__ import annotations

import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from . import connect, faults, routes, shopfront
from .auth import Authenticator
from .rest.site import index
from .store import Store
from .wire import Request, Response, RestError, encode, html_response, json_response, no_route, php_query

LOG_LENGTH = 5_000
LOG_BODY = 20_000
FATAL = (
    "<!DOCTYPE html>\n<html><head><title>WordPress &rsaquo; Error</title></head><body><p>There has been a critical"
    " error on this website.</p></body></html>"
)


class ConnectionDropped(ConnectionError):
    """The connection was closed instead of answering; raised to callers in the same process."""


class App:
    """Answers requests. `control`, where given, answers below /_control/ to callers on this machine."""

    def __init__(
        self,
        store: Store,
        *,
        authenticator: Authenticator,
        http_callbacks: bool = False,
        page_cache_bytes: int = 64_000_000,
    ) -> None:
        self.store = store
        self.faults = faults.Faults()
        self.control: Callable[[Request], Response] | None = None
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LENGTH)
        self._authenticator = authenticator
        self._http_callbacks = http_callbacks
        self._pages: OrderedDict[Any, Response] = OrderedDict()
        self._pages_bytes = 0
        self._pages_version = -1
        self._page_cache_bytes = page_cache_bytes

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """For callers in the same process; a dropped connection raises ConnectionDropped."""
        response = self.respond(environ)
        if response.drop:
            raise ConnectionDropped("the store closed the connection")
        body = response.body if response.cut is None else response.body[: response.cut]
        headers = [*response.headers.items(), ("Content-Length", str(len(response.body)))]
        start_response(status_line(response.status), headers)
        return [body]

    def respond(self, environ: dict[str, Any]) -> Response:
        """The answer to a WSGI environ, with its faults marked but not carried out."""
        request = read_request(environ)
        if request.path.startswith("/_control"):
            if self.control is None or request.remote not in ("127.0.0.1", "::1", ""):
                return html_response("Not found", status=404)
            return self.control(request)
        started = time.perf_counter()
        hit = self.faults.for_request(request)
        response = faults.before(hit, request)
        kept = faults.from_cache(hit, request, self.store.now) if response is None else None
        response = kept or response
        if response is None:
            response = self._page(request) if not hit else None
            if response is None:
                response = self._answer(request)
                if not hit:
                    self._keep_page(request, response)
        response.headers.setdefault("Date", format_datetime(self.store.now, usegmt=True))
        if kept is None:
            faults.to_cache(hit, request, response, self.store.now)
        response = faults.after(hit, response)
        if request.method == "HEAD":
            response = replace(response, body=b"")
        self._log(request, response, hit, time.perf_counter() - started)
        return response

    def _answer(self, request: Request) -> Response:
        """The store's answer; what breaks inside is WordPress's page for that, and told on standard error."""
        try:
            response = self._handle(request)
        except Exception:
            traceback.print_exc()
            return html_response(FATAL, status=500)
        if response.after is not None:
            response = response.after() or response
        return response

    def _handle(self, request: Request) -> Response:
        if not request.path.startswith("/wp-json"):
            if request.path.startswith("/wc-auth/v1/"):
                with self.store.storage.lock:
                    return connect.answer(self.store, request, http_callbacks=self._http_callbacks)
            return shopfront.answer(self.store, request)
        storage = self.store.storage
        writing = request.method not in ("GET", "HEAD", "OPTIONS")
        with storage.lock:
            if writing:
                storage.begin()
            try:
                response = self._rest(request)
            except RestError as error:
                response = json_response(request, encode(error.body()), status=error.status)
            except Exception:
                if writing:
                    storage.rollback()
                raise
            if writing:
                storage.commit()
            path = request.path.removeprefix("/wp-json/wc/v3").strip("/")
            response.headers.update(routes.allow_header(self.store, request, path, response.status))
        return envelope(request, response) if "_envelope" in request.query else response

    def _rest(self, request: Request) -> Response:
        request.key = self._authenticator.identify(request)
        path = request.path.removeprefix("/wp-json").rstrip("/")
        if path == "" and request.method in ("GET", "HEAD"):
            return index(self.store, request, routes.names(self.store))
        if path.startswith("/wp/v2/"):
            raise RestError("rest_not_logged_in", "You are not currently logged in.", 401)
        if path != "/wc/v3" and not path.startswith("/wc/v3/"):
            raise no_route()
        response = routes.answer(self.store, request, path.removeprefix("/wc/v3").strip("/"))
        if response is None:
            raise no_route()
        return response

    def _page_key(self, request: Request) -> Any:
        """The key of a list that may be kept ready, or None: what was asked, without how it was signed."""
        if request.method != "GET" or not request.path.startswith("/wp-json/wc/v3/") or "per_page" not in request.query:
            return None
        own = {k: str(v) for k, v in request.query.items() if not k.startswith(("oauth_", "consumer_"))}
        return request.base, request.path, tuple(sorted(own.items()))

    def _page(self, request: Request) -> Response | None:
        """The kept answer, as long as nothing in the store has changed since."""
        key = self._page_key(request)
        with self.store.storage.lock:
            if self._pages_version != self.store.storage.version:
                self._pages.clear()
                self._pages_bytes, self._pages_version = 0, self.store.storage.version
            kept = self._pages.get(key) if key else None
            if kept is None:
                return None
            self._pages.move_to_end(key)
        try:
            request.key = self._authenticator.identify(request)
        except RestError:
            return None
        if request.key is None or request.role not in ("administrator", "shop_manager"):
            return None
        return replace(kept, headers=dict(kept.headers))

    def _keep_page(self, request: Request, response: Response) -> None:
        key = self._page_key(request)
        if key is None or response.status != 200 or "X-WP-Total" not in response.headers:
            return
        with self.store.storage.lock:
            if self._pages_version != self.store.storage.version:
                return
            self._pages[key] = replace(response, headers=dict(response.headers))
            self._pages_bytes += len(response.body)
            while self._pages_bytes > self._page_cache_bytes:
                _, oldest = self._pages.popitem(last=False)
                self._pages_bytes -= len(oldest.body)

    def _log(self, request: Request, response: Response, hit: list[faults.Fault], seconds: float) -> None:
        self.log.append(
            {
                "at": self.store.clock.gmt(),
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "status": None if response.drop else response.status,
                "seconds": round(seconds, 4),
                "faults": [fault.kind for fault in hit],
                "body": request.raw[:LOG_BODY].decode("utf-8", "replace"),
            }
        )


def envelope(request: Request, response: Response) -> Response:
    """The answer wrapped into a body that tells status and headers, for `_envelope`."""
    told: dict[str, Any] = {}
    for name in ("X-WP-Total", "X-WP-TotalPages", "Link", "Allow"):
        if name in response.headers and not response.headers[name].endswith('api.w.org/"'):
            value = response.headers[name]
            told[name] = int(value) if name.startswith("X-WP") else value
    text = f'{{"body":{response.body.decode()},"status":{response.status},"headers":{encode(told)}}}'
    return replace(json_response(request, text), after=response.after)


def status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def read_request(environ: dict[str, Any]) -> Request:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") and name != "HTTP_X_SANDBOX_STALE"
    }
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    scheme = environ.get("wsgi.url_scheme", "http")
    host = headers.get("host") or f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
    query_string = environ.get("QUERY_STRING", "")
    query = php_query(query_string)
    # WSGI hands the path over as Latin-1 text of UTF-8 bytes.
    path = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
    rest_route = query.get("rest_route")
    method = environ["REQUEST_METHOD"].upper()
    if method == "POST":
        method = str(query.get("_method") or headers.get("x-http-method-override") or method).upper()
    return Request(
        method=method,
        path=f"/wp-json{unquote(str(rest_route))}" if rest_route else path,
        query_string=query_string,
        query=query,
        headers=headers,
        raw=environ["wsgi.input"].read(length) if length else b"",
        base=f"{scheme}://{host}",
        secure=scheme == "https",
        remote=environ.get("REMOTE_ADDR", ""),
        via_rest_route=bool(rest_route),
    )
