"""What loyalty does when the store tells that something happened."""

from loyalty import earning, rewards
from stores import events
from stores.models import Coupon, Event, Order

ORDER_EVENTS = [
    events.ORDER_PAID,
    events.ORDER_STATUS_CHANGED,
    events.ORDER_CANCELLED,
    events.ORDER_REFUNDED,
    events.ORDER_EDITED,
    events.ORDER_DELIVERED,
    events.REFUND_CREATED,
    events.REFUND_DELETED,
]


def subscribe() -> None:
    """Listen to what moves points."""
    for name in ORDER_EVENTS:
        events.subscribe(name, f"loyalty.{name}", order_moved)
    events.subscribe(events.REVIEW_PUBLISHED, "loyalty.review_published", review_published)
    events.subscribe(events.REVIEW_HIDDEN, "loyalty.review_hidden", review_hidden)
    events.subscribe(events.COUPON_ISSUED, "loyalty.coupon_issued", coupon_issued)
    events.subscribe(events.COUPON_FAILED, "loyalty.coupon_failed", coupon_failed)
    events.subscribe(events.COUPON_USED, "loyalty.coupon_used", coupon_used)
    events.subscribe(events.COUPON_RELEASED, "loyalty.coupon_released", coupon_released)


def order_moved(event: Event) -> None:
    if event.order_id is None:
        return
    order = (
        Order.objects.select_related("store", "customer")
        .prefetch_related("lines", "refund_rows")
        .filter(pk=event.order_id)
        .first()
    )
    if order:
        earning.refresh_order(order)


def review_published(event: Event) -> None:
    earning.refresh_review(event, published=True)


def review_hidden(event: Event) -> None:
    earning.refresh_review(event, published=False)


def _coupon(event: Event) -> Coupon:
    return Coupon.objects.get(pk=event.payload["coupon"], store=event.store)


def coupon_issued(event: Event) -> None:
    rewards.coupon_is_live(_coupon(event))


def coupon_failed(event: Event) -> None:
    rewards.coupon_failed(_coupon(event))


def coupon_used(event: Event) -> None:
    rewards.coupon_used(_coupon(event), used=True)


def coupon_released(event: Event) -> None:
    rewards.coupon_used(_coupon(event), used=False)
