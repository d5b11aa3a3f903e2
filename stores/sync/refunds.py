"""Refunds: their sums come with the order, their lines with a fetch of their own, their end by absence."""

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from stores import events
from stores.events import Fact
from stores.models import Order, OrderLine, Refund, Store
from stores.sync import rows, tasks
from stores.sync.people import live
from stores.woo.payloads import RefundPayload

if TYPE_CHECKING:
    from stores.sync.orders import Taken

_COLUMNS = ("store_id", "order_id", "woo_id", "amount", "reason", "created_gmt", "deleted_at", "lines")


def from_orders(store: Store, taken: Sequence["Taken"], *, fetched_at: datetime, historic: bool) -> list[Fact]:
    """Write the refunds that these orders mention and close those they no longer mention; the facts of it."""
    told = {refund.woo_id: (one, refund) for one in taken for refund in one.order.refunds}
    again = {one.pk: one for one in taken if one.known and (one.known.refunded or one.order.refunds)}
    old = {row.woo_id: row for row in Refund.objects.filter(store=store, order_id__in=again)} if again else {}
    gone = [row for row in old.values() if row.woo_id not in told and row.deleted_at is None]
    fresh = {
        i: pair for i, pair in told.items() if i not in old or old[i].deleted_at or old[i].amount != pair[1].amount
    }
    rows.upsert(
        Refund,
        _COLUMNS,
        [
            (store.pk, one.pk, refund.woo_id, refund.amount, refund.reason, one.order.modified, None, None)
            for one, refund in fresh.values()
        ],
        key=("store_id", "woo_id"),
        keep=("created_gmt", "lines"),
    )
    facts: list[Fact] = []
    if fresh:
        ids = dict(Refund.objects.filter(store=store, woo_id__in=fresh).values_list("woo_id", "pk"))
        for woo_id, (one, refund) in fresh.items():
            at = one.order.modified
            facts.append(
                Fact(
                    events.REFUND_CREATED,
                    ids[woo_id],
                    at,
                    order_id=one.pk,
                    customer_id=one.customer_id,
                    historic=not live(store, at, historic=historic),
                    payload={"amount": str(refund.amount), "reason": refund.reason},
                )
            )
        # The order mentions only sums; which lines went back is told by the refunds of the order, fetched next.
        tasks.arm(store, [("refund", one.order.woo_id) for one, _ in fresh.values()])
    for row in gone:
        row.deleted_at = fetched_at
        row.save(update_fields=["deleted_at"])
        facts.append(
            Fact(
                events.REFUND_DELETED,
                row.pk,
                fetched_at,
                order_id=row.order_id,
                customer_id=again[row.order_id].customer_id,
                historic=not live(store, fetched_at, historic=historic),
                payload={"amount": str(row.amount)},
            )
        )
    if gone:
        sum_lines({row.order_id for row in gone})
    return facts


def apply_refunds(store: Store, page: Sequence[RefundPayload]) -> int:
    """Write refunds with their lines; how many changed. Those of orders that are not mirrored yet wait for the order."""
    orders = dict(
        Order.objects.filter(store=store, woo_id__in={one.order_woo_id for one in page}).values_list("woo_id", "pk")
    )
    old = {row.woo_id: row for row in Refund.objects.filter(store=store, woo_id__in=[one.woo_id for one in page])}
    written = []
    for one in page:
        row = old.get(one.woo_id)
        lines = [
            {
                "line": line.line_id,
                "product": line.product_id,
                "quantity": str(line.quantity),
                "total": str(line.total),
            }
            for line in one.lines
        ]
        # A refund that the order does not mention (any more) is the order's to tell.
        if row is None or one.order_woo_id not in orders:
            continue
        if row.lines == lines and row.amount == one.amount and row.created_gmt == one.created:
            continue
        written.append(
            (
                store.pk,
                row.order_id,
                one.woo_id,
                one.amount,
                one.reason,
                one.created or row.created_gmt,
                row.deleted_at,
                json.dumps(lines),
            )
        )
    rows.upsert(Refund, _COLUMNS, written, key=("store_id", "woo_id"))
    sum_lines({int(row[1]) for row in written})
    return len(written)


def sum_lines(orders: set[int]) -> None:
    """Work out what of each line of these orders was refunded, from their living refunds."""
    if not orders:
        return
    back: dict[tuple[int, int], tuple[Decimal, Decimal]] = {}
    for order_id, lines in Refund.objects.filter(
        order_id__in=orders, deleted_at__isnull=True, lines__isnull=False
    ).values_list("order_id", "lines"):
        for line in lines or []:
            quantity, total = back.get((order_id, line["line"]), (Decimal(0), Decimal(0)))
            back[order_id, line["line"]] = quantity + Decimal(line["quantity"]), total + Decimal(line["total"])
    none = (Decimal(0), Decimal(0))
    rows.update(
        OrderLine,
        ("refunded_quantity", "refunded_total"),
        [
            (*back.get((order_id, woo_id), none), pk)
            for pk, order_id, woo_id in OrderLine.objects.filter(order_id__in=orders).values_list(
                "pk", "order_id", "woo_id"
            )
        ],
    )
