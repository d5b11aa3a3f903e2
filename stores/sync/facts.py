"""The difference between an order as it was mirrored and as it is now, as facts. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from stores import events
from stores.events import Fact
from stores.models import Store
from stores.woo.payloads import OrderPayload

DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
GONE = frozenset({"trash", "deleted"})
ENDED = frozenset({"cancelled", "failed", *GONE})
_UNPAID = frozenset({*DRAFTS, *ENDED, "refunded"})
_TEST_MODES = (("_wcpay_mode", "test"), ("_ppcp_paypal_payment_mode", "sandbox"))


@dataclass(frozen=True, slots=True)
class Known:
    """What the mirror held of an order before this body."""

    pk: int
    woo_id: int
    status: str
    total: Decimal
    refunded: Decimal
    paid: datetime | None
    customer_id: int | None
    delivered_at: datetime | None
    delivered_estimated: bool
    counted: bool
    historic: bool
    ref: str
    modified: datetime | None
    content_hash: str
    fetched_at: datetime | None
    deleted_at: datetime | None
    created: datetime | None = None

    @property
    def real(self) -> bool:
        """It was an order already, no draft."""
        return self.status not in DRAFTS


def takes(known: Known | None, modified: datetime, content_hash: str, fetched_at: datetime) -> bool:
    """Whether a body is to be taken: it differs, and it changed later there or was asked for later here."""
    if known is None:
        return True
    if known.deleted_at is not None:
        return fetched_at > known.deleted_at
    if known.content_hash == content_hash:
        return False
    if known.modified is None or modified > known.modified:
        return True
    return known.fetched_at is None or fetched_at > known.fetched_at


def paid_at(order: OrderPayload) -> datetime | None:
    """When it was paid. An order that was completed without a payment time (imports) was paid then."""
    if order.status in DRAFTS:
        return None
    return order.paid or (order.completed or order.modified if order.status == "completed" else None)


def is_counted(order: OrderPayload) -> bool:
    """Paid, not fully refunded, not trashed, cancelled or failed, and not paid in a gateway's test mode."""
    if order.status in _UNPAID or paid_at(order) is None:
        return False
    if order.total > 0 and order.refunded >= order.total:
        return False
    return all(order.meta.get(key) != mode for key, mode in _TEST_MODES)


def is_full(order: OrderPayload) -> bool:
    """Whether everything was given back."""
    return order.status == "refunded" or (order.total > 0 and order.refunded >= order.total)


def order_facts(
    store: Store,
    order: OrderPayload,
    *,
    pk: int,
    customer_id: int | None,
    known: Known | None,
    edited: bool,
    historic: bool,
) -> Iterable[Fact]:
    """What happened to an order between `known` and now. Each key names the fact, so a repeat adds nothing."""
    if order.status in DRAFTS:
        return
    before = known if known is not None and known.real else None
    since = order.modified.isoformat()

    def fact(name: str, at: datetime, key: str = "", **payload: object) -> Fact:
        past = historic or store.live_from is None or at < store.live_from
        return Fact(name, pk, at, key, pk, customer_id, past, payload)

    if before is None:
        if order.status in GONE:
            return
        # A draft that became an order was placed then, not when the cart was first stored.
        at = order.created if known is None else order.paid or order.modified
        yield fact(events.ORDER_PLACED, at, status=order.status)
    elif before.status != order.status:
        yield fact(
            events.ORDER_STATUS_CHANGED,
            order.modified,
            f"{before.status}>{order.status}@{since}",
            **{"from": before.status, "to": order.status},
        )
    elif before.deleted_at is not None:
        # It was taken for deleted and is there again.
        yield fact(
            events.ORDER_STATUS_CHANGED,
            order.modified,
            f"deleted>{order.status}@{before.deleted_at.isoformat()}",
            **{"from": "deleted", "to": order.status},
        )
    paid = paid_at(order)
    if paid is not None and order.status not in ENDED and (before is None or not before.counted):
        yield fact(events.ORDER_PAID, paid)
    off = {"cancelled", *GONE}
    if order.status in off and (before is None or before.status not in off):
        yield fact(events.ORDER_CANCELLED, order.modified, since, status=order.status)
    gave_back = order.refunded > (before.refunded if before else 0)
    if gave_back or (order.status == "refunded" and (before is None or before.status != "refunded")):
        last = max(order.refunds, key=lambda refund: refund.woo_id, default=None)
        full = is_full(order)
        yield fact(
            events.ORDER_REFUNDED,
            order.modified,
            f"{last.woo_id if last else 0}:{'full' if full else 'part'}",
            full=full,
            amount=f"{(order.refunded - (before.refunded if before else 0)).normalize():f}",
            reason=last.reason if last else "",
        )
    if before is not None and edited:
        yield fact(events.ORDER_EDITED, order.modified, since, total=[str(before.total), str(order.total)])
