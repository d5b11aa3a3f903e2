"""A store full of believable rows, for pages that are looked at and counted."""

import random
from datetime import timedelta
from decimal import Decimal

from postpurchase import clock
from stores.models import (
    AuditEvent,
    Coupon,
    CouponLine,
    Customer,
    Delivery,
    Heartbeat,
    Job,
    Membership,
    Order,
    OrderLine,
    Quarantined,
    Refund,
    Shipment,
    Store,
    User,
    WebhookEndpoint,
)
from tests.factories import make_product, make_store

FIRST = "Ana Ioan Maria Radu Elena Mihai Gabriela Matei Sorina Diana Florin Corina Kadek Lucia Tudor Irina".split()  # noqa: SIM905
LAST = "Marinescu Petrescu Stan Enache Dumitru Oprea Toma Ilie Lupu Moraru Dobre Neagu Barbu Tudor".split()  # noqa: SIM905
GOODS = [
    ("Cană Dor, albastru cobalt", "89.00"),
    ("Bol de supă, alb nisip", "115.00"),
    ("Carafă Izvor, 1 l", "165.00"),
    ("Set 4 căni Dor", "320.00"),
    ("Farfurie întinsă", "74.00"),
    ("Vază Mal", "210.00"),
]


def filled_store(*, orders: int = 300, seed: int = 7, owner: User | None = None, **fields: object) -> Store:
    """A store with customers who come back at different paces, parcels, coupons, and a life of its own."""
    dice, now = random.Random(seed), clock.now()
    store = make_store(
        **{"name": "Atelier Lut", "polled_at": now - timedelta(minutes=2), "complete_since": now} | fields
    )
    if owner:
        Membership.objects.create(store=store, user=owner, role="owner")
    products = [make_product(store, name=name, price=Decimal(price)) for name, price in GOODS]
    people = Customer.objects.bulk_create(
        Customer(
            store=store,
            email=f"c{n}@example.com",
            email_key=f"c{n}@example.com",
            first_name=dice.choice(FIRST),
            last_name=dice.choice(LAST),
            country="RO",
            language="ro",
            woo_id=n + 1 if n % 3 else None,
        )
        for n in range(max(orders * 2 // 3, 1))
    )
    made: list[Order] = []
    when = {one.pk: now - timedelta(days=dice.uniform(0, 500)) for one in people}
    for n in range(orders):
        person = people[n] if n < len(people) else dice.choice(people)
        again = n >= len(people)
        at = when[person.pk] + timedelta(days=dice.expovariate(1 / 55) if again else 0)
        if at >= now:
            at = now - (now - when[person.pk]) * dice.random()
        when[person.pk] = at
        old = now - at > timedelta(days=6)
        status = dice.choices(["completed", "processing", "refunded", "cancelled", "on-hold"], [80, 12, 3, 3, 2])[0]
        total = Decimal(dice.choice(["108.00", "197.00", "268.00", "431.00", "1240.50"]))
        made.append(
            Order(
                store=store,
                customer=person,
                woo_id=10_000 + n,
                number=str(10_000 + n),
                status=status,
                currency=store.currency,
                total=total,
                shipping=Decimal("19.00"),
                refunded=total if status == "refunded" else 0,
                email=person.email,
                billing_name=person.name,
                country="RO",
                language="ro",
                payment_method="card",
                payment_title="Card",
                created_gmt=at,
                paid_gmt=at,
                delivered_at=at + timedelta(days=4) if old and status == "completed" else None,
                counted=status not in {"refunded", "cancelled", "on-hold"},
            )
        )
    made = Order.objects.bulk_create(made)
    lines, parcels = [], []
    for n, order in enumerate(made):
        for position, product in enumerate(dice.sample(products, dice.choice([1, 1, 2, 3]))):
            lines.append(
                OrderLine(
                    order=order,
                    woo_id=n * 10 + position,
                    product=product,
                    product_woo_id=product.woo_id,
                    name=product.name,
                    quantity=1,
                    subtotal=product.price,
                    total=product.price,
                )
            )
        if order.status in {"completed", "processing"}:
            late = order.delivered_at is None and n % 40 == 0
            parcels.append(
                Shipment(
                    store=store,
                    order=order,
                    carrier="Curier Carpatic",
                    number=f"CC 4410 {n:04d}",
                    url="https://carrier.example.com/track",
                    state="delivered" if order.delivered_at else "in_transit",
                    promised_to=(now - timedelta(days=2)).date() if late else (now + timedelta(days=2)).date(),
                    shipped_at=min(order.created_gmt + timedelta(hours=20), now),
                    delivered_at=order.delivered_at,
                    source="tracking_meta",
                )
            )
    OrderLine.objects.bulk_create(lines)
    Shipment.objects.bulk_create(parcels)
    CouponLine.objects.bulk_create(CouponLine(order=one, code="CADOU46", discount=Decimal(46)) for one in made[::9])
    Refund.objects.bulk_create(
        Refund(store=store, order=one, woo_id=one.woo_id, amount=one.total, created_gmt=one.created_gmt)
        for one in made
        if one.status == "refunded"
    )
    _cache_people(store)
    _machine(store, people, now)
    return store


def _cache_people(store: Store) -> None:
    by_person: dict[int, list[Order]] = {}
    for order in store.orders.filter(counted=True).order_by("created_gmt"):
        by_person.setdefault(order.customer_id or 0, []).append(order)
    changed = []
    for person in store.customers.all():
        theirs = by_person.get(person.pk, [])
        person.orders_count, person.spent = len(theirs), sum((one.total for one in theirs), Decimal(0))
        person.first_order_at = theirs[0].created_gmt if theirs else None
        person.last_order_at = theirs[-1].created_gmt if theirs else None
        changed.append(person)
    Customer.objects.bulk_update(changed, ["orders_count", "spent", "first_order_at", "last_order_at"], batch_size=500)


def _machine(store: Store, people: list[Customer], now: object) -> None:
    Heartbeat.objects.update_or_create(name="tick", defaults={"at": now})
    for n, state in enumerate(["live", "live", "used", "pending", "failed", "expired"]):
        Coupon.objects.create(
            store=store,
            customer=people[n % len(people)],
            code=f"MULT-{n}Q7K",
            ours=True,
            source=f"reward:{n}",
            state=state,
            amount=Decimal(20),
            usage_limit=1,
            reason="WooCommerce answered 503 three times." if state == "failed" else "",
        )
    Coupon.objects.create(store=store, code="CADOU46", amount=Decimal(46), state="live", woo_id=1, usage_count=12)
    Quarantined.objects.create(
        store=store, entity="order", woo_id=9_999, reason='The total is "12,90", which is no amount.'
    )
    Delivery.objects.create(
        store=store,
        endpoint=WebhookEndpoint.objects.create(store=store, topic="order.updated", secret="s"),
        topic="order.updated",
        resource_id=201,
        body=b'{"id": 201, "status": "completed", "order_key": "wc_order_x", "billing": {"email": "ana@example.com"}}',
        outcome="order 201 fetched",
        state="done",
        key="1",
    )
    Job.objects.create(
        store=store, kind="backfill", status="running", phase="orders", done=210, total=300, key="backfill"
    )
    AuditEvent.objects.create(store=store, actor="owner@example.com", action="store.connect", target=store.slug)
