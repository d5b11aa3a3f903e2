"""Asking once for each order, only for what can be reviewed."""

from decimal import Decimal

import pytest

from postpurchase import clock, links
from postpurchase.errors import BusinessError
from reviews import asking
from reviews.models import ReviewRequest
from stores.models import Event, Order
from tests.factories import NOON, make_order, make_product, make_store

pytestmark = pytest.mark.django_db


def _order_of_three() -> Order:
    store = make_store()
    return make_order(store, items=[(make_product(store, name=name), 1) for name in ("Mug", "Bowl", "Vase")])


def test_asking_twice_makes_one_request_and_one_event() -> None:
    order = _order_of_three()
    first = asking.ask(order.store, order, enrolment_key="R06:1")
    second = asking.ask(order.store, order, enrolment_key="R06:2")
    assert first == second
    assert ReviewRequest.objects.get().enrolment_key == "R06:1"
    event = Event.objects.get()
    assert (event.name, event.order_id, event.customer_id) == ("review.asked", order.pk, order.customer_id)


def test_each_unreviewable_item_says_why() -> None:
    store = make_store()
    products = [make_product(store, name=name) for name in ("Mug", "Refunded", "Closed", "Deleted")]
    order = make_order(store, items=[(product, 1) for product in products])
    order.lines.filter(name="Refunded").update(refunded_quantity=Decimal(1))
    products[2].reviews_allowed = False
    products[2].save()
    products[3].deleted_at = NOON
    products[3].save()
    assert [(item.name, item.reason) for item in asking.items(order)] == [
        ("Mug", ""),
        ("Refunded", "This item was refunded."),
        ("Closed", "This product does not take reviews."),
        ("Deleted", "This product is no longer in the shop."),
    ]
    assert [item.name for item in asking.reviewable(order)] == ["Mug"]


def test_a_variation_is_reviewed_as_its_parent_and_twice_bought_once() -> None:
    store = make_store()
    parent = make_product(store, name="Mug", kind="variable")
    blue = make_product(store, name="Mug, blue", parent=parent, kind="variation")
    red = make_product(store, name="Mug, red", parent=parent, kind="variation")
    order = make_order(store, items=[(blue, 1), (red, 2)])
    assert [(item.name, item.product) for item in asking.reviewable(order)] == [("Mug, blue", parent)]


def test_an_order_with_nothing_to_review_is_refused_and_nothing_changes() -> None:
    store = make_store()
    order = make_order(store, items=[(make_product(store, reviews_allowed=False), 1)])
    with pytest.raises(BusinessError) as refusal:
        asking.ask(store, order)
    assert refusal.value.code == "nothing_to_review"
    assert (ReviewRequest.objects.count(), Event.objects.count()) == (0, 0)


def test_star_links_name_the_line_and_open_only_this_request() -> None:
    with clock.frozen(NOON):
        order = _order_of_three()
        request = asking.ask(order.store, order)
        item = asking.pending_items(request)[1]
        urls = asking.star_urls(request, item)
        assert len(urls) == 5
        assert urls[3] == f"{asking.review_url(request)}?s=4&i={item.line.woo_id}"
        token = urls[3].split("/r/")[1].split("/")[0]
        assert links.read("r", token).row_id == request.pk
        with pytest.raises(links.LinkProblem):
            links.read("h", token)
