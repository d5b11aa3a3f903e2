"""What the store sells: categories, products and variations."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from typing import Any

from stores.sandbox.documents.values import ZERO, Body, Site, amount_text, gmt_text, links, local_text

TAG = re.compile(r"<[^>]*>")


def category(
    *,
    site: Site,
    id: int,
    name: str,
    slug: str,
    parent: int = 0,
    description: str = "",
    menu_order: int = 0,
    count: int = 0,
) -> Body:
    """A product category; `count` is its number of products. Tags in the name are dropped, as the store does."""
    collection = f"{site.api}/products/categories"
    return {
        "id": id,
        "name": escape(TAG.sub("", name), quote=False),
        "slug": slug,
        "parent": parent,
        "description": description,
        "display": "default",
        "image": None,
        "menu_order": menu_order,
        "count": count,
        "_links": links(f"{collection}/{id}", collection=collection),
    }


def image(*, site: Site, id: int, src: str, name: str, created: datetime, alt: str = "") -> Body:
    """A picture of a product or variation."""
    local, gmt = local_text(created, site=site), gmt_text(created)
    return {
        "id": id,
        "date_created": local,
        "date_created_gmt": gmt,
        "date_modified": local,
        "date_modified_gmt": gmt,
        "src": src,
        "name": name,
        "alt": alt,
    }


def price_html(*, site: Site, low: Decimal, high: Decimal | None = None) -> str:
    """The price, or the range from `low` to `high`, as the shop's pages show it."""
    symbol = "&#36;" if site.symbol == "$" else site.symbol

    def one(amount: Decimal, attribute: str = "") -> str:
        sign = f'<span class="woocommerce-Price-currencySymbol" translate="no">{symbol}</span>'
        number = amount_text(amount, site=site)
        inner = f"{number}&nbsp;{sign}" if site.currency == "RON" else f"{sign}{number}"
        return f'<span class="woocommerce-Price-amount amount"{attribute}><bdi>{inner}</bdi></span>'

    if high is None or high == low:
        return one(low)
    hidden = ' aria-hidden="true"'
    spoken = " through ".join(
        f"{text}&nbsp;{symbol}" if site.currency == "RON" else f"{symbol}{text}"
        for text in (amount_text(low, site=site), amount_text(high, site=site))
    )
    return (
        f"{one(low, hidden)} <span{hidden}>&ndash;</span> {one(high, hidden)}"
        f'<span class="screen-reader-text">Price range: {spoken}</span>'
    )


def product(
    *,
    site: Site,
    id: int,
    name: str,
    slug: str,
    created: datetime,
    modified: datetime,
    kind: str = "simple",
    status: str = "publish",
    sku: str = "",
    regular_price: Decimal | None = None,
    sale_price: Decimal | None = None,
    variation_prices: Sequence[Decimal] = (),
    description: str = "",
    short_description: str = "",
    weight: str = "",
    dimensions: tuple[str, str, str] = ("", "", ""),
    virtual: bool = False,
    manage_stock: bool = False,
    stock_quantity: int | None = None,
    stock_status: str = "instock",
    categories: Iterable[Mapping[str, Any]] = (),
    tags: Iterable[Mapping[str, Any]] = (),
    images: Iterable[Body] = (),
    attributes: Iterable[Body] = (),
    variations: Iterable[int] = (),
    upsell_ids: Iterable[int] = (),
    cross_sell_ids: Iterable[int] = (),
    related_ids: Iterable[int] = (),
    total_sales: int = 0,
    average_rating: Decimal = ZERO,
    rating_count: int = 0,
    meta_data: Iterable[Body] = (),
) -> Body:
    """A product of any kind but a variation.

    A variable product has no regular price of its own: its price is the lowest of `variation_prices`. `categories` and
    `tags` need id, name and slug; their names are taken as they are already printed (escaped).
    """
    price = min(variation_prices) if variation_prices else (regular_price if sale_price is None else sale_price)
    high = max(variation_prices) if variation_prices else None
    permalink = f"{site.base_url}/product/{slug}/"
    length, width, height = dimensions
    collection = f"{site.api}/products"
    return {
        "id": id,
        "name": name.replace("&", "&amp;"),
        "slug": slug,
        "permalink": permalink,
        "date_created": local_text(created, site=site),
        "date_created_gmt": gmt_text(created),
        "date_modified": local_text(modified, site=site),
        "date_modified_gmt": gmt_text(modified),
        "type": kind,
        "status": status,
        "featured": False,
        "catalog_visibility": "visible",
        "description": description,
        "short_description": short_description,
        "sku": sku,
        "price": "" if price is None else amount_text(price, site=site),
        "regular_price": "" if regular_price is None else amount_text(regular_price, site=site),
        "sale_price": "" if sale_price is None else amount_text(sale_price, site=site),
        "date_on_sale_from": None,
        "date_on_sale_from_gmt": None,
        "date_on_sale_to": None,
        "date_on_sale_to_gmt": None,
        "on_sale": sale_price is not None,
        "purchasable": price is not None and status == "publish",
        "total_sales": total_sales,
        "virtual": virtual,
        "downloadable": False,
        "downloads": [],
        "download_limit": -1,
        "download_expiry": -1,
        "external_url": "",
        "button_text": "",
        "tax_status": "taxable",
        "tax_class": "",
        "manage_stock": manage_stock,
        "stock_quantity": stock_quantity,
        "backorders": "no",
        "backorders_allowed": False,
        "backordered": False,
        "low_stock_amount": None,
        "sold_individually": False,
        "weight": weight,
        "dimensions": {"length": length, "width": width, "height": height},
        "shipping_required": not virtual,
        "shipping_taxable": not virtual,
        "shipping_class": "",
        "shipping_class_id": 0,
        "reviews_allowed": True,
        "average_rating": str(average_rating.quantize(Decimal("0.01"), ROUND_HALF_UP)),
        "rating_count": rating_count,
        "upsell_ids": list(upsell_ids),
        "cross_sell_ids": list(cross_sell_ids),
        "parent_id": 0,
        "purchase_note": "",
        "categories": [{"id": c["id"], "name": c["name"], "slug": c["slug"]} for c in categories],
        "brands": [],
        "tags": [{"id": t["id"], "name": t["name"], "slug": t["slug"]} for t in tags],
        "images": list(images),
        "attributes": list(attributes),
        "default_attributes": [],
        "variations": list(variations),
        "grouped_products": [],
        "menu_order": 0,
        "price_html": "" if price is None else price_html(site=site, low=price, high=high),
        "related_ids": list(related_ids),
        "meta_data": list(meta_data),
        "stock_status": stock_status,
        "has_options": kind == "variable",
        "post_password": "",
        "global_unique_id": "",
        "_links": links(f"{collection}/{id}", collection=collection),
    }


