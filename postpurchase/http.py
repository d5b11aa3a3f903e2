"""Outgoing calls that cannot be turned against the network they start from.

Addresses come from merchants and from shops, so a name is resolved, every address it gives is checked, and the connection
goes to a checked one; the same again for each new connection. Private hosts only by the operator's ALLOWED_PRIVATE_HOSTS
(names, addresses or networks). Refused and closed look the same to the caller. Redirects are not followed.
"""

import http.client
import io
import ipaddress
import logging
import socket
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NewConnectionError

log = logging.getLogger(__name__)
# Its debug lines hold whole addresses, and those hold keys where a shop takes them only in the query.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

CONNECT_SECONDS = 10.0
FIRST_BYTE_SECONDS = 60.0
WHOLE_CALL_SECONDS = 120.0
MAX_BYTES = 32 * 1024 * 1024
PORTS = frozenset({80, 443})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Ranges that carry an IPv4 address inside: a way round the check on another network's translator.
_TRANSLATED = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]
_deadline: ContextVar[float] = ContextVar("deadline")


class NoAnswer(Exception):
    """No usable answer came. `kind`: unreachable, time_out, tls, cut, too_large. Holds no address and no keys."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _StaleSocket(ConnectionResetError):
    """A kept-alive connection had been closed by the other side before this request reached it."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers (any letter case) and the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for entry in settings.ALLOWED_PRIVATE_HOSTS:
        try:
            found.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
        except ValueError:
            continue
    return found


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return _is_public(address.ipv4_mapped)
        if any(address in net for net in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


def checked_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, all of them fit to be called; OSError when it has none or one that is not.

    On public addresses only ports 80 and 443; on hosts that the operator allowed any port.
    """
    host = host.strip("[]").rstrip(".").lower()
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if host in {entry.lower() for entry in settings.ALLOWED_PRIVATE_HOSTS}:
        return texts
    networks = _networks()
    for text in texts:
        address = ipaddress.ip_address(text.split("%")[0])
        plain = getattr(address, "ipv4_mapped", None) or address
        if any(plain in network for network in networks):
            continue
        if port not in PORTS or not _is_public(address):
            log.warning("an outgoing call to %s port %s was refused: not a public web address", host, port)
            raise OSError("refused")
    return texts


class _TimedReader(io.RawIOBase):
    """Reads from a socket, never beyond the end of the whole call; a byte a second does not stretch it."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends: float) -> None:
        self._raw, self._sock, self._ends = raw, sock, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole call took too long")
        self._sock.settimeout(min(left, FIRST_BYTE_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        ends = _deadline.get(time.monotonic() + WHOLE_CALL_SECONDS)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, ends))


class _Guarded(HTTPConnection):
    """A connection that goes only to a checked address."""

    response_class = _TimedResponse
    _answered = False

    def _new_conn(self) -> socket.socket:
        try:
            addresses = checked_addresses(self._dns_host, self.port)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "no connection") from error
        problem: OSError | None = None
        for address in addresses:
            try:
                timeout = self.timeout if isinstance(self.timeout, int | float) else CONNECT_SECONDS
                sock = socket.create_connection((address, self.port), timeout=timeout)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except TimeoutError as error:
                raise ConnectTimeoutError(self, "no connection in time") from error
            except OSError as error:
                problem = error
        raise NewConnectionError(self, "no connection") from problem

    def getresponse(self) -> Any:
        kept_alive = self._answered
        try:
            answer = super().getresponse()
        except ConnectionError as error:
            if kept_alive:
                raise _StaleSocket("the kept-alive connection was closed") from error
            raise
        self._answered = True
        return answer

    def close(self) -> None:
        self._answered = False
        super().close()


