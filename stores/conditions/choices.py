"""What a store can choose from: its statuses, countries, products. One query each, made when a form is shown."""

from collections.abc import Callable
from typing import Any

from babel import Locale, UnknownLocaleError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from stores import words
from stores.models import Category, Order, Product, Shipment, Store

MOST = 500
GONE = {"deleted": _("Deleted in the shop"), "trash": _("In the bin")}
# Asked at every order that is made, so there they are even before the first one.
STATUSES = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed")

Pairs = list[tuple[str, Any]]


def statuses(store: Store) -> Pairs:
    """WooCommerce's own, those of the shop's plugins that its orders have, and what else may become of an order."""
    names = {name: words.ORDER_STATUS[name][1] for name in STATUSES}
    seen = Order.objects.filter(store=store).order_by("status").values_list("status", flat=True).distinct()
    for status in seen[:MOST]:
        if status:
            names.setdefault(status, words.ORDER_STATUS.get(status, ("", status, ""))[1])
    return list((names | GONE).items())


def of_orders(column: str, title: str = "") -> Callable[[Store], Pairs]:
    """The values that a column of the store's orders has, named by another column where there is one."""

    def found(store: Store) -> Pairs:
        rows = Order.objects.filter(store=store).exclude(**{column: ""}).order_by(column)
        names: dict[str, Any] = {}
        for code, name in rows.values_list(column, title or column).distinct()[:MOST]:
            names[code] = name or code
        return list(names.items())

    return found


def countries(store: Store) -> Pairs:
    """The countries of the store's customers and of the store itself, by name."""
    codes = set(store.customers.exclude(country="").order_by().values_list("country", flat=True).distinct())
    names = _locale().territories
    found = [(code, names.get(code, code)) for code in codes | {store.country} if code]
    return sorted(found, key=lambda pair: str(pair[1]))


def languages(store: Store) -> Pairs:
    """The languages of the store's customers and of the store itself, by name."""
    codes = set(store.customers.exclude(language="").order_by().values_list("language", flat=True).distinct())
    names = _locale().languages
    found = [(code, names.get(code, code)) for code in codes | {store.language} if code]
    return sorted(found, key=lambda pair: str(pair[1]))


def _locale() -> Locale:
    try:
        return Locale.parse(get_language() or "en", sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def products(store: Store) -> Pairs:
    """Products that can be bought on their own; of a variation its parent."""
    rows = Product.objects.filter(store=store, parent=None, deleted_at=None, trashed_at=None).order_by("name", "pk")
    return [(str(woo_id), name) for woo_id, name in rows.values_list("woo_id", "name")[:MOST]]


def categories(store: Store) -> Pairs:
    """The shop's categories."""
    rows = Category.objects.filter(store=store, deleted_at=None, trashed_at=None).order_by("name", "pk")
    return [(str(woo_id), name) for woo_id, name in rows.values_list("woo_id", "name")[:MOST]]


def attributes(store: Store) -> Pairs:
    """The attributes of the shop's variations, as "Colour: Blue"."""
    from stores.conditions import goods

    rows = Product.objects.filter(store=store, parent__isnull=False, deleted_at=None).order_by("pk")
    found = {
        one
        for attributes in rows.values_list("raw__attributes", flat=True)[: 4 * MOST]
        for one in goods.options(attributes)
    }
    return [(one, one) for one in sorted(found)[:MOST]]


def parcel_states(store: Store) -> Pairs:
    """What may become of a parcel."""
    return [(state, words.SHIPMENT_STATE[state][1]) for state in Shipment.State.values]
