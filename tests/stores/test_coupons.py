"""Coupons in the shop, over real HTTP: one live coupon for each wish, as asked, or none."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
import requests

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import coupons, intents
from stores.models import Coupon, Event, Intent
from stores.sandbox.server import Sandbox
from tests.factories import make_customer, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    with Sandbox(clock=clock.now) as sandbox:
        yield sandbox


@pytest.fixture
def store(shop):
    return make_store(name="Atelier Lut", base_url=shop.url, consumer_key=shop.key, consumer_secret=shop.secret)


def issue(store, **fields):
    wanted = {
        "source": "reward:1",
        "amount": Decimal("10"),
        "customer": make_customer(store, email="ana@example.com"),
        "emails": ["Ana@Example.com "],
        "expires_on": date(2027, 2, 18),
    }
    return coupons.issue(store, **(wanted | fields))


def in_shop(shop):
    url = f"{shop.url}/wp-json/wc/v3/coupons"
    return requests.get(url, params={"per_page": 100}, auth=(shop.key, shop.secret), timeout=10).json()


def names():
    return list(Event.objects.order_by("pk").values_list("name", flat=True))


def test_a_coupon_is_made_read_back_and_only_then_live(shop, store):
    coupon = issue(store)
    assert coupon.state == "pending"
    intents.run_due()
    coupon.refresh_from_db()
    (there,) = in_shop(shop)
    assert (coupon.state, coupon.woo_id) == ("live", there["id"])
    assert (there["code"], there["amount"], there["usage_limit"]) == (coupon.code, "10.00", 1)
    assert there["email_restrictions"] == ["ana@example.com"]
    assert there["date_expires"] == "2027-02-18T23:59:59"
    assert coupon.code.startswith("ateli-")
    assert names() == ["coupon.issued"]
    assert Intent.objects.get().status == "confirmed"


def test_the_same_wish_makes_one_coupon(shop, store):
    first = issue(store)
    assert coupons.issue(store, source="reward:1", amount=Decimal(99)) == first
    intents.run_due()
    intents.run_due()
    assert len(in_shop(shop)) == 1


def test_a_connection_that_drops_after_the_shop_has_committed_makes_no_second_one(shop, store):
    shop.fault("drop_after_commit", method="POST", path="coupons")
    coupon = issue(store)
    intents.run_due()
    assert Intent.objects.get().status == "sent"
    clock.advance(timedelta(minutes=1))
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "live"
    assert [c["id"] for c in in_shop(shop)] == [coupon.woo_id]


def test_the_merchants_own_coupon_of_that_code_is_left_alone(shop, store):
    coupon = issue(store)
    taken = coupon.code
    shop_coupon = {"code": taken, "amount": "500.00", "discount_type": "fixed_cart"}
    requests.post(f"{shop.url}/wp-json/wc/v3/coupons", json=shop_coupon, auth=(shop.key, shop.secret), timeout=10)
    intents.run_due()
    coupon.refresh_from_db()
    by_code = {c["code"]: c["amount"] for c in in_shop(shop)}
    assert coupon.state == "live"
    assert coupon.code != taken
    assert by_code == {taken: "500.00", coupon.code: "10.00"}


def test_a_coupon_that_the_shop_holds_otherwise_is_taken_out_again(shop, store, monkeypatch):
    # An address that the shop drops without a word, so that the coupon would be open to everybody.
    monkeypatch.setattr(coupons, "validate_email", lambda address: None)
    coupon = issue(store, emails=["not-an-address"])
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "attention"
    assert "who may use it" in coupon.reason
    assert in_shop(shop) == []
    assert names() == ["coupon.failed"]
    assert Intent.objects.get().status == "failed"


def test_an_address_that_the_shop_would_drop_is_refused_before(store):
    with pytest.raises(BusinessError) as refusal:
        issue(store, emails=["a@b"])
    assert refusal.value.code == "coupon_email"
    assert not Coupon.objects.exists()


def test_keys_that_may_only_read_make_no_coupon(store):
    store.can_write = False
    with pytest.raises(BusinessError) as refusal:
        issue(store)
    assert refusal.value.code == "store_read_only"
    assert not Intent.objects.exists()


def test_a_shop_that_is_down_is_asked_again_later(shop, store):
    shop.fault("status", method="POST", path="coupons", status=503)
    coupon = issue(store)
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "pending"
    clock.advance(timedelta(hours=1))
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "live"
    assert len(in_shop(shop)) == 1
