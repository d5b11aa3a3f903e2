from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from postpurchase import clock
from stores.models import Category, Coupon, Product, StoreReview
from stores.sync.apply import ApplyResult, apply, mark_missing
from tests.bodies import product, recorded
from tests.factories import make_customer, make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)


def put(store, entity, *bodies, minutes=0):
    return apply(store, entity, bodies, fetched_at=AT + timedelta(minutes=minutes))


def test_a_product_is_mirrored_and_seen_again_without_effect():
    store = make_store()
    assert put(store, "product", product(20, name="Fish &amp; <b>Chips</b>")) == ApplyResult(1, 0, 0)
    found = Product.objects.get()
    assert (found.name, found.price, found.category_ids, found.kind) == (
        "Fish & <b>Chips</b>",
        Decimal("59.00"),
        [43],
        "simple",
    )
    # The shop draws related products anew for each answer.
    again = product(20, name="Fish &amp; <b>Chips</b>", related_ids=[1, 2], total_sales=99)
    assert put(store, "product", again, minutes=1) == ApplyResult(0, 1, 0)


def test_variations_are_named_and_linked_whichever_comes_first():
    store = make_store()
    one, parent = recorded("product_variation_one"), product(69, name="Kettle cosy", type="variable")
    put(store, "variation", one)
    assert Product.objects.get().parent is None
    put(store, "product", parent)
    variation = Product.objects.get(kind="variation")
    assert (variation.name, variation.parent.woo_id) == ("Kettle cosy - Sage", 69)
    other = make_store()
    put(other, "product", parent, one)
    assert Product.objects.get(store=other, kind="variation").name == "Kettle cosy - Sage"


def test_a_trashed_product_and_a_deleted_one_are_kept_with_their_end():
    store = make_store()
    put(store, "product", product(20), product(21))
    put(store, "product", product(20, status="trash"), minutes=1)
    assert mark_missing(store, "product", 21)
    assert Product.objects.get(woo_id=20).trashed_at is not None
    assert Product.objects.get(woo_id=21).deleted_at is not None


def test_a_price_that_is_no_money_is_put_aside():
    store = make_store()
    assert put(store, "product", product(20, price="free"), product(21)) == ApplyResult(1, 0, 1)


def test_categories_are_mirrored():
    store = make_store()
    page = recorded("products_categories")
    assert put(store, "category", *page) == ApplyResult(len(page), 0, 0)
    assert put(store, "category", *page, minutes=1) == ApplyResult(0, len(page), 0)
    assert Category.objects.filter(name__contains="&amp;").count() == 0


def test_a_review_is_plain_and_knows_its_product_and_author():
    store = make_store()
    author = make_customer(store, email="rec.one@example.com")
    put(store, "review", recorded("review_one"))
    review = StoreReview.objects.get()
    assert (review.product, review.customer, review.rating) == (None, author, 5)
    assert "<" not in review.text
    put(store, "product", product(53))
    review.refresh_from_db()
    assert review.product.woo_id == 53


def test_a_coupon_of_the_merchant_is_mirrored_with_its_state():
    store = make_store()
    clock.freeze(AT)
    body = recorded("coupon_one")
    assert put(store, "coupon", body) == ApplyResult(1, 0, 0)
    assert put(store, "coupon", body) == ApplyResult(0, 1, 0)
    coupon = Coupon.objects.get()
    assert (coupon.code, coupon.ours, coupon.state, coupon.expires_on) == (
        "rec-thanks10",
        False,
        "live",
        date(2026, 12, 31),
    )
    # Being used does not move the coupon's modification time.
    put(store, "coupon", body | {"usage_count": 1})
    coupon.refresh_from_db()
    assert (coupon.usage_count, coupon.state) == (1, "used")
    put(store, "coupon", body | {"status": "trash"})
    coupon.refresh_from_db()
    assert coupon.state == "gone"


def test_an_unknown_entity_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="unknown entity"):
        put(make_store(), "webhook", {})
