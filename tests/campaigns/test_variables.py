"""The variables: what is promised to whoever writes a text is what a message holds."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from campaigns import variables
from campaigns.context import build_context
from campaigns.models import Consent, Message
from reviews import asking
from stores.models import Coupon, Product, Store
from tests.campaigns.mails import ana, lut, message_for, pots

pytestmark = pytest.mark.django_db


def names(values: Any, path: str = "") -> set[str]:
    """All paths of a context, a list as `name[]`; lists without dicts are one value."""
    if isinstance(values, dict):
        return {name for key, value in values.items() for name in names(value, f"{path}.{key}" if path else key)}
    if isinstance(values, list) and values and isinstance(values[0], dict) and not path.endswith("stars"):
        return names(values[0], f"{path}[]")
    return {path}


def full(store: Store) -> dict[str, Any]:
    customer = ana(store)
    order = pots(store, customer)
    order.shipments.update(number="CC 1", carrier="Carpat", url="https://carrier.example.com/1")
    Product.objects.create(store=store, woo_id=999, name="Plate", price=Decimal("40.00"), stock_status="instock")
    Product.objects.exclude(woo_id=999).update(cross_sell_ids=[999])
    coupon = Coupon.objects.create(store=store, code="X", amount=Decimal(5), expires_on=date(2027, 1, 1))
    message = message_for(store, customer, order, "R06.review_request")
    review = asking.ask(store, order)
    return build_context(
        store,
        customer,
        order,
        message=message,
        language="en",
        review_request=review,
        coupon=coupon,
        wants=frozenset({"picks"}),
    )


def test_examples_and_real_messages_have_the_same_variables_and_each_is_explained() -> None:
    store = lut()
    real = names(full(store))
    made_up = names(variables.example(store, language="en", klass="S", purpose="review"))
    assert made_up == real
    assert {one.name for one in variables.VARIABLES} == real


@pytest.mark.parametrize("language", ["en", "ro", "id"])
def test_every_variable_has_an_example_in_words(language: str) -> None:
    values = variables.example(lut(), language=language, klass="S", purpose="review")
    empty = {one.name for one in variables.VARIABLES if not variables.shown(one, values)}
    # What most messages do not have stays empty in the example too.
    assert empty == {"order.cash_due", "order.transfer_due", "order.pay_url", "review.points_words"}


def test_a_review_is_no_variable_of_a_message_about_an_order() -> None:
    assert not [one for one in variables.known("order") if one.group == "review"]
    assert [one for one in variables.known("review") if one.group == "review"]


def test_what_is_copied_of_a_list_stands_in_its_loop() -> None:
    by_name = {one.name: one.tag for one in variables.VARIABLES}
    assert by_name["order.number"] == "{{ order.number }}"
    assert by_name["order.items[].name"] == "{% for item in order.items %}{{ item.name }}{% endfor %}"


def test_a_preview_writes_nothing() -> None:
    store = lut()
    customer = ana(store)
    message = Message(store=store, customer=customer, klass="M", purpose="marketing", channel="email", context={})
    context = build_context(store, customer, message=message, language="en")
    assert context["links"]["unsubscribe"].endswith("/u/preview/")
    assert not Consent.objects.exists()
