"""What each event carries, as dataclasses, and its words. Amounts are texts in JSON, read here as Decimal.

An event without an entry here still starts flows; its words are then made from its name and all that it carries is text.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from stores import events


@dataclass(frozen=True)
class Nothing:
    """The fact says it all."""


@dataclass(frozen=True)
class Placed:
    status: str | None = field(default=None, metadata={"label": _("the status it was first seen in")})


@dataclass(frozen=True)
class Moved:
    from_: str | None = field(default=None, metadata={"label": _("the status before")})
    to: str | None = field(default=None, metadata={"label": _("the new status")})


@dataclass(frozen=True)
class Cancelled:
    status: str | None = field(default=None, metadata={"label": _("how it ended")})


@dataclass(frozen=True)
class Refunded:
    full: bool | None = field(default=None, metadata={"label": _("everything was given back")})
    amount: Decimal | None = field(default=None, metadata={"label": _("the amount given back")})
    reason: str | None = field(default=None, metadata={"label": _("the reason")})


@dataclass(frozen=True)
class RefundMade:
    amount: Decimal | None = field(default=None, metadata={"label": _("the amount given back")})
    reason: str | None = field(default=None, metadata={"label": _("the reason")})


@dataclass(frozen=True)
class Arrived:
    estimated: bool | None = field(default=None, metadata={"label": _("it is an estimate")})


@dataclass(frozen=True)
class Late:
    promised_to: str | None = field(default=None, metadata={"label": _("the last day promised")})


@dataclass(frozen=True)
class ParcelMoved:
    parcel: int | None = field(default=None, metadata={"label": _("the parcel's number")})
    state: str | None = field(default=None, metadata={"label": _("the parcel's state")})
    estimated: bool | None = field(default=None, metadata={"label": _("it is an estimate")})


@dataclass(frozen=True)
class Consented:
    channel: str | None = field(default=None, metadata={"label": _("the channel")})
    purpose: str | None = field(default=None, metadata={"label": _("the purpose")})
    state: str | None = field(default=None, metadata={"label": _("the person's word")})
    source: str | None = field(default=None, metadata={"label": _("where it was said")})


@dataclass(frozen=True)
class CouponTold:
    coupon: int | None = field(default=None, metadata={"label": _("the coupon")})
    code: str | None = field(default=None, metadata={"label": _("its code")})
    source: str | None = field(default=None, metadata={"label": _("what it was made for")})


@dataclass(frozen=True)
class CouponUse:
    coupon: int | None = field(default=None, metadata={"label": _("the coupon")})
    code: str | None = field(default=None, metadata={"label": _("its code")})
    order: int | None = field(default=None, metadata={"label": _("the order it was used on")})


@dataclass(frozen=True)
class Points:
    points: int | None = field(default=None, metadata={"label": _("the number of points")})
    usable_at: str | None = field(default=None, metadata={"label": _("from when they can be used")})


@dataclass(frozen=True)
class Redeemed:
    points: int | None = field(default=None, metadata={"label": _("the number of points")})
    reward: int | None = field(default=None, metadata={"label": _("the reward")})


@dataclass(frozen=True)
class Reviewed:
    review: int | None = field(default=None, metadata={"label": _("the review")})
    rating: int | None = field(default=None, metadata={"label": _("the stars")})
    reason: str | None = field(default=None, metadata={"label": _("the reason")})


@dataclass(frozen=True)
class CaseTold:
    case: int | None = field(default=None, metadata={"label": _("the case")})
    kind: str | None = field(default=None, metadata={"label": _("what it is about")})


@dataclass(frozen=True)
class InSegment:
    segment: str | None = field(default=None, metadata={"label": _("the segment's short name")})


# Where they stand in lists.
ORDERS, DELIVERY, PEOPLE = _("Orders"), _("Delivery"), _("People")
REVIEWS, LOYALTY, HELP = _("Reviews"), _("Points and coupons"), _("Help")


@dataclass(frozen=True)
class Told:
    """The words of an event ("an order is paid", after "When"), where they stand in lists, and what it carries."""

    label: Any
    group: Any
    payload: type = Nothing


_TOLD: dict[str, Told] = {
    events.ORDER_PLACED: Told(_("an order is placed"), ORDERS, Placed),
    events.ORDER_PAID: Told(_("an order is paid"), ORDERS),
    events.ORDER_STATUS_CHANGED: Told(_("an order changes its status"), ORDERS, Moved),
    events.ORDER_CANCELLED: Told(_("an order is cancelled"), ORDERS, Cancelled),
    events.ORDER_REFUNDED: Told(_("an order is refunded"), ORDERS, Refunded),
    events.ORDER_EDITED: Told(_("an order is changed after it was placed"), ORDERS),
    events.ORDER_DELIVERED: Told(_("an order is delivered"), DELIVERY, Arrived),
    events.ORDER_LATE: Told(_("an order is late"), DELIVERY, Late),
    events.REFUND_CREATED: Told(_("a refund is made"), ORDERS, RefundMade),
    events.REFUND_DELETED: Told(_("a refund is taken back"), ORDERS, RefundMade),
    events.SHIPMENT_CREATED: Told(_("a parcel is sent"), DELIVERY, ParcelMoved),
    events.SHIPMENT_MOVED: Told(_("a parcel moves"), DELIVERY, ParcelMoved),
    events.CUSTOMER_CREATED: Told(_("a customer is new"), PEOPLE),
    events.SEGMENT_ENTERED: Told(_("a customer enters a segment"), PEOPLE, InSegment),
    events.SEGMENT_LEFT: Told(_("a customer leaves a segment"), PEOPLE, InSegment),
    events.CONSENT_CHANGED: Told(_("consent changes"), PEOPLE, Consented),
    events.COUPON_ISSUED: Told(_("a coupon is live"), LOYALTY, CouponTold),
    events.COUPON_USED: Told(_("a coupon is used"), LOYALTY, CouponUse),
    events.COUPON_RELEASED: Told(_("a coupon can be used again"), LOYALTY, CouponUse),
    events.POINTS_EARNED: Told(_("points are earned"), LOYALTY, Points),
    events.POINTS_USABLE: Told(_("points become usable"), LOYALTY, Points),
    events.POINTS_TAKEN_BACK: Told(_("points are taken back"), LOYALTY, Points),
    events.REWARD_REDEEMED: Told(_("a reward is redeemed"), LOYALTY, Redeemed),
    events.REVIEW_ASKED: Told(_("a review is asked for"), REVIEWS),
    events.REVIEW_SUBMITTED: Told(_("a review is written"), REVIEWS, Reviewed),
    events.REVIEW_PUBLISHED: Told(_("a review is published"), REVIEWS, Reviewed),
    events.REVIEW_HIDDEN: Told(_("a review is hidden"), REVIEWS, Reviewed),
    events.CASE_OPENED: Told(_("a case is opened"), HELP, CaseTold),
    events.CASE_RESOLVED: Told(_("a case is resolved"), HELP, CaseTold),
    events.CASE_CONFIRMED: Told(_("a customer says that a case is solved"), HELP, CaseTold),
}


@dataclass(frozen=True)
class AnyPayload:
    """What an event carries that nobody has described: everything is taken as it comes."""


def told(name: str) -> Told:
    """The words and the payload of an event."""
    if name in _TOLD:
        return _TOLD[name]
    subject, _dot, fact = name.partition(".")
    return Told(f"{subject} {fact.replace('_', ' ')}", subject.replace("_", " ").capitalize(), AnyPayload)
