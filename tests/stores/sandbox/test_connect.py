"""wc-auth: the approve page, the key that is posted, what the answer to it decides."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client


class Callback:
    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, json.loads(body)))
                self.send_response(outer.status if self.path == "/cb" else 200)
                if outer.status == 302 and self.path == "/cb":
                    self.send_header("Location", "/redirected")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/cb"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def callback() -> Iterator[Callback]:
    callback = Callback()
    yield callback
    callback.server.shutdown()
    callback.server.server_close()


def visit(sandbox: Sandbox, page: str, **changes: str) -> requests.Response:
    query = {
        "app_name": "Companion",
        "scope": "read_write",
        "user_id": "token-1",
        "return_url": "http://127.0.0.1:9/back?x=1",
        "callback_url": "https://127.0.0.1:9/cb",
        **changes,
    }
    address = f"{sandbox.url}/wc-auth/v1/{page}?{urlencode(query)}"
    return requests.get(address, allow_redirects=False, timeout=5)


def test_approving_posts_a_key_that_works_and_goes_back(make, callback: Callback) -> None:
    sandbox = make(http_callbacks=True)
    page = visit(sandbox, "authorize", callback_url=callback.url)
    assert page.status_code == 200
    assert "Companion would like to connect" in page.text
    assert "success=0&amp;user_id=token-1" in page.text
    back = visit(sandbox, "access_granted/", callback_url=callback.url)
    ((_, key),) = callback.got
    assert (back.status_code, back.headers["Location"]) == (
        302,
        "http://127.0.0.1:9/back?x=1&success=1&user_id=token-1",
    )
    assert list(key) == ["key_id", "user_id", "consumer_key", "consumer_secret", "key_permissions"]
    assert (key["user_id"], key["key_permissions"]) == ("token-1", "read_write")
    assert Client(sandbox, key["consumer_key"], key["consumer_secret"]).get("orders").status_code == 200
    visit(sandbox, "access_granted/", callback_url=callback.url)
    assert callback.got[1][1]["consumer_key"] != key["consumer_key"]


@pytest.mark.parametrize("status", [201, 204, 500])
def test_any_other_answer_takes_the_key_away(make, callback: Callback, status: int) -> None:
    sandbox = make(http_callbacks=True)
    callback.status = status
    back = visit(sandbox, "access_granted/", callback_url=callback.url)
    key = callback.got[0][1]
    assert back.status_code == 401
    answer = Client(sandbox, key["consumer_key"], key["consumer_secret"]).get("orders")
    assert answer.status_code == 401


def test_a_redirected_callback_is_followed(make, callback: Callback) -> None:
    sandbox = make(http_callbacks=True)
    callback.status = 302
    assert visit(sandbox, "access_granted/", callback_url=callback.url).status_code == 302
    assert [path for path, _ in callback.got] == ["/cb", "/redirected"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"callback_url": "http://127.0.0.1:9/cb"}, "The callback_url needs to be over SSL."),
        ({"scope": "all"}, "Invalid scope all."),
        ({"user_id": ""}, "Missing parameter user_id."),
    ],
)
def test_bad_requests_are_refused_with_a_page(sandbox: Sandbox, changes: dict, message: str) -> None:
    page = visit(sandbox, "authorize", **changes)
    assert page.status_code == 401
    assert message in page.text