def attribute(*, id: int, name: str, slug: str, options: Iterable[str], position: int = 0) -> Body:
    """An attribute of a variable product with the options that its variations choose from."""
    return {
        "id": id,
        "name": name,
        "slug": slug,
        "position": position,
        "visible": True,
        "variation": True,
        "options": list(options),
    }


def variation(
    *,
    site: Site,
    id: int,
    parent_id: int,
    parent_slug: str,
    created: datetime,
    modified: datetime,
    sku: str,
    regular_price: Decimal,
    sale_price: Decimal | None = None,
    attributes: Sequence[tuple[int, str, str, str]],
    weight: str = "",
    manage_stock: bool = False,
    stock_quantity: int | None = None,
    stock_status: str = "instock",
    picture: Body | None = None,
    menu_order: int = 0,
    meta_data: Iterable[Body] = (),
) -> Body:
    """A variation of a variable product; `attributes` are (id, name, slug, option)."""
    chosen = "&".join(f"attribute_{slug}={option.lower().replace(' ', '-')}" for _, _, slug, option in attributes)
    parent = f"{site.api}/products/{parent_id}"
    return {
        "id": id,
        "type": "variation",
        "date_created": local_text(created, site=site),
        "date_created_gmt": gmt_text(created),
        "date_modified": local_text(modified, site=site),
        "date_modified_gmt": gmt_text(modified),
        "description": "",
        "permalink": f"{site.base_url}/product/{parent_slug}/?{chosen}",
        "sku": sku,
        "global_unique_id": "",
        "price": amount_text(regular_price if sale_price is None else sale_price, site=site),
        "regular_price": amount_text(regular_price, site=site),
        "sale_price": "" if sale_price is None else amount_text(sale_price, site=site),
        "date_on_sale_from": None,
        "date_on_sale_from_gmt": None,
        "date_on_sale_to": None,
        "date_on_sale_to_gmt": None,
        "on_sale": sale_price is not None,
        "status": "publish",
        "purchasable": True,
        "virtual": False,
        "downloadable": False,
        "downloads": [],
        "download_limit": -1,
        "download_expiry": -1,
        "tax_status": "taxable",
        "tax_class": "",
        "manage_stock": manage_stock,
        "stock_quantity": stock_quantity,
        "stock_status": stock_status,
        "backorders": "no",
        "backorders_allowed": False,
        "backordered": False,
        "low_stock_amount": None,
        "weight": weight,
        "dimensions": {"length": "", "width": "", "height": ""},
        "shipping_class": "",
        "shipping_class_id": 0,
        "image": picture,
        "gallery_image_ids": [],
        "attributes": [{"id": n, "name": name, "slug": slug, "option": option} for n, name, slug, option in attributes],
        "menu_order": menu_order,
        "meta_data": list(meta_data),
        "name": ", ".join(option for _, _, _, option in attributes),
        "parent_id": parent_id,
        "_links": links(f"{parent}/variations/{id}", collection=f"{parent}/variations", up=parent),
    }
