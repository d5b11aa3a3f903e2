"""What reviews puts into the registries of the apps below."""

from reviews.models import ReviewRequest
from stores import public
from stores.models import Order
from stores.public import Owner


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
