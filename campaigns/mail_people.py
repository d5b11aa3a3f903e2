"""Whom a preview is for: an example, or a real person with an order. Nothing is written, counted or sent."""

from dataclasses import dataclass
from typing import Any

from campaigns import rendering, variables
from campaigns.context import build_context
from campaigns.mail_parts import Text
from campaigns.models import Message, MessageTemplate
from stores.models import Customer, Order, Store

RECENT = 10


@dataclass(frozen=True)
class Person:
    """Without a customer it is the example."""

    customer: Customer | None = None
    order: Order | None = None

    @property
    def key(self) -> str:
        return f"o{self.order.pk}" if self.order else ""


def find(store: Store, who: str) -> Person:
    """By "o<id>" of an order, an order number or an address; the example when there is nobody."""
    orders = store.orders.filter(customer__isnull=False, customer__erased_at__isnull=True).select_related("customer")
    who = who.strip()
    found = None
    if who[:1] == "o" and who[1:].isdigit() and len(who) < 19:
        found = orders.filter(pk=int(who[1:])).first()
    if found is None and who:
        by = {"email__iexact": who} if "@" in who else {"number": who.lstrip("#")}
        found = orders.filter(**by).order_by("-created_gmt").first()
    return Person(found.customer, found) if found else Person()


def choices(store: Store, who: str) -> list[tuple[str, str]]:
    """The last orders, and the one that is chosen when it is older: (key, words)."""
    orders = list(
        store.orders.filter(customer__isnull=False, customer__erased_at__isnull=True)
        .select_related("customer")
        .defer("raw")
        .order_by("-created_gmt")[:RECENT]
    )
    chosen = find(store, who).order
    if chosen and chosen not in orders:
        orders.insert(0, chosen)
    return [(f"o{one.pk}", f"#{one.number} · {one.customer.name if one.customer else ''}") for one in orders]


def context_for(template: MessageTemplate, person: Person, *, language: str, text: Text) -> dict[str, Any]:
    """What the text may say to this person; what only a sent message has (a review request, a coupon) is an example."""
    store = template.store
    made_up = variables.example(store, language=language, klass=template.klass, purpose=template.purpose)
    if person.customer is None:
        return made_up
    message = Message(
        store=store,
        customer=person.customer,
        order=person.order,
        channel="email",
        klass=template.klass,
        purpose=template.purpose,
        template=template.name,
    )
    real = build_context(
        store, person.customer, person.order, message=message, language=language, wants=rendering.wants_of(text.blocks)
    )
    real["extra"] = made_up["extra"] | real["extra"]
    for name in ("fresh", "confirm", "review"):
        real["links"][name] = real["links"][name] or made_up["links"][name]
    if "order" in real:
        bought = [{name: item[name] for name in ("name", "image", "alt")} for item in real["order"]["items"]]
        examples = made_up["review"]["items"][0]
        made_up["review"]["items"] = [examples | item for item in bought] or made_up["review"]["items"]
    return made_up | real
