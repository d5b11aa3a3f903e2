"""Makers for the tests of mail."""

from datetime import date
from decimal import Decimal
from typing import Any

from campaigns import content
from campaigns.context import build_context
from campaigns.models import Message
from campaigns.rendering import Rendered, render
from reviews import asking
from stores.models import Coupon, Customer, Order, Shipment, Store
from tests.factories import NOON, make_customer, make_order, make_product, make_store


def lut(**fields: Any) -> Store:
    """The shop of all golden mails."""
    defaults: dict[str, Any] = {
        "name": "Atelier Lut",
        "slug": "lut",
        "base_url": "https://atelier-lut.example.com",
        "mail_from": "hello@atelier-lut.example.com",
        "postal_address": "Atelier Lut SRL\nStrada Olarilor 14, 400000 Cluj-Napoca",
        "accent": "#8C4326",
        "logo_url": "https://atelier-lut.example.com/logo.png",
        "reach_us": {"phone": "+40 264 000 000", "hours": "9:00-17:00"},
    }
    return make_store(**(defaults | fields))


def ana(store: Store, **fields: Any) -> Customer:
    return make_customer(
        store, **({"first_name": "Ana", "last_name": "Popescu", "email": "ana.popescu@example.com"} | fields)
    )


def pots(store: Store, customer: Customer, **fields: Any) -> Order:
    """Three pots, paid by card, with a promised window."""
    wares = [("Marea mug, cobalt blue", "89.00"), ("Serving bowl, sand glaze", "185.00"), ("Slip vase", "120.00")]
    products = [
        make_product(store, name=name, price=Decimal(price), image_url=f"https://atelier-lut.example.com/p{number}.png")
        for number, (name, price) in enumerate(wares)
    ]
    order = make_order(store, customer, items=[(product, 1) for product in products], **({"number": "1042"} | fields))
    Shipment.objects.create(
        store=store,
        order=order,
        promised_from=date(2026, 11, 24),
        promised_to=date(2026, 11, 26),
        source=Shipment.Source.MERCHANT,
    )
    return order


def message_for(store: Store, customer: Customer, order: Order | None, name: str, **fields: Any) -> Message:
    template = content.install(store, name)
    defaults: dict[str, Any] = {
        "key": f"test:{name}",
        "klass": template.klass,
        "purpose": template.purpose,
        "template": name,
        "planned_for": NOON,
        "useful_until": NOON,
        "to": customer.email,
    }
    return Message.objects.create(store=store, customer=customer, order=order, **(defaults | fields))


def mail(store: Store, customer: Customer, order: Order | None, name: str, language: str, **more: Any) -> Rendered:
    """The rendered message of the library for this person."""
    message = message_for(store, customer, order, name, **more.pop("fields", {}))
    if name.startswith("R06"):
        assert order
        more["review_request"] = asking.ask(store, order)
    if name == "reward.ready":
        more["coupon"] = Coupon.objects.create(
            store=store,
            customer=customer,
            code="LUT-7KQ2",
            ours=True,
            amount=Decimal("16.00"),
            expires_on=date(2027, 1, 31),
        )
    context = build_context(store, customer, order, message=message, language=language, **more)
    return render(content.install(store, name), context, language=language)
