"""Lists of what was bought: the same five for an order, a line, and all that a customer ever bought."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stores.conditions import choices
from stores.conditions.base import LINE, Field, Items, Scope
from stores.conditions.expressions import JSONHas
from stores.models import Category, Product, Store

_PRODUCT = _("Product")
# Between name and option of an attribute, as the shop's own pages write it.
BETWEEN = ": "


def _parents(store: Store) -> dict[int, int]:
    return dict(Category.objects.filter(store=store, deleted_at=None).values_list("woo_id", "parent_woo_id"))


def _with_those_above(scope: Scope, _raw: Sequence[Any]) -> Callable[[Any], Iterable[int]]:
    """What lies in a category lies in those above it too."""
    parents = _parents(scope.store)

    def unfold(ids: Any) -> set[int]:
        found: set[int] = set()
        for one in ids or []:
            while one and one not in found:
                found.add(one)
                one = parents.get(one, 0)
        return found

    return unfold


def _with_those_below(store: Store, ids: Sequence[int]) -> set[int]:
    parents = _parents(store)
    found = set(ids)
    while more := {one for one, above in parents.items() if above in found} - found:
        found |= more
    return found


def _in_category(scope: Scope, ids: Sequence[int]) -> Q:
    within = [Q(JSONHas("category_ids", one)) for one in sorted(_with_those_below(scope.store, ids))]
    products = Product.objects.filter(Q(*within, _connector=Q.OR), store=scope.store)
    return Q(product__in=products.values("pk"))


def options(variation: Any) -> list[str]:
    """A variation's attributes as "Colour: Blue"."""
    attributes = variation if isinstance(variation, list) else []
    return [
        f"{one['name']}{BETWEEN}{one['option']}"
        for one in attributes
        if isinstance(one, dict) and isinstance(one.get("name"), str) and isinstance(one.get("option"), str)
    ]


def _attributes_of(scope: Scope, variations: Sequence[Any]) -> Callable[[Any], Iterable[str]]:
    rows = Product.objects.filter(store=scope.store, parent__isnull=False, woo_id__in=set(variations))
    found = {woo_id: options(attributes) for woo_id, attributes in rows.values_list("woo_id", "raw__attributes")}
    return lambda woo_id: found.get(woo_id, [])


def _with_attribute(scope: Scope, values: Sequence[str]) -> Q:
    wanted = Q()
    for value in values:
        name, _between, option = value.partition(BETWEEN)
        wanted |= Q(JSONHas("raw", {"name": name, "option": option}, key="attributes"))
    variations = Product.objects.filter(wanted, store=scope.store, parent__isnull=False)
    return Q(variation_woo_id__in=variations.values("woo_id"))


def _fields(about: str, rows: Callable[[Scope], Any], owner: str, words: dict[str, Any], *, timed: bool) -> list[Field]:
    def field(name: str, of: str, items: Items, known: Any = None, without: tuple[str, ...] = ()) -> Field:
        return Field(
            f"{about}.{name}",
            words[name],
            "list",
            items=items,
            of=of,
            choices=known,
            group=_PRODUCT,
            timed=timed,
            without=without,
        )

    made = [
        field(
            "categories",
            "id",
            Items(
                rows,
                owner,
                "product__category_ids",
                match=_in_category,
                some=Q(product__isnull=False) & ~Q(product__category_ids=[]),
                unfold=_with_those_above,
            ),
            choices.categories,
        ),
        field(
            "attributes",
            "choice",
            Items(rows, owner, "variation_woo_id", match=_with_attribute, unfold=_attributes_of),
            choices.attributes,
            # Whether a variation has attributes at all is not told by the line.
            without=("is_set", "is_not_set"),
        ),
    ]
    if about != LINE:
        made += [
            field(
                "products",
                "id",
                Items(lambda scope: rows(scope).filter(product_woo_id__gt=0), owner, "product_woo_id"),
                choices.products,
            ),
            field("skus", "text", Items(rows, owner, "sku")),
            field("item_names", "text", Items(rows, owner, "name")),
        ]
    return made


def bought(about: str, rows: Callable[[Scope], Any], owner: str, *, timed: bool = False) -> list[Field]:
    """The lists over lines that `owner` leads from."""
    words = {
        "order": {
            "products": _("the order's products"),
            "categories": _("the order's categories"),
            "attributes": _("the attributes bought with the order"),
            "skus": _("the order's SKUs"),
            "item_names": _("the names of the order's items"),
        },
        "customer": {
            "products": _("the products that the customer bought"),
            "categories": _("the categories that the customer bought from"),
            "attributes": _("the attributes that the customer bought"),
            "skus": _("the SKUs that the customer bought"),
            "item_names": _("the names of all that the customer bought"),
        },
    }[about]
    return _fields(about, rows, owner, words, timed=timed)


def of_line(rows: Callable[[Scope], Any]) -> list[Field]:
    """The lists of a line's own product."""
    words = {"categories": _("the item's categories"), "attributes": _("the item's attributes")}
    return _fields(LINE, rows, "pk", words, timed=False)
