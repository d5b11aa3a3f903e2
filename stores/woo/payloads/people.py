"""Customer accounts, coupons and product reviews."""

import html
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.html import strip_tags

from stores.woo.payloads.values import (
    MARK,
    Unreadable,
    as_object,
    email_key,
    gmt,
    linked_id,
    meta,
    money,
    money_or_none,
    name,
    section,
    small,
    text,
    woo_id,
)


@dataclass(frozen=True, slots=True)
class CustomerPayload:
    """An account; its own address is the identity, its billing data fill what it does not say itself."""

    woo_id: int
    email: str
    email_key: str
    first_name: str
    last_name: str
    phone: str
    country: str
    region: str
    city: str
    created: datetime | None
    modified: datetime | None
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CouponPayload:
    """A coupon; `expires_on` is the last day on which it works, in the shop's zone. `ref` is our mark, "" if none."""

    woo_id: int
    code: str
    status: str
    kind: str
    amount: Decimal
    minimum: Decimal | None
    usage_limit: int | None
    usage_limit_per_user: int | None
    usage_count: int
    emails: tuple[str, ...]
    expires_on: date | None
    created: datetime | None
    modified: datetime | None
    ref: str


@dataclass(frozen=True, slots=True)
class ReviewPayload:
    """A product review; `text` is plain, whatever markup the shop printed."""

    woo_id: int
    product_id: int
    status: str
    reviewer: str
    email_key: str
    rating: int
    text: str
    verified: bool
    created: datetime


def parse_customer(raw: object) -> CustomerPayload:
    """Read an account; Unreadable without id or usable e-mail address."""
    body = as_object(raw, "customer")
    number = woo_id(body.get("id"), "customer")
    billing = section(body, "billing")
    key = email_key(body.get("email"))
    if not key:
        raise Unreadable("The customer has no usable e-mail address.")
    country = text(billing.get("country"), 8).upper()
    return CustomerPayload(
        woo_id=number,
        email=text(body.get("email"), 254),
        email_key=key,
        first_name=name(body.get("first_name"), 120) or text(billing.get("first_name"), 120),
        last_name=name(body.get("last_name"), 120) or text(billing.get("last_name"), 120),
        phone=text(billing.get("phone"), 40),
        country=country if len(country) == 2 and country.isalpha() else "",
        region=text(billing.get("state"), 60),
        city=text(billing.get("city"), 120),
        created=gmt(body.get("date_created_gmt")),
        modified=gmt(body.get("date_modified_gmt")),
        meta=meta(body),
    )


def parse_coupon(raw: object) -> CouponPayload:
    """Read a coupon; Unreadable without id or with an amount that is none."""
    body = as_object(raw, "coupon")
    number = woo_id(body.get("id"), "coupon")
    emails = body.get("email_restrictions")
    limit, per_user = small(body.get("usage_limit")), small(body.get("usage_limit_per_user"))
    minimum = money_or_none(body.get("minimum_amount"), "minimum amount")
    return CouponPayload(
        woo_id=number,
        code=name(body.get("code"), 100).lower(),
        status=text(body.get("status"), 20) or "publish",
        kind=text(body.get("discount_type"), 20) or "fixed_cart",
        amount=money(body.get("amount"), "amount"),
        minimum=minimum or None,
        usage_limit=limit if limit and limit > 0 else None,
        usage_limit_per_user=per_user if per_user and per_user > 0 else None,
        usage_count=max(small(body.get("usage_count")) or 0, 0),
        emails=tuple(sorted(text(e, 254).lower() for e in emails if isinstance(e, str)))
        if isinstance(emails, list)
        else (),
        expires_on=_day(body.get("date_expires")),
        created=gmt(body.get("date_created_gmt")),
        modified=gmt(body.get("date_modified_gmt")),
        ref=text(meta(body).get(MARK), 64),
    )


def _day(raw: object) -> date | None:
    # The one date that is read in the shop's own zone: it is a day there, not a moment.
    try:
        return date.fromisoformat(raw[:10]) if isinstance(raw, str) and raw else None
    except ValueError:
        return None


def parse_review(raw: object) -> ReviewPayload:
    """Read a review; Unreadable without id or creation time. A rating outside 1 to 5 is kept as none (0)."""
    body = as_object(raw, "review")
    number = woo_id(body.get("id"), "review")
    created = gmt(body.get("date_created_gmt"))
    if created is None:
        raise Unreadable("The review has no creation time in GMT.")
    rating = small(body.get("rating")) or 0
    said = body.get("review")
    return ReviewPayload(
        woo_id=number,
        product_id=linked_id(body.get("product_id")),
        status=text(body.get("status"), 20) or "approved",
        reviewer=name(body.get("reviewer"), 200),
        email_key=email_key(body.get("reviewer_email")),
        rating=rating if 1 <= rating <= 5 else 0,
        text=text(html.unescape(strip_tags(said)), 10_000) if isinstance(said, str) else "",
        verified=body.get("verified") is True,
        created=created,
    )
