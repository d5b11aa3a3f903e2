"""What reviews puts into the registries of the apps below."""

from collections.abc import Sequence
from typing import Any

from reviews import asking, cases
from reviews.models import ReviewRequest
from stores import conditions, public
from stores.conditions import Field, Subject
from stores.models import Order
from stores.public import Owner


def _order_ids(subjects: Sequence[Subject]) -> set[int]:
    return {each.order.pk for each in subjects if each.order}


def _by_order(subjects: Sequence[Subject], found: set[int]) -> list[Any]:
    return [each.order.pk in found if each.order else None for each in subjects]


def _fully_reviewed(subjects: Sequence[Subject]) -> list[Any]:
    return _by_order(subjects, asking.fully_reviewed_orders(_order_ids(subjects)))


def _asked(subjects: Sequence[Subject]) -> list[Any]:
    found = ReviewRequest.objects.filter(order_id__in=_order_ids(subjects)).values_list("order_id", flat=True)
    return _by_order(subjects, set(found))


def _reviewable(subjects: Sequence[Subject]) -> list[Any]:
    return [len(asking.reviewable(each.order)) if each.order else None for each in subjects]


def _order_open_case(subjects: Sequence[Subject]) -> list[Any]:
    return _by_order(subjects, cases.orders_with_open_case(_order_ids(subjects)))


def _customer_open_case(subjects: Sequence[Subject]) -> list[Any]:
    found = cases.customers_with_open_case({each.customer.pk for each in subjects})
    return [each.customer.pk in found for each in subjects]


def register_fields() -> None:
    """The fields that flows may ask about."""
    for field in [
        Field("order.review_asked", "the order's reviews were asked for", "bool", _asked),
        Field("order.fully_reviewed", "every item is reviewed", "bool", _fully_reviewed),
        Field("order.reviewable_items", "the number of items that can be reviewed", "number", _reviewable),
        Field("order.open_case", "the order has an open case", "bool", _order_open_case),
        Field("customer.open_case", "the customer has an open case", "bool", _customer_open_case),
    ]:
        conditions.register(field)


def _owner_of_request(row_id: int) -> Owner | None:
    request = ReviewRequest.objects.select_related("customer__store").filter(pk=row_id).first()
    return Owner(request.customer, request.link_version) if request else None


def _owner_of_order(row_id: int) -> Owner | None:
    order = Order.objects.select_related("customer__store").filter(pk=row_id).first()
    return Owner(order.customer, order.customer.link_version) if order and order.customer else None


def register_links() -> None:
    """Whose overaged review and help links are, so that new ones can be sent."""
    public.add_owner("r", _owner_of_request)
    public.add_owner("h", _owner_of_order)
