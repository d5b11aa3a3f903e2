"""A whole shop with a past: real purchase rhythms in an invented pottery shop, the same for the same seed.

`staggered` puts every customer's first purchase somewhere in the last 24 months, ever more of them towards today, and
keeps the days between purchases. Orders hold catalogue items whose prices come near four lei for one dollar of the
file; coupons, shipping and gift wrapping come on top.

`original` keeps the file's dates and amounts: an order's total is the file's amount to the cent, its line prices are
scaled to give it, and there is no tax, shipping, coupon, refund or cancellation, so that published results on the
same data can be met.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from hashlib import md5
from itertools import count
from typing import Any, Generic, TypeVar

from stores.sandbox import catalogue, documents, purchases
from stores.sandbox.catalogue import Sellable
from stores.sandbox.documents import Body, Site, TaxRate
from stores.sandbox.purchases import Mode, Outcome, Schedule
from stores.sandbox.review_texts import review_text
from stores.sandbox.shoppers import shopper

Row = TypeVar("Row")

FIRST_COUPON_ID = 401
FIRST_CUSTOMER_ID = 11
FIRST_REVIEW_ID = 1_001
FIRST_ORDER_ID = 5_001

HUNDRED = Decimal(100)
RATES = {
    "RO": (TaxRate(id=1, code="RO-TVA-1", label="TVA", percent=Decimal(21)),),
    "DE": (TaxRate(id=2, code="DE-MWST-1", label="MwSt.", percent=Decimal(19)),),
}
# Price of shipping and the goods value from which it is free, with tax.
SHIPPING = {"RO": (18, 250), "DE": (45, 600), "US": (75, 900), "ID": (60, 900), "AE": (70, 900)}
GIFT_WRAPPING = 12
CARRIERS = {
    "RO": ("FAN Courier", "Sameday", "Cargus"),
    "DE": ("DHL Parcel",),
    "US": ("UPS", "USPS"),
    "ID": ("JNE", "SiCepat"),
    "AE": ("Aramex",),
}
PAYMENTS = {
    "stripe": "Credit card (Stripe)",
    "cod": "Cash on delivery",
    "bacs": "Direct bank transfer",
    "paypal": "PayPal",
}
# Code, kind, amount, least order.
COUPONS = (
    ("bun-venit", "percent", 10, 0),
    ("primavara", "percent", 15, 0),
    ("lut20", "fixed_cart", 20, 100),
    ("atelier30", "fixed_cart", 30, 150),
    ("craciun", "percent", 12, 0),
    ("prieteni", "percent", 5, 0),
)
REASONS = ("Arrived damaged", "One item returned", "Changed mind", "Wrong colour")


@dataclass(frozen=True)
class Series(Generic[Row]):
    """Bodies that are built while one walks over them, as often as one likes, always the same."""

    length: int
    walk: Callable[[], Iterator[Row]]

    def __iter__(self) -> Iterator[Row]:
        return self.walk()

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class History:
    """Everything a store answers about its past. `orders` are (order, its refunds), ascending by creation."""

    site: Site
    categories: tuple[Body, ...]
    products: tuple[Body, ...]
    variations: tuple[Body, ...]
    coupons: tuple[Body, ...]
    customers: Series[Body]
    reviews: Series[Body]
    orders: Series[tuple[Body, list[Body]]]


def generate(
    *,
    seed: int,
    now: datetime,
    zone: tzinfo,
    base_url: str,
    scale: int = 1,
    mode: Mode = "staggered",
    currency: str = "RON",
    decimals: int = 2,
) -> History:
    """The store's past up to `now` (aware). `scale` repeats the population with other people and dates.

    Memory does not grow with the number of orders but for eight bytes each. ValueError for a scale out of range.
    """
    site = Site(
        base_url=base_url.rstrip("/"),
        zone=zone,
        currency=currency,
        decimals=decimals,
        prices_include_tax=mode == "staggered",
    )
    return _Writer(site, Schedule(seed=seed, scale=scale, mode=mode, now=now, zone=zone)).history()


def _at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _maybe(second: int | None) -> datetime | None:
    return None if second is None else _at(second)


class _Writer:
    def __init__(self, site: Site, schedule: Schedule) -> None:
        self.site, self.schedule = site, schedule
        first = purchases.created_at(schedule.keys[0]) if len(schedule) else schedule.now
        self.opened = _at(first) - timedelta(days=30)
        self.goods = catalogue.build(site=site, created=self.opened, modified=self.opened)
        self.prices = [int(item.price * 100) for item in self.goods.sellables]
        self.refills = [place for place, item in enumerate(self.goods.sellables) if item.refill]

    def history(self) -> History:
        sold: Counter[int] = Counter()
        stars: Counter[int] = Counter()
        rated: Counter[int] = Counter()
        users: list[list[str]] = [[] for _ in COUPONS]
        joined: dict[int, int] = {}
        for one in self._outcomes():
            number = one.shopper.number
            if not one.guest:
                joined.setdefault(number, one.created)
            if one.status in ("completed", "processing", "on-hold"):
                for place, quantity in one.items:
                    sold[self.goods.sellables[place].product_id] += quantity
            if one.review:
                product = self.goods.sellables[one.items[one.review[2]][0]].product_id
                rated[product] += 1
                stars[product] += one.review[1]
            coupon = self._coupon(one)
            if coupon is not None and one.status != "cancelled":
                user = one.shopper.billing.email if one.guest else str(FIRST_CUSTOMER_ID + number)
                users[coupon].append(user)
        goods = catalogue.build(
            site=self.site,
            created=self.opened,
            modified=self.opened,
            sold=sold,
            ratings={product: (rated[product], stars[product]) for product in rated},
        )
        return History(
            site=self.site,
            categories=goods.categories,
            products=goods.products,
            variations=goods.variations,
            coupons=self._coupon_bodies(users),
            customers=Series(len(joined), lambda: self._customers(joined)),
            reviews=Series(sum(rated.values()), self._reviews),
            orders=Series(len(self.schedule), self._orders),
        )

    def _outcomes(self) -> Iterator[Outcome]:
        for key in self.schedule.keys:
            yield purchases.outcome(self.schedule, key, prices=self.prices, refills=self.refills, coupons=len(COUPONS))

    def _goods_value(self, one: Outcome) -> int:
        return sum(self.prices[place] * quantity for place, quantity in one.items)

    def _coupon(self, one: Outcome) -> int | None:
        """The coupon's place; one whose least order is not reached gives way to the first, which has none."""
        if one.coupon is None or self._goods_value(one) >= COUPONS[one.coupon][3] * 100:
            return one.coupon
        return 0

    def _coupon_bodies(self, users: list[list[str]]) -> tuple[Body, ...]:
        return tuple(
            documents.coupon(
                site=self.site,
                id=FIRST_COUPON_ID + place,
                code=code,
                amount=Decimal(amount),
                discount_type=kind,
                created=self.opened,
                modified=self.opened,
                minimum_amount=Decimal(least),
                usage_count=len(users[place]),
                used_by=users[place],
            )
            for place, (code, kind, amount, least) in enumerate(COUPONS)
        )

    def _customers(self, joined: dict[int, int]) -> Iterator[Body]:
        for number in sorted(joined):
            person = shopper(self.schedule.seed, number)
            since = _at(joined[number])
            yield documents.customer(
                site=self.site,
                id=FIRST_CUSTOMER_ID + number,
                email=person.billing.email,
                username=person.billing.email.partition("@")[0],
                created=since,
                modified=since,
                first_name=person.billing.first_name,
                last_name=person.billing.last_name,
                billing=person.billing,
                shipping=person.billing,
                is_paying_customer=True,
            )

    def _reviews(self) -> Iterator[Body]:
        for place, one in enumerate(self._outcomes()):
            if one.review:
                when, stars, item, pick = one.review
                sellable = self.goods.sellables[one.items[item][0]]
                home = one.shopper.billing
                yield documents.review(
                    site=self.site,
                    id=FIRST_REVIEW_ID + place,
                    created=_at(when),
                    product_id=sellable.product_id,
                    product_name=sellable.parent_name or sellable.name,
                    product_slug=sellable.slug,
                    reviewer=f"{home.first_name} {home.last_name}",
                    reviewer_email=home.email,
                    text=review_text(language=one.shopper.language, stars=stars, pick=pick),
                    rating=stars,
                    verified=True,
                )

    def _orders(self) -> Iterator[tuple[Body, list[Body]]]:
        rows, metas = count(1), count(1)
        for place, one in enumerate(self._outcomes()):
            # Every other number is kept for a refund, which takes its id from the same sequence.
            yield self._order(one, FIRST_ORDER_ID + 2 * place, rows, metas)

    def _order(self, one: Outcome, number: int, rows: Iterator[int], metas: Iterator[int]) -> tuple[Body, list[Body]]:
        original = self.schedule.mode == "original"
        country = one.shopper.country
        rates = () if original else RATES.get(country, ())
        divisor = 1 + sum((rate.percent for rate in rates), Decimal(0)) / HUNDRED
        grosses = self._grosses(one)
        coupon = self._coupon(one)
        discounts = self._discounts(grosses, coupon)
        lines = [
            self._line(one, place, quantity, gross / divisor, (gross - off) / divisor, rates, rows, metas)
            for (place, quantity), gross, off in zip(one.items, grosses, discounts, strict=True)
        ]
        coupon_lines = [] if coupon is None else [self._coupon_line(coupon, lines, rows, metas)]
        price, free_from = SHIPPING[country]
        free = original or sum(grosses) >= free_from
        shipping = documents.shipping_line(
            site=self.site,
            id=next(rows),
            total=Decimal(0) if free else price / divisor,
            rates=() if free else rates,
            method_id="free_shipping" if free else "flat_rate",
            method_title="Free shipping" if free else "Courier",
            instance_id="2" if free else "1",
        )
        fees = []
        if one.gift:
            wrapping = Decimal(GIFT_WRAPPING) / divisor
            fees = [
                documents.fee_line(site=self.site, id=next(rows), name="Gift wrapping", total=wrapping, rates=rates)
            ]
        salt = f"{one.salt:024x}"
        body = documents.order(
            site=self.site,
            id=number,
            status=one.status,
            order_key=f"wc_order_{salt[:13]}",
            created=_at(one.created),
            modified=_at(one.modified),
            paid=_maybe(one.paid),
            completed=_maybe(one.shipped),
            lines=lines,
            shipping_lines=[shipping],
            fee_lines=fees,
            coupon_lines=coupon_lines,
            rates=rates,
            first_tax_line_id=next(rows),
            billing=one.shopper.billing,
            shipping=one.shopper.billing,
            customer_id=0 if one.guest else FIRST_CUSTOMER_ID + one.shopper.number,
            payment_method=one.payment,
            payment_method_title=PAYMENTS[one.payment],
            transaction_id=f"ch_{salt[8:]}" if one.paid and one.payment in ("stripe", "paypal") else "",
            meta_data=self._order_meta(one, salt, metas),
        )
        refunds = [] if one.refunded is None else [self._refund(one, body, number + 1, rates, rows, metas)]
        body["refunds"] = [
            documents.order_refund(site=self.site, id=made["id"], amount=Decimal(made["amount"]), reason=made["reason"])
            for made in refunds
        ]
        return body, refunds

    def _grosses(self, one: Outcome) -> list[Decimal]:
        """What each line costs, with tax."""
        plain = [self.prices[place] * quantity for place, quantity in one.items]
        if self.schedule.mode == "staggered":
            return [Decimal(cents) / HUNDRED for cents in plain]
        scaled = [cents * one.cents // sum(plain) for cents in plain]
        scaled[-1] += one.cents - sum(scaled)
        return [Decimal(cents) / HUNDRED for cents in scaled]

    def _discounts(self, grosses: list[Decimal], coupon: int | None) -> list[Decimal]:
        if coupon is None:
            return [Decimal(0)] * len(grosses)
        _, kind, amount, _ = COUPONS[coupon]
        whole = sum(grosses)
        off = whole * amount / HUNDRED if kind == "percent" else Decimal(amount)
        shares = [(off * gross / whole).quantize(self.site.quantum) for gross in grosses]
        shares[-1] += off.quantize(self.site.quantum) - sum(shares)
        return shares

    def _line(
        self,
        one: Outcome,
        place: int,
        quantity: int,
        before: Decimal,
        after: Decimal,
        rates: tuple[TaxRate, ...],
        rows: Iterator[int],
        metas: Iterator[int],
    ) -> Body:
        item: Sellable = self.goods.sellables[place]
        return documents.line_item(
            site=self.site,
            id=next(rows),
            name=item.name,
            product_id=item.product_id,
            variation_id=item.variation_id,
            quantity=quantity,
            subtotal=before,
            total=None if after == before else after,
            rates=rates,
            sku=item.sku,
            parent_name=item.parent_name,
            image_id=item.picture_id,
            image_src=catalogue.picture_url(site=self.site, slug=item.slug),
            meta_data=[
                documents.item_meta(
                    id=next(metas),
                    key=key,
                    value=option.lower().replace(" ", "-"),
                    display_key=label,
                    display_value=option,
                )
                for key, label, option in item.options
            ],
        )

    def _coupon_line(self, coupon: int, lines: list[Body], rows: Iterator[int], metas: Iterator[int]) -> Body:
        code, kind, amount, _ = COUPONS[coupon]
        return documents.coupon_line(
            site=self.site,
            id=next(rows),
            meta_id=next(metas),
            coupon_id=FIRST_COUPON_ID + coupon,
            code=code,
            discount=sum((Decimal(line["subtotal"]) - Decimal(line["total"]) for line in lines), Decimal(0)),
            discount_tax=sum(
                (Decimal(line["subtotal_tax"]) - Decimal(line["total_tax"]) for line in lines), Decimal(0)
            ),
            discount_type=kind,
            amount=Decimal(amount),
        )

    def _order_meta(self, one: Outcome, salt: str, metas: Iterator[int]) -> list[Body]:
        facts: list[tuple[str, Any]] = [("wpml_language", one.shopper.language)]
        if one.shopper.opted_in:
            facts.append(("_marketing_opt_in", "yes"))
        if one.tracked and one.shipped is not None:
            carriers = CARRIERS[one.shopper.country]
            number = f"{one.shopper.country}{one.salt % 10**11:011d}"
            parcel = {
                "tracking_provider": "",
                "custom_tracking_provider": carriers[one.salt % len(carriers)],
                "custom_tracking_link": f"https://track.example.com/{number}",
                "tracking_number": number,
                "date_shipped": str(one.shipped),
                "tracking_id": md5(salt.encode(), usedforsecurity=False).hexdigest(),
            }
            facts.append(("_wc_shipment_tracking_items", [parcel]))
            if one.delivered is not None:
                facts.append(("_delivered_at", _at(one.delivered).strftime("%Y-%m-%dT%H:%M:%SZ")))
        return [documents.meta(id=next(metas), key=key, value=value) for key, value in facts]

    def _refund(
        self,
        one: Outcome,
        body: Body,
        number: int,
        rates: tuple[TaxRate, ...],
        rows: Iterator[int],
        metas: Iterator[int],
    ) -> Body:
        """A full refund without lines, one item of several, or part of the money of a single item."""
        total = Decimal(body["total"])
        full = one.status == "refunded"
        line = body["line_items"][0]
        several = len(body["line_items"]) > 1 or line["quantity"] > 1
        lines = []
        if not full and several:
            lines = [documents.refund_line(site=self.site, id=next(rows), meta_id=next(metas), line=line, quantity=1)]
            amount = -Decimal(lines[0]["total"]) - Decimal(lines[0]["total_tax"])
        else:
            amount = total if full else (total / 2).quantize(self.site.quantum)
        assert one.refunded is not None
        return documents.refund(
            site=self.site,
            id=number,
            order_id=body["id"],
            created=_at(one.refunded),
            amount=amount,
            reason=REASONS[one.salt % len(REASONS)],
            lines=lines,
            rates=rates if lines else (),
            first_tax_line_id=next(rows) if lines and rates else 0,
            meta_data=[documents.meta(id=next(metas), key="_refund_type", value="full" if full else "partial")],
        )
