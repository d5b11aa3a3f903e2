"""Whether our coupons were used: seen from the coupon lines of orders, because the coupon itself does not move."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from stores import events
from stores.events import Fact
from stores.models import Coupon, Store
from stores.sync.facts import DRAFTS, ENDED
from stores.sync.people import live

if TYPE_CHECKING:
    from stores.sync.orders import Taken


def from_orders(store: Store, taken: Sequence["Taken"], *, had: Mapping[int, set[str]], historic: bool) -> list[Fact]:
    """Mark our coupons that these orders use as used, and release those that they use no longer; the facts of it.

    `had` are the codes that known orders had before. An order that is cancelled, failed, trashed or deleted gives the
    use back, as the shop does.
    """
    codes = {line.code for one in taken for line in one.order.coupon_lines} | {c for old in had.values() for c in old}
    if not codes:
        return []
    ours = {coupon.code: coupon for coupon in Coupon.objects.filter(store=store, ours=True, code__in=codes)}
    facts: list[Fact] = []
    for one in taken:
        now = set() if one.order.status in ENDED | DRAFTS else {line.code for line in one.order.coupon_lines}
        for code in now & ours.keys():
            facts += use(ours[code], one.pk, one.customer_id, one.order.created, one.order.modified, historic)
        for code in ((had.get(one.pk, set()) | {line.code for line in one.order.coupon_lines}) - now) & ours.keys():
            facts += release(ours[code], one.pk, one.customer_id, one.order.modified, historic)
    return facts


def use(
    coupon: Coupon, order_id: int, customer_id: int | None, used_at: datetime, seen: datetime, historic: bool
) -> list[Fact]:
    """The order uses the coupon. A coupon for one use is then `used`."""
    if coupon.used_order_id == order_id:
        return []
    coupon.used_order_id, coupon.used_at = order_id, used_at
    if coupon.usage_limit == 1:
        coupon.state, coupon.usage_count = Coupon.State.USED, 1
    coupon.save(update_fields=["used_order", "used_at", "state", "usage_count"])
    # A coupon for many has several orders at once; one that was released and used again is a new use.
    fact = f"{order_id}" if coupon.usage_limit != 1 else f"{order_id}@{seen.isoformat()}"
    return [_fact(events.COUPON_USED, coupon, fact, order_id, customer_id, used_at, historic)]


def release(coupon: Coupon, order_id: int, customer_id: int | None, at: datetime, historic: bool) -> list[Fact]:
    """The order no longer uses the coupon: it works again, until it expires."""
    if coupon.used_order_id != order_id:
        return []
    coupon.used_order_id = coupon.used_at = None
    if coupon.state == Coupon.State.USED:
        coupon.state, coupon.usage_count = Coupon.State.LIVE, 0
    coupon.save(update_fields=["used_order", "used_at", "state", "usage_count"])
    return [_fact(events.COUPON_RELEASED, coupon, f"{order_id}@{at.isoformat()}", order_id, customer_id, at, historic)]


def _fact(
    name: str, coupon: Coupon, fact: str, order_id: int, customer_id: int | None, at: datetime, historic: bool
) -> Fact:
    return Fact(
        name,
        coupon.pk,
        at,
        fact,
        order_id,
        coupon.customer_id or customer_id,
        not live(coupon.store, at, historic=historic),
        {"coupon": coupon.pk, "code": coupon.code, "order": order_id},
    )
