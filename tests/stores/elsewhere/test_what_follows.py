"""What follows from an order from elsewhere: flows and points as for the shop's own; the sync leaves it alone."""

from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns.models import Enrolment, Message
from loyalty import programs
from loyalty.models import Account
from postpurchase import clock
from stores import events
from stores.models import Event, Job, Order, OrderLine, Refund, Store
from stores.sync import backfill, tasks
from tests.campaigns.flow_files import file, publish, run, send
from tests.factories import NOON, make_store
from tests.stores.elsewhere.test_taking import row, taken
from tests.stores.shop import joined, running
from tests.stores.test_reconcile import compare, finish

pytestmark = pytest.mark.django_db


def told() -> None:
    while events.dispatch():
        pass


def messages(store: Store) -> list[tuple[str, str]]:
    return list(Message.objects.filter(store=store).values_list("order__external_id", "key"))


def test_a_flow_runs_on_an_imported_order_once() -> None:
    clock.freeze(NOON)
    store = make_store()
    flow = publish(store, file(send()))
    taken(store, row())
    told()
    run()
    order = Order.objects.get()
    assert Enrolment.objects.get().customer == order.customer
    assert messages(store) == [("M-1", f"{flow.pk}:mail:order:{order.pk}")]
    taken(store, row(city="Cluj"))
    told()
    run()
    assert len(messages(store)) == 1


def test_an_old_imported_order_enters_no_flow() -> None:
    clock.freeze(NOON)
    store = make_store()
    publish(store, file(send()))
    taken(store, row(created_at="2026-11-01T10:00:00Z"))
    told()
    run()
    assert Event.objects.filter(name=events.ORDER_PAID).exists()
    assert not Enrolment.objects.exists()


def test_points_are_earned_and_taken_back_on_an_imported_order() -> None:
    clock.freeze(NOON - timedelta(days=1))
    store = make_store()
    programs.start(store, actor="test")
    clock.freeze(NOON)
    taken(store, row())
    told()
    account = Account.objects.get()
    assert account.customer == Order.objects.get().customer
    assert account.pending + account.usable == 100
    taken(store, row(refunded="59.50"))
    told()
    account.refresh_from_db()
    assert account.pending + account.usable < 100
    taken(store, row(refunded="119.00", status="refunded"))
    told()
    account.refresh_from_db()
    assert account.pending + account.usable == 0


def everything(store: Store) -> tuple[list[dict[str, object]], ...]:
    orders = Order.objects.filter(store=store, woo_id=None)
    return (
        list(orders.order_by("pk").values()),
        list(OrderLine.objects.filter(order__in=orders).order_by("pk").values()),
        list(Refund.objects.filter(order__in=orders).order_by("pk").values()),
    )


def test_backfill_polls_and_reconciliation_leave_imported_orders_alone() -> None:
    with running(orders=6) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox, backfilled_at=None)
        taken(
            store, row(email="shopper1@example.com", refunded="19.00"), row(external_id="M-2", email="new@example.com")
        )
        before = everything(store)
        assert len(before[0]) == 2
        assert finish(backfill.start(store)).status == Job.Status.DONE
        tasks.poll_now(store)
        store.refresh_from_db()
        assert everything(store) == before
        assert Order.objects.filter(store=store).count() == 8
        shopper = store.customers.get(email_key="shopper1@example.com")
        spent, orders = shopper.spent, shopper.orders_count
        assert (orders, spent > Decimal("80")) == (2, True)
        for deep in (False, True):
            found = compare(store, deep=deep)
            assert (found.status, found.causes) == ("done", {})
            assert everything(store) == before
        shopper.refresh_from_db()
        assert (shopper.spent, shopper.orders_count) == (spent, orders)
