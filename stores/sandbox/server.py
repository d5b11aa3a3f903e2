"""Running the sandbox store: over real HTTP in threads of this process, or in process as WSGI."""

from __future__ import annotations

import io
import random
import socket
import sqlite3
import ssl
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

from . import connect, control, storefront, webhooks
from .app import App, status_line
from .auth import Authenticator, Key
from .clock import StoreClock
from .documents import Body
from .faults import Fault
from .history import History, generate
from .storage import Storage
from .store import Store
from .wire import BASE

# History numbers lines and meta from 1; what the store makes later starts beyond any history.
FIRST_OWN_ROW = 1_000_000_000


class Sandbox:
    """A small WooCommerce store.

    `clock` gives the present moment (aware); the control moves the store's time relative to it. `seed` fills the store
    with a generated history (`history`: "staggered" or "original", or a ready History), `scale` times its size.
    `auto_deliver` sends webhooks about once a second; otherwise `run_webhooks` or the control does. `live_per_minute`
    orders trickle in, and parcels leave and arrive. `key` and `secret` fix the first key, which may read and write and
    belongs to an administrator. `basic_over_http` takes plain keys without https and `http_callbacks` wc-auth callbacks
    to plain http; no real store does either. Unchanged pages of lists are kept ready up to `page_cache_bytes`.
    `fulfilments` switches the feature on that keeps parcels in the store. `certificate` is a file with key and
    certificate to answer https with; with `https_hidden` the store does not know of that, as behind some proxies.
    """

    def __init__(
        self,
        *,
        path: str = ":memory:",
        zone: str = "Europe/Bucharest",
        currency: str = "RON",
        decimals: int = 2,
        flavour: str = "hpos",
        prices_include_tax: bool | None = None,
        basic_over_http: bool = True,
        http_callbacks: bool = False,
        control: bool = True,
        clock: Callable[[], datetime] | None = None,
        seed: int | None = None,
        scale: int = 1,
        history: History | str | None = None,
        auto_deliver: bool = False,
        live_per_minute: float = 0,
        port: int = 0,
        key: str = "",
        secret: str = "",
        page_cache_bytes: int = 64_000_000,
        fulfilments: bool = False,
        certificate: str = "",
        https_hidden: bool = False,
    ) -> None:
        self.clock = StoreClock(zone, clock)
        if prices_include_tax is None:
            prices_include_tax = history.site.prices_include_tax if isinstance(history, History) else seed is not None
        self.store = Store(
            storage=Storage(path),
            clock=self.clock,
            currency=currency,
            decimals=decimals,
            flavour=flavour,
            prices_include_tax=prices_include_tax and history != "original",
            fulfilments=fulfilments,
        )
        self.app = App(
            self.store,
            authenticator=Authenticator(self.store.storage, basic_over_http=basic_over_http),
            http_callbacks=http_callbacks,
            page_cache_bytes=page_cache_bytes,
        )
        if control:
            self.app.control = lambda request: _control(self, request)
        for space in ("item", "meta"):
            self.store.storage.raise_counter(space, FIRST_OWN_ROW)
        first = self.add_key("read_write", "administrator", key=key, secret=secret)
        self.key, self.secret = first.consumer_key, first.consumer_secret
        self._filled = self.store.storage.count("kind = 'product'", ()) > 0
        if isinstance(history, History):
            self.load_history(history)
        elif seed is not None and not self._filled:
            self.load_history(
                generate(
                    seed=seed,
                    scale=scale,
                    mode="original" if history == "original" else "staggered",
                    now=self.clock.now(),
                    zone=self.clock.zone,
                    base_url=BASE,
                    currency=currency,
                    decimals=decimals,
                )
            )
        self._auto_deliver = auto_deliver
        self._live_per_minute = live_per_minute
        self._port = port
        self._certificate = certificate
        self._https_hidden = https_hidden
        self._server: ThreadingHTTPServer | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    # Running

    def start(self) -> Sandbox:
        """Listens on 127.0.0.1; port 0 takes a free one. Returns itself."""
        app = self.app

        class Handler(_Handler):
            pass

        Handler.app = app
        self._server = _Server(("127.0.0.1", self._port), Handler)
        if self._certificate:
            Handler.scheme = "http" if self._https_hidden else "https"
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self._certificate)
            # The handshake belongs to the connection's own thread.
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._spawn(self._server.serve_forever, 0.05)
        if self._auto_deliver:
            self._spawn(self._deliver_for_ever)
        if self._live_per_minute:
            self._spawn(self._trickle)
        return self

    def stop(self) -> None:
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for thread in self._threads:
            thread.join(timeout=5)
        self.store.storage.close()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _deliver_for_ever(self) -> None:
        while not self._stopping.wait(1):
            self._unless_stopped(self.run_webhooks)

    def _trickle(self) -> None:
        chance = random.Random()  # noqa: S311
        while not self._stopping.wait(60 / self._live_per_minute):
            self._unless_stopped(lambda: self._do(storefront.live_step, chance))

    def _unless_stopped(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except sqlite3.ProgrammingError:
            # The store was closed under a slow delivery.
            if not self._stopping.is_set():
                raise

    @property
    def url(self) -> str:
        """The store's address, without a slash at the end."""
        if self._server is None:
            return f"http://127.0.0.1:{self._port}" if self._port else "http://sandbox.test"
        scheme = "https" if self._certificate else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def wsgi(self) -> Callable[..., Any]:
        """The store as a WSGI application, for callers in this process."""
        return self.app.wsgi

    # Filling

    def add_key(
        self, permissions: str = "read_write", role: str = "administrator", *, key: str = "", secret: str = ""
    ) -> Key:
        """A new key: permissions read, write or read_write; role administrator, shop_manager or customer."""
        return connect.add_key(self.store, permissions=permissions, role=role, consumer_key=key, consumer_secret=secret)

    def load_history(self, history: History) -> None:
        """Puts a whole past into the store, without news of it. Seconds for 70,000 orders."""
        storage = self.store.storage
        refunds: list[tuple[Body, int, Body]] = []

        def orders() -> Iterator[tuple[Body, int | None, Body]]:
            for body, made in history.orders:
                refunds.extend((one, body["id"], {}) for one in made)
                yield body, None, {"sold": True, "coupons_counted": body["status"] not in ("cancelled", "failed")}

        plain: dict[str, Iterable[Body]] = {
            "category": history.categories,
            "product": history.products,
            "variation": history.variations,
            "customer": history.customers,
            "coupon": history.coupons,
            "review": history.reviews,
        }
        with storage.lock:
            storage.begin()
            for kind, bodies in plain.items():
                storage.load(kind, ((body, None, {}) for body in bodies))
            storage.load("order", orders())
            storage.load("refund", refunds)
            storage.commit()
            # Without statistics SQLite walks all orders by date to find those of one customer.
            storage.execute("ANALYZE")

    # What the control does, from Python

    def place_order(self, **details: Any) -> Body:
        """An order through the checkout; see storefront.place_order. Raises CouponRefused, NotFound."""
        return self._do(storefront.place_order, **details)

    def register(self, email: str, *, role: str = "customer", **details: Any) -> Body:
        """An account, as made in the shop. Raises RestError for a bad or taken address."""
        return self._do(storefront.register, email=email, role=role, **details)

    def pay(self, id: int, **details: Any) -> Body:
        return self._do(storefront.pay, id, **details)

    def ship(self, id: int, **details: Any) -> Body:
        """Tracking meta and, unless `complete=False`, completion; see storefront.ship."""
        return self._do(storefront.ship, id, **details)

    def deliver(self, id: int, *, at: str | datetime | None = None) -> Body:
        return self._do(storefront.deliver, id, at=at)

    def complete(self, id: int) -> Body:
        return self._do(storefront.move, id, "completed")

    def cancel(self, id: int) -> Body:
        return self._do(storefront.move, id, "cancelled")

    def trash(self, id: int) -> Body:
        return self._do(storefront.trash, id)

    def untrash(self, id: int) -> Body:
        return self._do(storefront.untrash, id)

    def refund(self, id: int, amount: str | Decimal | None = None, **details: Any) -> Body:
        """Refunds the amount, or all that is left; returns the refund."""
        return self._do(storefront.refund, id, amount=amount, **details)

    def _do(self, act: Callable[..., Body], *args: Any, **details: Any) -> Body:
        storage = self.store.storage
        with storage.lock:
            storage.begin()
            try:
                body = act(self.store, *args, **details)
            except BaseException:
                storage.rollback()
                raise
            storage.commit()
            return body

    def run_webhooks(
        self, *, drop: int | list[int] = 0, shuffle: bool | int = False, repeat: int = 1
    ) -> list[webhooks.Delivery]:
        """Delivers what waits; see webhooks.run."""
        return webhooks.run(self.store, base=self.url, drop=drop, shuffle=shuffle, repeat=repeat)

    def fault(self, do: str, *, method: str = "", path: str = "", nth: int = 1, times: int = 1, **options: Any) -> None:
        """Sets a fault; see faults.Fault."""
        match = {"method": method, "path": path, "nth": nth}
        self.app.faults.add(Fault.from_json({"do": do, "match": match, "times": times, **options}))

    def clear_faults(self) -> None:
        self.app.faults.clear()

    def set_clock(self, now: datetime) -> None:
        self.clock.set(now)

    def advance(self, **by: float) -> None:
        """Moves the store's time on: advance(days=3)."""
        self.clock.advance(timedelta(**by))

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What was asked, oldest first: method, path, query, status, seconds, body, faults."""
        return list(self.app.log)

    def state(self) -> dict[str, Any]:
        return control.state(self.store, self.app)

    def get(self, kind: str, id: int) -> Body | None:
        """The stored document of an order, refund, product, variation, customer, coupon, review, note or webhook."""
        return self.store.storage.get(kind, id)

    def put(self, kind: str, body: Body, *, parent: int | None = None) -> Body:
        """Writes a document as it is, without news: for tests that need an odd one."""
        return self.store.storage.put(kind, body, parent=parent)


def _control(sandbox: Sandbox, request: Any) -> Any:
    return control.handle(sandbox.store, sandbox.app, request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    app: App
    scheme = "http"
    protocol_version = "HTTP/1.1"
    # One segment for head and body: without this, small answers wait for the other side's delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 60

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(parts.path, "latin-1"),
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.url_scheme": self.scheme,
            "wsgi.input": io.BytesIO(self.rfile.read(length) if length else b""),
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        response = self.app.respond(environ)
        if response.drop:
            self._hang_up()
            return
        head = [f"HTTP/1.1 {status_line(response.status)}", *(f"{k}: {v}" for k, v in response.headers.items())]
        if self.command != "HEAD":
            head.append(f"Content-Length: {len(response.body)}")
        cut = response.cut is not None
        if cut:
            head.append("Connection: close")
        body = response.body[: response.cut] if cut else response.body
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body)
        self.wfile.flush()
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The other side was faster.
            pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in the log of the store, not printed."""
