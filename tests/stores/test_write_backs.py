"""Notes, states and marks of ours in the shop: once, as plain text, believed when read back, and no echo."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import intents, registries, write_backs
from stores.models import AuditEvent, Customer, Event, Intent, Order, Store
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from tests.factories import NOON, make_order
from tests.stores.shop import asked, joined, place, running

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["hpos", "posts"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with running(flavour=request.param) as sandbox:
        yield sandbox


@pytest.fixture
def store(sandbox: Sandbox) -> Store:
    clock.freeze(NOON)
    store = joined(sandbox)
    tasks.poll_now(store)
    sandbox.advance(minutes=3)
    account = sandbox.register("shopper0@example.com", first_name="Ana")
    place(sandbox, customer_id=account["id"])
    clock.advance(timedelta(minutes=5))
    tasks.poll_now(store)
    return store


@pytest.fixture
def order(store: Store) -> Order:
    return store.orders.get()


def notes(sandbox: Sandbox, order: Order) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sandbox.store.storage.bodies(
        "kind = 'note' AND parent = ?", (order.woo_id,), order="id"
    )
    return [row for row in rows if "Ref. " in row["note"]]


def writes(sandbox: Sandbox) -> list[str]:
    return [one["method"] for one in sandbox.requests if one["method"] in {"POST", "PUT", "DELETE"}]


def later(seconds: int = 60) -> None:
    clock.advance(timedelta(seconds=seconds))
    intents.run_due()


def echo(store: Store) -> None:
    """Our write comes back as a change: by a hint and by the next poll."""
    clock.advance(timedelta(minutes=5))
    tasks.arm(store, [("order", one) for one in store.orders.values_list("woo_id", flat=True)])
    tasks.poll_now(store)
    intents.run_due()


def test_a_note_leaves_as_plain_text_with_a_reference_and_once(store, order, sandbox):
    intent = write_backs.add_note(order, "Called <b>Ana</b> & left a message", key="press", by="ana")
    assert write_backs.add_note(order, "Called", key="press", by="ana") == intent
    intents.run_due()
    (there,) = notes(sandbox, order)
    assert there["note"] == (
        f"Called &lt;b&gt;Ana&lt;/b&gt; &amp; left a message\nRef. {Intent.objects.get().ref.hex[:12]}"
    )
    assert there["customer_note"] is False
    assert (Intent.objects.get().status, Intent.objects.get().result) == ("confirmed", {"id": there["id"]})


@pytest.mark.parametrize("fault", ["drop_after_commit", "truncate"])
def test_a_note_whose_answer_was_lost_is_found_again_and_mailed_once(fault, store, order, sandbox):
    write_backs.add_note(order, "It leaves today", key="press", by="ana", to_customer=True)
    sandbox.fault(fault, method="POST", path="/notes")
    intents.run_due()
    assert Intent.objects.get().status == "sent"
    later()
    (there,) = notes(sandbox, order)
    assert (there["customer_note"], Intent.objects.get().status) == (True, "confirmed")
    assert writes(sandbox).count("POST") == 1


def test_somebody_elses_note_of_the_same_words_is_not_taken_for_ours(store, order, sandbox):
    _client(store).post(f"orders/{order.woo_id}/notes", {"note": "Called"})
    write_backs.add_note(order, "Called", key="press", by="ana")
    intents.run_due()
    assert len(notes(sandbox, order)) == 1


def test_a_note_that_the_shop_shows_to_other_readers_needs_attention(store, order, sandbox):
    intent = write_backs.add_note(order, "Called", key="press", by="ana", to_customer=True)
    write_backs.OrderNote().create(_client(store), intent)
    Intent.objects.update(params={"text": "Called", "to_customer": False})
    intents.run_due()
    intent.refresh_from_db()
    assert (intent.status, "other readers" in intent.error) == ("attention", True)


def _client(store: Store) -> Any:
    from stores.woo.client import client_for

    return client_for(store)


def test_a_state_is_written_read_back_and_comes_back_as_one_fact(store, order, sandbox):
    write_backs.set_status(order, "completed", key="press", by="ana")
    intents.run_due()
    assert Intent.objects.get().status == "confirmed"
    tasks.poll_now(store)
    echo(store)
    echo(store)
    order.refresh_from_db()
    assert order.status == "completed"
    assert Event.objects.filter(store=store, name="order.status_changed").count() == 1
    assert writes(sandbox).count("PUT") == 1


def test_a_state_whose_answer_was_lost_is_not_written_again(store, order, sandbox):
    write_backs.set_status(order, "on-hold", key="press", by="ana")
    sandbox.fault("drop_after_commit", method="PUT", path="/orders/")
    intents.run_due()
    later()
    assert (Intent.objects.get().status, writes(sandbox).count("PUT")) == ("confirmed", 1)


def test_a_state_is_not_written_over_what_somebody_did_meanwhile(store, order, sandbox):
    write_backs.set_status(order, "completed", key="press", by="ana")
    sandbox.cancel(order.woo_id)
    intents.run_due()
    intent = Intent.objects.get()
    assert (intent.status, "Cancelled" in intent.error) == ("attention", True)
    assert (sandbox.get("order", order.woo_id) or {})["status"] == "cancelled"
    assert "PUT" not in writes(sandbox)


def test_a_state_that_the_shop_moves_on_needs_attention(store, order, sandbox):
    write_backs.set_status(order, "completed", key="press", by="ana")
    body = sandbox.get("order", order.woo_id) or {}
    sandbox.fault(
        "status",
        method="PUT",
        path="/orders/",
        status=200,
        body=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    intents.run_due()
    assert Intent.objects.get().status == "attention"


def test_a_mark_on_an_order_comes_back_without_effect_and_is_not_written_twice(store, order, sandbox):
    before = Event.objects.count()
    assert write_backs.mark_order(order, "helped", "yes") is not None
    assert write_backs.mark_order(order, "helped", "yes") is None
    intents.run_due()
    echo(store)
    order.refresh_from_db()
    assert {"key": "_postpurchase_helped", "value": "yes"}.items() <= order.raw["meta_data"][-1].items()
    assert write_backs.mark_order(order, "helped", "yes") is None
    echo(store)
    assert (Event.objects.count(), Intent.objects.count(), writes(sandbox)) == (before, 1, ["PUT"])


def test_a_customers_tier_is_written_and_the_last_one_counts(store, sandbox):
    ana = Customer.objects.get(store=store, woo_id__isnull=False)
    for tier in ("silver", "gold", "silver"):
        assert write_backs.mark_customer(ana, "tier", tier) is not None
    assert write_backs.mark_customer(ana, "tier", "silver") is None
    intents.run_due()
    body = sandbox.get("customer", ana.woo_id or 0) or {}
    assert [one["value"] for one in body["meta_data"] if one["key"] == "_postpurchase_tier"] == ["silver"]
    assert writes(sandbox) == ["PUT"]
    assert set(Intent.objects.values_list("status", flat=True)) == {"confirmed"}


def test_a_guest_and_an_erased_person_get_no_mark(store):
    ana = Customer.objects.get(store=store, woo_id__isnull=False)
    ana.erased_at = clock.now()
    assert write_backs.mark_customer(ana, "tier", "gold") is None
    ana.erased_at, ana.woo_id = None, None
    assert write_backs.mark_customer(ana, "tier", "gold") is None
    assert not Intent.objects.exists()


def test_an_order_that_is_gone_fails_with_its_reason(store, order, sandbox):
    write_backs.add_note(order, "Called", key="press", by="ana")
    _client(store).delete(f"orders/{order.woo_id}", force=True)
    intents.run_due()
    intent = Intent.objects.get()
    assert (intent.status, bool(intent.error)) == ("failed", True)


def test_what_cannot_be_written_is_refused_before(store, order, sandbox):
    elsewhere = make_order(store, woo_id=None, channel="till", external_id="7")
    refusals = [
        (lambda: write_backs.add_note(order, "  ", key="k", by="ana"), "note_text"),
        (lambda: write_backs.add_note(order, "x" * 2001, key="k", by="ana"), "note_text"),
        (lambda: write_backs.add_note(elsewhere, "x", key="k", by="ana"), "order_elsewhere"),
        (lambda: write_backs.set_status(order, order.status, key="k", by="ana"), "order_status"),
        (lambda: write_backs.set_status(order, "refunded", key="k", by="ana"), "order_status"),
    ]
    for act, code in refusals:
        with pytest.raises(BusinessError) as refusal:
            act()
        assert refusal.value.code == code
    order.store.can_write = False
    with pytest.raises(BusinessError) as refusal:
        write_backs.add_note(order, "x", key="k", by="ana")
    assert refusal.value.code == "store_read_only"
    assert (Intent.objects.count(), AuditEvent.objects.count(), len(asked(sandbox, "/notes"))) == (0, 0, 0)


def test_the_words_of_a_note_are_forgotten_with_the_person_and_never_written(store, order, sandbox):
    write_backs.add_note(order, "Ana called", key="press", by="ana")
    with transaction.atomic():
        registries.erase(order.customer)
    intents.run_due()
    intent = Intent.objects.get()
    assert (intent.params["text"], intent.status, intent.error_code) == ("", "failed", "erased")
    assert notes(sandbox, order) == []
