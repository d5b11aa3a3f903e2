"""The client: what is sent, what each kind of answer means, and that keys stay inside."""

import json
import logging
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postpurchase import clock, http
from stores.woo import errors
from stores.woo.client import Client, client_for
from tests.factories import make_store
from tests.stores.fake_shop import Shop, drop, serve

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=UTF-8"}
KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serve() as running:
        yield running


@pytest.fixture
def client(shop: Shop) -> Client:
    return Client(shop.url, key=KEY, secret=SECRET)


def ok(value: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, JSON | headers, json.dumps(value).encode()


def refused(status: int, code: str, message: str = "No.", data: Any = None) -> tuple[int, dict[str, str], bytes]:
    body = {"code": code, "message": message, "data": {"status": status} if data is None else data}
    return status, JSON, json.dumps(body).encode()


def test_lists_go_comma_joined_and_dates_as_naive_gmt(shop: Shop, client: Client) -> None:
    shop.will(ok([{"id": 1}], **{"X-WP-Total": "41", "X-WP-TotalPages": "41"}))
    east = datetime(2026, 11, 1, 2, 0, 0, 7, tzinfo=UTC).astimezone()
    page = client.page("orders", include=[16, 17], after=east, dates_are_gmt=True, search=None)
    assert (page.rows, page.total, page.pages) == ([{"id": 1}], 41, 41)
    assert shop.asked[0].path == "/wp-json/wc/v3/orders"
    assert shop.asked[0].params == [("include", "16,17"), ("after", "2026-11-01T02:00:00"), ("dates_are_gmt", "true")]


def test_basic_keys_go_in_the_header_only(shop: Shop, client: Client) -> None:
    shop.will(ok({"id": 5}))
    client.get("orders/5")
    assert shop.asked[0].headers["Authorization"].startswith("Basic ")
    assert shop.asked[0].params == []


def test_oauth_signs_each_parameter_once(shop: Shop) -> None:
    shop.will(ok([]))
    Client(shop.url, key=KEY, secret=SECRET, mode="oauth").page("orders", status="any", search="a b+c")
    names = [name for name, _ in shop.asked[0].params]
    assert sorted(names) == sorted(set(names))
    assert {"oauth_signature", "oauth_nonce", "status", "search"} <= set(names)
    assert dict(shop.asked[0].params)["search"] == "a b+c"
    assert "Authorization" not in shop.asked[0].headers


def test_query_mode_sends_keys_as_parameters_and_leaves_the_callers_dict_alone(shop: Shop) -> None:
    shop.will(ok([]))
    params: dict[str, Any] = {"status": "any"}
    Client(shop.url, key=KEY, secret=SECRET, mode="query").page("orders", **params)
    assert dict(shop.asked[0].params) == {"status": "any", "consumer_key": KEY, "consumer_secret": SECRET}
    assert params == {"status": "any"}


@pytest.mark.parametrize(
    ("body", "junk"),
    [
        (b'\xef\xbb\xbf[{"id": 1}]', "byte order mark"),
        (b'\r\n\r\n[{"id": 1}]\n', ""),
        (b'<br />\n<b>Notice</b>: Undefined index: [foo] in <b>/x.php</b><br />\n[{"id": 1}]', "Notice"),
        (b'[{"id": 1}]<br />\n<b>Warning</b>: late', "Warning"),
    ],
)
def test_junk_around_json_is_stepped_over_and_noted(shop: Shop, client: Client, body: bytes, junk: str) -> None:
    shop.will((200, HTML, body))
    page = client.page("orders")
    assert page.rows == [{"id": 1}]
    assert junk in client.pollution
    assert bool(client.pollution) == bool(junk)


REFUSALS = [
    (refused(401, "woocommerce_rest_cannot_view"), errors.KeysRefused, "keys_refused"),
    (refused(401, "woocommerce_rest_authentication_error", "Ungültig."), errors.KeysRefused, "secret_refused"),
    (refused(403, "woocommerce_rest_cannot_view"), errors.KeysRefused, "no_right"),
    (refused(403, "wordfence_block"), errors.Blocked, "blocked"),
    (refused(404, "woocommerce_rest_shop_order_invalid_id"), errors.Missing, "woocommerce_rest_shop_order_invalid_id"),
    (refused(404, "rest_no_route"), errors.Unreachable, "rest_no_route"),
    (refused(410, "woocommerce_rest_already_trashed"), errors.Missing, "woocommerce_rest_already_trashed"),
    (refused(400, "rest_invalid_param"), errors.Invalid, "rest_invalid_param"),
    (refused(400, "woocommerce_rest_shop_order_invalid_id"), errors.Missing, "woocommerce_rest_shop_order_invalid_id"),
    (refused(400, "woocommerce_rest_coupon_code_already_exists"), errors.Duplicate, None),
    (refused(409, "woocommerce_rest_comment_duplicate"), errors.Duplicate, None),
    (refused(500, "woocommerce_rest_cannot_create_order_refund", data=500), errors.Invalid, None),
    (refused(500, "internal_server_error"), errors.Unreachable, None),
    (refused(413, "woocommerce_rest_request_entity_too_large"), errors.Invalid, None),
    (refused(501, "woocommerce_rest_trash_not_supported"), errors.Invalid, None),
    ((200, HTML, b"<!DOCTYPE html><html><body>Log in</body></html>"), errors.Blocked, "blocked"),
    ((403, HTML, b"<html>Forbidden</html>"), errors.Blocked, "blocked"),
    ((404, HTML, b"<html>nginx</html>"), errors.Blocked, "blocked"),
    ((501, HTML, b"<html>ModSecurity</html>"), errors.Blocked, "modsecurity"),
    ((455, HTML, b"<html>Go away</html>"), errors.Blocked, "blocked"),
    ((500, HTML, b"<html>There has been a critical error</html>"), errors.Unreachable, None),
    ((503, HTML, b"<html>Maintenance</html>"), errors.Blocked, "blocked"),
    ((200, HTML, b""), errors.Unreachable, "unreadable"),
    ((200, JSON, b'[{"id": 1, "billing": {"a": 1}}, {"id": 2, "bil'), errors.Unreachable, "unreadable"),
    ((200, JSON, b'{"code": "x"}'), errors.Unreachable, "wrong_shape"),
    ((200, JSON, b"[1, 2]"), errors.Unreachable, "wrong_shape"),
    ((200, {**JSON, "Content-Encoding": "gzip"}, b"not gzip"), errors.Unreachable, "cut"),
    ((200, {**JSON, "Content-Length": "9999", "Connection": "close"}, b'[{"id": 1}]'), errors.Unreachable, None),
    ((301, {"Location": "https://other.example/wp-json/"}, b""), errors.Blocked, "moved"),
]


@pytest.mark.parametrize(("answer", "kind", "code"), REFUSALS)
def test_each_bad_answer_has_its_meaning(shop: Shop, client: Client, answer: Any, kind: type, code: str | None) -> None:
    def cut(handler: Any) -> None:
        handler.send_response(answer[0])
        for name, value in answer[1].items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer[2])
        handler.close_connection = True

    shop.will(cut if answer[1].get("Content-Length") else answer)
    with pytest.raises(errors.WooError) as caught:
        client.page("orders")
    assert type(caught.value) is kind
    if code is not None:
        assert caught.value.code == code
    assert caught.value.message


