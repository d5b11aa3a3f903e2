"""The shop that the sandbox plays: "Atelier Lut", a made-up pottery and home studio in Romania."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from stores.sandbox import documents
from stores.sandbox.documents import Body, Site

FIRST_CATEGORY_ID = 16
FIRST_PRODUCT_ID = 101
FIRST_VARIATION_ID = 201
FIRST_PICTURE_ID = 301

CATEGORIES = (
    ("mugs", "Mugs & cups"),
    ("bowls", "Bowls"),
    ("plates", "Plates"),
    ("vases", "Vases & planters"),
    ("table", "Carafes & serving"),
    ("candles", "Candles & scent"),
    ("glazes", "Glazes & clay"),
    ("tools", "Tools & kits"),
    ("care", "Care & refills"),
)

# Slug, name, price in the store's currency, weight in kg. What shoppers buy again is in REFILLS.
SIMPLE: Mapping[str, Sequence[tuple[str, str, int, str]]] = {
    "mugs": (
        ("espresso-cup-lut", "Espresso cup, raw clay", 39, "0.15"),
        ("cappuccino-cup-sand", "Cappuccino cup, sand glaze", 59, "0.3"),
        ("tea-bowl-moss", "Tea bowl, moss green", 65, "0.28"),
        ("tumbler-slate", "Tumbler, slate", 49, "0.25"),
        ("mug-olt-stripe", "Olt mug, striped", 75, "0.4"),
        ("mug-set-four", "Four mugs in a crate", 249, "1.7"),
    ),
    "bowls": (
        ("serving-bowl-sand", "Serving bowl, sand glaze", 145, "1.2"),
        ("breakfast-bowl-oat", "Breakfast bowl, oat", 69, "0.5"),
        ("ramen-bowl-ink", "Ramen bowl, ink", 89, "0.8"),
        ("dip-bowls-three", "Dip bowls, set of three", 79, "0.45"),
        ("salad-bowl-large", "Salad bowl, large", 189, "1.9"),
        ("nesting-bowls", "Nesting bowls, set of five", 329, "3.1"),
    ),
    "plates": (
        ("side-plate-cream", "Side plate, cream", 55, "0.45"),
        ("dinner-plate-cream", "Dinner plate, cream", 79, "0.8"),
        ("dinner-plate-ink", "Dinner plate, ink", 85, "0.8"),
        ("pasta-plate-terracotta", "Pasta plate, terracotta", 82, "0.75"),
        ("cake-stand", "Cake stand", 169, "1.5"),
        ("dinner-set-twelve", "Dinner set, twelve pieces", 899, "8.4"),
    ),
    "vases": (
        ("slip-vase-terracotta", "Slip vase, terracotta", 139, "1.1"),
        ("bud-vase-white", "Bud vase, white", 45, "0.3"),
        ("floor-vase", "Floor vase, 60 cm", 549, "7.5"),
        ("planter-small", "Planter with saucer, small", 72, "0.9"),
        ("planter-large", "Planter with saucer, large", 159, "2.6"),
        ("hanging-planter", "Hanging planter", 99, "0.8"),
    ),
    "table": (
        ("carafe-cobalt", "Carafe, cobalt blue", 129, "1.0"),
        ("water-jug", "Water jug", 109, "1.1"),
        ("butter-dish", "Butter dish", 85, "0.6"),
        ("olive-oil-bottle", "Olive oil bottle", 69, "0.5"),
        ("salt-cellar", "Salt cellar with spoon", 52, "0.3"),
        ("teapot-iron-brown", "Teapot, iron brown", 219, "1.3"),
        ("baking-dish", "Baking dish, oven proof", 175, "2.2"),
    ),
    "candles": (
        ("candle-beeswax", "Beeswax candle, pair", 29, "0.2"),
        ("tea-lights-twelve", "Tea lights, twelve", 24, "0.2"),
        ("wax-melts", "Wax melts, linden", 19, "0.1"),
        ("candle-holder", "Candle holder, pinched", 48, "0.3"),
        ("incense-bowl", "Incense bowl", 58, "0.35"),
    ),
    "glazes": (
        ("glaze-clear", "Clear glaze, 500 ml", 54, "0.7"),
        ("underglaze-set", "Underglaze set, six colours", 159, "0.9"),
        ("clay-stoneware-5", "Stoneware clay, 5 kg", 42, "5.0"),
        ("clay-porcelain-5", "Porcelain clay, 5 kg", 68, "5.0"),
        ("slip-white", "White slip, 1 l", 36, "1.3"),
    ),
    "tools": (
        ("trimming-tools", "Trimming tools, set of five", 89, "0.4"),
        ("throwing-sponge", "Throwing sponges, pair", 16, "0.05"),
        ("wooden-rib", "Wooden rib", 22, "0.05"),
        ("first-pot-kit", "First pot kit", 149, "3.0"),
        ("workshop-apron", "Workshop apron, linen", 119, "0.4"),
    ),
    "care": (
        ("care-set", "Ceramic care set", 62, "0.5"),
        ("dish-soap-refill", "Dish soap refill, 1 l", 34, "1.1"),
        ("clay-oil", "Finishing oil, 100 ml", 27, "0.15"),
        ("felt-pads", "Felt pads, twenty", 12, "0.03"),
        ("linen-cloths", "Linen cloths, three", 44, "0.2"),
    ),
}

# Slug, name, category, attribute, weight, options with their prices.
VARIABLE: Sequence[tuple[str, str, str, str, str, Sequence[tuple[str, int]]]] = (
    (
        "marea-mug",
        "Marea mug",
        "mugs",
        "Colour",
        "0.38",
        (("Cobalt blue", 69), ("Sand", 69), ("Moss green", 69), ("Ink", 74)),
    ),
    ("pebble-bowl", "Pebble bowl", "bowls", "Size", "0.7", (("Small", 49), ("Medium", 75), ("Large", 115))),
    ("matte-glaze", "Matte glaze set", "glazes", "Colour", "0.8", (("Earth", 98), ("Sea", 98), ("Chalk", 92))),
    ("soy-candle", "Soy candle in clay", "candles", "Scent", "0.4", (("Linden", 64), ("Fig", 64), ("Smoke", 67))),
    ("candle-refill", "Soy candle refill", "candles", "Scent", "0.25", (("Linden", 38), ("Fig", 38), ("Smoke", 39))),
    ("moon-vase", "Moon vase", "vases", "Size", "1.4", (("Small", 119), ("Medium", 189), ("Large", 299))),
    ("table-runner", "Table runner, linen", "table", "Colour", "0.3", (("Flax", 95), ("Rust", 95), ("Indigo", 99))),
    ("brush-set", "Glazing brushes", "tools", "Size", "0.1", (("Three", 32), ("Seven", 58), ("Twelve", 84))),
)

REFILLS = frozenset(
    {
        "candle-beeswax",
        "candle-refill",
        "care-set",
        "clay-oil",
        "clay-porcelain-5",
        "clay-stoneware-5",
        "dish-soap-refill",
        "glaze-clear",
        "matte-glaze",
        "slip-white",
        "tea-lights-twelve",
        "throwing-sponge",
        "wax-melts",
    }
)


@dataclass(frozen=True)
class Sellable:
    """What an order line can hold: a simple product or a variation. `price` includes tax."""

    product_id: int
    variation_id: int
    name: str
    parent_name: str | None
    slug: str
    sku: str
    price: Decimal
    picture_id: int
    refill: bool
    options: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Catalogue:
    """Bodies of the store's goods. `sellables` are sorted by price."""

    categories: tuple[Body, ...]
    products: tuple[Body, ...]
    variations: tuple[Body, ...]
    sellables: tuple[Sellable, ...]


