"""wc/v3/orders."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from .. import checkout, orders, params
from ..auth import require
from ..coupons import CouponRefused
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, json_response, missing_params
from . import collection

KINDS = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft")
_STATUS = params.one_of("auto-draft", *KINDS)
HIDDEN = ["trash", "checkout-draft", "auto-draft"]
EMAIL = re.compile(r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")


def _missing(status: int = 404, message: str = "Invalid ID.") -> RestError:
    return RestError("woocommerce_rest_shop_order_invalid_id", message, status)


def list_orders(store: Store, request: Request) -> Response:
    require(request, "view")
    checks = {
        **collection.PAGING,
        **collection.date_checks(store, "after", "before", "modified_after", "modified_before"),
        "orderby": params.one_of("date", "id", "include", "title", "slug", "modified"),
        "status": params.many_of("any", "trash", "auto-draft", *KINDS),
        "customer": params.integer(),
        "product": params.integer(),
        "parent": params.integers,
        "dp": params.integer(),
    }
    values = params.read(request.query, checks)
    where = collection.Where("order")
    wanted = values.get("status") or ["any"]
    if "any" in wanted:
        where.any_of("status", HIDDEN, negated=True)
    else:
        where.any_of("status", wanted)
    if "customer" in values:
        where.add("customer = ?", values["customer"])
    if "product" in values:
        where.add(
            "EXISTS (SELECT 1 FROM json_each(body, '$.line_items')"
            " WHERE ? IN (json_extract(value, '$.product_id'), json_extract(value, '$.variation_id')))",
            values["product"],
        )
    collection.common_filters(store, where, values)
    return collection.listing(
        store,
        request,
        where,
        values,
        order=collection.sorting(
            values, {"date": "created", "modified": "modified", "id": "id", "title": "id", "slug": "id"}, default="date"
        ),
        forgets_totals=store.hpos,
        link_defaults={"status[0]": "any", "dp": "2", "context": "view"},
    )


def get_order(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "order", id)
    if text is None:
        raise _missing()
    return collection.one(store, request, "order", text)


def _checked(request: Request) -> Body:
    given = request.json()
    checks = {"status": _STATUS, "customer_id": params.integer(), "set_paid": params.boolean}
    faults: dict[str, params.Fault] = {}
    for name, check in checks.items():
        if name in given:
            given[name], fault = check(name, given[name])
            if fault:
                faults[name] = fault
    email = (given.get("billing") or {}).get("email") if isinstance(given.get("billing"), dict) else None
    if email and not EMAIL.match(str(email)):
        faults["billing"] = ("rest_invalid_email", "Invalid email address.", None)
    if faults:
        raise params.invalid(faults)
    return given


def _item(line: Body) -> checkout.Item:
    return checkout.Item(
        product_id=int(line.get("product_id") or 0),
        variation_id=int(line.get("variation_id") or 0),
        quantity=int(line.get("quantity") or 1),
        name=str(line.get("name") or ""),
        subtotal=checkout.decimal(line.get("subtotal")),
        total=checkout.decimal(line.get("total")),
        meta_data=line.get("meta_data") or (),
    )


def _rows(given: Body, name: str) -> list[Body]:
    value = given.get(name)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def create_order(store: Store, request: Request) -> Response:
    require(request, "create")
    given = _checked(request)
    customer_id = given.get("customer_id") or 0
    if customer_id and store.storage.text("customer", customer_id) is None:
        raise RestError("woocommerce_rest_invalid_customer_id", "Customer ID is invalid.", 400)
    id = store.new_id("order")
    details: dict[str, Any] = {
        "items": [_item(line) for line in _rows(given, "line_items")],
        "billing": checkout.address(given.get("billing")),
        "shipping": checkout.address(given.get("shipping")),
        "customer_id": customer_id,
        "shipping_lines": _rows(given, "shipping_lines"),
        "fee_lines": _rows(given, "fee_lines"),
        "payment_method": str(given.get("payment_method") or ""),
        "payment_method_title": str(given.get("payment_method_title") or ""),
        "customer_note": str(given.get("customer_note") or ""),
        "transaction_id": str(given.get("transaction_id") or ""),
        "meta_data": _rows(given, "meta_data"),
        "reserve_id": id,
    }
    status = given.get("status") or ("processing" if given.get("set_paid") else "pending")
    codes = [str(line.get("code") or "") for line in _rows(given, "coupon_lines")]
    try:
        body = checkout.build(store, coupon_codes=codes, status=status, **details)
    except CouponRefused as refusal:
        # WooCommerce 11 leaves the half-made order behind as a draft.
        draft = checkout.build(store, status="checkout-draft", **details)
        store.save("order", draft, touch=False)
        raise RestError(
            "woocommerce_rest_invalid_coupon", str(refusal), 400, extra={"new_draft_order_id": draft["id"]}
        ) from None
    orders.place(store, body, storefront=False)
    return collection.created(store, request, "order", body, "orders")


def update_order(store: Store, request: Request, id: int) -> Response:
    require(request, "edit")
    body = store.storage.get("order", id)
    if body is None:
        raise _missing(400, "ID is invalid.")
    given = _checked(request)
    for name in ("line_items", "coupon_lines", "shipping_lines", "fee_lines"):
        if given.get(name):
            raise RestError("sandbox_not_supported", f"The sandbox store cannot change {name} of an order.", 501)
    before = encode({**body, "meta_data": []})
    for name in ("customer_note", "transaction_id", "payment_method", "payment_method_title"):
        if name in given:
            body[name] = str(given[name] or "")
    for name in ("billing", "shipping"):
        if isinstance(given.get(name), dict):
            body[name].update({key: str(value or "") for key, value in given[name].items() if key in body[name]})
    if "customer_id" in given:
        if given["customer_id"] and store.storage.text("customer", given["customer_id"]) is None:
            raise RestError("woocommerce_rest_invalid_customer_id", "Customer ID is invalid.", 400)
        body["customer_id"] = given["customer_id"]
    if "meta_data" in given:
        body["meta_data"] = store.merge_meta(body["meta_data"], given["meta_data"])
    news = True
    if body["status"] == "trash" and given.get("status"):
        store.unmark_trashed(body)
        news = not store.hpos
    if given.get("set_paid") and not body["date_paid"]:
        store.stamp(body, "date_paid")
        orders.set_status(store, body, given.get("status") or "processing")
    elif given.get("status"):
        orders.set_status(store, body, given["status"])
    # On posts storage a write that changes no column but meta leaves the date alone.
    moved = store.hpos or encode({**body, "meta_data": []}) != before
    orders.save(store, body, touch=moved, news=news)
    return collection.one(store, request, "order", encode(body))


def delete_order(store: Store, request: Request, id: int) -> Response:
    require(request, "delete")
    body = store.storage.get("order", id)
    if body is None:
        raise _missing()
    if request.flag("force"):
        orders.destroy(store, body)
        return collection.one(store, request, "order", encode(body))
    if body["status"] == "trash":
        raise RestError("woocommerce_rest_already_trashed", "The shop_order has already been deleted.", 410)
    return collection.one(store, request, "order", encode(orders.trash(store, body)))


def list_notes(store: Store, request: Request, order_id: int) -> Response:
    require(request, "view")
    if store.storage.text("order", order_id) is None:
        raise _missing(404, "Invalid order ID.")
    where = collection.Where("note")
    where.add("parent = ?", order_id)
    wanted = request.query.get("type", "any")
    if wanted in ("customer", "internal"):
        where.add("status = ?", wanted)
    rows = store.storage.select(where.sql, tuple(where.args), order="created ASC, id ASC")
    asked = collection.fields_asked(request)
    if asked:
        bodies = store.storage.bodies(where.sql, tuple(where.args), order="created ASC, id ASC")
        return json_response(request, encode([collection.pick(body, asked) for body in bodies]))
    return json_response(request, f"[{','.join(text for _, text, _ in rows)}]")


def create_note(store: Store, request: Request, order_id: int) -> Response:
    require(request, "create")
    if store.storage.text("order", order_id) is None:
        raise _missing(404, "Invalid order ID.")
    given = request.json()
    if "note" not in given:
        raise missing_params(["note"])
    to_customer = str(given.get("customer_note", "")).lower() in ("1", "true")
    body = orders.note(store, order_id, str(given["note"]), to_customer=to_customer)
    return collection.created(store, request, "note", body, f"orders/{order_id}/notes")


def get_note(store: Store, request: Request, order_id: int, id: int) -> Response:
    require(request, "view", single=True)
    return collection.one(store, request, "note", _note(store, order_id, id))


def delete_note(store: Store, request: Request, order_id: int, id: int) -> Response:
    require(request, "delete")
    text = _note(store, order_id, id)
    if not request.flag("force"):
        raise RestError("woocommerce_rest_trash_not_supported", "Order notes do not support trashing.", 501)
    store.storage.delete("note", id)
    return collection.one(store, request, "note", text)


def _note(store: Store, order_id: int, id: int) -> str:
    rows = store.storage.select("kind = 'note' AND id = ? AND parent = ?", (id, order_id))
    if not rows:
        raise RestError("woocommerce_rest_invalid_id", "Invalid resource ID.", 404)
    return rows[0][1]


def list_refunds(store: Store, request: Request, order_id: int | None = None) -> Response:
    """An order's refunds (an empty list for an order that is not there), or all of the store."""
    require(request, "view")
    checks = {
        **collection.PAGING,
        **collection.date_checks(store, "after", "before", "modified_after", "modified_before"),
        "dp": params.integer(),
    }
    values = params.read(request.query, checks)
    where = collection.Where("refund")
    if order_id is not None:
        where.add("parent = ?", order_id)
    collection.common_filters(store, where, values)
    order = collection.sorting(values, {}, default="date")
    if order_id is not None:
        return collection.listing(store, request, where, values, order=order, forgets_totals=store.hpos)
    return collection.listing(
        store,
        request,
        where,
        values,
        order=order,
        forgets_totals=store.hpos,
        link_defaults={"dp": "2"},
        transform=lambda body, parent: {"id": body["id"], "parent_id": parent, **body},
    )


