"""What flows may ask about reviews and cases."""

import pytest

from reviews import asking, cases, submission
from stores import conditions
from stores.conditions import Subject
from tests.reviews.cast import answer, order_of_three

pytestmark = pytest.mark.django_db


def _values(subject: Subject) -> dict[str, object]:
    names = [one.name for one in conditions.fields() if one.name.split(".")[-1] in NAMES]
    return conditions.load(names, [subject])[0]


NAMES = {"review_asked", "fully_reviewed", "reviewable_items", "open_case"}


def test_an_order_from_before_the_ask_to_the_last_review() -> None:
    order = order_of_three()
    assert order.customer is not None
    subject = Subject(order.store, order.customer, order)
    assert _values(subject) == {
        "customer.open_case": False,
        "order.fully_reviewed": False,
        "order.open_case": False,
        "order.review_asked": False,
        "order.reviewable_items": 3,
    }
    request = asking.ask(order.store, order)
    submission.submit(request, [answer(request, place) for place in range(3)])
    cases.open_case(order, kind="question", key="k1")
    assert _values(subject) == {
        "customer.open_case": True,
        "order.fully_reviewed": True,
        "order.open_case": True,
        "order.review_asked": True,
        "order.reviewable_items": 3,
    }


def test_without_an_order_only_the_person_is_known() -> None:
    order = order_of_three()
    assert order.customer is not None
    values = _values(Subject(order.store, order.customer))
    assert values["customer.open_case"] is False
    assert values["order.open_case"] is None
