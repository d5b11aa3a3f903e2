"""Orders and customers as they were at an earlier moment, as far as dated facts tell.

Nothing here is saved: the copies only stand where the present rows would stand when a condition is judged.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from stores.models import Customer, Order

# Ends whose moment the shop does not tell.
_UNDATED = ("cancelled", "failed")
_AT_THE_DOOR = ("cod",)


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of status, as it was recorded."""

    at: datetime
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Back:
    """Money given back, perhaps only for a while."""

    at: datetime
    amount: Decimal
    undone_at: datetime | None = None


def copied(row: Any, **changes: Any) -> Any:
    """The row again as an object of its own, with changes; it is never saved."""
    twin = object.__new__(type(row))
    twin.__dict__ = row.__dict__ | changes
    return twin


@dataclass
class PastOrder:
    """One order through time."""

    row: Order
    turns: Sequence[Turn] = ()
    refunds: Sequence[Back] = ()
    _moments: list[datetime] = field(default_factory=list)
    _states: dict[int, Order] = field(default_factory=dict)

    def __post_init__(self) -> None:
        row = self.row
        dated = [row.paid_gmt, row.completed_gmt, row.delivered_at, row.deleted_at, row.trashed_at]
        dated += [turn.at for turn in self.turns]
        dated += [at for back in self.refunds for at in (back.at, back.undone_at)]
        self._moments = sorted({at for at in dated if at})

    @property
    def undated(self) -> bool:
        """Whether it ended at a moment that nobody recorded."""
        return not self.turns and self.row.status in _UNDATED

    def at(self, moment: datetime) -> Order:
        """The order as it was."""
        place = bisect_right(self._moments, moment)
        if place == len(self._moments):
            return self.row
        if place not in self._states:
            self._states[place] = self._made(moment)
        return self._states[place]

    def _made(self, moment: datetime) -> Order:
        row = self.row
        refunded = self._refunded(moment)
        status = self._status(moment, refunded)
        changes: dict[str, Any] = {"status": status, "refunded": refunded}
        for name in ("paid_gmt", "completed_gmt", "delivered_at", "deleted_at", "trashed_at"):
            changes[name] = _until(getattr(row, name), moment)
        if changes["delivered_at"] is None:
            changes["delivered_estimated"] = False
        made: Order = copied(row, **changes)
        made.counted = self._counted(made)
        return made

    def _refunded(self, moment: datetime) -> Decimal:
        if not self.refunds:
            return self.row.refunded
        given = (back for back in self.refunds if back.at <= moment and (not back.undone_at or back.undone_at > moment))
        return sum((back.amount for back in given), Decimal(0))

    def _status(self, moment: datetime, refunded: Decimal) -> str:
        row = self.row
        if self.turns:
            done = [turn.after for turn in self.turns if turn.at <= moment]
            return done[-1] if done else self.turns[0].before
        status = row.status
        if status in _UNDATED or status in {"pending", "on-hold", "checkout-draft"}:
            return status
        if status == "refunded" and self.refunds and (row.total <= 0 or refunded < row.total):
            status = "completed" if row.completed_gmt else "processing"
        if status == "completed" and row.completed_gmt and row.completed_gmt > moment:
            status = "processing"
        if status == "processing" and row.paid_gmt and row.paid_gmt > moment:
            return status if row.payment_method in _AT_THE_DOOR else "pending"
        return status

    def _counted(self, made: Order) -> bool:
        if made.paid_gmt is None or made.status in {"pending", "failed", "cancelled", "on-hold", "checkout-draft"}:
            return False
        if made.deleted_at or made.trashed_at or made.fully_refunded:
            return False
        # One that never counts for another reason (a gateway's test mode) did not count then either.
        row = self.row
        gone = row.deleted_at or row.trashed_at or row.fully_refunded or row.status in {"cancelled", "failed"}
        return bool(row.counted or gone)


def _until(at: datetime | None, moment: datetime) -> datetime | None:
    return at if at and at <= moment else None


def customer_at(row: Customer, orders: Sequence[PastOrder], moment: datetime, *, currency: str) -> Customer:
    """The customer with the counters that the orders of that moment give; all else is as it is now."""
    count, spent = 0, Decimal(0)
    first: datetime | None = None
    last: datetime | None = None
    for past in orders:
        if past.row.created_gmt > moment:
            continue
        order = past.at(moment)
        if not order.counted:
            continue
        count += 1
        if order.currency == currency:
            spent += order.net
        first = first or order.created_gmt
        last = order.created_gmt
    made: Customer = copied(row, orders_count=count, spent=spent, first_order_at=first, last_order_at=last)
    return made
