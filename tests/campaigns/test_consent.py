"""Who may be written to about what."""

from datetime import timedelta

import pytest

from campaigns import consent, shown
from campaigns.consent_table import klass
from campaigns.models import Consent, ConsentEvent, Suppression
from stores.models import Customer, Event, Order, Store
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("country", "state", "purpose", "attested", "reason"),
    [
        ("RO", "", "order", False, ""),
        ("RO", "denied", "order", False, ""),
        ("RO", "", "review", False, ""),
        ("RO", "denied", "review", False, "objected to these messages"),
        ("RO", "granted", "review", False, ""),
        ("RO", "", "marketing", False, "no consent for marketing"),
        ("RO", "pending", "marketing", False, "no consent for marketing"),
        ("RO", "granted", "marketing", False, ""),
        ("RO", "denied", "marketing", True, "no consent for marketing"),
        ("RO", "", "marketing", True, ""),
        ("RO", "pending", "marketing", True, "no consent for marketing"),
        ("DE", "", "review", False, "no consent for marketing"),
        ("DE", "granted", "review", False, ""),
        ("AT", "", "survey", False, "no consent for marketing"),
        ("DE", "", "loyalty", False, ""),
        ("ID", "", "review", False, ""),
        ("AE", "", "review", False, ""),
        ("", "", "review", False, "no consent for marketing"),
        ("XX", "", "loyalty", False, "no consent for marketing"),
        ("XX", "", "order", False, ""),
        ("RO", "", "ads", False, "no consent for marketing"),
    ],
)
def test_the_table(country: str, state: str, purpose: str, attested: bool, reason: str) -> None:
    store = make_store(soft_opt_in_countries=["RO"] if attested else [])
    customer = make_customer(store, country=country, orders_count=1)
    if state:
        consent.set_consent(store, customer, channel="email", purpose=purpose, state=state, source="test")
    decision = consent.may_send(store, customer, channel="email", purpose=purpose, at=NOON)
    assert (decision.allowed, decision.reason) == (not reason, reason)
    assert decision.trace[-1][0] == decision.allowed


def test_an_attested_country_does_not_make_a_stranger_a_customer() -> None:
    store = make_store(soft_opt_in_countries=["RO"])
    customer = make_customer(store, orders_count=0)
    assert not consent.may_send(store, customer, channel="email", purpose="marketing", at=NOON).allowed


def test_a_purpose_that_does_not_exist_is_a_bug_and_rises() -> None:
    with pytest.raises(ValueError, match="unknown purpose"):
        klass("newsletter", "RO")


@pytest.mark.parametrize(
    ("why", "reason"),
    [("bounce", "address bounced before"), ("complaint", "marked as spam before"), ("erased", "customer was erased")],
)
def test_a_suppressed_address_gets_nothing_not_even_about_orders(why: str, reason: str) -> None:
    store = make_store()
    customer = make_customer(store, email="Ana@Example.com")
    assert consent.suppress(store, " ana@example.COM ", reason=why)
    assert not consent.suppress(store, "ana@example.com", reason=why)
    assert consent.may_send(store, customer, channel="email", purpose="order", at=NOON).reason == reason


def test_one_stores_bounce_is_not_anothers() -> None:
    one, other = make_store(), make_store()
    consent.suppress(one, "ana@example.com", reason="bounce")
    customer = make_customer(other, email="ana@example.com")
    assert consent.may_send(other, customer, channel="email", purpose="order", at=NOON).allowed


def test_no_phone_no_sms() -> None:
    store = make_store()
    decision = consent.may_send(store, make_customer(store), channel="sms", purpose="order", at=NOON)
    assert decision.reason == "no address for this channel"


def test_each_change_is_in_the_log_and_told_once() -> None:
    store = make_store()
    customer = make_customer(store)
    change = {"channel": "email", "purpose": "marketing", "source": "test"}
    first = consent.set_consent(store, customer, state="granted", **change)
    assert consent.set_consent(store, customer, state="granted", **change) is None
    consent.set_consent(store, customer, state="denied", **change)
    assert first is not None
    assert list(ConsentEvent.objects.order_by("pk").values_list("state", flat=True)) == ["granted", "denied"]
    assert Event.objects.filter(name="consent.changed").count() == 2
    assert Consent.objects.get().state == "denied"


def test_an_old_fact_is_logged_and_does_not_undo_a_newer_one() -> None:
    store = make_store()
    customer = make_customer(store)
    change = {"channel": "email", "purpose": "marketing"}
    consent.set_consent(store, customer, state="denied", source="page", at=NOON, **change)
    consent.set_consent(store, customer, state="granted", source="import", at=NOON - timedelta(days=9), **change)
    assert Consent.objects.get().state == "denied"
    assert ConsentEvent.objects.count() == 2


