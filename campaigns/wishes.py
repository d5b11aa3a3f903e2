"""Coupons that a flow wishes for: made when a mail that carries one is about to go out, and not before.

A step leaves the wish in the person's context, and the mail takes it along. When nothing else stands against the mail,
the outbox has the coupon made and the mail waits until it is live. So a mail that is skipped leaves no coupon in the shop,
and one that is sent again, or a reminder after it, carries the same code: the wish has a source, which is unique.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q

from campaigns.models import Message
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import coupons
from stores.models import Coupon

NAME = "coupon"
# What a coupon's source may hold.
_LONGEST = 120


def wish(
    key: str, *, amount: Decimal, kind: str, valid_days: int, minimum: Decimal | None, prefix: str
) -> dict[str, Any]:
    """What is wished for, as it is kept in a context; `key` is that of the step and person."""
    source = f"flow:{key}"
    if len(source) > _LONGEST:
        source = f"flow:{hashlib.sha256(key.encode()).hexdigest()}"
    return {
        "source": source,
        "amount": str(amount),
        "kind": kind,
        "valid_days": valid_days,
        "minimum": None if minimum is None else str(minimum),
        "prefix": prefix,
    }


def of(message: Message) -> Mapping[str, Any] | None:
    """The wish that a message carries."""
    found = message.context.get(NAME)
    return found if isinstance(found, dict) and found.get("source") else None


def coupons_of(messages: Sequence[Message]) -> dict[int, Coupon]:
    """The coupon of each message, by the message's id: the one that was made for its wish, or that an app gave it."""
    given = {each.pk: each.context["coupon_id"] for each in messages if each.context.get("coupon_id")}
    wanted = {each.pk: (each.store_id, wish_["source"]) for each in messages if (wish_ := of(each))}
    if not given and not wanted:
        return {}
    rows = Coupon.objects.filter(
        Q(pk__in=set(given.values()))
        | Q(
            store_id__in={store for store, _source in wanted.values()},
            source__in={source for _store, source in wanted.values()},
        )
    )
    by_id = {coupon.pk: coupon for coupon in rows}
    by_source = {(coupon.store_id, coupon.source): coupon for coupon in by_id.values()}
    made = {pk: by_source[place] for pk, place in wanted.items() if place in by_source}
    return made | {pk: by_id[coupon] for pk, coupon in given.items() if coupon in by_id}


def make(message: Message) -> Coupon:
    """Have the wished-for coupon made, in the caller's transaction; the same wish gives the same coupon again.

    Raises BusinessError as `stores.coupons.issue` does; then nothing was asked for.
    """
    wanted = of(message)
    assert wanted is not None
    return coupons.issue(
        message.store,
        source=wanted["source"],
        amount=Decimal(wanted["amount"]),
        kind=wanted["kind"],
        customer=message.customer,
        emails=(message.customer.email,),
        expires_on=clock.now().astimezone(message.store.tz).date() + timedelta(days=wanted["valid_days"]),
        minimum=None if wanted["minimum"] is None else Decimal(wanted["minimum"]),
        prefix=wanted["prefix"],
    )


def take_back(message: Message) -> bool:
    """The message will not go out after all: its coupon leaves the shop, unless another mail has told of it.

    False when there is none, it was used, or it is still being made.
    """
    coupon = coupons_of([message]).get(message.pk) if of(message) else None
    if coupon is None or coupon.state != Coupon.State.LIVE:
        return False
    told = Message.objects.filter(
        store=message.store, enrolment=message.enrolment_id, context__coupon__source=coupon.source
    )
    if told.exclude(pk=message.pk).exclude(status__in=[Message.Status.SKIPPED, Message.Status.EXPIRED]).exists():
        return False
    try:
        coupons.cancel(coupon)
    except BusinessError:
        return False
    return True
