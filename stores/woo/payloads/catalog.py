"""Products, variations and categories."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from stores.woo.payloads.values import (
    Body,
    Unreadable,
    as_object,
    cost,
    gmt,
    ids,
    linked_id,
    meta,
    money_or_none,
    name,
    rows,
    small,
    text,
    web_address,
    woo_id,
)


@dataclass(frozen=True, slots=True)
class ProductPayload:
    """A product. `price` None: not for sale alone (no price, or one worked out from its parts)."""

    woo_id: int
    kind: str
    name: str
    sku: str
    status: str
    price: Decimal | None
    regular_price: Decimal | None
    cost: Decimal | None
    stock_status: str
    stock_quantity: int | None
    reviews_allowed: bool
    virtual: bool
    permalink: str
    image_url: str
    category_ids: tuple[int, ...]
    related_ids: tuple[int, ...]
    upsell_ids: tuple[int, ...]
    cross_sell_ids: tuple[int, ...]
    average_rating: Decimal
    rating_count: int
    modified: datetime | None
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class VariationPayload:
    """A variation. `name` is what sets it apart ("Sage"), or already with the product's ("Kettle cosy - Sage")."""

    woo_id: int
    parent_woo_id: int
    name: str
    sku: str
    status: str
    price: Decimal | None
    regular_price: Decimal | None
    cost: Decimal | None
    stock_status: str
    stock_quantity: int | None
    virtual: bool
    permalink: str
    image_url: str
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class CategoryPayload:
    """A product category."""

    woo_id: int
    name: str
    slug: str
    parent_woo_id: int


def parse_product(raw: object) -> ProductPayload:
    """Read a product; Unreadable without id or with a price that is no amount."""
    body = as_object(raw, "product")
    number = woo_id(body.get("id"), "product")
    rating = money_or_none(body.get("average_rating"), "average rating") or Decimal(0)
    return ProductPayload(
        woo_id=number,
        kind=text(body.get("type"), 20) or "simple",
        name=name(body.get("name"), 300) or f"#{number}",
        sku=text(body.get("sku"), 120),
        status=text(body.get("status"), 20) or "publish",
        price=money_or_none(body.get("price"), "price"),
        regular_price=money_or_none(body.get("regular_price"), "regular price"),
        cost=cost(body),
        stock_status=text(body.get("stock_status"), 20),
        stock_quantity=small(body.get("stock_quantity")),
        reviews_allowed=body.get("reviews_allowed") is not False,
        virtual=body.get("virtual") is True,
        permalink=web_address(body.get("permalink")),
        image_url=_image(body),
        category_ids=tuple(i for row in rows(body, "categories") if (i := linked_id(row.get("id")))),
        related_ids=ids(body, "related_ids"),
        upsell_ids=ids(body, "upsell_ids"),
        cross_sell_ids=ids(body, "cross_sell_ids"),
        average_rating=min(max(rating, Decimal(0)), Decimal(5)),
        rating_count=max(small(body.get("rating_count")) or 0, 0),
        modified=gmt(body.get("date_modified_gmt")),
        meta=meta(body),
    )


def parse_variation(raw: object) -> VariationPayload:
    """Read a variation, from the list of its product or by its own id."""
    body = as_object(raw, "variation")
    number = woo_id(body.get("id"), "variation")
    parent = linked_id(body.get("parent_id"))
    if not parent:
        raise Unreadable("The variation does not say which product it belongs to.")
    return VariationPayload(
        woo_id=number,
        parent_woo_id=parent,
        name=name(body.get("name"), 300) or _options(body),
        sku=text(body.get("sku"), 120),
        status=text(body.get("status"), 20) or "publish",
        price=money_or_none(body.get("price"), "price"),
        regular_price=money_or_none(body.get("regular_price"), "regular price"),
        cost=cost(body),
        stock_status=text(body.get("stock_status"), 20),
        stock_quantity=small(body.get("stock_quantity")),
        virtual=body.get("virtual") is True,
        permalink=web_address(body.get("permalink")),
        image_url=_image(body),
        modified=gmt(body.get("date_modified_gmt")),
    )


def _options(body: Body) -> str:
    return ", ".join(name(row.get("option"), 100) for row in rows(body, "attributes") if row.get("option"))[:300]


def _image(body: Body) -> str:
    found = body.get("image")
    if isinstance(found, dict):
        return web_address(found.get("src"))
    pictures = body.get("images")
    return (
        web_address(pictures[0].get("src"))
        if pictures and isinstance(pictures, list) and isinstance(pictures[0], dict)
        else ""
    )


def parse_category(raw: object) -> CategoryPayload:
    """Read a category."""
    body = as_object(raw, "category")
    number = woo_id(body.get("id"), "category")
    return CategoryPayload(
        woo_id=number,
        name=name(body.get("name"), 200) or f"#{number}",
        slug=text(body.get("slug"), 200),
        parent_woo_id=linked_id(body.get("parent")),
    )
