"""Bodies as the recorded stores answered them, to start a test from: `order(total="12.00")`."""

import copy
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "payloads" / "woocommerce"


def recorded(name: str) -> Any:
    """The body of a recorded exchange."""
    return json.loads((FOLDER / f"{name}.json").read_text())["body"]


_ORDER = recorded("order_storefront_with_coupon")


def order(
    woo_id: int = 500,
    *,
    email: str | None = "ana@example.com",
    lines: list[tuple[int, int, str]] | None = None,
    codes: tuple[str, ...] = (),
    refunds: tuple[tuple[int, str], ...] = (),
    meta: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """A paid, processing order of 20 Nov 2026 for 119.00 RON; `lines` are (product id, quantity, total)."""
    body = copy.deepcopy(_ORDER)
    goods = [(20, 1, "100.00")] if lines is None else lines
    line = body["line_items"][0]
    body |= {
        "id": woo_id,
        "number": str(woo_id),
        "currency": "RON",
        "status": "processing",
        "total": "119.00",
        "total_tax": "0.00",
        "cart_tax": "0.00",
        "shipping_total": "19.00",
        "shipping_tax": "0.00",
        "discount_total": "0.00",
        "date_created_gmt": "2026-11-20T10:00:00",
        "date_modified_gmt": "2026-11-20T10:05:00",
        "date_paid_gmt": "2026-11-20T10:05:00",
        "date_completed_gmt": None,
        "line_items": [
            {**line, "id": woo_id * 10 + place, "product_id": product, "quantity": quantity, "subtotal": total}
            | {"total": total, "total_tax": "0.00"}
            for place, (product, quantity, total) in enumerate(goods)
        ],
        "coupon_lines": [{"id": n, "code": code, "discount": "5"} for n, code in enumerate(codes, 1)],
        "refunds": [{"id": refund, "reason": "", "total": f"-{amount}"} for refund, amount in refunds],
        "meta_data": [{"id": n, "key": key, "value": value} for n, (key, value) in enumerate((meta or {}).items())],
        "billing": body["billing"] | {"first_name": "Ana", "last_name": "Pop", "country": "RO", "email": email or ""},
        "shipping": body["shipping"] | {"country": "RO"},
    }
    return body | fields


def customer(woo_id: int = 4, *, email: str = "ana@example.com", **fields: Any) -> dict[str, Any]:
    """An account."""
    body = copy.deepcopy(recorded("customer_one"))
    return body | {"id": woo_id, "email": email, "first_name": "Ana", "last_name": "Popescu"} | fields


def product(woo_id: int = 20, **fields: Any) -> dict[str, Any]:
    """A simple product."""
    return copy.deepcopy(recorded("product_simple")) | {"id": woo_id, "name": "Genmaicha"} | fields


def refund(woo_id: int, order_id: int, amount: str, lines: list[tuple[int, int, str]]) -> dict[str, Any]:
    """A refund as `/orders/ID/refunds` answers it; `lines` are (order line id, quantity, total)."""
    body = copy.deepcopy(recorded("order_refunded_partial_refunds"))[0]
    line = body["line_items"][0]
    return body | {
        "id": woo_id,
        "parent_id": order_id,
        "amount": amount,
        "line_items": [
            {**line, "quantity": -quantity, "total": f"-{total}"}
            | {"meta_data": [{"id": 1, "key": "_refunded_item_id", "value": str(line_id)}]}
            for line_id, quantity, total in lines
        ],
    }