@pytest.mark.parametrize(
    "message", ["The API key provided does not have write permissions.", "書き込み権限がありません。"]
)
def test_a_read_only_key_is_told_apart_on_writing_in_any_language(shop: Shop, client: Client, message: str) -> None:
    shop.will(ok([]), refused(401, "woocommerce_rest_authentication_error", message))
    client.page("orders")
    with pytest.raises(errors.ReadOnlyKeys):
        client.post("coupons", {"code": "x"})


def test_a_right_that_is_missing_for_writing_is_read_only_too(shop: Shop, client: Client) -> None:
    shop.will(refused(403, "woocommerce_rest_cannot_create"))
    with pytest.raises(errors.ReadOnlyKeys) as caught:
        client.post("coupons", {"code": "x"})
    assert caught.value.code == "no_right"


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "600", 600),
        (429, "999999", 3600),
        (429, "soon", 60),
        (429, "", 60),
        (503, "600", 600),
        (429, "Fri, 20 Nov 2026 12:05:00 GMT", 300),
        (429, "Fri, 20 Nov 2026 11:00:00 GMT", 1),
    ],
)
def test_a_told_pause_is_kept_and_capped(shop: Shop, client: Client, status: int, header: str, seconds: float) -> None:
    shop.will((status, {**HTML, "Retry-After": header} if header else HTML, b"<html>slow down</html>"))
    with clock.frozen(datetime(2026, 11, 20, 12, 0, tzinfo=UTC)), pytest.raises(errors.ToldToWait) as caught:
        client.page("orders")
    assert caught.value.seconds == seconds
    assert len(shop.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_write_does_not_follow_a_redirect(shop: Shop, client: Client, status: int) -> None:
    shop.will((status, {"Location": f"{shop.url}/elsewhere"}, b""))
    with pytest.raises(errors.Blocked):
        client.post("coupons", {"code": "x"})
    assert [(asked.method, asked.path) for asked in shop.asked] == [("POST", "/wp-json/wc/v3/coupons")]


def test_the_answer_to_an_id_must_be_that_object(shop: Shop, client: Client) -> None:
    shop.will(ok({"id": 6}))
    with pytest.raises(errors.Unreachable) as caught:
        client.get("orders/5")
    assert caught.value.code == "wrong_shape"


def test_a_get_on_a_dead_kept_alive_connection_is_repeated_once_and_a_post_is_not(shop: Shop, client: Client) -> None:
    shop.will(ok([]), drop, ok([{"id": 1}]))
    client.page("orders")
    assert client.page("orders").rows == [{"id": 1}]
    assert len(shop.asked) == 3
    shop.will(ok([]), drop, ok({"id": 1}))
    client.page("orders")
    with pytest.raises(errors.Unreachable):
        client.post("coupons", {"code": "x"})
    assert [asked.method for asked in shop.asked[3:]] == ["GET", "POST"]


def test_a_fresh_connection_that_is_dropped_is_not_repeated(shop: Shop, client: Client) -> None:
    shop.will(drop)
    with pytest.raises(errors.Unreachable):
        client.page("orders")
    assert len(shop.asked) == 1


def test_one_connection_serves_many_calls(shop: Shop, client: Client) -> None:
    ports = set()

    def note(handler: Any) -> None:
        ports.add(handler.client_address[1])
        body = b"[]"
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    shop.will(note)
    for _ in range(5):
        client.page("orders")
    assert len(ports) == 1


def test_a_byte_now_and_then_does_not_stretch_the_call(shop: Shop) -> None:
    def dribble(handler: Any) -> None:
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(100):
                handler.wfile.write(b"a")
                time.sleep(0.05)
        except OSError:
            handler.close_connection = True

    shop.will(dribble)
    begun = time.monotonic()
    with pytest.raises(http.NoAnswer) as caught:
        http.call(http.session(), "GET", shop.url, seconds=0.3)
    assert caught.value.kind == "time_out"
    assert time.monotonic() - begun < 2


def test_an_answer_beyond_the_cap_is_refused(shop: Shop) -> None:
    shop.will((200, JSON, b"x" * 2_000_000))
    with pytest.raises(http.NoAnswer) as caught:
        http.call(http.session(), "GET", shop.url, max_bytes=1_048_576)
    assert caught.value.kind == "too_large"


@pytest.mark.parametrize("mode", ["basic", "query", "oauth"])
def test_keys_are_in_no_error_log_or_repr(
    shop: Shop, mode: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(shop.url, key=KEY, secret=SECRET, mode=mode)
    texts = [repr(client), str(client), repr(client._signer)]
    for answer in (refused(401, "woocommerce_rest_cannot_view"), drop, (200, JSON, b"{cut")):
        shop.will(answer)
        try:
            client.page("orders")
        except errors.WooError as error:
            texts += [repr(error), error.message, "".join(traceback.format_exception(error))]
    everything = "\n".join([*texts, caplog.text])
    assert SECRET not in everything
    assert KEY not in everything


@pytest.mark.django_db
def test_client_for_is_kept_until_the_keys_change(shop: Shop) -> None:
    store = make_store(base_url=shop.url)
    first = client_for(store)
    assert client_for(store) is first
    store.consumer_secret = "cs_new"
    assert client_for(store) is not first


BAD_ADDRESSES = [
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:0a00:0001::1]/",
    "http://100.64.0.1/",
    "http://10.1.2.3/",
    "http://192.168.1.1/",
    "http://0.0.0.0/",
    "http://224.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://localhost/",
    "http://8.8.8.8:22/",
    "http://user:pass@8.8.8.8/",
    "file:///etc/passwd",
    "gopher://8.8.8.8/",
    "http:///",
    "http://exa mple/",
]


@pytest.mark.parametrize("url", BAD_ADDRESSES)
def test_unfit_addresses_are_refused_like_a_closed_port(
    url: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = []

    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr("postpurchase.http.socket.create_connection", never)
    with pytest.raises(http.NoAnswer) as caught:
        http.call(http.session(), "GET", url)
    assert (caught.value.kind, str(caught.value)) == ("unreachable", "There is no answer at this address.")


def test_a_closed_port_reads_the_same() -> None:
    with pytest.raises(http.NoAnswer) as caught:
        http.call(http.session(), "GET", "http://127.0.0.1:1/")
    assert (caught.value.kind, str(caught.value)) == ("unreachable", "There is no answer at this address.")


def test_a_name_is_checked_at_each_new_connection(shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    settings.ALLOWED_PRIVATE_HOSTS = []
    answers = iter(["93.184.216.34", "127.0.0.1"])
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 80))]
    )
    assert http.checked_addresses("rebinding.example", 80) == ["93.184.216.34"]
    with pytest.raises(OSError, match="refused"):
        http.checked_addresses("rebinding.example", 80)


def test_one_bad_address_among_good_ones_refuses_the_name(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    settings.ALLOWED_PRIVATE_HOSTS = []
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: rows)
    with pytest.raises(OSError, match="refused"):
        http.checked_addresses("mixed.example", 80)


def test_the_operator_may_allow_a_network_and_any_port_in_it(settings: Any) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ["10.0.0.0/8"]
    assert http.checked_addresses("10.1.2.3", 8081) == ["10.1.2.3"]
    with pytest.raises(OSError, match="refused"):
        http.checked_addresses("192.168.1.1", 80)


def test_a_told_pause_counts_from_the_moved_clock() -> None:
    from stores.woo.decode import wait_seconds

    with clock.shifted(timedelta(days=400)):
        until = (clock.now() + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert 85 <= (wait_seconds(until) or 0) <= 90
