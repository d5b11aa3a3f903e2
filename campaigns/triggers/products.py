"""What was bought: per line of an order, and per order that holds a product, a category or an attribute."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.triggers.base import Occurrence, Trigger, as_occurrence, register
from stores import events
from stores.event_payloads import ORDERS
from stores.models import Category, Event, OrderLine, Store

WHEN = {
    "paid": (events.ORDER_PAID, gettext_lazy("an order with %(what)s is paid"), gettext_lazy("%(what)s is paid")),
    "placed": (
        events.ORDER_PLACED,
        gettext_lazy("an order with %(what)s is placed"),
        gettext_lazy("%(what)s is ordered"),
    ),
    "delivered": (
        events.ORDER_DELIVERED,
        gettext_lazy("an order with %(what)s is delivered"),
        gettext_lazy("%(what)s is delivered"),
    ),
}


@dataclass(frozen=True)
class _Goods(Trigger):
    """`when` is paid, placed or delivered. A line fits that has one of the `products` (ids of the shop, a variation's
    too), lies in one of the `categories` (ids of the shop; those below them count) or has one of the `attributes`
    ("color=blue"). Without any of the three every line fits. What was wholly given back does not count.
    """

    when: str = "paid"
    products: tuple[int, ...] = ()
    categories: tuple[int, ...] = ()
    attributes: tuple[str, ...] = ()

    def faults(self) -> list[str]:
        wrong = []
        if self.when not in WHEN:
            wrong.append(_("when is one of %(known)s.") % {"known": ", ".join(WHEN)})
        if any("=" not in each.strip("=") for each in self.attributes):
            wrong.append(_("attributes are written name=value, such as color=blue."))
        return wrong

    def hears(self) -> tuple[str, ...]:
        return (WHEN[self.when][0],)

    def _what(self) -> str:
        parts = []
        if self.products:
            parts.append(_("product %(ids)s") % {"ids": ", ".join(map(str, self.products))})
        if self.categories:
            parts.append(_("something of category %(ids)s") % {"ids": ", ".join(map(str, self.categories))})
        if self.attributes:
            parts.append(", ".join(self.attributes))
        return _(" or ").join(parts)

    def lines(self, store: Store, events: Sequence[Event]) -> dict[int, list[OrderLine]]:
        """The lines that fit, by order, in the order of the shop."""
        found: dict[int, list[OrderLine]] = defaultdict(list)
        orders = {event.order_id for event in events if event.order_id}
        wanted = _with_below(store, self.categories)
        attributes = {_pair(each) for each in self.attributes}
        rows = OrderLine.objects.filter(order__store=store, order_id__in=orders).order_by("order_id", "woo_id")
        for line in rows.select_related("product__parent"):
            gone = line.refunded_quantity > 0 and line.refunded_quantity >= line.quantity
            if not gone and self._fits(line, wanted, attributes):
                found[line.order_id].append(line)
        return found

    def _fits(self, line: OrderLine, categories: set[int], attributes: set[tuple[str, str]]) -> bool:
        if not (self.products or self.categories or self.attributes):
            return True
        if {line.product_woo_id, line.variation_woo_id} & set(self.products):
            return True
        goods = [each for each in (line.product, line.product.parent if line.product else None) if each]
        if any(categories & set(each.category_ids) for each in goods):
            return True
        return bool(attributes) and any(attributes & set(_attributes(each.raw)) for each in goods[:1])


def _pair(text: str) -> tuple[str, str]:
    name, _equals, value = text.partition("=")
    return name.strip().lower().removeprefix("pa_"), value.strip().lower()


def _attributes(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of a product as the shop tells them: one each for a variation, all for a product."""
    for row in raw.get("attributes") or []:
        if isinstance(row, Mapping):
            values = [row["option"]] if row.get("option") else row.get("options") or []
            for name in {str(row.get("name", "")), str(row.get("slug", ""))}:
                yield from (_pair(f"{name}={value}") for value in values)


def _with_below(store: Store, categories: Sequence[int]) -> set[int]:
    """These categories and all below them."""
    if not categories:
        return set()
    below: dict[int, list[int]] = defaultdict(list)
    for woo_id, parent in Category.objects.filter(store=store).values_list("woo_id", "parent_woo_id"):
        below[parent].append(woo_id)
    found: set[int] = set()
    waiting = list(categories)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += below[one]
    return found


def told(line: OrderLine) -> dict[str, Any]:
    """What conditions and messages see of a line."""
    return {
        "line": line.woo_id,
        "product": line.product_woo_id,
        "variation": line.variation_woo_id,
        "item": line.name,
        "quantity": f"{line.quantity.normalize():f}",
    }


@register("line.bought", label=gettext_lazy("a product is bought (once for each line)"), group=ORDERS, subject="line")
@dataclass(frozen=True)
class LineBought(_Goods):
    """Begins once for each line that fits."""

    def sentence(self) -> str:
        what = self._what() or _("each line of an order")
        return str(WHEN[self.when][2]) % {"what": what}

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        lines = self.lines(store, events)
        return [
            as_occurrence(
                event,
                key=f"{event.key}:{line.woo_id}",
                line_id=line.pk,
                payload=told(line),
                name=self.kind.name,
                about="line",
            )
            for event in events
            if event.customer_id and event.order_id
            for line in lines[event.order_id]
        ]


@register("product.bought", label=gettext_lazy("an order holds a certain product"), group=ORDERS)
@dataclass(frozen=True)
class ProductBought(_Goods):
    """Begins once for an order with a line that fits; `line` is the first of them."""

    def faults(self) -> list[str]:
        wrong = super().faults()
        if not (self.products or self.categories or self.attributes):
            wrong.append(_("Name products, categories or attributes."))
        return wrong

    def sentence(self) -> str:
        return str(WHEN[self.when][1]) % {"what": self._what()}

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        lines = self.lines(store, events)
        return [
            as_occurrence(event, line_id=fitting[0].pk, payload=told(fitting[0]), name=self.kind.name)
            for event in events
            if event.customer_id and event.order_id and (fitting := lines[event.order_id])
        ]
