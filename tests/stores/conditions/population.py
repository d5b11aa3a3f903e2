"""Small random shops, made from a seed: people with and without orders, with odd names, gaps and values missing."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from stores.models import Category, CouponLine, Customer, Order, OrderLine, Product, Shipment, Store
from tests.factories import NOON, make_store

CITIES = ["", "Cluj-Napoca", "cluj-napoca", "Iași", "İstanbul", "100% \\_"]
CODES = ["WELCOME", "welcome", "Vară10"]
STATUSES = ["pending", "processing", "completed", "refunded", "wc-custom"]


def _moment(random: Random) -> datetime:
    return NOON - timedelta(days=random.randrange(0, 400), seconds=random.choice([0, 0, 1, 43_199, 80_000]))


def _goods(random: Random, store: Store) -> list[Product]:
    Category.objects.bulk_create(
        [
            Category(store=store, woo_id=1, name="Kitchen"),
            Category(store=store, woo_id=2, name="Mugs", parent_woo_id=1),
            Category(store=store, woo_id=3, name="Garden"),
        ]
    )
    made = Product.objects.bulk_create(
        [
            Product(
                store=store,
                woo_id=100 + n,
                name=f"Product {n}",
                price=random.choice([None, Decimal("10.10"), Decimal("0.3")]),
                stock_status=random.choice(["instock", "outofstock"]),
                virtual=random.random() < 0.4,
                category_ids=random.choice([[], [2], [1, 3], [3]]),
            )
            for n in range(3)
        ]
    )
    colours = [[{"id": 1, "name": "Colour", "option": random.choice(["Blue", "Red"])}], [], "broken"]
    Product.objects.bulk_create(
        [
            Product(store=store, woo_id=200 + n, parent=made[0], name=f"Variation {n}", raw={"attributes": colours[n]})
            for n in range(3)
        ]
    )
    return made


def _customer(random: Random, store: Store, n: int) -> Customer:
    first = _moment(random)
    orders = random.randrange(0, 5)
    return Customer(
        store=store,
        email_key=random.choice([f"ana{n}@example.com", f"ana{n}@Mail.Example", f"phone:4070000{n}"]),
        email=f"ana{n}@example.com",
        woo_id=n if random.random() < 0.5 else None,
        phone=random.choice(["", "+40 700 000"]),
        country=random.choice(["", "RO", "DE"]),
        region=random.choice(["", "CJ"]),
        city=random.choice(CITIES),
        language=random.choice(["", "ro", "en"]),
        first_seen_at=first,
        orders_count=orders,
        spent=random.choice([Decimal(0), Decimal("0.30"), Decimal("250.05")]),
        first_order_at=first if orders else None,
        last_order_at=first + timedelta(days=random.choice([0, 1, 30]), seconds=5) if orders else None,
        raw=random.choice([{}, {"billing": {"postcode": "400 001"}}, {"billing": {}}]),
    )


def _order(random: Random, store: Store, who: Customer | None, n: int) -> Order:
    total = random.choice([Decimal(0), Decimal("0.30"), Decimal("100.10")])
    moment = _moment(random)
    return Order(
        store=store,
        customer=who,
        woo_id=n,
        number=str(n),
        status=random.choice(STATUSES),
        currency="RON",
        total=total,
        tax=random.choice([Decimal(0), Decimal("0.10")]),
        shipping=random.choice([Decimal(0), Decimal("19")]),
        refunded=random.choice([Decimal(0), Decimal("0.10"), total]),
        country=random.choice(["", "RO"]),
        language=random.choice(["", "ro"]),
        payment_method=random.choice(["", "cod", "card"]),
        shipping_method=random.choice(["", "Express 24 h", "express 24 h"]),
        created_gmt=moment,
        paid_gmt=random.choice([None, moment]),
        delivered_at=random.choice([None, moment + timedelta(days=3)]),
        counted=random.random() < 0.7,
        trashed_at=NOON if random.random() < 0.1 else None,
        deleted_at=NOON if random.random() < 0.1 else None,
        renewal=random.random() < 0.2,
        raw=random.choice(
            [
                {},
                {"customer_id": 0, "customer_note": "Ring twice", "shipping": {"country": "", "city": ""}},
                {"customer_id": 5, "customer_note": "", "billing": {"state": "CJ", "city": "Cluj", "postcode": "1"}},
                {"shipping": {"country": "RO", "state": "IS", "city": "Iași"}, "billing": {"city": "Cluj"}},
            ]
        ),
    )


def _line(random: Random, order: Order, goods: list[Product], n: int) -> OrderLine:
    product = random.choice([*goods, None])
    quantity = random.choice([Decimal(1), Decimal("2.5")])
    return OrderLine(
        order=order,
        woo_id=n,
        product=product,
        product_woo_id=product.woo_id if product else random.choice([0, 999]),
        variation_woo_id=random.choice([0, 200, 201, 202, 203]),
        name=random.choice(["Mug", "mug Übergröße", "Vază"]),
        sku=random.choice(["", "MUG-1", "mug-2"]),
        quantity=quantity,
        subtotal=Decimal("0.1"),
        total=random.choice([Decimal("0.1"), Decimal("0.2")]),
        refunded_quantity=random.choice([Decimal(0), Decimal(1), quantity]),
    )


def make_shop(seed: int) -> Store:
    """A shop of five people and eight orders, in lei and Bucharest."""
    random = Random(seed)
    store = make_store()
    goods = _goods(random, store)
    people = Customer.objects.bulk_create([_customer(random, store, n) for n in range(1, 6)])
    buyers: list[Customer | None] = [*people[:4], None]
    orders = Order.objects.bulk_create([_order(random, store, random.choice(buyers), n) for n in range(1, 9)])
    lines = [_line(random, order, goods, n) for order in orders for n in range(random.randrange(0, 4))]
    OrderLine.objects.bulk_create(lines)
    CouponLine.objects.bulk_create(
        [CouponLine(order=one, code=random.choice(CODES), discount=1) for one in orders if random.random() < 0.5]
    )
    Shipment.objects.bulk_create(
        [
            Shipment(
                store=store,
                order=one,
                state=random.choice(["shipped", "delivered"]),
                shipped_at=random.choice([None, NOON]),
                source="merchant",
            )
            for one in orders
            if random.random() < 0.5
        ]
    )
    return store
