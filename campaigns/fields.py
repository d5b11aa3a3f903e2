"""What flows may ask about that the apps below know: reviews and cases."""

from collections.abc import Sequence
from typing import Any

from campaigns.models import Message
from reviews import asking
from reviews.models import Case
from stores import conditions
from stores.conditions import Field, Subject


def _reviewed(subjects: Sequence[Subject]) -> list[Any]:
    orders = {each.order.pk for each in subjects if each.order}
    done = asking.fully_reviewed_orders(list(orders))
    return [each.order.pk in done if each.order else None for each in subjects]


def _open_case(subjects: Sequence[Subject]) -> list[Any]:
    people = {each.customer.pk for each in subjects}
    open_ = set(
        Case.objects.filter(customer_id__in=people, state=Case.State.OPEN).values_list("customer_id", flat=True)
    )
    return [each.customer.pk in open_ for each in subjects]


def hold_for_cases(messages: Sequence[Message]) -> dict[int, str]:
    """Nothing is asked or advertised while something is wrong."""
    people = {each.customer_id for each in messages}
    open_ = set(
        Case.objects.filter(customer_id__in=people, state=Case.State.OPEN).values_list("customer_id", flat=True)
    )
    return {each.pk: "open case" for each in messages if each.customer_id in open_}


def register() -> None:
    """Called once at start."""
    conditions.register(Field("order.reviewed", "every item is reviewed", "bool", _reviewed))
    conditions.register(Field("customer.has_open_case", "the customer has an open case", "bool", _open_case))
