"""What may be asked about reviews and cases."""

from typing import Any

from django.db.models import Count, DateTimeField, Exists, F, IntegerField, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from reviews.models import Case, Review, ReviewRequest
from stores import conditions
from stores.conditions import Field, Scope, choices
from stores.conditions.base import Items
from stores.conditions.expressions import count_of, yes_no
from stores.models import OrderLine

_REVIEWS, _CASES = _("Reviews"), _("Help cases")


def _requests(state: str | None = None) -> Any:
    found = ReviewRequest.objects.filter(order=OuterRef("pk"))
    return yes_no(Exists(found.filter(state=state) if state else found))


def _reviewable(scope: Scope) -> Any:
    """Different products that `asking.reviewable` would name: in the shop, open for reviews, not wholly refunded."""
    there = Q(product__deleted_at=None, product__trashed_at=None, product__reviews_allowed=True)
    above = Q(product__parent__deleted_at=None, product__parent__trashed_at=None, product__parent__reviews_allowed=True)
    lines = (
        OrderLine.objects.filter(order=OuterRef("pk"), product__isnull=False)
        .filter((Q(product__parent__isnull=True) & there) | (Q(product__parent__isnull=False) & above))
        .exclude(quantity__gt=0, refunded_quantity__gte=F("quantity"))
    )
    counted = (
        lines.order_by()
        .values("order")
        .annotate(n=Count(Coalesce("product__parent_id", "product_id"), distinct=True))
        .values("n")
    )
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _open_case(path: str) -> Any:
    return lambda scope: yes_no(
        Exists(Case.objects.filter(store=scope.store, state=Case.State.OPEN, **{path: OuterRef("pk")}))
    )


def _written(scope: Scope, path: str = "customer") -> Any:
    return Review.objects.filter(store=scope.store, **{path: OuterRef("pk")})


def _last(scope: Scope) -> Any:
    newest = _written(scope).order_by("-submitted_at", "-pk")
    return Subquery(newest.values("rating")[:1], output_field=IntegerField())


def _over(scope: Scope, path: str, what: Any, output: Any) -> Any:
    """An aggregate over the reviews of the row; NULL where there are none."""
    found = _written(scope, path).order_by().values(path).annotate(found=what).values("found")
    return Subquery(found, output_field=output)


def register() -> None:
    """Called once at start."""
    for field in [
        Field(
            "order.review_asked",
            _("the order's reviews were asked for"),
            "bool",
            sql=lambda scope: _requests(),
            group=_REVIEWS,
        ),
        Field(
            "order.fully_reviewed",
            _("every item is reviewed"),
            "bool",
            sql=lambda scope: _requests(ReviewRequest.State.ANSWERED),
            group=_REVIEWS,
        ),
        Field(
            "order.reviewable_items",
            _("the number of items that can be reviewed"),
            "number",
            sql=_reviewable,
            group=_REVIEWS,
        ),
        Field(
            "order.rating",
            _("the lowest rating given for the order"),
            "number",
            sql=lambda scope: _over(scope, "order", Min("rating"), IntegerField()),
            group=_REVIEWS,
        ),
        Field("order.open_case", _("the order has an open case"), "bool", sql=_open_case("order"), group=_CASES),
        Field(
            "customer.open_case", _("the customer has an open case"), "bool", sql=_open_case("customer"), group=_CASES
        ),
        Field(
            "customer.cases_count",
            _("how often the customer asked for help"),
            "number",
            sql=lambda scope: count_of(
                Case.objects.filter(scope.during("opened_at"), store=scope.store, customer=OuterRef("pk")), "customer"
            ),
            timed=True,
            group=_CASES,
        ),
        Field(
            "customer.reviews_count",
            _("how many reviews the customer wrote"),
            "number",
            sql=lambda scope: count_of(_written(scope).filter(scope.during("submitted_at")), "customer"),
            timed=True,
            group=_REVIEWS,
        ),
        Field("customer.last_rating", _("the customer's last rating"), "number", sql=_last, group=_REVIEWS),
        Field(
            "customer.lowest_rating",
            _("the customer's lowest rating"),
            "number",
            sql=lambda scope: _over(scope, "customer", Min("rating"), IntegerField()),
            group=_REVIEWS,
        ),
        Field(
            "customer.last_review_at",
            _("the customer's last review"),
            "moment",
            sql=lambda scope: _over(scope, "customer", Max("submitted_at"), DateTimeField()),
            group=_REVIEWS,
        ),
        Field(
            "customer.photo_reviews",
            _("the customer added a photo to a review"),
            "bool",
            sql=lambda scope: yes_no(Exists(_written(scope).filter(photos__isnull=False))),
            group=_REVIEWS,
        ),
        Field(
            "customer.reviewed_products",
            _("the products that the customer reviewed"),
            "list",
            items=Items(
                lambda scope: Review.objects.filter(scope.during("submitted_at"), store=scope.store),
                "customer_id",
                "product__woo_id",
            ),
            of="id",
            choices=choices.products,
            timed=True,
            group=_REVIEWS,
        ),
        Field(
            "line.reviewed",
            _("the item's buyer reviewed its product"),
            "bool",
            sql=lambda scope: yes_no(
                Exists(
                    Review.objects.filter(
                        store=scope.store,
                        customer=OuterRef("order__customer"),
                        product__woo_id=OuterRef("product_woo_id"),
                    )
                )
            ),
            group=_REVIEWS,
        ),
    ]:
        conditions.register(field)