class _GuardedTLS(_Guarded, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class SafeAdapter(HTTPAdapter):
    """The requests adapter whose connections are guarded; no retries inside."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}


def session(*, ca: str = "", pool: int = 4) -> requests.Session:
    """A pooled session for guarded calls. `ca` is a file of certificates to trust instead of the usual ones."""
    made = requests.Session()
    # No proxies, no .netrc, nothing from the environment: a proxy would resolve names for us, unchecked.
    made.trust_env = False
    made.verify = ca or True
    for scheme in ("http://", "https://"):
        made.mount(scheme, SafeAdapter(pool_connections=pool, pool_maxsize=pool, max_retries=0))
    return made


def call(
    with_session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
    auth: AuthBase | None = None,
    max_bytes: int = MAX_BYTES,
    seconds: float = WHOLE_CALL_SECONDS,
) -> Answer:
    """Make one call and read the whole answer, within the limits of time and size.

    A GET on a kept-alive connection that the other side had closed is repeated once, at once. Raises NoAnswer.
    """
    marker = _deadline.set(time.monotonic() + seconds)
    try:
        return _once(with_session, method, url, headers, data, auth, max_bytes, seconds)
    except _StaleSocket:
        if method.upper() not in {"GET", "HEAD"}:
            raise NoAnswer("cut", "The connection was closed before an answer came.") from None
        try:
            return _once(with_session, method, url, headers, data, auth, max_bytes, seconds)
        except _StaleSocket:
            raise NoAnswer("cut", "The connection was closed before an answer came.") from None
    finally:
        _deadline.reset(marker)


def _once(
    with_session: requests.Session,
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    data: bytes | None,
    auth: AuthBase | None,
    max_bytes: int,
    seconds: float,
) -> Answer:
    try:
        parts = urllib3.util.parse_url(url)
        if parts.scheme not in {"http", "https"} or not parts.host or parts.auth:
            raise NoAnswer("unreachable", "There is no answer at this address.")
        response = with_session.request(
            method,
            url,
            headers=dict(headers or {}),
            data=data,
            auth=auth,
            stream=True,
            allow_redirects=False,
            timeout=(min(CONNECT_SECONDS, seconds), min(FIRST_BYTE_SECONDS, seconds)),
        )
        try:
            return Answer(response.status_code, response.headers, _body(response, max_bytes))
        finally:
            response.close()
    except NoAnswer:
        raise
    except Exception as error:
        # `from None`: the causes carry the address, and an address may carry keys.
        raise _explained(error) from None


def _body(response: requests.Response, max_bytes: int) -> bytes:
    parts, size = [], 0
    for part in response.iter_content(65536):
        size += len(part)
        if size > max_bytes:
            raise NoAnswer("too_large", f"The answer is larger than {max_bytes // 1048576} MB.")
        parts.append(part)
    return b"".join(parts)


def _explained(error: BaseException) -> Exception:
    """What a failed call means, from the whole chain of causes."""
    chain, seen = [error], {id(error)}
    for link in chain:
        inner = [link.__cause__, link.__context__, getattr(link, "reason", None), *getattr(link, "args", ())]
        for item in inner:
            if isinstance(item, BaseException) and id(item) not in seen:
                seen.add(id(item))
                chain.append(item)
    kinds = tuple(type(item) for item in chain)

    def has(*classes: type[BaseException]) -> bool:
        return any(issubclass(kind, classes) for kind in kinds)

    if has(_StaleSocket):
        return _StaleSocket("stale")
    if has(
        requests.exceptions.ConnectTimeout,
        NewConnectionError,
        requests.exceptions.InvalidURL,
        LocationParseError,
        UnicodeError,
    ):
        return NoAnswer("unreachable", "There is no answer at this address.")
    if has(TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
        return NoAnswer("time_out", "The answer took too long.")
    if has(requests.exceptions.SSLError):
        return NoAnswer("tls", "The certificate of this address is not trusted.")
    if has(
        requests.exceptions.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
    ):
        return NoAnswer("cut", "The connection was closed before the whole answer came.")
    if isinstance(error, ValueError):
        return NoAnswer("unreachable", "There is no answer at this address.")
    return error if isinstance(error, Exception) else NoAnswer("cut", "The call was stopped.")
