"""Asking a buyer for reviews: once for each order, only for what can be reviewed."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty import earning
from loyalty.models import EarnRule, Program
from postpurchase import clock, links
from postpurchase.errors import BusinessError
from reviews.models import Review, ReviewRequest
from stores import events
from stores.models import Order, OrderLine, Product, Store


@dataclass(frozen=True)
class Item:
    """One item of an order as the review page shows it. `reason` says why it cannot be reviewed; empty when it can."""

    line: OrderLine
    product: Product | None
    reason: str = ""

    @property
    def name(self) -> str:
        return self.line.name

    @property
    def image_url(self) -> str:
        return self.line.image_url or (self.product.image_url if self.product else "")


def _judge(line: OrderLine) -> Item:
    product = (line.product.parent or line.product) if line.product else None
    if product is None or product.deleted_at or product.trashed_at:
        return Item(line, None, _("This product is no longer in the shop."))
    if line.quantity > 0 and line.refunded_quantity >= line.quantity:
        return Item(line, product, _("This item was refunded."))
    if not product.reviews_allowed:
        return Item(line, product, _("This product does not take reviews."))
    return Item(line, product)


def items(order: Order) -> list[Item]:
    """All items of the order in its own sequence; several lines of one product are one item."""
    seen: set[int] = set()
    found = []
    for line in order.lines.select_related("product__parent").order_by("woo_id"):
        item = _judge(line)
        if item.product and not item.reason:
            if item.product.pk in seen:
                continue
            seen.add(item.product.pk)
        found.append(item)
    return found


def reviewable(order: Order) -> list[Item]:
    """The items that can be reviewed: in the shop, not wholly refunded, open for reviews."""
    return [item for item in items(order) if not item.reason]


def ask(store: Store, order: Order, *, enrolment_key: str = "") -> ReviewRequest:
    """Make the order's review request, or return the one there is. Records `review.asked`.

    BusinessError `nothing_to_review` when the order has no reviewable item or no customer.
    """
    if order.customer is None or not reviewable(order):
        raise BusinessError(
            f"Order #{order.number} has nothing that can be reviewed. Nobody was asked. "
            "Its products are gone, refunded or closed for reviews.",
            "nothing_to_review",
        )
    with transaction.atomic():
        request, new = ReviewRequest.objects.get_or_create(
            order=order, defaults={"store": store, "customer": order.customer, "enrolment_key": enrolment_key}
        )
        if new:
            events.record(store, events.REVIEW_ASKED, subject=request.pk, at=request.asked_at, order=order)
    return request


def review_url(request: ReviewRequest) -> str:
    """The address of the review page; `?s=<stars>&i=<line>` preselects stars and records nothing."""
    return links.url("r", request.pk, version=request.link_version)


def star_urls(request: ReviewRequest, item: Item) -> list[str]:
    """Five addresses, one star to five, each opening the page with that many stars chosen for the item."""
    base = review_url(request)
    return [f"{base}?s={stars}&i={item.line.woo_id}" for stars in range(1, 6)]


def points_for_review(store: Store) -> int:
    """Points that the loyalty programme gives for one review, the same for any rating; 0 when it gives none."""
    program = Program.objects.filter(store=store, is_on=True).first()
    rule = earning.live_rule(program, EarnRule.Kind.REVIEW) if program else None
    return int(rule.points) if rule else 0


def pending_items(request: ReviewRequest) -> list[Item]:
    """Reviewable items that this request has no review of yet."""
    done = set(Review.objects.filter(request=request).values_list("product_id", flat=True))
    return [item for item in reviewable(request.order) if item.product and item.product.pk not in done]


def fully_reviewed(request: ReviewRequest) -> bool:
    """Nothing is left to review."""
    return not pending_items(request)


def note_answered(request: ReviewRequest) -> None:
    """Bring the request's state up to date with its reviews, in the caller's transaction."""
    if request.state in {ReviewRequest.State.OPEN, ReviewRequest.State.PAUSED} and fully_reviewed(request):
        request.state = ReviewRequest.State.ANSWERED
        request.answered_at = clock.now()
        request.save(update_fields=["state", "answered_at"])


def fully_reviewed_orders(order_ids: Collection[int]) -> set[int]:
    """Of the given orders those whose request is answered in full."""
    return set(
        ReviewRequest.objects.filter(order_id__in=order_ids, state=ReviewRequest.State.ANSWERED).values_list(
            "order_id", flat=True
        )
    )
