"""Rows for tests, made plainly. Add a maker when three tests need the same row."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from stores.models import Customer, Membership, Order, OrderLine, Product, Store, User

_numbers = count(1)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def make_store(**fields: Any) -> Store:
    """A connected store in Bucharest with lei, live for a year."""
    n = next(_numbers)
    defaults: dict[str, Any] = {
        "slug": f"shop-{n}",
        "name": f"Shop {n}",
        "base_url": f"https://shop-{n}.example.com",
        "zone": "Europe/Bucharest",
        "currency": "RON",
        "language": "ro",
        "country": "RO",
        "state": Store.State.CONNECTED,
        "consumer_key": "ck_test",
        "consumer_secret": "cs_test",
        "live_from": NOON - timedelta(days=365),
        "mail_from": f"hello@shop-{n}.example.com",
        "postal_address": "Str. Lutului 4, Cluj-Napoca",
    }
    return Store.objects.create(**(defaults | fields))


def make_user(store: Store | None = None, *, role: str = "owner", **fields: Any) -> User:
    """A person, a member of the store if one is given."""
    user = User.objects.create_user(
        fields.pop("email", f"person-{next(_numbers)}@example.com"), "pass-word-1", **fields
    )
    if store:
        Membership.objects.create(store=store, user=user, role=role)
    return user


def make_customer(store: Store, **fields: Any) -> Customer:
    n = next(_numbers)
    email = fields.pop("email", f"ana{n}@example.com")
    defaults: dict[str, Any] = {
        "email": email,
        "email_key": email.strip().lower(),
        "first_name": "Ana",
        "last_name": f"Pop {n}",
        "country": "RO",
        "language": "ro",
    }
    return Customer.objects.create(store=store, **(defaults | fields))


def make_product(store: Store, **fields: Any) -> Product:
    n = next(_numbers)
    defaults: dict[str, Any] = {"woo_id": n, "name": f"Mug {n}", "price": Decimal("89.00"), "stock_status": "instock"}
    return Product.objects.create(store=store, **(defaults | fields))


def make_order(
    store: Store, customer: Customer | None = None, *, items: list[tuple[Product, int]] | None = None, **fields: Any
) -> Order:
    """A paid, processing order; lines at the products' prices, no tax, shipping 19."""
    n = next(_numbers)
    customer = customer or make_customer(store)
    lines = [(product, quantity, (product.price or Decimal(0)) * quantity) for product, quantity in items or []]
    goods = sum((total for _, _, total in lines), Decimal(0)) or Decimal("100.00")
    defaults: dict[str, Any] = {
        "woo_id": n,
        "number": str(n),
        "status": "processing",
        "currency": store.currency,
        "total": goods + 19,
        "shipping": Decimal("19.00"),
        "email": customer.email,
        "billing_name": customer.name,
        "country": customer.country,
        "language": customer.language,
        "payment_method": "card",
        "payment_title": "Card",
        "created_gmt": NOON,
        "paid_gmt": NOON,
        "counted": True,
    }
    order = Order.objects.create(store=store, customer=customer, **(defaults | fields))
    for product, quantity, total in lines:
        OrderLine.objects.create(
            order=order,
            woo_id=next(_numbers),
            product=product,
            product_woo_id=product.woo_id,
            name=product.name,
            quantity=quantity,
            subtotal=total,
            total=total,
        )
    return order