def test_a_pause_holds_marketing_and_nothing_else() -> None:
    store = make_store()
    customer = make_customer(store)
    consent.set_consent(store, customer, channel="email", purpose="marketing", state="granted", source="test")
    consent.pause(customer, until=NOON + timedelta(days=30))
    ask = {"channel": "email", "purpose": "marketing"}
    assert consent.may_send(store, customer, at=NOON, **ask).reason == "paused by the customer"
    assert consent.may_send(store, customer, at=NOON + timedelta(days=31), **ask).allowed
    assert consent.may_send(store, customer, channel="email", purpose="review", at=NOON).allowed


@pytest.mark.parametrize(("value", "state"), [("1", "granted"), ("yes", "granted"), ("0", None), ("", None)])
def test_the_checkout_box_is_consent_when_ticked(value: str, state: str | None) -> None:
    store = make_store(opt_in_meta_key="_newsletter")
    order = make_order(store, raw={"meta_data": [{"key": "_newsletter", "value": value}, {"key": "x"}, "odd"]})
    event = Event(store=store, name="order.placed", key="k", at=NOON, order=order)
    consent.read_checkout_box(event)
    consent.read_checkout_box(event)
    assert list(ConsentEvent.objects.values_list("state", flat=True)) == ([state] if state else [])


def test_an_erased_person_is_never_written_to_again_and_leaves_no_address() -> None:
    store = make_store()
    customer = make_customer(store, email="ana@example.com")
    consent.set_consent(
        store, customer, channel="email", purpose="marketing", state="granted", source="test", proof={"ip": "192.0.2.1"}
    )
    consent.forget(customer)
    assert ConsentEvent.objects.get().proof == {}
    assert "ana" not in Suppression.objects.get().address_key
    again = make_customer(store, email="ana2@example.com")
    again.email = "ANA@example.com"
    assert consent.may_send(store, again, channel="email", purpose="order", at=NOON).reason == "customer was erased"


def test_the_customers_page_says_what_may_be_sent_and_how_that_is_known() -> None:
    store = make_store()
    customer = make_customer(store)
    consent.set_consent(store, customer, channel="email", purpose="marketing", state="granted", source="csv", at=NOON)
    consent.set_consent(store, customer, channel="email", purpose="review", state="denied", source="page", at=NOON)
    rows = {label: words for label, words, _url in shown.consent_card(customer).rows}
    assert rows["News and offers"] == "Agreed (csv, 2026-11-20)"
    assert rows["Review requests"] == "Refused (page, 2026-11-20)"
    assert rows["Points and rewards"] == "Yes, as a buyer"


def _from_elsewhere(store: Store, customer: Customer, contact: str) -> Order:
    return make_order(
        store, customer, woo_id=None, channel="market", external_id=f"M-{contact}-{customer.pk}", contact=contact
    )


@pytest.mark.parametrize(
    ("contact", "purpose", "reason"),
    [
        ("none", "order", "buyers of this order's sales channel are not written to"),
        ("none", "review", "buyers of this order's sales channel are not written to"),
        ("order_only", "order", ""),
        ("order_only", "review", "buyers of this order's sales channel are written to about the order only"),
        ("all", "order", ""),
        ("all", "review", ""),
    ],
)
def test_the_channel_of_an_order_says_what_its_buyer_may_be_written(contact: str, purpose: str, reason: str) -> None:
    store = make_store()
    customer = make_customer(store)
    order = _from_elsewhere(store, customer, contact)
    decision = consent.may_send(store, customer, channel="email", purpose=purpose, at=NOON, order=order)
    assert (decision.allowed, decision.reason) == (not reason, reason)


def test_who_bought_on_a_marketplace_only_gets_no_messages_that_are_not_about_an_order() -> None:
    store = make_store(soft_opt_in_countries=["RO"])
    customer = make_customer(store, orders_count=1)
    _from_elsewhere(store, customer, "order_only")
    for purpose in ("marketing", "review"):
        decision = consent.may_send(store, customer, channel="email", purpose=purpose, at=NOON)
        assert decision.reason == "ordered only in sales channels whose buyers are not written to"
    make_order(store, customer)
    assert consent.may_send(store, customer, channel="email", purpose="marketing", at=NOON).allowed
    assert consent.may_send(store, customer, channel="email", purpose="review", at=NOON).allowed
