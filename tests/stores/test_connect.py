"""Connecting: what is checked, what each failure says, and that a second connect keeps everything."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from postpurchase import clock
from postpurchase.errors import BusinessError
from postpurchase.queue import run_until_idle
from stores import connect, hooks, registries
from stores.connect import ConnectRefused
from stores.models import Event, Job, Membership, Order, Store, SyncTask, WebhookEndpoint
from stores.sandbox.server import Sandbox
from stores.woo import address
from tests.factories import NOON, make_order, make_store, make_user
from tests.stores.fake_shop import Shop, serve
from tests.stores.shop import place, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serve() as fake:
        yield fake


def join(sandbox: Sandbox, **details: Any) -> Store:
    given: dict[str, Any] = {"key": sandbox.key, "secret": sandbox.secret}
    return connect.connect(details.pop("url", sandbox.url), **(given | details))


def codes(problem: ConnectRefused) -> list[tuple[str, str]]:
    return [(step.name, step.code) for step in problem.steps if step.code]


@pytest.mark.parametrize(
    ("pasted", "first"),
    [
        (" https://shop.example.com/ ", "https://shop.example.com"),
        ("shop.example.com", "https://shop.example.com"),
        ("HTTPS://Shop.Example.COM/wp-admin/edit.php?post_type=x", "https://shop.example.com"),
        ("https://shop.example.com/wp-login.php", "https://shop.example.com"),
        ("https://shop.example.com/wp-json/wc/v3/", "https://shop.example.com"),
        ("https://shop.example.com/index.php/wp-json", "https://shop.example.com"),
        ("https://example.com/shop//", "https://example.com/shop"),
        ("https://example.com:443/", "https://example.com"),
        ("https://example.com:8443/", "https://example.com:8443"),
        ("https://cafeaua-bună.ro", "https://xn--cafeaua-bun-ikb.ro"),
        ("http://[2001:db8::1]:81/", "http://[2001:db8::1]:81"),
    ],
)
def test_what_is_pasted_becomes_a_base_address(pasted: str, first: str) -> None:
    assert address.candidates(pasted)[0] == first


def test_a_path_is_tried_as_given_and_then_shortened() -> None:
    assert address.candidates("https://example.com/shop/product/mug") == [
        "https://example.com/shop/product/mug",
        "https://example.com/shop/product",
        "https://example.com/shop",
        "https://example.com",
    ]


@pytest.mark.parametrize(
    "pasted",
    ["", "  ", "file:///etc/passwd", "ftp://x.example", "https://user:pw@x.example", "https://", "http://x:99999/"],
)
def test_what_is_no_shop_address_is_refused(pasted: str) -> None:
    with pytest.raises(BusinessError) as caught:
        connect.connect(pasted, key="ck", secret="cs")
    assert caught.value.code == "bad_address"
    assert Store.objects.count() == 0


@pytest.mark.parametrize(
    ("minutes", "zone"), [(120, "Etc/GMT-2"), (-300, "Etc/GMT+5"), (330, "Asia/Kolkata"), (0, "UTC")]
)
def test_a_fixed_offset_has_a_zone(minutes: int, zone: str) -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    assert address.zone_of_offset(minutes) == zone
    assert datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).utcoffset() == timedelta(minutes=minutes)


def test_a_shop_is_connected_with_its_settings() -> None:
    with running(orders=2, http_callbacks=True) as sandbox:
        owner = make_user()
        store = join(sandbox, user=owner)
        store.refresh_from_db()
        assert (store.state, store.currency, store.decimals, store.zone, store.country) == (
            Store.State.CONNECTED,
            "RON",
            2,
            "Europe/Bucharest",
            "RO",
        )
        assert store.can_write is True
        assert store.capabilities["hpos"] is True
        assert store.capabilities["modified_after:order"] is True
        assert store.capabilities["woo_version"] == "11.0.1"
        assert store.live_from is not None
        assert Membership.objects.get().role == "owner"
        assert Event.objects.get(name="store.connected").historic is False
        assert Job.objects.get().kind == "backfill"
        # The trial coupon is gone again.
        assert sandbox.store.storage.count("kind = 'coupon'", ()) == 0
        assert not [one for one in sandbox.requests if one["path"].endswith("/webhooks")]


def test_after_connecting_the_worker_reads_everything() -> None:
    with running(orders=5) as sandbox, clock.frozen(NOON):
        store = join(sandbox)
        run_until_idle()
        store.refresh_from_db()
        assert store.orders.count() == 5
        assert store.backfilled_at == NOON
        assert Job.objects.get().status == Job.Status.DONE
        sandbox.advance(hours=1)
        body = place(sandbox)
        clock.advance(timedelta(hours=1))
        run_until_idle()
        fresh = store.orders.get(woo_id=body["id"])
        assert sorted(store.orders.filter(historic=True).values_list("woo_id", flat=True)) == [201, 202, 203, 204, 205]
        assert (fresh.historic, fresh.status) == (False, "processing")


def _ensure(store: Store) -> SyncTask:
    task = SyncTask.objects.get(store=store, key="webhooks")
    hooks.ensure_webhooks(task)
    return task


def _hooks(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {body["topic"]: body for body in sandbox.store.storage.bodies("kind = 'webhook'", order="id")}


def _with_hooks(sandbox: Sandbox) -> Store:
    store = join(sandbox)
    store.capabilities |= {"webhooks": True}
    store.save()
    return store


def test_each_topic_gets_one_webhook_with_a_secret_of_its_own() -> None:
    with running() as sandbox:
        store = _with_hooks(sandbox)
        _ensure(store)
        _ensure(store)
        found = _hooks(sandbox)
        assert sorted(found) == sorted(hooks.TOPICS)
        assert sandbox.store.storage.count("kind = 'webhook'", ()) == 12
        endpoints = list(WebhookEndpoint.objects.filter(store=store))
        assert len({row.secret for row in endpoints}) == len({row.token for row in endpoints}) == 12
        for row in endpoints:
            assert len(row.secret) == 48
            assert row.secret.isalnum()
            assert found[row.topic]["delivery_url"] == f"http://testserver/hooks/woo/{row.token}/"
            assert (row.state, row.woo_id) == ("active", found[row.topic]["id"])


def test_a_disabled_webhook_is_made_anew_and_strangers_are_left_alone() -> None:
    with running() as sandbox:
        store = _with_hooks(sandbox)
        _ensure(store)
        old = _hooks(sandbox)["order.updated"]
        sandbox.put("webhook", old | {"status": "disabled"})
        from stores.woo.client import client_for

        foreign = client_for(store).post(
            "webhooks", {"topic": "order.updated", "delivery_url": "http://other.example/x", "name": "theirs"}
        )
        _ensure(store)
        assert sandbox.get("webhook", old["id"]) is None
        assert sandbox.get("webhook", foreign["id"]) is not None
        row = WebhookEndpoint.objects.get(store=store, topic="order.updated")
        kept = sandbox.get("webhook", row.woo_id or 0)
        assert kept is not None
        assert kept["delivery_url"] == old["delivery_url"]
        assert sandbox.store.storage.count("kind = 'webhook'", ()) == 13


def test_a_shop_that_cannot_call_us_gets_no_webhooks() -> None:
    with running() as sandbox:
        store = join(sandbox)
        store.capabilities |= {"webhooks": False}
        store.save()
        assert hooks.ensure_webhooks(SyncTask.objects.get(store=store, key="webhooks")) == timedelta(days=1)
        assert _hooks(sandbox) == {}


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [("ck_unknown", "cs_unknown", "keys_refused"), (None, "cs_wrong", "keys_refused"), ("ключ", "cs", "keys_refused")],
)
def test_bad_keys_are_refused_and_nothing_is_made(key: str | None, secret: str, code: str) -> None:
    # By the same clock: one that is off is another fault.
    with running() as sandbox, clock.frozen(NOON):
        with pytest.raises(ConnectRefused) as caught:
            join(sandbox, key=key or sandbox.key, secret=secret)
        assert codes(caught.value)[-1] == ("read", code)
        assert (Store.objects.count(), Event.objects.count(), Job.objects.count()) == (0, 0, 0)
        assert secret not in str(caught.value)


def test_a_user_without_the_right_is_told_so() -> None:
    with running() as sandbox:
        key = sandbox.add_key("read_write", "customer")
        with pytest.raises(ConnectRefused) as caught:
            join(sandbox, key=key.consumer_key, secret=key.consumer_secret)
        assert caught.value.code == "no_right"


def test_read_only_keys_mirror_and_do_not_write() -> None:
    with running(orders=3) as sandbox:
        key = sandbox.add_key("read")
        steps: list[Any] = []
        store = join(sandbox, key=key.consumer_key, secret=key.consumer_secret, on_step=steps.append)
        assert store.can_write is False
        assert [step.state for step in steps if step.name == "write"] == ["warn"]
        run_until_idle()
        assert store.orders.count() == 3
        assert _hooks(sandbox) == {}
        shop = next(check for check in registries.checks(store) if check.name == "Shop")
        assert (shop.ok, shop.level) == (False, "warn")
        assert "only read" in shop.sentence


def test_reconnecting_with_new_keys_keeps_everything() -> None:
    with running(orders=3) as sandbox:
        store = join(sandbox)
        run_until_idle()
        store.refresh_from_db()
        first, orders = store.live_from, set(store.orders.values_list("pk", flat=True))
        store.state, store.name = Store.State.REFUSED, "My own name"
        store.save()
        key = sandbox.add_key()
        with clock.shifted(timedelta(days=3)):
            again = join(sandbox, store=store, key=key.consumer_key, secret=key.consumer_secret)
        again.refresh_from_db()
        assert again.pk == store.pk
        assert (again.state, again.live_from, again.name) == (Store.State.CONNECTED, first, "My own name")
        assert again.consumer_key == key.consumer_key
        assert set(again.orders.values_list("pk", flat=True)) == orders
        assert Job.objects.count() == 1


def test_another_shop_under_the_address_is_not_taken_for_ours() -> None:
    with running(orders=1) as sandbox:
        store = make_store(base_url="https://old.example", currency="EUR")
        make_order(store, woo_id=201, raw={"order_key": "wc_order_ours"})
        with pytest.raises(BusinessError) as caught:
            join(sandbox, store=store)
        assert caught.value.code == "other_shop"
        store.refresh_from_db()
        assert (store.base_url, store.currency) == ("https://old.example", "EUR")


def _json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _html(text: str, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "text/html"}, text.encode()


INDEX = {"name": "Shop", "namespaces": ["wp/v2", "wc/v3"], "timezone_string": "", "gmt_offset": 5.5}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_html("<html>Hello</html>"), "not_wordpress"),
        (_html("<html><link href=/wp-content/x.css></html>", 403), "blocked"),
        (_html("<html>Please wait: checking your browser</html>", 503), "blocked"),
        (_html("<html>wp-content coming-soon</html>"), "coming_soon"),
        (_html("<html>Not Implemented</html>", 501), "modsecurity"),
        (_json({"name": "Blog", "namespaces": ["wp/v2"]}), "no_woocommerce"),
        (_json({"something": "else"}), "not_wordpress"),
    ],
)
def test_each_wrong_place_has_its_name(shop: Shop, answer: Any, code: str) -> None:
    shop.will(answer)
    with pytest.raises(ConnectRefused) as caught:
        connect.connect(shop.url, key="ck_a", secret="cs_a")
    assert caught.value.code == code
    assert caught.value.message.count("Nothing was changed.") == 1
    assert "<html>" not in caught.value.message


def test_plain_permalinks_are_named_with_the_cure(shop: Shop) -> None:
    def plain(handler: Any) -> None:
        found = "rest_route" in handler.path
        body = json.dumps(INDEX).encode() if found else b"<html>Not found</html>"
        handler.send_response(200 if found else 404)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    shop.will(plain)
    with pytest.raises(ConnectRefused) as caught:
        connect.connect(shop.url, key="ck_a", secret="cs_a")
    assert caught.value.code == "plain_permalinks"
    assert "Permalinks" in caught.value.message


def test_a_closed_port_and_a_forbidden_address_read_the_same(settings: Any) -> None:
    messages = []
    for url in ("http://127.0.0.1:1", "http://169.254.169.254"):
        with pytest.raises(ConnectRefused) as caught:
            connect.connect(url, key="ck_a", secret="cs_a")
        assert caught.value.code == "unreachable"
        messages.append(caught.value.message)
    assert messages[0] == messages[1]


def test_a_redirect_to_another_host_is_not_followed(shop: Shop) -> None:
    shop.will((302, {"Location": "http://169.254.169.254/wp-json/"}, b""))
    with pytest.raises(ConnectRefused):
        connect.connect(shop.url, key="ck_a", secret="cs_a")
    assert all("Authorization" not in one.headers for one in shop.asked)


def test_a_shop_in_a_folder_is_found_from_any_of_its_pages(shop: Shop) -> None:
    def in_folder(handler: Any) -> None:
        found = handler.path.startswith("/shop/wp-json/")
        body = json.dumps(INDEX if handler.path.rstrip("/").endswith("wp-json") else {"code": "x"}).encode()
        handler.send_response(200 if found else 404)
        handler.send_header("Content-Length", str(len(body) if found else 0))
        handler.end_headers()
        handler.wfile.write(body if found else b"")

    shop.will(in_folder)
    with pytest.raises(ConnectRefused) as caught:
        connect.connect(f"{shop.url}/shop/wp-admin/index.php", key="ck_a", secret="cs_a")
    assert [step.name for step in caught.value.steps if step.state != "bad"][:4] == [
        "reachable",
        "https",
        "wordpress",
        "woocommerce",
    ]


def test_keys_stay_out_of_logs_pages_and_the_audit(caplog: pytest.LogCaptureFixture) -> None:
    from stores.models import AuditEvent

    caplog.set_level("DEBUG")
    with running() as sandbox:
        user = make_user(is_superuser=True)
        browser = Browser()
        browser.force_login(user)
        page = browser.post("/setup/connect/", {"url": sandbox.url, "key": sandbox.key, "secret": "cs_wrong_secret"})
        store = join(sandbox)
        assert "cs_wrong_secret" not in page.content.decode()
        everything = caplog.text + str(list(AuditEvent.objects.values())) + str(list(SyncTask.objects.values()))
        assert sandbox.secret not in everything
        assert "cs_wrong_secret" not in everything
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT consumer_key, consumer_secret FROM stores_store WHERE id = %s", [store.pk])
            assert sandbox.secret not in str(cursor.fetchone())


def test_the_first_store_is_connected_on_its_page_and_shows_its_job() -> None:
    with running(orders=1) as sandbox:
        user = make_user(is_superuser=True)
        browser = Browser()
        browser.force_login(user)
        form = browser.get("/setup/connect/")
        assert b"Check and connect" in form.content
        answer = browser.post(
            "/setup/connect/", {"url": f" {sandbox.url}/wp-admin/ ", "key": sandbox.key, "secret": sandbox.secret}
        )
        store = Store.objects.get()
        job = Job.objects.get()
        assert (answer.status_code, answer["Location"]) == (302, f"/app/{store.slug}/connect/result/")
        assert Membership.objects.get().user == user
        assert f"/app/{store.slug}/jobs/{job.pk}/" in browser.get(answer["Location"]).content.decode()


def test_a_failed_check_is_shown_with_its_ticks() -> None:
    with running() as sandbox:
        browser = Browser()
        browser.force_login(make_user(is_superuser=True))
        page = browser.post("/setup/connect/", {"url": sandbox.url, "key": "ck_no", "secret": "cs_no"}).content.decode()
        assert "Not connected." in page
        assert "Shop answers" in page
        assert page.count('sr-only">passed<') == 3
        assert Store.objects.count() == 0


def test_only_those_with_the_right_reach_the_page() -> None:
    store = make_store()
    viewer, outsider, owner = make_user(store, role="viewer"), make_user(), make_user(store)
    for person, inside, first in ((viewer, 403, 403), (outsider, 404, 403), (owner, 200, 200)):
        browser = Browser()
        browser.force_login(person)
        assert browser.get(f"/app/{store.slug}/connect/").status_code == inside
        assert browser.get("/setup/connect/").status_code == first


def test_the_command_connects_prints_ticks_and_reconnects(capsys: pytest.CaptureFixture[str]) -> None:
    with running(orders=2) as sandbox:
        owner = make_user(email="owner@example.com")
        given = ["connect", sandbox.url, "--key", sandbox.key, "--secret", sandbox.secret, "--slug", "cups"]
        call_command(*given, "--owner", "Owner@example.com")
        text = capsys.readouterr().out
        assert "ok   Shop answers" in text
        assert "Connected" in text
        assert Store.objects.get().slug == "cups"
        assert Membership.objects.get().user == owner
        call_command(*given)
        assert Store.objects.count() == 1
        call_command("backfill", "--store", "cups")
        text = capsys.readouterr().out
        assert "2 orders" in text
        assert "100%" in text
        place(sandbox)
        call_command("poll")
        text = capsys.readouterr().out
        assert "cups order: ok" in text
        assert Order.objects.count() == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["connect", "http://127.0.0.1:1", "--key", "k", "--secret", "s"], 1),
        (["connect", "http://127.0.0.1:1", "--key", "k", "--secret", "s", "--owner", "no@example.com"], 2),
        (["backfill", "--store", "none"], 2),
        (["backfill"], 2),
        (["poll"], 2),
    ],
)
def test_commands_end_with_the_right_code(arguments: list[str], code: int) -> None:
    with pytest.raises(CommandError) as caught:
        call_command(*arguments)
    assert caught.value.returncode == code


def test_commands_tell_of_a_shop_that_fails() -> None:
    with running(orders=2) as sandbox:
        store = join(sandbox)
        sandbox.fault("drop_before", path="/", times=0)
        for arguments in (["backfill"], ["poll", "--store", store.slug]):
            with pytest.raises(CommandError) as caught:
                call_command(*arguments)
            assert caught.value.returncode == 1


def test_the_system_page_knows_each_trouble() -> None:
    store = make_store(capabilities={"webhooks": True}, backfilled_at=None)
    found = {check.name: check for check in registries.checks(store)}
    assert [found[name].ok for name in ("Shop", "Polling", "Webhooks", "Unreadable objects", "History")] == [
        True,
        False,
        False,
        True,
        False,
    ]
    store.state, store.state_reason = Store.State.UNREACHABLE, "It took too long."
    assert {check.name: check.sentence for check in registries.checks(store)}["Shop"] == "It took too long."
    with running() as sandbox:
        healthy = _with_hooks(sandbox)
        _ensure(healthy)
        run_until_idle()
        healthy.refresh_from_db()
        assert [check.sentence for check in registries.checks(healthy) if not check.ok] == []
        with clock.shifted(timedelta(hours=1)):
            late = {check.name: check for check in registries.checks(healthy)}["Polling"]
        assert late.ok is False
        assert "60 minutes ago" in late.sentence or "61 minutes ago" in late.sentence
