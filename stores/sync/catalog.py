"""Products, variations, categories and the shop's product reviews into the mirror."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.db.models import OuterRef, Subquery

from stores.models import Category, Customer, OrderLine, Product, Store, StoreReview
from stores.sync import rows
from stores.woo.payloads import CategoryPayload, ProductPayload, ReviewPayload, VariationPayload, storable

# `related_ids` is drawn anew by the shop for every answer; stock and sales move without anybody editing the product.
_VOLATILE = frozenset({"_links", "date_modified", "date_modified_gmt"})
_DRAWN = frozenset({*_VOLATILE, "related_ids", "total_sales", "price_html"})
_MIRROR = ("modified_gmt", "content_hash", "fetched_at", "trashed_at", "deleted_at", "raw")
_PRODUCT = (
    "store_id",
    "woo_id",
    "parent_id",
    "kind",
    "name",
    "sku",
    "status",
    "price",
    "regular_price",
    "cost",
    "stock_status",
    "stock_quantity",
    "reviews_allowed",
    "virtual",
    "permalink",
    "image_url",
    "category_ids",
    "related_ids",
    "upsell_ids",
    "cross_sell_ids",
    "average_rating",
    "rating_count",
    *_MIRROR,
)
_CATEGORY = ("store_id", "woo_id", "name", "slug", "parent_woo_id", *_MIRROR)
_REVIEW = (
    "store_id",
    "woo_id",
    "product_id",
    "customer_id",
    "status",
    "reviewer",
    "email_key",
    "rating",
    "text",
    "verified",
    "created_gmt",
    *_MIRROR,
)


@dataclass(frozen=True, slots=True)
class Read:
    """A readable body: parsed, as JSON text, its hash, and when it changed there."""

    payload: Any
    body: str
    content_hash: str
    modified: datetime | None

    @property
    def woo_id(self) -> int:
        return int(self.payload.woo_id)


def read(payload: Any, body: dict[str, Any]) -> Read:
    """Keep a body beside what was parsed from it; the hash leaves out what moves by itself."""
    written = storable(body, without=_VOLATILE)
    hashed = storable(body, without=_DRAWN) if "related_ids" in body else written
    digest = blake2b(hashed.encode(), digest_size=20).hexdigest()
    return Read(payload, written, digest, getattr(payload, "modified", None))


def _news(
    model: type[Product] | type[Category] | type[StoreReview], store: Store, page: Iterable[Read], fetched_at: datetime
) -> list[Read]:
    """Those of the page that differ from what is mirrored and are not older."""
    latest = {one.woo_id: one for one in page}
    known = {
        row[0]: row[1:]
        for row in model.objects.filter(store=store, woo_id__in=latest).values_list(
            "woo_id", "modified_gmt", "content_hash", "fetched_at", "deleted_at"
        )
    }
    return [one for one in latest.values() if _takes(known.get(one.woo_id), one, fetched_at)]


def _takes(known: Sequence[Any] | None, one: Read, fetched_at: datetime) -> bool:
    if known is None:
        return True
    modified, content_hash, asked, deleted = known
    if deleted is not None:
        return fetched_at > deleted
    if content_hash == one.content_hash:
        return False
    if one.modified is not None and modified is not None and one.modified > modified:
        return True
    return asked is None or fetched_at > asked


def _mirror(one: Read, status: str, fetched_at: datetime) -> tuple[object, ...]:
    trashed = (one.modified or fetched_at) if status == "trash" else None
    return (one.modified, one.content_hash, fetched_at, trashed, None, one.body)


def apply_products(store: Store, page: Sequence[Read], *, fetched_at: datetime) -> int:
    """Write products and variations, parents before their variations; how many changed."""
    news = _news(Product, store, page, fetched_at)
    plain = [one for one in news if isinstance(one.payload, ProductPayload)]
    variations = [one for one in news if isinstance(one.payload, VariationPayload)]
    rows.upsert(Product, _PRODUCT, [_product(store, one, fetched_at) for one in plain], key=("store_id", "woo_id"))
    if plain:
        _link_waiting(store, [one.woo_id for one in plain])
    if variations:
        parents = {
            parent.woo_id: parent
            for parent in Product.objects.filter(
                store=store, woo_id__in={one.payload.parent_woo_id for one in variations}
            ).only("pk", "woo_id", "name", "image_url", "category_ids", "reviews_allowed")
        }
        rows.upsert(
            Product,
            _PRODUCT,
            [_variation(store, one, parents, fetched_at) for one in variations],
            key=("store_id", "woo_id"),
        )
    return len(news)


def _product(store: Store, one: Read, fetched_at: datetime) -> tuple[object, ...]:
    found: ProductPayload = one.payload
    return (
        store.pk,
        found.woo_id,
        None,
        found.kind,
        found.name,
        found.sku,
        found.status,
        found.price,
        found.regular_price,
        found.cost,
        found.stock_status,
        found.stock_quantity,
        found.reviews_allowed,
        found.virtual,
        found.permalink,
        found.image_url,
        json.dumps(found.category_ids),
        json.dumps(found.related_ids),
        json.dumps(found.upsell_ids),
        json.dumps(found.cross_sell_ids),
        found.average_rating,
        found.rating_count,
        *_mirror(one, found.status, fetched_at),
    )


def _variation(store: Store, one: Read, parents: Mapping[int, Product], fetched_at: datetime) -> tuple[object, ...]:
    found: VariationPayload = one.payload
    parent = parents.get(found.parent_woo_id)
    return (
        store.pk,
        found.woo_id,
        parent.pk if parent else None,
        "variation",
        _full_name(found.name, parent),
        found.sku,
        found.status,
        found.price,
        found.regular_price,
        found.cost,
        found.stock_status,
        found.stock_quantity,
        parent.reviews_allowed if parent else True,
        found.virtual,
        found.permalink,
        found.image_url or (parent.image_url if parent else ""),
        json.dumps(parent.category_ids if parent else []),
        "[]",
        "[]",
        "[]",
        0,
        0,
        *_mirror(one, found.status, fetched_at),
    )


def _full_name(name: str, parent: Product | None) -> str:
    """As WooCommerce names a variation in orders: "Kettle cosy - Sage"."""
    if parent is None or name.startswith(parent.name):
        return name or (parent.name if parent else "")
    return f"{parent.name} - {name}"[:300] if name else parent.name


def _link_waiting(store: Store, ids: list[int]) -> None:
    """Link what came before its product: order lines, reviews and variations."""
    found = Product.objects.filter(store=store, woo_id__in=ids)
    same = found.filter(woo_id=OuterRef("product_woo_id"))
    OrderLine.objects.filter(order__store=store, product__isnull=True, product_woo_id__in=ids).update(
        product=Subquery(same.values("pk")[:1])
    )
    by_id = {product.woo_id: product for product in found.only("pk", "woo_id", "name")}
    for review in StoreReview.objects.filter(store=store, product__isnull=True, raw__product_id__in=ids):
        review.product = by_id[review.raw["product_id"]]
        review.save(update_fields=["product"])
    for variation in Product.objects.filter(store=store, kind="variation", parent__isnull=True, raw__parent_id__in=ids):
        variation.parent = by_id[variation.raw["parent_id"]]
        variation.name = _full_name(variation.name, variation.parent)
        variation.save(update_fields=["parent", "name"])


def apply_categories(store: Store, page: Sequence[Read], *, fetched_at: datetime) -> int:
    """Write categories; how many changed."""
    news = _news(Category, store, page, fetched_at)
    written = []
    for one in news:
        found: CategoryPayload = one.payload
        written.append(
            (store.pk, found.woo_id, found.name, found.slug, found.parent_woo_id, *_mirror(one, "", fetched_at))
        )
    rows.upsert(Category, _CATEGORY, written, key=("store_id", "woo_id"))
    return len(news)


def apply_reviews(store: Store, page: Sequence[Read], *, fetched_at: datetime) -> int:
    """Write the shop's reviews with their product and, by e-mail address, their customer; how many changed."""
    news = _news(StoreReview, store, page, fetched_at)
    if not news:
        return 0
    products = dict(
        Product.objects.filter(store=store, woo_id__in={one.payload.product_id for one in news}).values_list(
            "woo_id", "pk"
        )
    )
    people = dict(
        Customer.objects.filter(store=store, email_key__in={one.payload.email_key for one in news}).values_list(
            "email_key", "pk"
        )
    )
    written = []
    for one in news:
        found: ReviewPayload = one.payload
        written.append(
            (
                store.pk,
                found.woo_id,
                products.get(found.product_id),
                people.get(found.email_key),
                found.status,
                found.reviewer,
                found.email_key,
                found.rating,
                found.text,
                found.verified,
                found.created,
                *_mirror(one, found.status, fetched_at),
            )
        )
    rows.upsert(StoreReview, _REVIEW, written, key=("store_id", "woo_id"))
    return len(news)
