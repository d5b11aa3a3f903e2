"""The shop's coupons into the mirror. Ours are made by `stores.coupons`; here only what the shop says of them moves."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from postpurchase import clock
from stores.coupons import trash_twin
from stores.models import Coupon, Store
from stores.woo.payloads import CouponPayload


def apply_coupons(store: Store, page: Sequence[tuple[CouponPayload, str]], *, fetched_at: datetime) -> int:
    """Write coupons (payload, body as JSON text); how many changed."""
    latest = {coupon.woo_id: (coupon, body) for coupon, body in page}
    known = {row.woo_id: row for row in Coupon.objects.filter(store=store, woo_id__in=latest)}
    # Pushed by us and not yet read back: its row is there already, without the shop's id.
    marks = {ref for coupon, _ in latest.values() if (ref := _uuid(coupon.ref))}
    waiting = (
        {row.ref: row for row in Coupon.objects.select_related("store").filter(store=store, ours=True, ref__in=marks)}
        if marks
        else {}
    )
    changed, fresh = 0, []
    for woo_id, (coupon, body) in latest.items():
        row = known.get(woo_id)
        if row is None:
            if (ref := _uuid(coupon.ref)) is not None and (ours := waiting.get(ref)):
                if ours.woo_id is not None and coupon.status == "publish":
                    trash_twin(ours, woo_id)
            else:
                fresh.append(_row(store, coupon, body, fetched_at))
                changed += 1
            continue
        told = json.loads(body)
        if row.raw == told or (row.modified_gmt and coupon.modified and coupon.modified < row.modified_gmt):
            continue
        _update(store, row, coupon, told)
        changed += 1
    Coupon.objects.bulk_create(fresh)
    return changed


def _uuid(raw: str) -> UUID | None:
    try:
        return UUID(raw) if raw else None
    except ValueError:
        return None


def state_of(store: Store, coupon: CouponPayload) -> str:
    """Whether it can be used now, in our words."""
    if coupon.status == "trash":
        return Coupon.State.GONE
    if coupon.expires_on and coupon.expires_on < clock.now().astimezone(store.tz).date():
        return Coupon.State.EXPIRED
    if coupon.usage_limit and coupon.usage_count >= coupon.usage_limit:
        return Coupon.State.USED
    return Coupon.State.LIVE if coupon.status == "publish" else Coupon.State.PENDING


def _update(store: Store, row: Coupon, coupon: CouponPayload, told: dict[str, object]) -> None:
    row.raw, row.modified_gmt, row.usage_count = told, coupon.modified, coupon.usage_count
    if row.ours:
        # What it was made for stays as it was asked for; only its end is taken from the shop.
        if coupon.status == "trash" and row.state in (Coupon.State.LIVE, Coupon.State.USED):
            row.state = Coupon.State.GONE
    else:
        row.code, row.kind, row.amount, row.minimum = coupon.code, coupon.kind, coupon.amount, coupon.minimum
        row.usage_limit, row.emails, row.expires_on = coupon.usage_limit, list(coupon.emails), coupon.expires_on
        row.state = state_of(store, coupon)
    row.save()


def _row(store: Store, coupon: CouponPayload, body: str, fetched_at: datetime) -> Coupon:
    return Coupon(
        store=store,
        code=coupon.code,
        state=state_of(store, coupon),
        kind=coupon.kind,
        amount=coupon.amount,
        minimum=coupon.minimum,
        usage_limit=coupon.usage_limit,
        usage_count=coupon.usage_count,
        emails=list(coupon.emails),
        expires_on=coupon.expires_on,
        woo_id=coupon.woo_id,
        modified_gmt=coupon.modified,
        created_at=coupon.created or fetched_at,
        raw=json.loads(body),
    )
