"""wc/v3/products/reviews."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from .. import documents, params
from ..auth import require
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, missing_params
from . import collection
from .coupons import batch_of
from .orders import EMAIL

_STATUSES = ("all", "hold", "approved", "spam", "trash")
# What WordPress leaves in a comment of somebody who may not post raw HTML.
_ALLOWED = {"a", "abbr", "acronym", "b", "blockquote", "cite", "code", "del", "em", "i", "q", "s", "strike", "strong"}


def paragraphs(text: str) -> str:
    """Comment text as it is shown."""
    parts = [part.replace("\n", "<br />\n") for part in re.split(r"\n\s*\n", text.strip()) if part]
    return "".join(f"<p>{part}</p>\n" for part in parts)


def raw(shown: str) -> str:
    """The text that `paragraphs` was given."""
    inner = shown.removeprefix("<p>").removesuffix("</p>\n")
    return inner.replace("</p>\n<p>", "\n\n").replace("<br />\n", "\n")


def edited(body: Body) -> str:
    """A review as writing answers it: the text without paragraphs."""
    return encode({**body, "review": raw(body["review"])})


def _clean(text: str, role: str) -> str:
    """Nothing is cleaned for an administrator's key; a shop manager's loses what is not harmless."""
    if role == "administrator":
        return text
    return re.sub(
        r"</?\s*([a-zA-Z][a-zA-Z0-9]*)\b[^>]*>",
        lambda tag: tag.group(0) if tag.group(1).lower() in _ALLOWED else "",
        text,
    )


def _missing() -> RestError:
    return RestError("woocommerce_rest_review_invalid_id", "Invalid review ID.", 404)


def recount(store: Store, product_id: int, *, unsaved: Body | None = None) -> None:
    """Works out a product's rating from its approved reviews; `unsaved` stands for the stored one of its id.

    WooCommerce counts before a new rating is saved, so callers pass the review with its old one.
    """
    product = store.storage.get("product", product_id)
    if product is None:
        return
    reviews = store.storage.bodies("kind = 'review' AND parent = ?", (product_id,))
    if unsaved is not None:
        reviews = [*(one for one in reviews if one["id"] != unsaved["id"]), unsaved]
    ratings = [one["rating"] for one in reviews if one["status"] == "approved" and one["rating"] > 0]
    mean = Decimal(sum(ratings)) / len(ratings) if ratings else Decimal()
    product["rating_count"] = len(ratings)
    product["average_rating"] = str(mean.quantize(Decimal("0.01"), ROUND_HALF_UP))
    store.save("product", product)
    store.emit("product.updated", product_id)


def list_reviews(store: Store, request: Request) -> Response:
    """Only `after` and `before` filter by time; there is no `modified_after`."""
    require(request, "view")
    dates = collection.date_checks(store, "after", "before")
    del dates["dates_are_gmt"]
    checks = {
        **collection.PAGING,
        **dates,
        "orderby": params.one_of("date", "date_gmt", "id", "include", "product"),
        "status": params.one_of(*_STATUSES),
        "product": params.integers,
        "reviewer_email": params.text,
    }
    values = params.read(request.query, checks)
    where = collection.Where("review")
    status = values.get("status", "approved")
    if status == "all":
        where.any_of("status", ["approved", "hold"])
    else:
        where.add("status = ?", status)
    if values.get("product"):
        where.any_of("parent", values["product"])
    if values.get("reviewer_email"):
        where.add("email = ?", values["reviewer_email"].lower())
    collection.common_filters(store, where, values)
    order = collection.sorting(values, {"id": "id", "product": "parent"}, default="date")
    return collection.listing(store, request, where, values, order=order)


def get_review(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "review", id)
    if text is None:
        raise _missing()
    return collection.one(store, request, "review", text)


def _bought(store: Store, email: str, product_id: int) -> bool:
    rows = store.storage.bodies(
        "kind = 'order' AND email = ? AND status IN ('processing', 'completed')", (email.lower(),)
    )
    return any(line["product_id"] == product_id for row in rows for line in row["line_items"])


def _create(store: Store, given: Body, role: str) -> Body:
    absent = [name for name in ("product_id", "review", "reviewer", "reviewer_email") if name not in given]
    if absent:
        raise missing_params(absent)
    values = params.read(given, {"product_id": params.integer(), "rating": params.integer()})
    product = store.storage.get("product", values["product_id"])
    if product is None:
        raise RestError("woocommerce_rest_product_invalid_id", "Invalid product ID.", 404)
    text = _clean(str(given["review"]), role)
    if not text.strip():
        raise RestError("woocommerce_rest_review_content_invalid", "Invalid review content.", 400)
    email = str(given["reviewer_email"]).strip()
    email = email if EMAIL.match(email) else ""
    reviewer = re.sub(r"<[^>]*>", "", str(given["reviewer"])).strip()
    shown = paragraphs(text)
    for other in store.storage.bodies("kind = 'review' AND parent = ? AND status != 'trash'", (product["id"],)):
        same_person = other["reviewer"] == reviewer and (not email or other["reviewer_email"] == email)
        if same_person and other["review"] == shown:
            raise RestError(
                "woocommerce_rest_comment_duplicate",
                "Duplicate comment detected; it looks as though you&#8217;ve already said that!",
                409,
            )
    status = str(given.get("status") or "approved")
    body = documents.review(
        site=store.site,
        id=store.new_id("review"),
        created=store.now,
        product_id=product["id"],
        product_name=product["name"],
        product_slug=product["slug"],
        reviewer=reviewer,
        reviewer_email=email,
        text=text,
        rating=0,
        verified=bool(email) and _bought(store, email, product["id"]),
        status=status if status in _STATUSES else "approved",
    )
    body["review"] = shown
    if given.get("date_created"):
        written = store.clock.write_date(str(given["date_created"]))
        if written:
            body["date_created"], body["date_created_gmt"] = written
    if body["status"] == "approved":
        recount(store, product["id"], unsaved=body)
    body["rating"] = values.get("rating", 0)
    store.storage.put("review", body)
    return body


def _update(store: Store, id: int, given: Body, role: str) -> Body:
    body = store.storage.get("review", id)
    if body is None:
        raise _missing()
    values = params.read(given, {"rating": params.integer()})
    if "review" in given:
        text = _clean(str(given["review"]), role)
        if not text.strip():
            raise RestError("woocommerce_rest_review_content_invalid", "Invalid review content.", 400)
        body["review"] = paragraphs(text)
    if "reviewer" in given:
        body["reviewer"] = re.sub(r"<[^>]*>", "", str(given["reviewer"])).strip()
    if given.get("status") in _STATUSES[1:]:
        body["status"] = given["status"]
    recount(store, body["product_id"], unsaved=body)
    if "rating" in values:
        body["rating"] = values["rating"]
    store.storage.put("review", body)
    return body


def create_review(store: Store, request: Request) -> Response:
    require(request, "create")
    body = _create(store, request.json(), request.role)
    location = f"{request.base}/wp-json/wc/v3/products/reviews/{body['id']}"
    return collection.one(store, request, "review", edited(body), status=201, location=location)


def update_review(store: Store, request: Request, id: int) -> Response:
    require(request, "edit")
    return collection.one(store, request, "review", edited(_update(store, id, request.json(), request.role)))


def delete_review(store: Store, request: Request, id: int) -> Response:
    require(request, "delete")
    body = store.storage.get("review", id)
    if body is None:
        raise _missing()
    if request.flag("force"):
        store.storage.delete("review", id)
        recount(store, body["product_id"])
        previous = {**body, "review": raw(body["review"])}
        previous.pop("_links")
        return collection.one(store, request, "review", encode({"deleted": True, "previous": previous}))
    if body["status"] == "trash":
        raise RestError("woocommerce_rest_already_trashed", "The object has already been trashed.", 410)
    body["status"] = "trash"
    store.storage.put("review", body)
    recount(store, body["product_id"])
    return collection.one(store, request, "review", edited(body))


def batch_reviews(store: Store, request: Request) -> Response:
    def delete(id: int) -> Body:
        body = store.storage.get("review", id)
        if body is None:
            raise _missing()
        store.storage.delete("review", id)
        recount(store, body["product_id"])
        return {"deleted": True, "previous": {**body, "review": raw(body["review"])}}

    def shown(body: Body) -> Body:
        return {**body, "review": raw(body["review"])}

    return batch_of(
        store,
        request,
        create=lambda row: shown(_create(store, row, request.role)),
        update=lambda id, row: shown(_update(store, id, row, request.role)),
        delete=delete,
    )