def picture_url(*, site: Site, slug: str) -> str:
    """Where the sandbox itself serves the product's picture."""
    return f"{site.base_url}/wp-content/uploads/{slug}.png"


def slugs() -> dict[str, str]:
    """The slug of every product with the slug of its category."""
    found = {row[0]: kind for kind, rows in SIMPLE.items() for row in rows}
    return found | {row[0]: row[2] for row in VARIABLE}


def build(
    *,
    site: Site,
    created: datetime,
    modified: datetime,
    sold: Mapping[int, int] | None = None,
    ratings: Mapping[int, tuple[int, int]] | None = None,
) -> Catalogue:
    """The whole catalogue; `sold` is units by product id, `ratings` (number, sum of stars) by product id."""
    sold, ratings = sold or {}, ratings or {}
    kinds = slugs()
    ids = {slug: FIRST_PRODUCT_ID + place for place, slug in enumerate(kinds)}
    pictures = {slug: FIRST_PICTURE_ID + place for place, slug in enumerate(kinds)}
    by_kind: dict[str, list[int]] = {kind: [] for kind, _ in CATEGORIES}
    for slug, kind in kinds.items():
        by_kind[kind].append(ids[slug])
    categories = tuple(
        documents.category(site=site, id=FIRST_CATEGORY_ID + place, name=name, slug=kind, count=len(by_kind[kind]))
        for place, (kind, name) in enumerate(CATEGORIES)
    )
    category_of = {body["slug"]: body for body in categories}
    refill_ids = [ids[slug] for slug in kinds if slug in REFILLS]

    def shared(slug: str, name: str) -> dict[str, Any]:
        number = ids[slug]
        goes_with = [other for other in refill_ids if other != number]
        same = [other for other in by_kind[kinds[slug]] if other != number]
        count, stars = ratings.get(number, (0, 0))
        src = picture_url(site=site, slug=slug)
        picture = documents.image(site=site, id=pictures[slug], src=src, name=slug, created=created, alt=name)
        turn = number % len(same)
        return {
            "site": site,
            "id": number,
            "name": name,
            "slug": slug,
            "created": created,
            "modified": modified,
            "description": f"<p>{name}: made by hand in our studio in Horezu.</p>\n",
            "short_description": f"<p>{name}.</p>\n",
            "categories": [category_of[kinds[slug]]],
            "images": [picture],
            "upsell_ids": [same[turn]],
            "cross_sell_ids": [goes_with[(number + step) % len(goes_with)] for step in (0, 3)],
            "related_ids": (same[turn:] + same[:turn])[:4],
            "total_sales": sold.get(number, 0),
            "rating_count": count,
            "average_rating": Decimal(stars) / count if count else Decimal(0),
        }

    products: list[Body] = []
    variations: list[Body] = []
    sellables: list[Sellable] = []
    for rows in SIMPLE.values():
        for slug, name, price, weight in rows:
            sku = f"AL-{ids[slug]}"
            products.append(
                documents.product(**shared(slug, name), sku=sku, regular_price=Decimal(price), weight=weight)
            )
            sellables.append(
                Sellable(ids[slug], 0, name, None, slug, sku, Decimal(price), pictures[slug], refill=slug in REFILLS)
            )
    next_variation = FIRST_VARIATION_ID
    for place, (slug, name, _, label, weight, options) in enumerate(VARIABLE):
        key = f"pa_{label.lower()}"
        attribute_id = 1 + place
        numbers = range(next_variation, next_variation + len(options))
        next_variation += len(options)
        products.append(
            documents.product(
                **shared(slug, name),
                kind="variable",
                sku=f"AL-{ids[slug]}",
                weight=weight,
                variation_prices=[Decimal(price) for _, price in options],
                attributes=[
                    documents.attribute(
                        id=attribute_id, name=label, slug=key, options=[option for option, _ in options]
                    )
                ],
                variations=numbers,
            )
        )
        for number, (option, price) in zip(numbers, options, strict=True):
            sku = f"AL-{ids[slug]}-{number - numbers[0] + 1}"
            variations.append(
                documents.variation(
                    site=site,
                    id=number,
                    parent_id=ids[slug],
                    parent_slug=slug,
                    created=created,
                    modified=modified,
                    sku=sku,
                    regular_price=Decimal(price),
                    attributes=[(attribute_id, label, key, option)],
                    weight=weight,
                    picture=products[-1]["images"][0],
                )
            )
            sellables.append(
                Sellable(
                    ids[slug],
                    number,
                    f"{name} - {option}",
                    name,
                    slug,
                    sku,
                    Decimal(price),
                    pictures[slug],
                    refill=slug in REFILLS,
                    options=((key, label, option),),
                )
            )
    sellables.sort(key=lambda item: (item.price, item.sku))
    return Catalogue(categories, tuple(products), tuple(variations), tuple(sellables))
