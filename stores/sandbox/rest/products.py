"""wc/v3/products, their variations and categories."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from html import escape
from typing import Any

from .. import documents, params
from ..auth import require
from ..checkout import decimal
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, missing_params
from . import collection

_ORDER = {"date": "created", "modified": "modified", "id": "id", "title": "search", "slug": "search"}
PLAIN = (
    *("description", "short_description", "status", "featured", "catalog_visibility", "manage_stock", "stock_quantity"),
    *("stock_status", "weight", "virtual", "downloadable", "tax_status", "tax_class", "reviews_allowed", "menu_order"),
    *("purchase_note", "sold_individually", "backorders", "upsell_ids", "cross_sell_ids"),
)


def _missing() -> RestError:
    return RestError("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)


def list_products(store: Store, request: Request) -> Response:
    require(request, "view")
    checks = {
        **collection.PAGING,
        **collection.date_checks(store, "after", "before", "modified_after", "modified_before"),
        "orderby": params.one_of(
            *("date", "id", "include", "title", "slug", "modified", "menu_order", "price", "popularity", "rating")
        ),
        "status": params.one_of("any", "draft", "pending", "private", "publish", "future", "trash"),
        "type": params.one_of("simple", "grouped", "external", "variable"),
        "sku": params.text,
        "slug": params.text,
        "category": params.integers,
        "on_sale": params.boolean,
        "featured": params.boolean,
        "stock_status": params.one_of("instock", "outofstock", "onbackorder"),
    }
    values = params.read(request.query, checks)
    where = collection.Where("product")
    if values.get("sku"):
        # By SKU, and only so, variations are found too.
        where.parts[0] = "kind IN (?, 'variation')"
        where.any_of("code", [one.strip().lower() for one in values["sku"].split(",")])
    status = values.get("status", "any")
    if status == "any":
        where.add("status != 'trash'")
    else:
        where.add("status = ?", status)
    for name in ("type", "slug", "stock_status"):
        if name in values:
            where.add(f"json_extract(body, '$.{name}') = ?", values[name])
    for name in ("on_sale", "featured"):
        if name in values:
            where.add(f"json_extract(body, '$.{name}') = ?", int(values[name]))
    if values.get("category"):
        marks = ", ".join("?" * len(values["category"]))
        where.add(
            f"EXISTS (SELECT 1 FROM json_each(body, '$.categories') WHERE json_extract(value, '$.id') IN ({marks}))",  # noqa: S608 - marks are question marks
            *values["category"],
        )
    collection.common_filters(store, where, values)
    order = collection.sorting(values, _ORDER, default="date")
    shape = (lambda body, parent: as_product(store, body)) if values.get("sku") else None
    return collection.listing(store, request, where, values, order=order, transform=shape)


def as_product(store: Store, body: Body) -> Body:
    """A variation in the shape in which /products/ID answers it; products as they are."""
    if body.get("type") != "variation":
        return body
    parent = store.storage.get("product", body["parent_id"])
    if parent is None:
        return body
    shown = {**parent, **{key: value for key, value in body.items() if key in parent}}
    shown["name"] = f"{parent['name']} - {body['name']}"
    shown["slug"] = re.sub(r"[^a-z0-9]+", "-", shown["name"].lower()).strip("-")
    collection_address = f"{store.site.api}/products"
    shown.update(
        {
            "images": [body["image"]] if body["image"] else [],
            "variations": [],
            "type": "variation",
            "total_sales": "0",
            "has_options": False,
            "price_html": documents.price_html(site=store.site, low=Decimal(body["price"] or 0)),
            "_links": {
                "self": [{**parent["_links"]["self"][0], "href": f"{collection_address}/{body['id']}"}],
                "collection": [{"href": collection_address}],
                "up": [{"href": f"{collection_address}/{body['parent_id']}"}],
            },
        }
    )
    return shown


def find_product(store: Store, id: int) -> Body | None:
    """A product or, in product shape, a variation."""
    body = store.storage.get("product", id)
    if body is None:
        variation = store.storage.get("variation", id)
        body = as_product(store, variation) if variation else None
    return body


def get_product(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "product", id)
    if text is None:
        body = find_product(store, id)
        if body is None:
            raise _missing()
        text = encode(body)
    return collection.one(store, request, "product", text)


def edited(store: Store, body: Body) -> str:
    """A product as writing answers it, with what an editor is shown."""
    shown = {key: value for key, value in body.items() if key != "_links"}
    shown["permalink_template"] = f"{store.site.base_url}/product/%pagename%/"
    shown["generated_slug"] = body["slug"].removesuffix("__trashed")
    return encode({**shown, "_links": body["_links"]})


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"<[^>]*>", "", name).lower()).strip("-") or "product"


def _change(store: Store, body: Body, given: Body) -> None:
    for name in PLAIN:
        if name in given and name in body:
            body[name] = given[name]
    if "name" in given:
        body["name"] = escape(str(given["name"]), quote=False).replace("&lt;", "<").replace("&gt;", ">")
    for name in ("regular_price", "sale_price"):
        if name in given:
            amount = decimal(given[name])
            body[name] = "" if amount is None else documents.amount_text(amount, site=store.site)
    if {"regular_price", "sale_price"} & set(given):
        body["on_sale"] = body["sale_price"] != ""
        body["price"] = body["sale_price"] or body["regular_price"]
        body["purchasable"] = body["price"] != "" and body["status"] == "publish"
        if "price_html" in body:
            low = decimal(body["price"])
            body["price_html"] = "" if low is None else documents.price_html(site=store.site, low=low)
    if "categories" in given and "categories" in body:
        found = [store.storage.get("category", int(one.get("id") or 0)) for one in given["categories"]]
        body["categories"] = [{key: one[key] for key in ("id", "name", "slug")} for one in found if one]
    if "meta_data" in given:
        body["meta_data"] = store.merge_meta(body["meta_data"], given["meta_data"])
    sku = given.get("sku")
    if sku is not None and str(sku) != body["sku"]:
        clash = store.storage.select("kind IN ('product', 'variation') AND code = ?", (str(sku).lower(),))
        if sku and clash:
            raise RestError(
                "product_invalid_sku",
                "Invalid or duplicated SKU.",
                400,
                extra={"resource_id": clash[0][0], "unique_sku": f"{sku}-1"},
            )
        body["sku"] = str(sku)


def create_product(store: Store, request: Request) -> Response:
    require(request, "create")
    given = request.json()
    name = str(given.get("name") or "Product")
    body = documents.product(
        site=store.site,
        id=store.new_id("product"),
        name=name,
        slug=str(given.get("slug") or _slug(name)),
        created=store.now,
        modified=store.now,
        kind=str(given.get("type") or "simple"),
        status=str(given.get("status") or "publish"),
    )
    _change(store, body, given)
    store.save("product", body, touch=False)
    store.emit("product.created", body["id"])
    location = f"{request.base}/wp-json/wc/v3/products/{body['id']}"
    return collection.one(store, request, "product", edited(store, body), status=201, location=location)


def update_product(store: Store, request: Request, id: int) -> Response:
    require(request, "edit")
    body = store.storage.get("product", id)
    if body is None:
        raise RestError("woocommerce_rest_product_invalid_id", "Invalid ID.", 400)
    given = request.json()
    was_trashed = body["status"] == "trash"
    _change(store, body, given)
    if was_trashed and body["status"] != "trash":
        body["slug"] = body["slug"].removesuffix("__trashed")
        store.unmark_trashed(body)
        store.emit("coupon.restored", id)
        store.emit("product.restored", id)
    store.save("product", body)
    store.emit("product.updated", id)
    return collection.one(store, request, "product", edited(store, body))


def delete_product(store: Store, request: Request, id: int) -> Response:
    require(request, "delete")
    body = store.storage.get("product", id)
    if body is None:
        raise _missing()
    if request.flag("force"):
        store.storage.execute("DELETE FROM objects WHERE kind = 'variation' AND parent = ?", (id,))
        store.storage.delete("product", id)
        store.emit("product.updated", id)
        return collection.one(store, request, "product", edited(store, body))
    if body["status"] == "trash":
        raise RestError("woocommerce_rest_already_trashed", "The product has already been deleted.", 410)
    shown = edited(store, body)
    store.mark_trashed(body, body["status"], slug=body["slug"])
    body["status"], body["slug"] = "trash", f"{body['slug']}__trashed"
    store.save("product", body)
    store.emit("coupon.deleted", id)
    store.emit("product.deleted", id)
    return collection.one(store, request, "product", shown)


def list_variations(store: Store, request: Request, product_id: int) -> Response:
    """A product's variations; an empty list for a product that is not there."""
    require(request, "view")
    checks = {**collection.PAGING, **collection.date_checks(store, "after", "before", "modified_after")}
    values = params.read(request.query, checks)
    where = collection.Where("variation")
    where.add("parent = ?", product_id)
    collection.common_filters(store, where, values)
    order = collection.sorting(values, {}, default="date")
    return collection.listing(store, request, where, values, order=order)


