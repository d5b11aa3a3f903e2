"""What else may suit a person: from the shop's own links between products and from what is bought together here.

The order of sources: cross-sells, upsells, bought together, related. Each pick keeps its reason.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db.models import Count

from stores.models import Customer, Order, OrderLine, Product, Store

CROSS_SELL, UPSELL, TOGETHER, RELATED = "cross_sell", "upsell", "together", "related"
# Two buyers at least: what one person bought together says nothing about others.
LEAST_TOGETHER = 2
_LOOKED_AT = 40


@dataclass(frozen=True)
class Pick:
    """A product for this person: in stock, not owned. `because` names the product it goes with; `source` says how."""

    product: Product
    source: str
    because: str


def picks(store: Store, customer: Customer, order: Order | None = None, *, limit: int = 3) -> list[Pick]:
    """Products that go with the order (without one, with the person's last counted order), the best reasons first.

    At most five queries, whatever the shop holds; the same answer for the same mirror.
    """
    about = order or customer.orders.filter(counted=True).order_by("-created_gmt", "-pk").first()
    if about is None:
        return []
    bought = set(
        OrderLine.objects.filter(order__customer=customer, order__store=store, order__counted=True).values_list(
            "product_woo_id", flat=True
        )
    )
    seeds = _seeds(store, about)
    owned = bought | {seed.woo_id for seed in seeds}
    wanted: dict[int, tuple[str, str]] = {}
    for woo_id, source, because in _candidates(store, seeds):
        if woo_id not in owned:
            wanted.setdefault(woo_id, (source, because))
    order_of = {woo_id: place for place, woo_id in enumerate(list(wanted)[:_LOOKED_AT])}
    found = store.products.filter(
        woo_id__in=order_of,
        parent__isnull=True,
        status="publish",
        stock_status__in=["instock", "onbackorder"],
        trashed_at__isnull=True,
        deleted_at__isnull=True,
        price__isnull=False,
    ).defer("raw")
    best = sorted(found, key=lambda product: order_of[product.woo_id])[:limit]
    return [Pick(product, *wanted[product.woo_id]) for product in best]


def _seeds(store: Store, order: Order) -> list[Product]:
    """The order's products, variations as the product they belong to, in the order of its lines."""
    ids = list(dict.fromkeys(order.lines.order_by("pk").values_list("product_woo_id", flat=True)))
    products = {product.woo_id: product for product in store.products.filter(woo_id__in=ids).defer("raw")}
    return [products[woo_id] for woo_id in ids if woo_id in products]


def _candidates(store: Store, seeds: list[Product]) -> Iterator[tuple[int, str, str]]:
    yield from _linked(seeds, "cross_sell_ids", CROSS_SELL)
    yield from _linked(seeds, "upsell_ids", UPSELL)
    yield from _bought_together(store, seeds)
    yield from _linked(seeds, "related_ids", RELATED)


def _linked(seeds: Iterable[Product], field: str, source: str) -> Iterator[tuple[int, str, str]]:
    for seed in seeds:
        for woo_id in getattr(seed, field) or []:
            yield int(woo_id), source, seed.name


def _bought_together(store: Store, seeds: list[Product]) -> Iterator[tuple[int, str, str]]:
    """What people who bought a seed bought in the same orders, the most often first."""
    if not seeds:
        return
    ids = [seed.woo_id for seed in seeds]
    orders = OrderLine.objects.filter(product_woo_id__in=ids, order__store=store, order__counted=True).values(
        "order_id"
    )
    rows = (
        OrderLine.objects.filter(order_id__in=orders, product_woo_id__gt=0)
        .exclude(product_woo_id__in=ids)
        .values_list("product_woo_id")
        .annotate(buyers=Count("order__customer_id", distinct=True))
        .filter(buyers__gte=LEAST_TOGETHER)
        .order_by("-buyers", "product_woo_id")[:_LOOKED_AT]
    )
    for woo_id, _buyers in rows:
        yield woo_id, TOGETHER, seeds[0].name
