"""One approval in WooCommerce: from the address to a connected store, and everything that may be posted at it."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client as Browser
from django.test import override_settings

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import approval, housekeeping
from stores.models import ConnectAttempt, Membership, Store, User
from stores.sandbox.server import Sandbox
from tests.factories import make_store, make_user
from tests.stores.shop import joined, running

pytestmark = pytest.mark.django_db
CALLBACK = "/setup/connect/callback/"
KEYS = {"consumer_key": "ck_" + "a" * 40, "consumer_secret": "cs_" + "b" * 40}


@pytest.fixture(autouse=True)
def loopback_address() -> Iterator[None]:
    with override_settings(PUBLIC_URL="http://127.0.0.1:1"):
        yield


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running(orders=1, http_callbacks=True) as one:
        yield one


def signed_in(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def operator(**fields: Any) -> tuple[User, Browser]:
    user = make_user(is_superuser=True, **fields)
    return user, signed_in(user)


def begin(browser: Browser, sandbox: Sandbox, page: str = "/setup/connect/") -> str:
    """The address at which to approve, taken from the page."""
    text = browser.post(page, {"url": sandbox.url, "way": "approve"}).content.decode()
    found = re.search(r'href="([^"]*/wc-auth/v1/authorize[^"]*)"', text)
    assert found, text
    return unescape(found[1])


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["user_id"][0]


def post(body: Any, browser: Browser | None = None) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (browser or Browser()).post(CALLBACK, raw, content_type="application/json;charset=UTF-8").status_code


def sandbox_keys(sandbox: Sandbox) -> dict[str, str]:
    return {"consumer_key": sandbox.key, "consumer_secret": sandbox.secret}


def come_back(browser: Browser, token: str, success: str = "1") -> Any:
    return browser.get("/setup/connect/return/", {"success": success, "user_id": token})


@pytest.mark.django_db(transaction=True)
def test_one_approval_connects_a_store(live_server: Any, sandbox: Sandbox) -> None:
    user, browser = operator()
    with override_settings(PUBLIC_URL=live_server.url):
        authorize = begin(browser, sandbox)
        page = requests.get(authorize, timeout=10).text
        assert "Read/Write" in page
        approve = unescape(re.findall(r'class="wc-auth-approve" href="([^"]+)"', page)[0])
        back = requests.get(approve, timeout=10, allow_redirects=False)
        assert back.status_code == 302
        target = urlsplit(back.headers["Location"])
        # Keys alone connect nothing.
        assert Store.objects.count() == 0
        progress = browser.get(f"{target.path}?{target.query}")
        assert (progress.status_code, ConnectAttempt.objects.get().state) == (302, "received")
        shown = browser.get(progress["Location"]).content.decode()
        assert 'hx-trigger="load, submit"' in shown
        done = browser.post(progress["Location"])
        store = Store.objects.get()
        assert (done.status_code, done["Location"]) == (302, f"/app/{store.slug}/connect/result/")
    assert store.consumer_key not in {"", sandbox.key}
    assert store.state == Store.State.CONNECTED
    assert Membership.objects.get().user == user
    attempt = ConnectAttempt.objects.get()
    assert (attempt.state, attempt.consumer_key, attempt.consumer_secret) == ("done", "", "")
    assert browser.get(done["Location"]).status_code == 200


def test_the_token_is_known_only_as_a_hash_and_keys_never_show(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    assert len(token) >= 43
    assert post({"user_id": token, **KEYS}) == 200
    row = ConnectAttempt.objects.get()
    assert token not in str(vars(row))
    come_back(browser, token)
    page = browser.get(f"/setup/connect/{row.pk}/").content.decode()
    assert KEYS["consumer_key"] not in page
    assert token not in page


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[" * 9000, 400),
        ([], 400),
        ({"user_id": 7, **KEYS}, 400),
        ({"user_id": None, **KEYS}, 400),
        ({"user_id": "", **KEYS}, 400),
        ({"user_id": "x" * 300, **KEYS}, 400),
        ({"user_id": "x\u0000\ud800", **KEYS}, 404),
        ({"user_id": "guessed", **KEYS}, 404),
        ({"user_id": "guessed", **KEYS, "consumer_key": "ck_<script>"}, 400),
        ({"user_id": "guessed", **KEYS, "consumer_secret": "cs_" + "b" * 5000}, 400),
        ({"user_id": "guessed", **KEYS, "pad": "x" * 20_000}, 413),
    ],
)
def test_what_is_forged_is_refused_and_changes_nothing(sandbox: Sandbox, body: Any, status: int) -> None:
    _user, browser = operator()
    begin(browser, sandbox)
    assert post(body) == status
    row = ConnectAttempt.objects.get()
    assert (row.state, row.consumer_key) == ("waiting", "")
    assert Store.objects.count() == 0


def test_a_get_and_a_huge_callback_are_refused() -> None:
    assert Browser().get(CALLBACK).status_code == 405
    huge = Browser().post(CALLBACK, b"{}", content_type="application/json", headers={"Content-Length": "999999999"})
    assert huge.status_code in {200, 400, 413}
    assert post(b" " * 6_000_000) == 413


def test_the_same_callback_twice_is_answered_alike_and_other_keys_are_not_taken(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    first = {"user_id": token, **sandbox_keys(sandbox)}
    assert [post(first), post(first)] == [200, 200]
    # A second approval of the same page makes a second key; refused, the shop takes it back.
    assert post({"user_id": token, **KEYS}) == 409
    assert ConnectAttempt.objects.get().consumer_key == sandbox.key


def test_a_replay_after_the_end_changes_nothing(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    told = {"user_id": token, **sandbox_keys(sandbox)}
    post(told)
    browser.post(come_back(browser, token)["Location"])
    store = Store.objects.get()
    assert post(told) == 409
    assert post({"user_id": token, **KEYS}) == 409
    store.refresh_from_db()
    assert (Store.objects.count(), store.consumer_key) == (1, sandbox.key)
    again = browser.post(come_back(browser, token)["Location"])
    assert again.status_code == 302
    assert Store.objects.count() == 1
    assert store.jobs.count() == 1


def test_a_callback_without_a_return_connects_nothing_and_is_forgotten(sandbox: Sandbox) -> None:
    user, browser = operator()
    token = token_of(begin(browser, sandbox))
    post({"user_id": token, **sandbox_keys(sandbox)})
    row = ConnectAttempt.objects.get()
    assert approval.prove(row, user=user) is None
    browser.post(f"/setup/connect/{row.pk}/")
    assert Store.objects.count() == 0
    with clock.shifted(timedelta(hours=1, minutes=1)):
        assert post({"user_id": token, **sandbox_keys(sandbox)}) == 404
        housekeeping.tidy()
    assert ConnectAttempt.objects.count() == 0


def test_back_before_the_keys_the_page_waits_and_says_what_may_stand_between(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    place = come_back(browser, token)["Location"]
    page = browser.get(place).content.decode()
    assert "No keys have come" in page
    assert "firewall" in page
    assert browser.post(place).status_code == 200
    assert Store.objects.count() == 0
    post({"user_id": token, **sandbox_keys(sandbox)})
    assert browser.post(place)["Location"] == f"/app/{Store.objects.get().slug}/connect/result/"


def test_a_refusal_in_the_shop_is_said_and_ends_it(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    page = browser.get(come_back(browser, token, "0")["Location"]).content.decode()
    assert "did not approve" in page
    assert post({"user_id": token, **KEYS}) == 409
    assert Store.objects.count() == 0


def test_another_session_or_person_cannot_take_the_keys(sandbox: Sandbox) -> None:
    user, browser = operator()
    token = token_of(begin(browser, sandbox))
    post({"user_id": token, **sandbox_keys(sandbox)})
    row = ConnectAttempt.objects.get()
    elsewhere, stranger = signed_in(user), signed_in(make_user(is_superuser=True))
    for other in (elsewhere, stranger):
        assert come_back(other, token)["Location"] == "/setup/connect/"
        assert other.post(f"/setup/connect/{row.pk}/").status_code == 404
    assert come_back(Browser(), token)["Location"].startswith("/accounts/login/")
    row.refresh_from_db()
    assert (row.state, row.returned_at) == ("received", None)
    assert Store.objects.count() == 0


def test_keys_of_another_shop_do_not_prove_good(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    with running() as other:
        post({"user_id": token, **sandbox_keys(other)})
    page = browser.post(come_back(browser, token)["Location"]).content.decode()
    assert "Not connected" in page
    assert "Keys may read" in page
    row = ConnectAttempt.objects.get()
    assert (row.state, row.consumer_key, row.consumer_secret) == ("failed", "", "")
    assert Store.objects.count() == 0


def test_two_tabs_prove_once(sandbox: Sandbox) -> None:
    user, browser = operator()
    token = token_of(begin(browser, sandbox))
    post({"user_id": token, **sandbox_keys(sandbox)})
    come_back(browser, token)
    row = ConnectAttempt.objects.get()
    assert approval.prove(row, user=user) is not None
    assert approval.prove(row, user=user) is None
    assert Store.objects.count() == 1


def test_who_lost_the_right_meanwhile_connects_nothing(sandbox: Sandbox) -> None:
    store = joined(sandbox)
    owner = make_user(store)
    browser = signed_in(owner)
    token = token_of(begin(browser, sandbox, f"/app/{store.slug}/connect/"))
    post({"user_id": token, **KEYS})
    Membership.objects.update(role="viewer")
    page = browser.post(come_back(browser, token)["Location"]).content.decode()
    assert "You may not connect this store" in page
    store.refresh_from_db()
    assert store.consumer_key == sandbox.key


def test_a_store_is_connected_anew_by_approval(sandbox: Sandbox) -> None:
    store = joined(sandbox)
    browser = signed_in(make_user(store))
    token = token_of(begin(browser, sandbox, f"/app/{store.slug}/connect/"))
    key = sandbox.add_key()
    post({"user_id": token, "consumer_key": key.consumer_key, "consumer_secret": key.consumer_secret})
    browser.post(come_back(browser, token)["Location"])
    store.refresh_from_db()
    assert (Store.objects.count(), store.consumer_key) == (1, key.consumer_key)


def test_an_approval_without_keys_is_remembered_on_the_page(sandbox: Sandbox) -> None:
    _user, browser = operator()
    begin(browser, sandbox)
    page = browser.get("/setup/connect/").content.decode()
    assert "no keys have come" in page
    assert "unable to send the consumer data" in page


@pytest.mark.parametrize(
    ("address", "private", "debug", "good"),
    [
        ("https://after.example.com", [], False, True),
        ("http://after.example.com", [], True, False),
        ("http://127.0.0.1:8000", [], True, True),
        ("http://127.0.0.1:8000", ["127.0.0.1"], False, True),
        ("http://127.0.0.1:8000", [], False, False),
        ("http://10.0.0.5", ["10.0.0.5"], False, False),
    ],
)
def test_keys_are_asked_for_only_where_a_shop_would_send_them(
    address: str, private: list[str], debug: bool, good: bool
) -> None:
    with override_settings(PUBLIC_URL=address, ALLOWED_PRIVATE_HOSTS=private, DEBUG=debug):
        assert approval.possible() is good
        if not good:
            with pytest.raises(BusinessError) as caught:
                approval.ask("https://shop.example.com", user=make_user(), session_key="s")
            assert caught.value.code == "no_https_here"


def test_the_way_back_asks_for_nothing_that_was_not_begun() -> None:
    _user, browser = operator()
    assert come_back(browser, "made up")["Location"] == "/setup/connect/"
    viewer = signed_in(make_user(make_store(), role="viewer"))
    assert come_back(viewer, "made up")["Location"] == "/"
    assert come_back(browser, "x\x00" * 500).status_code == 302
    assert ConnectAttempt.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_callbacks_at_once_keep_one_pair_of_keys(sandbox: Sandbox) -> None:
    _user, browser = operator()
    token = token_of(begin(browser, sandbox))
    answers: list[int] = []

    def send(sign: str) -> None:
        from django.db import connection

        try:
            answers.append(
                post({"user_id": token, "consumer_key": "ck_" + sign * 40, "consumer_secret": "cs_" + sign * 40})
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(sign,)) for sign in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409]
    row = ConnectAttempt.objects.get()
    assert row.consumer_key[3:] == row.consumer_secret[3:]
