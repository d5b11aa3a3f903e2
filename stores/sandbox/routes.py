"""Which address and method belongs to which handler."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .rest import coupons, customers, fulfilments, orders, products, reviews, site, webhooks
from .store import Store
from .wire import Request, Response

Handler = Callable[..., Response]
_ID = r"(?P<id>[\d]+)"


@dataclass(frozen=True)
class Route:
    """`vanishing`: of these resources WordPress leaves the Allow header out once the object is not there."""

    path: str
    methods: dict[str, Handler]
    vanishing: str = ""

    @property
    def allow(self) -> list[str]:
        order = ("GET", "POST", "PUT", "PATCH", "DELETE")
        return [name for name in order if name in self.methods]


def _collection(get: Handler, post: Handler | None = None) -> dict[str, Handler]:
    return {"GET": get, **({"POST": post} if post else {})}


def _item(get: Handler, put: Handler | None = None, delete: Handler | None = None) -> dict[str, Handler]:
    found = {"GET": get}
    if put:
        found.update(POST=put, PUT=put, PATCH=put)
    if delete:
        found["DELETE"] = delete
    return found


def _batch(handler: Handler) -> dict[str, Handler]:
    return {"POST": handler, "PUT": handler, "PATCH": handler}


FULFILMENTS = r"orders/(?P<order_id>[\d]+)/fulfillments"

ROUTES = [
    Route("orders", _collection(orders.list_orders, orders.create_order)),
    Route(f"orders/{_ID}", _item(orders.get_order, orders.update_order, orders.delete_order)),
    Route(r"orders/(?P<order_id>[\d]+)/notes", _collection(orders.list_notes, orders.create_note)),
    Route(rf"orders/(?P<order_id>[\d]+)/notes/{_ID}", _item(orders.get_note, None, orders.delete_note)),
    Route(FULFILMENTS, _collection(fulfilments.list_fulfilments)),
    Route(r"orders/(?P<order_id>[\d]+)/refunds", _collection(orders.list_refunds, orders.create_refund)),
    Route(rf"orders/(?P<order_id>[\d]+)/refunds/{_ID}", _item(orders.get_refund, None, orders.delete_refund)),
    Route("refunds", _collection(orders.list_refunds)),
    Route("products", _collection(products.list_products, products.create_product)),
    Route(f"products/{_ID}", _item(products.get_product, products.update_product, products.delete_product)),
    Route(
        r"products/(?P<product_id>[\d]+)/variations", _collection(products.list_variations, products.create_variation)
    ),
    Route(
        rf"products/(?P<product_id>[\d]+)/variations/{_ID}",
        _item(products.get_variation, products.update_variation, products.delete_variation),
    ),
    Route("products/categories", _collection(products.list_categories, products.create_category)),
    Route(f"products/categories/{_ID}", _item(products.get_category)),
    Route("products/reviews", _collection(reviews.list_reviews, reviews.create_review)),
    Route("products/reviews/batch", _batch(reviews.batch_reviews)),
    Route(
        f"products/reviews/{_ID}",
        _item(reviews.get_review, reviews.update_review, reviews.delete_review),
        vanishing="review",
    ),
    Route("customers", _collection(customers.list_customers, customers.create_customer)),
    Route(
        f"customers/{_ID}",
        _item(customers.get_customer, customers.update_customer, customers.delete_customer),
        vanishing="customer",
    ),
    Route("coupons", _collection(coupons.list_coupons, coupons.create_coupon)),
    Route("coupons/batch", _batch(coupons.batch_coupons)),
    Route(f"coupons/{_ID}", _item(coupons.get_coupon, coupons.update_coupon, coupons.delete_coupon)),
    Route("webhooks", _collection(webhooks.list_webhooks, webhooks.create_webhook)),
    Route(f"webhooks/{_ID}", _item(webhooks.get_webhook, webhooks.update_webhook, webhooks.delete_webhook)),
    Route("settings/general", _collection(site.list_settings)),
    Route(
        r"settings/general/(?P<name>[\w-]+)",
        _item(site.get_setting, site.update_setting),
    ),
    Route(r"settings/email_(?P<name>\w+)/enabled", _item(site.get_mail_switch, site.set_mail_switch)),
    Route("system_status", _collection(site.system_status)),
    Route("data/currencies/current", _collection(site.current_currency)),
]
_COMPILED = [(re.compile(rf"{route.path}\Z"), route) for route in ROUTES]


def names(store: Store) -> dict[str, list[str]]:
    """The addresses that the store lists of itself; that of fulfilments only while the feature is on."""
    listed = {f"/wc/v3/{route.path}": route.allow for route in ROUTES if store.fulfilments or route.path != FULFILMENTS}
    return {"/wc/v3": ["GET"], **listed}


def find(path: str) -> tuple[Route, dict[str, int | str]] | None:
    """The route of a path below wc/v3/, and what its address names."""
    for pattern, route in _COMPILED:
        match = pattern.match(path)
        if match:
            named = match.groupdict()
            return route, {key: value if key == "name" else int(value) for key, value in named.items()}
    return None


def answer(store: Store, request: Request, path: str) -> Response | None:
    """The answer of a route, with its Allow header; None when there is no such route or method."""
    if path == "":
        return site.namespace(store, request, names(store)) if request.method == "GET" else None
    found = find(path)
    method = "GET" if request.method == "HEAD" else request.method
    if found is None or method not in found[0].methods:
        return None
    route, named = found
    return route.methods[method](store, request, **named)


def allow_header(store: Store, request: Request, path: str, status: int) -> dict[str, str]:
    """Allow as WordPress gives it: not to the unauthorised, and not where the object to be allowed on is gone."""
    found = find(path)
    if found is None or request.key is None or status in (401, 403):
        return {}
    route, named = found
    if request.method not in (*route.methods, "HEAD"):
        return {}
    if route.vanishing and store.storage.text(route.vanishing, int(named["id"])) is None:
        return {}
    return {"Allow": ", ".join(route.allow)}
