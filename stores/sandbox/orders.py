"""What happens to an order: states with their effects, refunds, shipping, trash."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from typing import Any

from . import coupons, documents
from .checkout import Item, catalogue_entry
from .documents import Body
from .store import Store

STATUSES = {
    "pending": "Pending payment",
    "processing": "Processing",
    "on-hold": "On hold",
    "completed": "Completed",
    "cancelled": "Cancelled",
    "refunded": "Refunded",
    "failed": "Failed",
    "checkout-draft": "Draft",
}
PAID = ("processing", "completed")
SOLD = ("processing", "completed", "on-hold")


def note(store: Store, order_id: int, text: str, *, to_customer: bool = False, author: str = "WooCommerce") -> Body:
    """Adds an order note. It moves no date and sends no news."""
    base = f"{store.site.api}/orders/{order_id}"
    id = store.new_id("note")
    links = {
        "self": [{"href": f"{base}/notes/{id}", "targetHints": {"allow": ["GET", "DELETE"]}}],
        "collection": [{"href": f"{base}/notes"}],
        "up": [{"href": base}],
    }
    body: Body = {"id": id, "author": author}
    store.stamp(body, "date_created")
    body.update({"note": text, "customer_note": to_customer, "_links": links})
    return store.storage.put("note", body, parent=order_id)


def refresh(body: Body) -> None:
    """The three flags that follow from state and total."""
    status = body["status"]
    body["is_editable"] = status in ("pending", "on-hold", "auto-draft")
    body["needs_payment"] = status in ("pending", "failed") and Decimal(body["total"]) > 0


def place(store: Store, body: Body, *, storefront: bool) -> Body:
    """Stores a new order with the effects of its state. At a checkout, the news of the update comes first."""
    _dates_of_status(store, body)
    refresh(body)
    store.save("order", body, touch=False)
    coupons.count_uses(store, body)
    topics = ["order.updated", "order.created"] if storefront else ["order.created", "order.updated"]
    for topic in topics:
        store.emit(topic, body["id"])
    _record_sale(store, body)
    return body


def set_status(store: Store, body: Body, status: str) -> None:
    """Moves an order to another state, with notes, dates, coupon uses, stock; the caller saves it afterwards."""
    before = body["status"]
    if status == before:
        return
    body["status"] = status
    _dates_of_status(store, body)
    refresh(body)
    if before in STATUSES and status in STATUSES:
        note(store, body["id"], f"Order status changed from {STATUSES[before]} to {STATUSES[status]}.")
    if status == "refunded":
        left = Decimal(body["total"]) - refunded(body)
        if left > 0:
            _append_refund(store, body, amount=left, reason="Order fully refunded.", lines=[])


def _dates_of_status(store: Store, body: Body) -> None:
    # Cash on delivery counts as paid when the order is completed.
    paid = ("completed",) if body["payment_method"] == "cod" else PAID
    if body["status"] in paid and not body["date_paid"]:
        store.stamp(body, "date_paid")
    if body["status"] == "completed" and not body["date_completed"]:
        store.stamp(body, "date_completed")


def _record_sale(store: Store, body: Body) -> None:
    """Counts sales and takes stock, once; the products change and say so."""
    if body["status"] not in SOLD or store.storage.flags("order", body["id"]).get("sold"):
        return
    store.storage.set_flags("order", body["id"], sold=True)
    for line in body["line_items"]:
        item = Item(product_id=line["product_id"], variation_id=line["variation_id"])
        product, variation = catalogue_entry(store, item)
        stocked = variation if variation and variation["manage_stock"] is True else product
        if stocked and stocked["manage_stock"] is True and stocked["stock_quantity"] is not None:
            stocked["stock_quantity"] -= line["quantity"]
            stocked["stock_status"] = "instock" if stocked["stock_quantity"] > 0 else "outofstock"
            if stocked is variation:
                store.save("variation", variation)
        if product:
            product["total_sales"] = int(product["total_sales"]) + line["quantity"]
            store.save("product", product)
            store.emit("product.updated", product["id"])
    account = store.storage.get("customer", body["customer_id"]) if body["customer_id"] else None
    if account and not account["is_paying_customer"]:
        account["is_paying_customer"] = True
        store.save("customer", account, touch=False)


def save(store: Store, body: Body, *, touch: bool = True, news: bool = True) -> Body:
    """Writes a changed order with the effects of its state."""
    refresh(body)
    store.save("order", body, touch=touch)
    coupons.count_uses(store, body)
    if news:
        store.emit("order.updated", body["id"])
    _record_sale(store, body)
    return body


def refunded(body: Body) -> Decimal:
    """What was refunded of the order so far, with tax."""
    return -sum((Decimal(one["total"] or 0) for one in body["refunds"]), Decimal())


def _append_refund(
    store: Store, body: Body, *, amount: Decimal | None, reason: str, lines: list[Body], api: bool = False
) -> Body:
    id = store.new_id("refund")
    full = amount is not None and refunded(body) + amount >= Decimal(body["total"]) > 0
    document = documents.refund(
        site=store.site,
        id=id,
        order_id=body["id"],
        created=store.now,
        amount=amount,
        reason=reason,
        refunded_payment=api,
        lines=lines,
        meta_data=[documents.meta(id=store.meta_id(), key="_refund_type", value="full" if full else "partial")],
    )
    store.storage.put("refund", document, parent=body["id"])
    body["refunds"].insert(0, documents.order_refund(site=store.site, id=id, amount=amount or Decimal(), reason=reason))
    return document


def refund(
    store: Store, body: Body, *, amount: Decimal | None, reason: str = "", items: list[Body] | None = None
) -> Body:
    """Refunds part or all; a full refund also moves the order to `refunded`. The refund moves the order's date.

    `items`: [{id, quantity}] of lines that come back. Raises ValueError when it is more than what is left.
    """
    left = Decimal(body["total"]) - refunded(body)
    if amount is not None and (amount < 0 or amount > left):
        raise ValueError("Invalid refund amount.")
    by_id = {line["id"]: line for line in body["line_items"]}
    lines = [
        documents.refund_line(
            site=store.site,
            id=store.item_id(),
            meta_id=store.meta_id(),
            line=by_id[int(one["id"])],
            quantity=int(one.get("quantity") or 0),
        )
        for one in items or []
        if int(one["id"]) in by_id and by_id[int(one["id"])]["quantity"]
    ]
    document = _append_refund(store, body, amount=amount, reason=reason, lines=lines)
    if amount and amount == left:
        set_status(store, body, "refunded")
    save(store, body)
    return document


def set_meta(store: Store, body: Body, key: str, value: Any) -> None:
    body["meta_data"] = store.merge_meta(body["meta_data"], [{"key": key, "value": value}])


def tracking(store: Store, body: Body, *, provider: str, number: str, link: str, shipped: datetime) -> None:
    """Adds a parcel to the order as the Shipment Tracking plugin stores it."""
    parcel: dict[str, Any] = {
        "tracking_provider": "",
        "custom_tracking_provider": provider,
        "custom_tracking_link": link,
        "tracking_number": number,
        "date_shipped": str(int(shipped.timestamp())),
        "tracking_id": hashlib.md5(number.encode(), usedforsecurity=False).hexdigest(),
    }
    key = "_wc_shipment_tracking_items"
    present: list[Any] = next((entry["value"] for entry in body["meta_data"] if entry["key"] == key), [])
    set_meta(store, body, key, [*present, parcel])


def trash(store: Store, body: Body) -> Body:
    """Moves the order to the trash; returns the document as it was before."""
    shown = dict(body)
    store.mark_trashed(body, f"wc-{body['status']}")
    body["status"] = "trash"
    refresh(body)
    store.save("order", body)
    coupons.count_uses(store, body)
    if not store.hpos:
        store.emit("coupon.deleted", body["id"])
        store.emit("product.deleted", body["id"])
    store.emit("order.deleted", body["id"])
    return shown


def destroy(store: Store, body: Body) -> None:
    """Deletes the order for good, with its notes and refunds; nobody is told."""
    for kind in ("note", "refund"):
        store.storage.execute("DELETE FROM objects WHERE kind = ? AND parent = ?", (kind, body["id"]))
    store.storage.delete("order", body["id"])
