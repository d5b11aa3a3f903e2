"""Fulfilments of an order: parcels that the store keeps itself. The address exists only while the feature is on."""

from __future__ import annotations

from ..auth import require
from ..store import Store
from ..wire import Request, Response, RestError, json_response, no_route


def list_fulfilments(store: Store, request: Request, order_id: int) -> Response:
    if not store.fulfilments:
        raise no_route()
    require(request, "view")
    if store.storage.text("order", order_id) is None:
        raise RestError("woocommerce_rest_shop_order_invalid_id", "Invalid order ID.", 404)
    rows = store.storage.select("kind = 'fulfilment' AND parent = ?", (order_id,), order="id ASC")
    return json_response(request, f"[{','.join(text for _, text, _ in rows)}]")
