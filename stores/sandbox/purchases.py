"""What happened to every order of the made-up history, worked out without building its body.

The rhythm of buying is real (CDNOW, see data/README.md): who bought when, how many things, for how much. Everything
else is drawn by seed. An order is fully determined by its key, so orders can be walked any number of times in little
memory.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal

from stores.sandbox.dice import dice
from stores.sandbox.shoppers import Shopper, shopper

Mode = Literal["staggered", "original"]
Fate = Literal["kept", "cancelled", "refunded", "partly_refunded"]

SAMPLE = Path(__file__).parent / "data" / "cdnow_sample.txt"
STARTS, ORDERS = 2, 3

DAY = 86_400
SPAN_DAYS = 730
# Lei for one dollar of the file; catalogue prices are made for it.
RATE = 4
# A key is (second of creation, number of the shopper, how many orders that shopper had before) in one integer.
NUMBER_BITS, STEP_BITS = 20, 8

# Days on the way, fewest and most, by country.
TRANSIT = {"RO": (1, 3), "DE": (3, 6), "US": (7, 13), "ID": (8, 15), "AE": (5, 9)}


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the file: days after the shopper's first purchase, number of things, cents of a dollar."""

    day: int
    things: int
    cents: int


@dataclass(frozen=True, slots=True)
class Buyer:
    """All purchases of one customer of the file, in order."""

    first: date
    purchases: tuple[Purchase, ...]


