from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from postpurchase import clock
from stores import registries
from stores.models import Coupon, Customer, Event, Order, Quarantined
from stores.privacy import erased_keys
from stores.sync.apply import ApplyResult, apply, mark_missing
from tests.bodies import customer, order
from tests.factories import make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def put(store, *bodies, minutes=0):
    return apply(store, "order", bodies, fetched_at=AT + timedelta(minutes=minutes))


def accounts(store, *bodies):
    return apply(store, "customer", bodies, fetched_at=AT)


def merged(store):
    return list(Event.objects.filter(store=store, name="customer.merged").values_list("payload", flat=True))


def test_an_account_takes_over_the_guest_of_its_address():
    store = make_store()
    put(store, order(email="ana@example.com"))
    guest = Customer.objects.get()
    assert accounts(store, customer(4, email="ANA@example.com")) == ApplyResult(1, 0, 0)
    ana = Customer.objects.get()
    assert (ana.pk, ana.woo_id, ana.last_name, ana.orders_count) == (guest.pk, 4, "Popescu", 1)


def test_a_guest_order_of_an_account_is_the_accounts():
    store = make_store()
    accounts(store, customer(4))
    put(store, order(1), order(2, customer_id=4, email="ana.work@example.com"))
    ana = Customer.objects.get()
    assert (ana.orders_count, ana.spent, ana.email_key) == (2, Decimal(200), "ana@example.com")
    assert Event.objects.filter(name="customer.created").count() == 1


def test_the_same_account_again_changes_nothing_and_an_older_body_neither():
    store = make_store()
    accounts(store, customer(4, date_modified_gmt="2026-11-20T10:00:00"))
    assert accounts(store, customer(4, date_modified_gmt="2026-11-20T10:00:00")) == ApplyResult(0, 1, 0)
    older = customer(4, date_modified_gmt="2026-11-19T10:00:00", first_name="Old")
    assert accounts(store, older) == ApplyResult(0, 1, 0)
    assert Customer.objects.get().first_name == "Ana"


def test_a_changed_address_is_still_the_same_person():
    store = make_store()
    accounts(store, customer(4))
    put(store, order(1, customer_id=4))
    accounts(store, customer(4, email="ana.new@example.com", date_modified_gmt="2026-11-23T10:00:00"))
    put(store, order(2, email="ana.new@example.com"))
    ana = Customer.objects.get()
    assert (ana.email_key, ana.orders_count) == ("ana.new@example.com", 2)
    assert merged(store) == []


def test_an_address_changed_to_a_known_guests_makes_one_person_of_two():
    store = make_store()
    accounts(store, customer(4))
    put(store, order(1, customer_id=4), order(2, email="other@example.com"))
    ana, guest = Customer.objects.get(woo_id=4), Customer.objects.get(email_key="other@example.com")
    coupon = Coupon.objects.create(store=store, code="x", amount=1, customer=guest)
    accounts(store, customer(4, email="other@example.com", date_modified_gmt="2026-11-23T10:00:00"))
    ana.refresh_from_db()
    guest.refresh_from_db()
    coupon.refresh_from_db()
    assert (ana.email_key, ana.orders_count, coupon.customer) == ("other@example.com", 2, ana)
    assert (guest.email, guest.orders_count) == ("", 0)
    assert merged(store) == [{"from": guest.pk, "into": ana.pk}]
    put(store, order(3, email="other@example.com"))
    ana.refresh_from_db()
    assert ana.orders_count == 3


def test_a_deleted_account_stays_a_person_who_bought():
    store = make_store()
    accounts(store, customer(4))
    put(store, order(1, customer_id=4))
    assert mark_missing(store, "customer", 4)
    assert not mark_missing(store, "customer", 4)
    ana = Customer.objects.get()
    assert (ana.woo_id, ana.orders_count) == (None, 1)


def test_the_newest_order_of_a_guest_tells_name_and_language():
    store = make_store()
    put(store, order(1, meta={"wpml_language": "en"}))
    newer = order(2, meta={"wpml_language": "ro-RO"}, date_created_gmt="2026-11-20T10:30:00")
    newer["billing"]["last_name"] = "Ionescu"
    put(store, newer)
    older = order(3, meta={"wpml_language": "de"}, date_created_gmt="2026-11-19T10:30:00")
    older["billing"]["last_name"] = "Oldname"
    put(store, older)
    ana = Customer.objects.get()
    assert (ana.last_name, ana.language) == ("Ionescu", "ro")


def test_the_merchants_key_for_the_language_is_asked_first():
    store = make_store(language_meta_key="_shop_lang")
    put(store, order(meta={"wpml_language": "en", "_shop_lang": "id_ID"}))
    assert Order.objects.get().language == "id"


def test_orders_of_another_currency_are_counted_but_not_summed():
    store = make_store(currency="RON")
    put(store, order(1), order(2, currency="EUR"))
    ana = Customer.objects.get()
    assert (ana.orders_count, ana.spent) == (2, Decimal(100))


def test_an_erased_person_does_not_come_back_with_old_orders():
    store = make_store()
    accounts(store, customer(4, date_created_gmt="2026-01-01T00:00:00"))
    put(store, order(1, customer_id=4), order(2, total=""))
    ana = Customer.objects.get()
    with clock.frozen(AT):
        registries.erase(ana)
    ana.refresh_from_db()
    assert (ana.email_key, ana.email, ana.name, ana.woo_id) == (erased_keys("ana@example.com")[0], "", "", None)
    assert (ana.orders_count, ana.spent) == (1, Decimal(100))
    assert not Quarantined.objects.exists()
    assert "ana@example.com" not in str(Order.objects.values_list("raw", "email", "billing_name"))
    put(store, order(1, customer_id=4, status="completed", date_modified_gmt="2026-11-20T10:50:00"), minutes=5)
    accounts(store, customer(4, date_created_gmt="2026-01-01T00:00:00"))
    again = Order.objects.get()
    assert (again.status, again.customer, again.email, again.billing_name) == ("completed", ana, "", "")
    assert Customer.objects.count() == 1
    assert "ana@example.com" not in str(list(Order.objects.values_list("raw", flat=True)))
    with clock.frozen(AT + timedelta(days=1)):
        registries.erase(ana)
    assert Event.objects.filter(name="customer.erased").count() == 1


def test_an_erased_person_who_buys_again_is_a_new_customer():
    store = make_store()
    put(store, order(1))
    with clock.frozen(AT):
        registries.erase(Customer.objects.get())
    put(store, order(2, date_created_gmt="2026-11-25T10:00:00"))
    assert Customer.objects.get(email_key="ana@example.com").orders_count == 1


def test_an_account_without_an_address_is_put_aside():
    store = make_store()
    assert accounts(store, customer(4, email=""), customer(5, email="b@example.com")) == ApplyResult(1, 0, 1)


def test_a_page_of_accounts_makes_a_customer_each():
    store = make_store()
    accounts(store, *[customer(n, email=f"c{n}@example.com") for n in range(1, 101)])
    assert Customer.objects.count() == 100
    assert Event.objects.filter(name="customer.created").count() == 100