def create_refund(store: Store, request: Request, order_id: int) -> Response:
    require(request, "create")
    body = store.storage.get("order", order_id)
    if body is None:
        raise RestError("woocommerce_rest_invalid_order_id", "Invalid order ID.", 404)
    given = request.json()
    # The refunds' errors carry a bare number as data, and everything is a 500.
    failure = ("woocommerce_rest_cannot_create_order_refund", 500)
    amount = checkout.decimal(given.get("amount"))
    if amount is not None and amount > Decimal(body["total"]) - orders.refunded(body):
        raise RestError(failure[0], "Invalid refund amount.", 500, data=500)
    if str(given.get("api_refund", True)).lower() not in ("0", "false"):
        raise RestError(failure[0], "The payment gateway for this order does not exist.", 500, data=500)
    try:
        made = orders.refund(
            store,
            body,
            amount=amount,
            reason=str(given.get("reason") or ""),
            items=[row for row in _rows(given, "line_items") if row.get("id")],
        )
    except ValueError as error:
        raise RestError(failure[0], str(error), 500, data=500) from None
    location = f"{request.base}/wp-json/wc/v3/orders/(?P<order_id>[\\d]+)/refunds/{made['id']}"
    return collection.one(store, request, "refund", encode(made), status=201, location=location)


def get_refund(store: Store, request: Request, order_id: int, id: int) -> Response:
    require(request, "view", single=True)
    return collection.one(store, request, "refund", _refund(store, order_id, id))


def delete_refund(store: Store, request: Request, order_id: int, id: int) -> Response:
    require(request, "delete")
    text = _refund(store, order_id, id)
    if not request.flag("force"):
        raise RestError("woocommerce_rest_trash_not_supported", "Refunds do not support trashing.", 501)
    store.storage.delete("refund", id)
    body = store.storage.get("order", order_id)
    if body is not None:
        body["refunds"] = [one for one in body["refunds"] if one["id"] != id]
        # Neither the order's date moves nor is anybody told.
        store.save("order", body, touch=False)
    return collection.one(store, request, "refund", text)


def _refund(store: Store, order_id: int, id: int) -> str:
    rows = store.storage.select("kind = 'refund' AND id = ? AND parent = ?", (id, order_id))
    if not rows:
        raise RestError("woocommerce_rest_invalid_order_refund_id", "Invalid order refund ID.", 404)
    return rows[0][1]