@cache
def buyers() -> tuple[Buyer, ...]:
    """The customers of the file."""
    rows: dict[str, list[tuple[date, int, int]]] = {}
    for line in SAMPLE.read_text(encoding="ascii").splitlines():
        _, number, day, things, dollars = line.split()
        when = date(int(day[:4]), int(day[4:6]), int(day[6:]))
        rows.setdefault(number, []).append((when, int(things), int(dollars.replace(".", ""))))
    return tuple(
        Buyer(found[0][0], tuple(Purchase((when - found[0][0]).days, things, cents) for when, things, cents in found))
        for found in (sorted(row) for row in rows.values())
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One order as far as it has come; times are UTC seconds, None where it has not happened (yet).

    items: (place in the sellables, quantity). coupon: place in the store's coupons. cents: what the file says.
    review: (seconds, stars, place in items, a number to pick the text by).
    """

    key: int
    shopper: Shopper
    guest: bool
    status: str
    created: int
    modified: int
    payment: str
    cents: int
    items: tuple[tuple[int, int], ...]
    paid: int | None
    shipped: int | None
    delivered: int | None
    tracked: bool
    refunded: int | None
    coupon: int | None
    gift: bool
    review: tuple[int, int, int, int] | None
    salt: int


class Schedule:
    """Keys of all orders of the population, ascending by date; none after `now`."""

    def __init__(self, *, seed: int, scale: int, mode: Mode, now: datetime, zone: tzinfo) -> None:
        people = buyers()
        if not 0 < len(people) * scale < 1 << NUMBER_BITS:
            raise ValueError(f"scale {scale} is out of range: 1 to {(1 << NUMBER_BITS) // len(people)} can be built")
        self.seed, self.mode, self.now, self.zone = seed, mode, int(now.timestamp()), zone
        self._midnights: dict[int, int] = {}
        self._today = now.astimezone(zone).date().toordinal()
        self._first_sample = min(buyer.first for buyer in people).toordinal()
        self.keys = array("q", sorted(self._drawn(people, scale)))

    def _drawn(self, people: Sequence[Buyer], scale: int) -> Iterator[int]:
        for number in range(len(people) * scale):
            buyer = people[number % len(people)]
            chance = dice(self.seed, STARTS, number)
            start = self._start(buyer, chance, copy=number // len(people))
            latest = 0
            for step, purchase in enumerate(buyer.purchases):
                second = int(chance.triangular(7 * 3600, 22.4 * 3600, 19 * 3600))
                # Two purchases of one day keep their order.
                latest = max(self._midnight(start + purchase.day) + second, latest + 60)
                if latest > self.now:
                    break
                yield latest << NUMBER_BITS + STEP_BITS | number << STEP_BITS | step

    def _start(self, buyer: Buyer, chance: Random, *, copy: int) -> int:
        if self.mode == "original":
            jitter = chance.randint(-10, 10) if copy else 0
            return max(buyer.first.toordinal() + jitter, self._first_sample)
        # Ever more newcomers: twice as many a week at the end as at a quarter of the span.
        return self._today - int(SPAN_DAYS * (1 - chance.random() ** 0.6))

    def _midnight(self, day: int) -> int:
        found = self._midnights.get(day)
        if found is None:
            found = int(datetime.combine(date.fromordinal(day), time(), self.zone).timestamp())
            self._midnights[day] = found
        return found

    def __len__(self) -> int:
        return len(self.keys)


def created_at(key: int) -> int:
    """The second at which the order of this key was placed."""
    return key >> NUMBER_BITS + STEP_BITS


def outcome(schedule: Schedule, key: int, *, prices: Sequence[int], refills: Sequence[int], coupons: int) -> Outcome:
    """What became of the order of this key.

    `prices` are those of the sellables in hundredths, ascending; `refills` are places of sellables that are bought
    again; `coupons` is the number of coupons to draw from.
    """
    number, step = key >> STEP_BITS & (1 << NUMBER_BITS) - 1, key & (1 << STEP_BITS) - 1
    now, created = schedule.now, created_at(key)
    person = shopper(schedule.seed, number)
    people = buyers()
    purchase = people[number % len(people)].purchases[step]
    chance = dice(schedule.seed, ORDERS, number, step)
    drawn = chance.random()
    original = schedule.mode == "original"
    fate: Fate = "kept"
    if not original and drawn < 0.07:
        fate = "cancelled" if drawn < 0.02 else "refunded" if drawn < 0.04 else "partly_refunded"
    payment = chance.choices(("stripe", "cod", "bacs", "paypal"), (55, 15, 15, 15))[0]
    favourite = refills[person.refill_pick % len(refills)] if step and chance.random() < 0.6 else None
    items = _picked(chance, purchase.cents * RATE, purchase.things, prices, favourite)
    coupon = chance.randrange(coupons) if chance.random() < 0.12 and not original else None
    gift = chance.random() < 0.04 and not original
    late, tracked, dawdler = chance.random() < 0.06, chance.random() < 0.8, chance.random() < 0.06

    fewest, most = TRANSIT[person.country]
    settles = created + (int(chance.uniform(0.5, 3) * DAY) if payment == "bacs" else chance.randint(20, 900))
    ships = settles + int((0.4 + min(chance.expovariate(0.6), 8)) * DAY)
    on_way = chance.uniform(fewest, most) + (chance.uniform(6, 12) if late else 0)
    arrives = ships + int(on_way * DAY)
    goes_back = ships + int(chance.uniform(on_way + 1, on_way + 18) * DAY)
    reviews_at = arrives + int(chance.uniform(1, 20) * DAY)
    stars = chance.choices((5, 4, 3, 2, 1), (62, 25, 7, 3, 3))[0]
    opinion = (reviews_at, stars, chance.randrange(len(items)), chance.randrange(1000))
    has_opinion = chance.random() < 0.105

    def past(moment: int) -> int | None:
        return moment if moment <= now else None

    waiting = "on-hold" if payment == "bacs" else "pending"
    dawdles = dawdler and payment in ("stripe", "paypal") and now - created < 3 * DAY and not original
    paid = shipped = delivered = refunded = review = None
    if fate == "cancelled" or dawdles:
        ended = past(created + 3 * DAY)
        status, modified = ("cancelled", ended) if ended else (waiting, created)
    else:
        paid, shipped = past(ships if payment == "cod" else settles), past(ships)
        delivered = past(arrives)
        refunded = past(goes_back) if fate != "kept" else None
        if refunded and fate == "refunded":
            status = "refunded"
        elif shipped:
            status = "completed"
        else:
            status = "processing" if paid or payment == "cod" else waiting
        review = opinion if has_opinion and fate != "refunded" and past(reviews_at) else None
        modified = max(filter(None, (created, paid, shipped, delivered if tracked else None, refunded)))
    return Outcome(
        key=key,
        shopper=person,
        guest=person.account == "guest" or (person.account == "late" and step == 0),
        status=status,
        created=created,
        modified=modified,
        payment=payment,
        cents=purchase.cents,
        items=items,
        paid=paid,
        shipped=shipped,
        delivered=delivered,
        tracked=tracked and shipped is not None,
        refunded=refunded,
        coupon=coupon,
        gift=gift,
        review=review,
        salt=chance.getrandbits(96),
    )


def _picked(
    chance: Random, target: int, things: int, prices: Sequence[int], favourite: int | None
) -> tuple[tuple[int, int], ...]:
    """Sellables and quantities whose prices come near `target`, both in hundredths."""
    picked: dict[int, int] = {}
    left, count = target, max(things, 1)
    if favourite is not None and count > 1 and prices[favourite] * count <= target * 2:
        picked[favourite] = 1
        left, count = left - prices[favourite], count - 1
    while count:
        # Long orders take several of one thing; the last pick is the closest.
        lines_left = max(1, min(count, 4 - len(picked)))
        quantity = count // lines_left
        place = bisect_left(prices, left // count)
        if lines_left > 1:
            place += chance.randint(-6, 5)
        elif place and (place == len(prices) or left // count - prices[place - 1] < prices[place] - left // count):
            place -= 1
        place = min(max(place, 0), len(prices) - 1)
        picked[place] = picked.get(place, 0) + quantity
        left, count = max(left - prices[place] * quantity, 0), count - quantity
    return tuple(picked.items())
