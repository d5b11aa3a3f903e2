"""What orders earn: pure tables first, then orders that move."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty import earning, ledger, programs
from loyalty.earning import PaidLine, points_for
from loyalty.models import Account, Award, EarnRule, Entry
from postpurchase import clock
from stores.models import Refund
from tests.factories import NOON, make_customer, make_order, make_product, make_store


def line(paid, refunded="0"):
    return PaidLine(Decimal(paid), Decimal(refunded))


@pytest.mark.parametrize(
    ("lines", "rate", "unassigned", "points"),
    [
        ([line("89.00"), line("115.50")], "1", "0", 89 + 115),
        ([line("89.00", "89.00"), line("115.50")], "1", "0", 115),
        ([line("89.99")], "2", "0", 179),
        ([line("100"), line("50")], "1", "75", 75),
        ([line("100")], "1", "100", 0),
        ([line("100")], "1", "400", 0),
        ([line("10", "15")], "1", "0", 0),
        ([], "1", "0", 0),
    ],
)
def test_points_are_counted_by_line_on_what_was_paid(lines, rate, unassigned, points):
    assert points_for(lines, rate=Decimal(rate), unassigned_refund=Decimal(unassigned)) == points


amounts = st.decimals(min_value=0, max_value=5000, places=2)


@settings(deadline=None)
@given(st.lists(amounts, min_size=1, max_size=6), st.data())
def test_a_refunded_line_takes_back_exactly_what_it_earned(paid, data):
    index = data.draw(st.integers(0, len(paid) - 1))
    rate = data.draw(st.sampled_from([Decimal(1), Decimal("0.5"), Decimal(3)]))
    before = points_for([PaidLine(p, Decimal(0)) for p in paid], rate=rate)
    after = points_for([PaidLine(p, p if i == index else Decimal(0)) for i, p in enumerate(paid)], rate=rate)
    assert before - after == points_for([PaidLine(paid[index], Decimal(0))], rate=rate)


@pytest.fixture
def shop(db):
    store = make_store()
    with clock.frozen(NOON - timedelta(days=1)):
        programs.start(store, actor="test")
    return store


@pytest.fixture
def order(shop):
    mug, bowl = make_product(shop, price=Decimal("89.00")), make_product(shop, price=Decimal("115.00"))
    return make_order(shop, items=[(mug, 2), (bowl, 1)])


def balance(order):
    account = Account.objects.get(customer=order.customer)
    return account.usable, account.pending


def refund_line(order, index, **fields):
    line = order.lines.order_by("pk")[index]
    line.refunded_total = line.total
    line.save()
    order.refunded = line.total
    order.save()
    lines = [{"line": line.woo_id, "quantity": "1", "total": str(line.total)}]
    return Refund.objects.create(store=order.store, order=order, woo_id=line.woo_id, amount=line.total, lines=lines)


def test_a_paid_order_earns_pending_points_once(order):
    earning.refresh_order(order)
    assert earning.refresh_order(order) is None
    assert balance(order) == (0, 293)
    assert Entry.objects.get().points == 293


def test_points_wait_for_the_return_window_after_delivery(order):
    earning.refresh_order(order)
    order.delivered_at = NOON + timedelta(days=3)
    order.save()
    earning.refresh_order(order)
    with clock.frozen(NOON + timedelta(days=16, hours=23)):
        assert ledger.make_usable() == 0
    with clock.frozen(NOON + timedelta(days=17)):
        assert ledger.make_usable() == 1
        assert ledger.make_usable() == 0
    assert balance(order) == (293, 0)


def test_a_partial_refund_takes_back_its_lines_points_at_the_rule_of_that_day(order, shop):
    earning.refresh_order(order)
    programs.set_rule(shop.program, kind=EarnRule.Kind.ORDER, points=Decimal(5), actor="test")
    refund_line(order, 1)
    entry = earning.refresh_order(order)
    assert (entry.points, entry.kind) == (-115, "taken_back")
    assert balance(order) == (0, 178)


def test_a_refund_that_is_deleted_again_gives_the_points_back(order):
    earning.refresh_order(order)
    refund = refund_line(order, 1)
    earning.refresh_order(order)
    refund.deleted_at = clock.now()
    refund.save()
    order.lines.update(refunded_total=0)
    order.refunded = 0
    order.save()
    earning.refresh_order(order)
    assert balance(order) == (0, 293)
    assert [e.points for e in Entry.objects.order_by("pk")] == [293, -115, 115]


def test_an_amount_only_refund_is_spread_over_the_lines(order):
    earning.refresh_order(order)
    Refund.objects.create(store=order.store, order=order, woo_id=1, amount=Decimal("29.30"), lines=[])
    earning.refresh_order(order)
    assert balance(order)[1] == 160 + 103  # floor(178 x 0.9) + floor(115 x 0.9)


def test_a_cancelled_order_earns_nothing_in_the_end(order):
    earning.refresh_order(order)
    order.status, order.counted = "cancelled", False
    order.save()
    earning.refresh_order(order)
    assert balance(order) == (0, 0)


def test_orders_paid_before_the_start_earn_nothing(shop):
    old = make_order(shop, paid_gmt=NOON - timedelta(days=2))
    assert earning.refresh_order(old) is None
    assert not Account.objects.exists()


def test_an_order_without_a_customer_earns_nothing(shop):
    order = make_order(shop)
    order.customer = None
    order.save()
    assert earning.refresh_order(order) is None


def test_points_already_spent_are_let_go_when_the_order_is_refunded(order, shop):
    earning.refresh_order(order)
    with clock.frozen(NOON + timedelta(days=60)):
        ledger.make_usable()
        with ledger.locked(Account.objects.get()) as account:
            ledger.spend(account, points=200, key="spent", reason="reward")
    order.status, order.counted = "refunded", False
    order.save()
    earning.refresh_order(order)
    assert balance(order) == (0, 0)
    assert Award.objects.get().owed == 200
    assert ledger.check_awards(shop) == []
    order.status, order.counted = "completed", True
    order.save()
    earning.refresh_order(order)
    assert balance(order) == (93, 0)


def test_the_merchant_may_choose_that_refunds_go_below_zero(order, shop):
    shop.program.allow_negative = True
    shop.program.save()
    earning.refresh_order(order)
    with clock.frozen(NOON + timedelta(days=60)):
        ledger.make_usable()
        with ledger.locked(Account.objects.get()) as account:
            ledger.spend(account, points=200, key="spent", reason="reward")
    order.status, order.counted = "refunded", False
    order.save()
    earning.refresh_order(order)
    assert balance(order) == (-200, 0)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["refund0", "undo0", "refund1", "undo1", "cancel", "revive", "again"]), max_size=8))
@pytest.mark.django_db(transaction=False)
def test_any_order_of_changes_ends_at_what_the_order_earns_now(steps):
    from django.db import transaction

    with transaction.atomic():
        store = make_store()
        with clock.frozen(NOON - timedelta(days=1)):
            programs.start(store, actor="test")
        goods = [(make_product(store, price=Decimal("89.00")), 2), (make_product(store, price=Decimal("115.00")), 1)]
        order = make_order(store, make_customer(store), items=goods)
        earning.refresh_order(order)
        for step in steps:
            if step[:-1] in {"refund", "undo"}:
                row = order.lines.order_by("pk")[int(step[-1])]
                row.refunded_total = row.total if step.startswith("refund") else Decimal(0)
                row.save()
            elif step in {"cancel", "revive"}:
                order.counted = step == "revive"
                order.save()
            earning.refresh_order(order)
        rule = store.program.earn_rules.get(kind="order")
        assert balance(order)[1] == earning.points_of(order, rule)
        assert ledger.check_balances(store) == []
        assert ledger.check_awards(store) == []
        transaction.set_rollback(True)
