"""wc-auth/v1: a merchant approves an application, and the store posts it a key."""

from __future__ import annotations

import json
import secrets
from html import escape
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urljoin, urlsplit

from .auth import Key
from .store import Store
from .wire import Request, Response, html_response

SCOPES = {"read": "Read", "write": "Write", "read_write": "Read/Write"}
_NEEDED = ("app_name", "user_id", "return_url", "callback_url", "scope")
CALLBACK_SECONDS = 60


def add_key(store: Store, *, permissions: str, role: str, consumer_key: str = "", consumer_secret: str = "") -> Key:
    """A new API key of a person with the role: administrator, shop_manager or customer."""
    if permissions not in SCOPES:
        raise ValueError(f"permissions is one of {', '.join(SCOPES)}")
    values = (
        store.storage.next_id("key"),
        consumer_key or f"ck_{secrets.token_hex(20)}",
        consumer_secret or f"cs_{secrets.token_hex(20)}",
        permissions,
        role,
    )
    with store.storage.lock:
        store.storage.execute("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", values)
    return Key(*values)


def remove_key(store: Store, key_id: int) -> None:
    with store.storage.lock:
        store.storage.execute("DELETE FROM keys WHERE key_id = ?", (key_id,))


def _denied(message: str) -> Response:
    text = (
        f"<!DOCTYPE html><html><head><title>Access denied</title></head><body>Error: {escape(message)}.</body></html>"
    )
    return html_response(text, status=401, headers={"Cache-Control": "no-cache, must-revalidate, max-age=0"})


def _returning(address: str, *, success: int, user_id: str) -> str:
    joint = "&" if urlsplit(address).query else "?"
    return f"{address}{joint}{urlencode({'success': success, 'user_id': user_id})}"


def answer(store: Store, request: Request, *, http_callbacks: bool) -> Response:
    """The approve page and what its link does. `http_callbacks` lets callbacks go to plain http, which no shop does."""
    query = {name: str(request.query.get(name) or "") for name in _NEEDED}
    for name in _NEEDED:
        if not query[name]:
            return _denied(f"Missing parameter {name}")
    if query["scope"] not in SCOPES:
        return _denied(f"Invalid scope {query['scope']}")
    for name in ("return_url", "callback_url"):
        if urlsplit(query[name]).scheme not in ("http", "https"):
            return _denied(f"The {name} is not a valid URL")
    if urlsplit(query["callback_url"]).scheme != "https" and not http_callbacks:
        return _denied("The callback_url needs to be over SSL")
    action = request.path.removeprefix("/wc-auth/v1/").strip("/")
    if action == "access_granted":
        return _grant(store, query)
    if action != "authorize":
        return html_response("Not found", status=404)
    return _approve_page(request, query)


def _approve_page(request: Request, query: dict[str, str]) -> Response:
    approve = f"{request.base}/wc-auth/v1/access_granted/?{urlencode({**query, 'wc_auth_nonce': secrets.token_hex(5)})}"
    deny = _returning(query["return_url"], success=0, user_id=query["user_id"])
    app = escape(query["app_name"])
    text = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Application authentication request</title></head><body>
<h1>{app} would like to connect to your store</h1>
<p>This will give "{app}" <strong>{SCOPES[query["scope"]]}</strong> access which will allow it to:</p>
<ul><li>Create webhooks</li><li>View and manage coupons</li><li>View and manage customers</li>
<li>View and manage orders and sales reports</li><li>View and manage products</li></ul>
<p>Approving will share credentials with {escape(urlsplit(query["callback_url"]).netloc)}.
Do not proceed if this looks suspicious in any way.</p>
<p><a class="wc-auth-approve" href="{escape(approve)}">Approve</a>
<a class="wc-auth-deny" href="{escape(deny)}">Deny</a></p></body></html>"""
    return html_response(text, status=200)


def _grant(store: Store, query: dict[str, str]) -> Response:
    key = add_key(store, permissions=query["scope"], role="administrator")
    payload = {
        "key_id": key.id,
        "user_id": query["user_id"],
        "consumer_key": key.consumer_key,
        "consumer_secret": key.consumer_secret,
        "key_permissions": key.permissions,
    }

    def call() -> Response:
        # Only exactly 200 will do: with anything else the key is taken away again.
        if _post(query["callback_url"], json.dumps(payload, separators=(",", ":")).encode()) != 200:
            remove_key(store, key.id)
            return _denied("An error occurred in the request and at the time were unable to send the consumer data")
        target = _returning(query["return_url"], success=1, user_id=query["user_id"])
        return html_response("", status=302, headers={"Location": target, "X-Redirect-By": "WordPress"})

    return Response(302, after=call)


def _post(address: str, body: bytes, *, redirects: int = 5) -> int | None:
    """POSTs the key; redirects are followed with the same body, as WordPress does."""
    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=CALLBACK_SECONDS)
    headers = {"User-Agent": "WordPress/7.1", "Content-Type": "application/json;charset=UTF-8", "Connection": "close"}
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        moved = response.getheader("Location") if response.status in (301, 302, 307, 308) else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    if moved and redirects:
        return _post(urljoin(address, moved), body, redirects=redirects - 1)
    return response.status
