"""Webhooks: what is accepted, what is refused, and that deliveries are hints that collapse into one fetch."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from pytest_django.fixtures import DjangoAssertNumQueries

from postpurchase import clock
from postpurchase.due import State
from stores import inbox
from stores.models import Delivery, Event, Order, Product, Store, SyncTask, WebhookEndpoint
from stores.sync import tasks
from tests.bodies import FOLDER
from tests.factories import make_order, make_product, make_store
from tests.stores.shop import asked, joined, place, running

pytestmark = pytest.mark.django_db
SECRET = 's3cret & <known> "q" Zoë'


def endpoint(store: Store, topic: str = "order.updated") -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(store=store, topic=topic, secret=SECRET)


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def send(
    to: WebhookEndpoint, body: bytes | dict[str, Any], *, signature: str | None = None, delivery: str = "d1"
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Browser(enforce_csrf_checks=True).post(
        f"/hooks/woo/{to.token}/",
        raw,
        content_type="application/json",
        headers={
            "X-WC-Webhook-Signature": sign(raw) if signature is None else signature,
            "X-WC-Webhook-Delivery-ID": delivery,
        },
    )


def test_a_signed_delivery_is_kept_raw_and_answered() -> None:
    to = endpoint(make_store())
    body = b'{"id": 15,"name":"Zo\\u00eb \\/"}'
    assert send(to, body).status_code == 200
    row = Delivery.objects.get()
    assert (bytes(row.body), row.topic, row.state, row.store_id) == (body, "order.updated", State.DUE, to.store_id)


def test_accepting_takes_two_queries(django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: Any) -> None:
    monkeypatch.setattr("postpurchase.queue.wake", lambda *a: None)
    to = endpoint(make_store())
    with django_assert_num_queries(2):
        send(to, {"id": 15})
    with django_assert_num_queries(1):
        send(to, {"id": 16})
    assert Delivery.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_that_went_away_takes_nothing_more() -> None:
    to = endpoint(make_store())
    assert send(to, {"id": 1}).status_code == 200
    WebhookEndpoint.objects.filter(pk=to.pk).delete()
    assert [send(to, {"id": 2}).status_code for _ in range(2)] == [404, 404]
    assert Delivery.objects.count() == 0


def _spoiled(body: bytes) -> dict[str, tuple[bytes, str]]:
    return {
        "wrong secret": (body, sign(body, "other")),
        "one byte changed": (body.replace(b"15", b"16"), sign(body)),
        "missing": (body, ""),
        "not ASCII": (body, "Zoë"),
        "of an empty body": (body, sign(b"")),
        "hex": (body, hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()),
    }


@pytest.mark.parametrize("how", sorted(_spoiled(b"15")))
def test_a_forged_delivery_is_counted_and_not_kept(how: str) -> None:
    to = endpoint(make_store())
    body, signature = _spoiled(b'{"id": 15}')[how]
    assert send(to, body, signature=signature).status_code == 401
    assert Delivery.objects.count() == 0
    to.refresh_from_db()
    assert to.refused == 1


def test_the_secret_of_another_store_is_worth_nothing() -> None:
    mine, other = endpoint(make_store()), make_store()
    theirs = WebhookEndpoint.objects.create(store=other, topic="order.updated", secret="theirs")
    body = b'{"id": 15}'
    assert send(mine, body, signature=sign(body, theirs.secret)).status_code == 401
    assert Delivery.objects.count() == 0


def test_the_unsigned_ping_is_answered_without_effect() -> None:
    to = endpoint(make_store())
    answer = Browser(enforce_csrf_checks=True).post(
        f"/hooks/woo/{to.token}/", "webhook_id=7", content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 200
    to.refresh_from_db()
    assert (Delivery.objects.count(), to.refused) == (0, 0)


def test_unknown_tokens_large_bodies_and_other_methods_are_refused() -> None:
    to = endpoint(make_store())
    unknown = WebhookEndpoint(token="unknown")
    assert send(unknown, {"id": 1}).status_code == 404
    assert send(to, b" " * (2 * 1024 * 1024 + 1)).status_code == 413
    assert Browser().get(f"/hooks/woo/{to.token}/").status_code == 405
    assert Delivery.objects.count() == 0


def test_the_same_delivery_fifty_times_is_one_row_and_one_fetch() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        to = endpoint(store)
        woo_id = 201
        for _time in range(50):
            assert send(to, {"id": woo_id}).status_code == 200
        assert Delivery.objects.count() == 1
        inbox.run_due()
        tasks.run_due()
        assert len(asked(sandbox, f"/orders/{woo_id}")) == 1
        assert Order.objects.get().woo_id == woo_id


def test_two_orders_with_one_delivery_id_both_come_in() -> None:
    with running(orders=2) as sandbox:
        to = endpoint(joined(sandbox))
        send(to, {"id": 201}, delivery="same")
        send(to, {"id": 202}, delivery="same")
        assert Delivery.objects.count() == 2
        inbox.run_due()
        tasks.run_due()
        assert sorted(Order.objects.values_list("woo_id", flat=True)) == [201, 202]


def test_created_after_updated_after_deleted_ends_in_the_shops_state() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        for topic in ("order.deleted", "order.updated", "order.created"):
            send(endpoint(store, topic), {"id": 201})
        inbox.run_due()
        tasks.run_due()
        order = Order.objects.get()
        assert (order.status, order.deleted_at, order.trashed_at) == ("processing", None, None)
        assert len(asked(sandbox, "/orders/201")) == 1
        assert Event.objects.filter(name="order.placed").count() == 1


def test_a_forged_topic_deletes_nothing() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        send(endpoint(store), {"id": 201})
        inbox.run_due()
        tasks.run_due()
        SyncTask.objects.update(finished_at=clock.now() - timedelta(minutes=1))
        body = b'{"id": 201}'
        gone = endpoint(store, "order.deleted")
        Browser().post(
            f"/hooks/woo/{gone.token}/",
            body,
            content_type="application/json",
            headers={"X-WC-Webhook-Signature": sign(body), "X-WC-Webhook-Topic": "order.deleted"},
        )
        inbox.run_due()
        tasks.run_due()
        assert Order.objects.get().deleted_at is None


def test_a_deleted_order_becomes_a_tombstone_after_asking() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        send(endpoint(store), {"id": 201})
        inbox.run_due()
        tasks.run_due()
        from stores.woo.client import client_for

        client_for(store).delete("orders/201", force=True)
        with clock.shifted(timedelta(minutes=1)):
            send(endpoint(store, "order.deleted"), {"id": 201})
            inbox.run_due()
            tasks.run_due()
        assert Order.objects.get().deleted_at is not None


def test_cross_talk_of_a_deletion_touches_only_what_is_of_that_kind() -> None:
    store = make_store()
    product, order = make_product(store, woo_id=77), make_order(store, woo_id=88)
    send(endpoint(store, "coupon.deleted"), {"id": product.woo_id})
    send(endpoint(store, "product.deleted"), {"id": order.woo_id})
    inbox.run_due()
    assert SyncTask.objects.count() == 0
    assert sorted(Delivery.objects.values_list("outcome", flat=True)) == [
        "ignored: no coupon 77 here",
        "ignored: no product 88 here",
    ]
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DONE}


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}',
        b"not json",
        b"[1,2]",
        b'{"id":"15"}',
        b"[" * 100_000,
    ],
)
def test_a_signed_error_object_has_the_list_read_again(body: bytes) -> None:
    store = make_store()
    send(endpoint(store), body)
    inbox.run_due()
    assert list(SyncTask.objects.values_list("key", flat=True)) == ["poll:order"]
    assert Delivery.objects.get().state == State.DONE


def test_a_variation_comes_as_a_product_and_is_taken_as_a_variation() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        to = endpoint(store, "product.updated")
        send(to, {"id": 103})
        send(to, {"id": 104})
        inbox.run_due()
        tasks.run_due()
        variation = Product.objects.get(woo_id=104)
        assert variation.parent == Product.objects.get(woo_id=103)


def test_a_subscriber_is_no_customer() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        body = place(sandbox, account=True, email="bea@example.com")
        account = sandbox.get("customer", body["customer_id"])
        assert account is not None
        sandbox.put("customer", account | {"role": "subscriber", "is_paying_customer": False})
        send(endpoint(store, "customer.created"), {"id": body["customer_id"]})
        inbox.run_due()
        tasks.run_due()
        assert store.customers.count() == 0


def test_one_object_is_asked_for_at_most_every_ten_seconds() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        to = endpoint(store)
        with clock.frozen(clock.now()):
            for number in range(20):
                send(to, {"id": 201, "n": number})
                inbox.run_due()
                tasks.run_due()
            assert len(asked(sandbox, "/orders/201")) == 1
            clock.advance(timedelta(seconds=10))
            tasks.run_due()
        assert len(asked(sandbox, "/orders/201")) == 2


def test_a_hint_during_the_fetch_has_it_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        tasks.arm(store, [("order", 201)])
        real = tasks._fetchers["order"]

        def while_fetching(task: SyncTask) -> Any:
            tasks.arm(store, [("order", 201)])
            return real(task)

        monkeypatch.setitem(tasks._fetchers, "order", while_fetching)
        tasks.run_due()
        task = SyncTask.objects.get()
        assert task.state == State.DUE
        monkeypatch.setitem(tasks._fetchers, "order", real)
        with clock.shifted(timedelta(seconds=11)):
            tasks.run_due()
        assert SyncTask.objects.get().state == State.DONE
        assert len(asked(sandbox, "/orders/201")) == 2


def test_freshness_follows_what_arrives() -> None:
    store = make_store()
    to = endpoint(store)
    send(to, {"id": 1})
    inbox.run_due()
    store.refresh_from_db()
    to.refresh_from_db()
    row = Delivery.objects.get()
    assert store.hooked_at == to.last_at == row.received_at
    assert row.resource_id == 1


def test_recorded_deliveries_of_a_running_store_verify() -> None:
    store = make_store()
    recorded = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("webhook_delivery_*.json"))]
    assert len(recorded) > 30
    for number, one in enumerate(recorded):
        headers = {name.lower(): value for name, value in one["headers"]}
        to = WebhookEndpoint.objects.create(store=store, topic=f"recorded.{number}", secret=one["secret"])
        raw = base64.b64decode(one["body_base64"])
        assert send(to, raw, signature=headers["x-wc-webhook-signature"]).status_code == 200
    assert Delivery.objects.exists()
