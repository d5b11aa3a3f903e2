"""Webhooks that are forged, repeated, out of order, endless or impossible (C37 to C47; C44 has a module of its own)."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from postpurchase import clock
from stores import hooks, inbox, selftest
from stores.models import AuditEvent, Delivery, Event, Order, Store, SyncTask
from stores.registries import Check
from stores.sandbox import webhooks
from stores.sandbox.server import Sandbox
from stores.sync import checks, tasks
from tests.factories import make_order, make_product, make_store
from tests.stores.shop import asked, joined, place, running
from tests.stores.test_webhooks import endpoint, send, sign

pytestmark = pytest.mark.django_db
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("signature", ["", "Zoë", "x" * 5000, "=", sign(b""), sign(b'{"id": 16}')])
def test_c37_a_wrong_signature_is_401_and_only_counted(signature: str) -> None:
    to, other = endpoint(make_store()), endpoint(make_store())
    assert send(to, b'{"id": 15}', signature=signature).status_code == 401
    to.refresh_from_db()
    other.refresh_from_db()
    assert (Delivery.objects.count(), to.refused, other.refused) == (0, 1, 0)


def test_c37_the_right_signature_of_another_tenant_is_401() -> None:
    mine, theirs = endpoint(make_store()), endpoint(make_store())
    theirs.secret = "another"
    theirs.save()
    body = b'{"id": 15}'
    assert send(mine, body, signature=sign(body, theirs.secret)).status_code == 401
    assert Delivery.objects.count() == 0


def test_c37_a_signature_of_the_empty_body_is_right_for_the_empty_body_alone() -> None:
    to = endpoint(make_store())
    assert send(to, b"{}", signature=sign(b"")).status_code == 401
    assert send(to, b"", signature=sign(b"")).status_code == 200
    inbox.run_due()
    assert [task.key for task in SyncTask.objects.all()] == ["poll:order"]


def test_c39_fifty_times_and_in_reverse_order_is_one_fetch_and_one_effect() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        topics = [endpoint(store, f"order.{event}") for event in ("deleted", "updated", "created")]
        for number in range(50):
            for to in topics:
                assert send(to, {"id": 201}, delivery=str(number)).status_code == 200
        inbox.run_due()
        tasks.run_due()
        assert Delivery.objects.count() == 150
        assert len(asked(sandbox, "/orders/201")) == 1
        order = Order.objects.get()
        assert (order.status, order.deleted_at, order.trashed_at) == ("processing", None, None)
        assert Event.objects.filter(name="order.placed").count() == 1


def test_c39_a_trashed_product_told_as_coupon_and_order_touches_nothing_else() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        product = make_product(store, woo_id=101)
        for topic in ("coupon.deleted", "order.deleted"):
            send(endpoint(store, topic), {"id": product.woo_id})
        inbox.run_due()
        tasks.run_due()
        product.refresh_from_db()
        assert (product.deleted_at, SyncTask.objects.count(), asked(sandbox, "/101")) == (None, 0, [])


@pytest.mark.django_db(transaction=True)
def test_c41_pings_inside_our_own_requests_are_answered_at_once(
    live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_URL = live_server.url
    answers: list[int | None] = []

    def ping(webhook_id: int, url: str) -> int | None:
        answers.append(webhooks.send(url, headers=_FORM, body=f"webhook_id={webhook_id}".encode(), timeout=5))
        return answers[-1]

    monkeypatch.setattr(webhooks, "ping", ping)
    with running() as sandbox:
        store = joined(sandbox)
        began = clock.monotonic()
        hooks.ensure_webhooks(SyncTask.objects.create(store=store, key="webhooks", entity="webhooks"))
        assert clock.monotonic() - began < 5 * len(hooks.TOPICS)
        assert answers == [200] * len(hooks.TOPICS)
        assert Delivery.objects.count() == 0
        assert set(store.webhooks.values_list("state", "refused", "last_at")) == {("active", 0, None)}


@pytest.mark.parametrize("body", [b"webhook_id=", b"webhook_id=7&x=1", b"webhook_id=7\n", b"webhook_id=" + b"9" * 21])
def test_c41_what_only_looks_like_a_ping_needs_a_signature(body: bytes) -> None:
    to = endpoint(make_store())
    answer = Browser().post(f"/hooks/woo/{to.token}/", body, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, Delivery.objects.count()) == (401, 0)


def test_c42_an_old_body_replayed_costs_one_request_and_changes_nothing() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        to = endpoint(store)
        old = json.dumps({**(sandbox.get("order", 201) or {}), "status": "pending", "total": "1.00"}).encode()
        send(to, {"id": 201})
        inbox.run_due()
        tasks.run_due()
        before = (Order.objects.get().status, Order.objects.get().total, Event.objects.count())
        with clock.shifted(timedelta(days=3)):
            send(to, old, delivery="again")
            inbox.run_due()
            tasks.run_due()
        assert (Order.objects.get().status, Order.objects.get().total, Event.objects.count()) == before
        assert len(asked(sandbox, "/orders/201")) == 2


def test_c42_an_error_object_has_the_list_read_and_deletes_nothing() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        send(endpoint(store), {"id": 201})
        inbox.run_due()
        tasks.run_due()
        gone = {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}}
        send(endpoint(store, "order.deleted"), gone)
        inbox.run_due()
        tasks.run_due()
        assert Order.objects.get().deleted_at is None
        assert SyncTask.objects.filter(key="poll:order").exists()


def _loop(store: Any, sandbox: Any, *, hours: float) -> None:
    """Twenty hints a second would do the same: one comes whenever there is room for one."""
    to = endpoint(store)
    ends = clock.now() + timedelta(hours=hours)
    number = 0
    while clock.now() < ends:
        number += 1
        send(to, {"id": 201, "n": number}, delivery=str(number))
        inbox.run_due()
        tasks.run_due()
        clock.advance(timedelta(seconds=5))


def test_c45_an_endless_loop_is_asked_after_ever_more_seldom_and_told() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        with clock.frozen(clock.now()):
            _loop(store, sandbox, hours=0.5)
            # After 0, 10, 20, 40, 80, 160 and then each 300 seconds.
            assert len(asked(sandbox, "/orders/201")) <= 6 + 1800 // 300
            assert len(asked(sandbox, "/orders/201")) >= 1800 // 300
            (told,) = [check for check in checks.checks(store) if "without end" in check.sentence]
            assert (told.ok, told.level, "order 201" in told.sentence) == (False, "warn", True)
            # The loop ends: the last state comes in, and the next change is fetched at once again.
            clock.advance(timedelta(minutes=6))
            tasks.run_due()
            assert SyncTask.objects.get(key="order:201").state == "done"
            clock.advance(timedelta(minutes=11))
            assert not tasks.in_a_loop(store).exists()
            before = len(asked(sandbox, "/orders/201"))
            send(endpoint(store, "order.created"), {"id": 201})
            inbox.run_due()
            tasks.run_due()
            assert len(asked(sandbox, "/orders/201")) == before + 1
            assert SyncTask.objects.get(key="order:201").params == {}


def test_c45_a_hint_during_every_fetch_is_put_off_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        real = tasks._fetchers["order"]

        def while_fetching(task: SyncTask) -> Any:
            for _hint in range(3):
                tasks.arm(store, [("order", 201)])
            return real(task)

        monkeypatch.setitem(tasks._fetchers, "order", while_fetching)
        with clock.frozen(clock.now()):
            tasks.arm(store, [("order", 201)])
            waits = []
            for _fetch in range(7):
                tasks.run_due()
                wait = SyncTask.objects.get().due_at - clock.now()
                waits.append(wait.total_seconds())
                clock.advance(wait)
        assert waits == [10, 20, 40, 80, 160, 300, 300]


def _standing(sandbox: Sandbox) -> tuple[Store, SyncTask]:
    """A store whose twelve webhooks stand in the shop, for some hours already."""
    store = joined(sandbox)
    task = SyncTask.objects.create(store=store, key="webhooks", entity="webhooks", due_at=clock.now())
    _look(task)
    clock.advance(timedelta(hours=2))
    _look(task)
    return store, task


def _look(task: SyncTask) -> timedelta:
    return hooks.ensure_webhooks(SyncTask.objects.get(pk=task.pk))


def _shops(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.store.storage.bodies("kind = 'webhook'", (), order="id")
    return {body["topic"]: body for body in found}


def _disable(sandbox: Sandbox, topic: str = "order.updated") -> None:
    sandbox.put("webhook", _shops(sandbox)[topic] | {"status": "disabled"})


def _made(sandbox: Sandbox) -> int:
    return sum(one["method"] == "POST" and one["path"].endswith("/webhooks") for one in sandbox.requests)


def _told(store: Store) -> Check:
    store.refresh_from_db()
    return next(check for check in checks.checks(store) if check.name == "Webhooks")


def test_c43_a_webhook_that_the_shop_switched_off_is_made_anew_the_gap_closed_and_the_merchant_told() -> None:
    with running(orders=3) as sandbox, clock.frozen(clock.now()):
        store, task = _standing(sandbox)
        tasks.poll_now(store)
        old = _shops(sandbox)["order.updated"]
        # Our side is away: the seventh failure in a row switches the webhook off, and nobody hears of what follows.
        sandbox.store.storage.set_flags("webhook", old["id"], failures=6)
        webhooks._note_result(sandbox.store, old["id"], ok=False)
        assert _shops(sandbox)["order.updated"]["status"] == "disabled"
        clock.advance(timedelta(hours=1))
        sandbox.advance(hours=1)
        late = [place(sandbox, number)["id"] for number in range(5)]
        assert _look(task) == timedelta(hours=1)
        new = _shops(sandbox)["order.updated"]
        assert (new["status"], new["delivery_url"], new["id"] != old["id"]) == ("active", old["delivery_url"], True)
        assert sandbox.get("webhook", old["id"]) is None
        polling = SyncTask.objects.get(store=store, key="poll:order")
        assert (polling.state, "wide_at" in polling.params) == ("due", False)
        tasks.run_due()
        assert set(late) <= set(Order.objects.values_list("woo_id", flat=True))
        told = _told(store)
        assert (told.ok, told.level, "order.updated" in told.sentence) == (False, "warn", True)
        assert "nothing was lost" in told.fix
        line = AuditEvent.objects.get(action="webhooks.remade")
        assert line.diff == {"order.updated": "disabled"}
        clock.advance(timedelta(hours=25))
        _look(task)
        assert _told(store).ok


@pytest.mark.parametrize("how", ["missing", "paused", "other address", "other topic"])
def test_c43_whatever_became_of_a_webhook_it_is_put_right(how: str) -> None:
    with running() as sandbox, clock.frozen(clock.now()):
        _store, task = _standing(sandbox)
        hook = _shops(sandbox)["order.updated"]
        if how == "missing":
            sandbox.store.storage.delete("webhook", hook["id"])
        else:
            wrong = {
                "paused": {"status": "paused"},
                "other address": {"delivery_url": "http://elsewhere.example/"},
                "other topic": {"topic": "order.created"},
            }[how]
            webhooks.save(sandbox.store, hook | wrong)
        _look(task)
        right = _shops(sandbox)
        assert sorted(right) == sorted(hooks.TOPICS)
        assert sandbox.store.storage.count("kind = 'webhook'", ()) == len(hooks.TOPICS)
        assert (right["order.updated"]["status"], right["order.updated"]["delivery_url"]) == (
            "active",
            hook["delivery_url"],
        )


def test_c43_one_that_is_lost_again_and_again_is_made_ever_more_seldom() -> None:
    with running() as sandbox, clock.frozen(clock.now()):
        store, task = _standing(sandbox)
        before = _made(sandbox)
        for _hour in range(48):
            if "order.updated" in _shops(sandbox):
                _disable(sandbox)
            _look(task)
            clock.advance(timedelta(hours=1))
        # After 0, 1, 3, 7, 15 and 39 hours.
        assert _made(sandbox) - before == 6
        assert "order.updated" not in _shops(sandbox)
        assert "order.updated" in _told(store).sentence
        # Steady for a day, it has a clean record again.
        clock.advance(timedelta(hours=24))
        _look(task)
        clock.advance(timedelta(hours=25))
        _look(task)
        assert SyncTask.objects.get(pk=task.pk).params["remade"] == {}


def test_c46_a_shop_that_cannot_call_us_is_polled_and_never_asked_to_make_webhooks() -> None:
    with running(orders=1) as sandbox, clock.frozen(clock.now()):
        store = joined(sandbox, capabilities={"webhooks": False})
        task = SyncTask.objects.create(store=store, key="webhooks", entity="webhooks")
        for _hour in range(30):
            _look(task)
            clock.advance(timedelta(hours=1))
        assert [one for one in sandbox.requests if one["path"].endswith("/webhooks")] == []
        tasks.poll_now(store)
        sandbox.advance(hours=1)
        body = place(sandbox)
        clock.advance(timedelta(minutes=5))
        tasks.run_due()
        assert Order.objects.filter(woo_id=body["id"]).exists()
        assert "within six" in _told(store).sentence


def test_c46_webhooks_that_never_arrive_are_told_with_their_likely_cause() -> None:
    with running() as sandbox, clock.frozen(clock.now()):
        store, task = _standing(sandbox)
        to = store.webhooks.get(topic="order.updated")
        at = clock.now() + timedelta(hours=1)
        for number in range(20):
            make_order(store, woo_id=1000 + number, modified_gmt=at)
        clock.advance(timedelta(hours=2))
        _look(task)
        assert "Of 20 orders that changed in the last day, the shop told of 0" in _told(store).sentence
        assert "WP-Cron" in _told(store).fix
        # The same orders, announced: four silent ones of twenty are a fifth, and that is nothing to tell.
        for number in range(16):
            Delivery.objects.create(
                store=store, endpoint=to, topic=to.topic, key=str(number), resource_id=1000 + number, received_at=at
            )
        _look(task)
        assert _told(store).ok
        assert SyncTask.objects.get(pk=task.pk).params["share"] | {"at": ""} == {"changed": 20, "silent": 4, "at": ""}


def test_c47_a_redirect_that_comes_up_later_stops_the_making_and_leaves_the_polls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running() as sandbox, clock.frozen(clock.now()):
        store, task = _standing(sandbox)
        before = _made(sandbox)
        monkeypatch.setattr(
            "stores.selftest.own_address", lambda: selftest.AddressFault("address_redirects", "It leads elsewhere.", "")
        )
        _disable(sandbox)
        assert _look(task) == timedelta(days=1)
        assert _made(sandbox) == before
        store.refresh_from_db()
        assert store.capabilities["webhooks"] is False
        assert "within six" in _told(store).sentence