def _variation(store: Store, product_id: int, id: int) -> Body:
    body = store.storage.get("variation", id)
    if body is None or body["parent_id"] != product_id:
        raise RestError("woocommerce_rest_product_variation_invalid_id", "Invalid ID.", 404)
    return body


def get_variation(store: Store, request: Request, product_id: int, id: int) -> Response:
    require(request, "view", single=True)
    return collection.one(store, request, "variation", encode(_variation(store, product_id, id)))


def update_variation(store: Store, request: Request, product_id: int, id: int) -> Response:
    require(request, "edit")
    body = _variation(store, product_id, id)
    given = request.json()
    given.pop("name", None)
    _change(store, body, given)
    store.save("variation", body)
    store.emit("product.updated", id)
    return collection.one(store, request, "variation", encode(body))


def create_variation(store: Store, request: Request, product_id: int) -> Response:
    require(request, "create")
    parent = store.storage.get("product", product_id)
    if parent is None:
        raise RestError("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
    given = request.json()
    chosen = [
        (int(one.get("id") or 0), str(one.get("name") or ""), _slug(str(one.get("name") or "")), str(one["option"]))
        for one in given.get("attributes") or []
        if isinstance(one, dict) and one.get("option")
    ]
    body = documents.variation(
        site=store.site,
        id=store.new_id("variation"),
        parent_id=product_id,
        parent_slug=parent["slug"],
        created=store.now,
        modified=store.now,
        sku="",
        regular_price=decimal(given.get("regular_price")) or Decimal(),
        attributes=chosen,
    )
    given.pop("name", None)
    _change(store, body, given)
    store.save("variation", body, touch=False)
    parent["variations"].append(body["id"])
    store.save("product", parent)
    store.emit("product.created", body["id"])
    return collection.created(store, request, "variation", body, f"products/{product_id}/variations")


def delete_variation(store: Store, request: Request, product_id: int, id: int) -> Response:
    require(request, "delete")
    body = _variation(store, product_id, id)
    if not request.flag("force"):
        raise RestError("woocommerce_rest_trash_not_supported", "Variations do not support trashing.", 501)
    parent = store.storage.get("product", product_id)
    if parent is not None:
        parent["variations"] = [one for one in parent["variations"] if one != id]
        store.save("product", parent)
    store.storage.delete("variation", id)
    return collection.one(store, request, "variation", encode(body))


def list_categories(store: Store, request: Request) -> Response:
    require(request, "view")
    checks = {
        **collection.PAGING,
        "orderby": params.one_of("id", "include", "name", "slug", "term_group", "description", "count"),
        "parent": params.integer(),
        "slug": params.text,
        "hide_empty": params.boolean,
    }
    values = params.read(request.query, checks)
    where = collection.Where("category")
    if "parent" in values:
        where.add("parent = ?", values["parent"])
    if "slug" in values:
        where.add("code = ?", values["slug"])
    if values.get("hide_empty"):
        where.add("json_extract(body, '$.count') > 0")
    collection.common_filters(store, where, values)
    names = {"id": "id", "name": "search", "slug": "code"}
    order = collection.sorting(values, names, default="name", direction="asc")
    return collection.listing(store, request, where, values, order=order)


def get_category(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "category", id)
    if text is None:
        raise RestError("woocommerce_rest_term_invalid", "Resource does not exist.", 404)
    return collection.one(store, request, "category", text)


def create_category(store: Store, request: Request) -> Response:
    require(request, "create")
    given = request.json()
    if not given.get("name"):
        raise missing_params(["name"])
    name = re.sub(r"<[^>]*>", "", str(given["name"]))
    parent: Any = given.get("parent") or 0
    body = documents.category(
        site=store.site,
        id=store.new_id("category"),
        name=name,
        slug=str(given.get("slug") or _slug(name)),
        parent=int(parent),
        description=str(given.get("description") or ""),
    )
    store.storage.put("category", body)
    return collection.created(store, request, "category", json.loads(encode(body)), "products/categories")
