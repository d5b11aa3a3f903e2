"""Who asks: Basic and query-string keys over https, OAuth 1.0a otherwise, with WooCommerce's words for mistakes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote, unquote

from .storage import Storage
from .wire import Request, RestError

_WINDOW = 15 * 60
_HASHES = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}


@dataclass(frozen=True)
class Key:
    id: int
    consumer_key: str
    consumer_secret: str
    permissions: str
    role: str


def find_key(storage: Storage, consumer_key: str) -> Key | None:
    with storage.lock:
        row = storage.execute("SELECT * FROM keys WHERE consumer_key = ?", (consumer_key,)).fetchone()
    return Key(*row) if row else None


def _refused(message: str) -> RestError:
    return RestError("woocommerce_rest_authentication_error", message, 401)


class Authenticator:
    """Finds the key of a request. `basic_over_http` accepts plain keys without https, which no real store does."""

    def __init__(self, storage: Storage, *, basic_over_http: bool) -> None:
        self._storage = storage
        self._basic_over_http = basic_over_http
        self._nonces: OrderedDict[tuple[str, str], None] = OrderedDict()

    def identify(self, request: Request) -> Key | None:
        """The key, or None for nobody (an unknown key over https too). Raises RestError on a wrong secret."""
        if request.via_rest_route:
            return None
        key = None
        if request.secure or self._basic_over_http:
            key = self._basic(request)
        if key is None:
            key = self._oauth(request)
        request.key = key
        if key is not None:
            reading = request.method in ("GET", "HEAD", "OPTIONS")
            if reading and "read" not in key.permissions:
                raise _refused("The API key provided does not have read permissions.")
            if not reading and "write" not in key.permissions:
                raise _refused("The API key provided does not have write permissions.")
        return key

    def _basic(self, request: Request) -> Key | None:
        given, secret = request.query.get("consumer_key", ""), request.query.get("consumer_secret", "")
        header = request.headers.get("authorization", "")
        if not (given and secret) and header.startswith("Basic "):
            try:
                given, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
        if not (given and secret):
            return None
        key = find_key(self._storage, given)
        if key is None:
            return None
        if not hmac.compare_digest(key.consumer_secret.encode(), secret.encode()):
            raise _refused("Consumer secret is invalid.")
        return key

    def _oauth(self, request: Request) -> Key | None:
        params = dict(request.query)
        header = request.headers.get("authorization", "")
        if header.startswith("OAuth "):
            for part in header[6:].split(","):
                name, _, value = part.strip().partition("=")
                params[unquote(name)] = unquote(value.strip('"'))
        names = ["consumer_key", "timestamp", "nonce", "signature", "signature_method"]
        absent = [f"oauth_{name}" for name in names if not params.get(f"oauth_{name}")]
        if len(absent) == len(names):
            return None
        if absent:
            plural = "parameters" if len(absent) > 1 else "parameter"
            raise _refused(f"Missing OAuth {plural} {', '.join(absent)}")
        key = find_key(self._storage, params["oauth_consumer_key"])
        if key is None:
            raise _refused("Consumer key is invalid.")
        signature = params.pop("oauth_signature")
        method = _HASHES.get(params["oauth_signature_method"])
        if method is None:
            raise _refused("Invalid signature - signature method is invalid.")
        made = hmac.new(f"{key.consumer_secret}&".encode(), _base_string(request, params).encode(), method).digest()
        if not hmac.compare_digest(base64.b64encode(made).decode(), signature):
            raise _refused("Invalid signature - provided signature does not match.")
        self._check_nonce(key, params["oauth_timestamp"], params["oauth_nonce"])
        return key

    def _check_nonce(self, key: Key, timestamp: str, nonce: str) -> None:
        # The client signs with real time, whatever this store's clock was set to.
        # The option "oauth_skew" sets its clock wrong for this, by seconds.
        now = time.time() + float(self._storage.option("oauth_skew") or 0)
        if not timestamp.isdigit() or abs(now - int(timestamp)) > _WINDOW:
            raise _refused("Invalid timestamp.")
        if (key.consumer_key, nonce) in self._nonces:
            raise _refused("Invalid nonce - nonce has already been used.")
        self._nonces[(key.consumer_key, nonce)] = None
        while len(self._nonces) > 10_000:
            self._nonces.popitem(last=False)


def _escape(text: str) -> str:
    return quote(text, safe="~")


def _base_string(request: Request, params: dict[str, str | list[str]]) -> str:
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, list):
            flat.update({f"{name}[{n}]": item for n, item in enumerate(value)})
        else:
            flat[name] = value
    pairs = sorted((_escape(name), _escape(value)) for name, value in flat.items())
    joined = "%26".join(_escape(f"{name}={value}") for name, value in pairs)
    return f"{request.method}&{_escape(request.base + request.path)}&{joined}"


def require(request: Request, action: str, *, single: bool = False) -> None:
    """Refuses nobody (401) and keys of people without rights (403). `action`: view, create, edit, delete, batch."""
    if request.key is not None and request.role in ("administrator", "shop_manager"):
        return
    status = 401 if request.key is None else 403
    words = {
        "view": "you cannot view this resource." if single else "you cannot list resources.",
        "create": "you are not allowed to create resources.",
        "edit": "you are not allowed to edit this resource.",
        "delete": "you are not allowed to delete this resource.",
        "batch": "you are not allowed to batch manipulate this resource.",
    }
    raise RestError(f"woocommerce_rest_cannot_{action}", f"Sorry, {words[action]}", status)
