"""People as shops have them: guests, accounts, several addresses, merged, reassigned, erased."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stores.models import Customer, Event, Order
from stores.sync.apply import ApplyResult, apply
from tests.bodies import customer, order
from tests.factories import make_store
from tests.stores.shop import joined, place, running
from tests.stores.test_poll import run

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
GONE = "deleted@site.invalid"


def put(store, *bodies, minutes=0):
    return apply(store, "order", bodies, fetched_at=AT + timedelta(minutes=minutes))


def blacked_out(number, **fields):
    """An order after the shop's eraser went over it."""
    body = order(number, email=GONE, date_modified_gmt="2026-11-20T10:50:00", **fields)
    body["billing"] |= {"first_name": "[deleted]", "last_name": "[deleted]", "phone": "0-000-000-0000"}
    return body


def test_letter_case_and_blanks_make_no_second_person():
    store = make_store()
    put(
        store, order(1, email="Ana@Example.com"), order(2, email=" ana@example.COM "), order(3, email="ana@example.com")
    )
    assert Customer.objects.get().orders_count == 3


def test_an_order_that_is_given_to_an_account_moves_with_its_sums():
    store = make_store()
    apply(store, "customer", [customer(4, email="ana@example.com")], fetched_at=AT)
    put(store, order(1, email="guest@example.com"))
    assert Customer.objects.get(email_key="guest@example.com").orders_count == 1
    again = order(1, email="guest@example.com", customer_id=4, date_modified_gmt="2026-11-20T10:06:00")
    put(store, again, minutes=1)
    assert Customer.objects.get(woo_id=4).orders_count == 1
    guest = Customer.objects.get(email_key="guest@example.com")
    assert (guest.orders_count, guest.spent) == (0, 0)


def test_several_addresses_of_one_account_are_one_person_whoever_comes_first():
    with running() as sandbox:
        store = joined(sandbox)
        run(store)
        account = sandbox.register("ana@example.com")
        place(sandbox, customer_id=account["id"], email="ana@work.example")
        place(sandbox, customer_id=account["id"], email="ana@home.example")
        # The poll of orders comes before that of customers.
        run(store)
        ana = Customer.objects.get()
        assert (ana.woo_id, ana.email_key, ana.orders_count) == (account["id"], "ana@example.com", 2)
        # An account that is known costs no further request.
        before = len(sandbox.requests)
        run(store)
        assert not [one for one in sandbox.requests[before:] if one["path"].endswith("/customers")]


def test_an_order_of_an_account_that_is_gone_is_its_addresss():
    with running() as sandbox:
        store = joined(sandbox)
        run(store)
        body = place(sandbox, email="ana@example.com")
        sandbox.put("order", body | {"customer_id": 987})
        run(store)
        assert Order.objects.get().customer.email_key == "ana@example.com"


def test_people_whom_the_shop_erased_are_not_one_person():
    store = make_store()
    assert put(store, blacked_out(1), blacked_out(2)) == ApplyResult(2, 0, 0)
    assert Customer.objects.count() == 0
    assert {(one.email, one.billing_name, one.customer) for one in Order.objects.all()} == {("", "", None)}


def test_a_person_whom_the_shop_erased_is_erased_here_with_the_last_order():
    store = make_store()
    put(store, order(1), order(2))
    ana = Customer.objects.get()
    put(store, blacked_out(1), minutes=50)
    ana.refresh_from_db()
    assert (ana.email_key, ana.first_name, ana.erased_at) == ("ana@example.com", "Ana", None)
    put(store, blacked_out(2), minutes=51)
    ana.refresh_from_db()
    assert ana.erased_at is not None
    assert (ana.email, ana.name, ana.orders_count, ana.spent) == ("", "", 2, Decimal(200))
    assert Event.objects.filter(name="customer.erased").count() == 1
    assert "ana@example.com" not in str(list(Order.objects.values_list("raw", "email", "billing_name")))
    put(store, blacked_out(2, status="completed"), minutes=52)
    assert Order.objects.get(woo_id=2).customer == ana
    assert Event.objects.filter(name="customer.erased").count() == 1


def test_a_review_of_an_erased_person_belongs_to_nobody():
    store = make_store()
    body = {"id": 3, "product_id": 1, "review": "Good.", "rating": 5, "reviewer": "Anonymous", "reviewer_email": GONE}
    apply(store, "review", [body | {"date_created_gmt": "2026-11-20T10:00:00"}], fetched_at=AT)
    assert store.store_reviews.get().email_key == ""
