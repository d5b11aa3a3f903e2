"""Customers, their coupons and their reviews."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from html import escape

from stores.sandbox.documents.values import (
    ZERO,
    Address,
    Body,
    Site,
    amount_text,
    avatar,
    gmt_text,
    links,
    local_text,
)


def customer(
    *,
    site: Site,
    id: int,
    email: str,
    username: str,
    created: datetime,
    modified: datetime,
    first_name: str = "",
    last_name: str = "",
    role: str = "customer",
    billing: Address | None = None,
    shipping: Address | None = None,
    is_paying_customer: bool = False,
    meta_data: Iterable[Body] = (),
) -> Body:
    """An account of the store. Without `shipping`, goods go to the billing address."""
    home = billing or Address()
    collection = f"{site.api}/customers"
    return {
        "id": id,
        "date_created": local_text(created, site=site),
        "date_created_gmt": gmt_text(created),
        "date_modified": local_text(modified, site=site),
        "date_modified_gmt": gmt_text(modified),
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
        "role": role,
        "username": username,
        "billing": {**_account_address(home), "email": home.email, "phone": home.phone},
        "shipping": {**_account_address(shipping or home), "phone": shipping.phone if shipping else ""},
        "is_paying_customer": is_paying_customer,
        "avatar_url": avatar(email),
        "meta_data": list(meta_data),
        "_links": links(f"{collection}/{id}", collection=collection),
    }


def _account_address(address: Address) -> Body:
    return {
        "first_name": address.first_name,
        "last_name": address.last_name,
        "company": address.company,
        "address_1": address.address_1,
        "address_2": address.address_2,
        "city": address.city,
        "postcode": address.postcode,
        "country": address.country,
        "state": address.state,
    }


def coupon(
    *,
    site: Site,
    id: int,
    code: str,
    amount: Decimal,
    created: datetime,
    modified: datetime,
    discount_type: str = "fixed_cart",
    status: str = "publish",
    description: str = "",
    expires: datetime | None = None,
    usage_count: int = 0,
    individual_use: bool = False,
    product_ids: Iterable[int] = (),
    excluded_product_ids: Iterable[int] = (),
    usage_limit: int | None = None,
    usage_limit_per_user: int | None = None,
    limit_usage_to_x_items: int | None = None,
    free_shipping: bool = False,
    product_categories: Iterable[int] = (),
    excluded_product_categories: Iterable[int] = (),
    exclude_sale_items: bool = False,
    minimum_amount: Decimal = ZERO,
    maximum_amount: Decimal = ZERO,
    email_restrictions: Iterable[str] = (),
    used_by: Iterable[str] = (),
    meta_data: Iterable[Body] = (),
) -> Body:
    """A coupon; `used_by` holds customer ids or e-mail addresses, as text."""
    collection = f"{site.api}/coupons"
    return {
        "id": id,
        "code": escape(code.lower(), quote=False),
        "amount": amount_text(amount, site=site),
        "status": status,
        "date_created": local_text(created, site=site),
        "date_created_gmt": gmt_text(created),
        "date_modified": local_text(modified, site=site),
        "date_modified_gmt": gmt_text(modified),
        "discount_type": discount_type,
        "description": description,
        "date_expires": local_text(expires, site=site),
        "date_expires_gmt": gmt_text(expires),
        "usage_count": usage_count,
        "individual_use": individual_use,
        "product_ids": list(product_ids),
        "excluded_product_ids": list(excluded_product_ids),
        "usage_limit": usage_limit,
        "usage_limit_per_user": usage_limit_per_user,
        "limit_usage_to_x_items": limit_usage_to_x_items,
        "free_shipping": free_shipping,
        "product_categories": list(product_categories),
        "excluded_product_categories": list(excluded_product_categories),
        "exclude_sale_items": exclude_sale_items,
        "minimum_amount": amount_text(minimum_amount, site=site),
        "maximum_amount": amount_text(maximum_amount, site=site),
        "email_restrictions": list(email_restrictions),
        "used_by": list(used_by),
        "meta_data": list(meta_data),
        "_links": links(f"{collection}/{id}", collection=collection),
    }


def review(
    *,
    site: Site,
    id: int,
    created: datetime,
    product_id: int,
    product_name: str,
    product_slug: str,
    reviewer: str,
    reviewer_email: str,
    text: str,
    rating: int,
    verified: bool = False,
    status: str = "approved",
) -> Body:
    """A product review; `text` is plain and printed as one paragraph, `product_name` as it is already printed."""
    collection = f"{site.api}/products/reviews"
    return {
        "id": id,
        "date_created": local_text(created, site=site),
        "date_created_gmt": gmt_text(created),
        "product_id": product_id,
        "product_name": product_name,
        "product_permalink": f"{site.base_url}/product/{product_slug}/",
        "status": status,
        "reviewer": reviewer,
        "reviewer_email": reviewer_email,
        "review": f"<p>{text}</p>\n",
        "rating": rating,
        "verified": verified,
        "reviewer_avatar_urls": {str(size): avatar(reviewer_email, size=size) for size in (24, 48, 96)},
        "_links": links(f"{collection}/{id}", collection=collection, up=f"{site.api}/products/{product_id}"),
    }
