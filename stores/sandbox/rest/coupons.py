"""wc/v3/coupons and coupons/batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .. import documents, params
from ..auth import require
from ..checkout import decimal
from ..coupons import find, stored_code
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, json_response, missing_params
from . import collection
from .orders import EMAIL

TYPES = ("percent", "fixed_cart", "fixed_product")
_PLAIN = ("description", "individual_use", "free_shipping", "exclude_sale_items")
_LISTS = ("product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories")
_LIMITS = ("usage_limit", "usage_limit_per_user", "limit_usage_to_x_items")
_CODE = "woocommerce_rest_shop_coupon_invalid_id"


def list_coupons(store: Store, request: Request) -> Response:
    require(request, "view")
    checks = {
        **collection.PAGING,
        **collection.date_checks(store, "after", "before", "modified_after", "modified_before"),
        "orderby": params.one_of("date", "id", "include", "title", "slug", "modified"),
        "code": params.text,
    }
    values = params.read(request.query, checks)
    where = collection.Where("coupon")
    where.add("status != 'trash'")
    if values.get("code"):
        where.add("code = ?", stored_code(values["code"]))
    collection.common_filters(store, where, values)
    names = {"id": "id", "title": "code", "slug": "code", "modified": "modified"}
    return collection.listing(store, request, where, values, order=collection.sorting(values, names, default="date"))


def get_coupon(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "coupon", id)
    if text is None:
        raise RestError(_CODE, "Invalid ID.", 404)
    return collection.one(store, request, "coupon", text)


def _amount(store: Store, body: Body, value: Any) -> None:
    amount = decimal(value)
    if amount is not None and (amount < 0 or (body["discount_type"] == "percent" and amount > 100)):
        raise RestError("coupon_invalid_amount", "Invalid discount amount.", 400)
    # What is no number is taken as nothing, without a word.
    body["amount"] = documents.amount_text(amount or Decimal(), site=store.site)


def _change(store: Store, body: Body, given: Body) -> None:
    for name in _PLAIN:
        if name in given:
            body[name] = given[name] if name == "description" else str(given[name]).lower() in ("1", "true")
    for name in _LISTS:
        if isinstance(given.get(name), list):
            body[name] = [int(one) for one in given[name] if str(one).isdigit()]
    for name in _LIMITS:
        if name in given:
            body[name] = int(given[name]) if str(given[name] or "").isdigit() and int(given[name]) else None
    for name in ("minimum_amount", "maximum_amount"):
        if name in given:
            body[name] = documents.amount_text(decimal(given[name]) or Decimal(), site=store.site)
    if "discount_type" in given:
        if given["discount_type"] not in TYPES:
            raise RestError("coupon_invalid_discount_type", "Invalid discount type.", 400)
        body["discount_type"] = given["discount_type"]
    if "amount" in given:
        _amount(store, body, given["amount"])
    if isinstance(given.get("email_restrictions"), list):
        # Addresses that are none are dropped without a word: the coupon is then open to everybody.
        body["email_restrictions"] = [
            str(one).strip().lower() for one in given["email_restrictions"] if EMAIL.match(str(one).strip())
        ]
    # `date_expires_gmt` is ignored, as WooCommerce ignores it.
    if "date_expires" in given:
        written = store.clock.write_date(str(given["date_expires"])) if given["date_expires"] else None
        body["date_expires"], body["date_expires_gmt"] = written or (None, None)
    if "meta_data" in given:
        body["meta_data"] = store.merge_meta(body["meta_data"], given["meta_data"])
    if given.get("status") in ("publish", "draft", "pending", "private"):
        body["status"] = given["status"]


def create(store: Store, given: Body) -> Body:
    """A new coupon with its news. Raises RestError as WooCommerce refuses."""
    if "code" not in given:
        raise missing_params(["code"])
    code = stored_code(str(given["code"]))
    if not code:
        raise RestError("woocommerce_rest_empty_coupon_code", "The coupon code cannot be empty.", 400)
    if find(store, str(given["code"])):
        raise RestError("woocommerce_rest_coupon_code_already_exists", "The coupon code already exists", 400)
    body = documents.coupon(site=store.site, id=0, code="x", amount=Decimal(), created=store.now, modified=store.now)
    _change(store, body, given)
    body["id"], body["code"] = store.new_id("coupon"), code
    body["_links"]["self"][0]["href"] = f"{store.site.api}/coupons/{body['id']}"
    store.save("coupon", body, touch=False)
    store.emit("coupon.created", body["id"])
    return body


def update(store: Store, id: int, given: Body) -> Body:
    body = store.storage.get("coupon", id)
    if body is None:
        raise RestError(_CODE, "Invalid ID.", 400)
    was_trashed = body["status"] == "trash"
    if "code" in given:
        other = find(store, str(given["code"]))
        if other and other["id"] != id:
            raise RestError("woocommerce_rest_coupon_code_already_exists", "The coupon code already exists", 400)
        body["code"] = stored_code(str(given["code"]))
    before = encode(body)
    _change(store, body, given)
    if was_trashed and body["status"] != "trash":
        store.unmark_trashed(body)
        store.emit("coupon.restored", id)
        store.emit("product.restored", id)
    # A coupon is a post: writing meta or amounts alone moves its date only when something changed.
    store.save("coupon", body, touch=encode(body) != before)
    store.emit("coupon.updated", id)
    return body


def create_coupon(store: Store, request: Request) -> Response:
    require(request, "create")
    given = request.json()
    if "code" in given:
        params.read(given, {"discount_type": params.one_of(*TYPES)})
    return collection.created(store, request, "coupon", create(store, given), "coupons")


def update_coupon(store: Store, request: Request, id: int) -> Response:
    require(request, "edit")
    given = request.json()
    params.read(given, {"discount_type": params.one_of(*TYPES)})
    return collection.one(store, request, "coupon", encode(update(store, id, given)))


def delete_coupon(store: Store, request: Request, id: int) -> Response:
    require(request, "delete")
    body = store.storage.get("coupon", id)
    if body is None:
        raise RestError(_CODE, "Invalid ID.", 404)
    if request.flag("force"):
        store.storage.delete("coupon", id)
        return collection.one(store, request, "coupon", encode(body))
    if body["status"] == "trash":
        raise RestError("woocommerce_rest_already_trashed", "The shop_coupon has already been deleted.", 410)
    shown = encode(body)
    store.mark_trashed(body, body["status"], slug=body["code"])
    body["status"] = "trash"
    store.save("coupon", body)
    store.emit("coupon.deleted", id)
    store.emit("product.deleted", id)
    return collection.one(store, request, "coupon", shown)


def _each(rows: list[Any], act: Callable[[Any], Body], id_of: Callable[[Any], int]) -> list[Body]:
    answers: list[Body] = []
    for row in rows:
        try:
            answers.append(act(row))
        except RestError as error:
            answers.append({"id": id_of(row), "error": error.body()})
    return answers


def batch_of(
    store: Store,
    request: Request,
    *,
    create: Callable[[Body], Body],
    update: Callable[[int, Body], Body],
    delete: Callable[[int], Body],
) -> Response:
    """create, update and delete in one request; each failed item answers with its error in its place."""
    require(request, "batch")
    given = request.json()
    parts = {name: given[name] for name in ("create", "update", "delete") if isinstance(given.get(name), list)}
    if sum(len(rows) for rows in parts.values()) > 100:
        raise RestError(
            "woocommerce_rest_request_entity_too_large", "Unable to accept more than 100 items for this request.", 413
        )
    answer: Body = {}
    if "create" in parts:
        answer["create"] = _each(parts["create"], lambda row: create(dict(row)), lambda row: 0)
    if "update" in parts:
        answer["update"] = _each(
            parts["update"], lambda row: update(int(row["id"]), dict(row)), lambda row: int(row["id"])
        )
    if "delete" in parts:
        answer["delete"] = _each(parts["delete"], lambda id: delete(int(id)), int)
    return json_response(request, encode(answer or []))


def batch_coupons(store: Store, request: Request) -> Response:
    """Deleting here is for good, without trash."""

    def delete(id: int) -> Body:
        text = store.storage.text("coupon", id)
        if text is None:
            raise RestError(_CODE, "Invalid ID.", 404)
        store.storage.delete("coupon", id)
        gone: Body = json.loads(text)
        return gone

    return batch_of(
        store,
        request,
        create=lambda row: create(store, row),
        update=lambda id, row: update(store, id, row),
        delete=delete,
    )
