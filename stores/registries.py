"""Places that each app fills in its `AppConfig.ready()`, so that pages below need not know the apps above."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from stores.models import Customer, Order, Store


@dataclass(frozen=True)
class TimelineAction:
    """A button on a line of the timeline: POSTs to `url`; shown to those who have the permission."""

    label: str
    url: str
    permission: str


@dataclass(frozen=True)
class TimelineItem:
    """One line of an order's or customer's timeline.

    `kind` is a filter chip: payment, shipping, message, review, case, points, note. `planned` lines stand under
    "Coming up". `badge` is (css state, words), state one of ok warn bad info neutral. `trace` lists the rules that
    decided: (passed, rule, what was seen).
    """

    at: datetime | None
    kind: str
    icon: str
    title: str
    text: str = ""
    planned: bool = False
    badge: tuple[str, str] | None = None
    url: str = ""
    trace: list[tuple[bool, str, str]] = field(default_factory=list)
    when: str = ""
    actions: list[TimelineAction] = field(default_factory=list)


OrderTimeline = Callable[[Order], Iterable[TimelineItem]]
CustomerTimeline = Callable[[Customer], Iterable[TimelineItem]]
_order_sources: list[OrderTimeline] = []
_customer_sources: list[CustomerTimeline] = []


def add_order_timeline(source: OrderTimeline) -> None:
    """Register what an app knows about one order. One or two queries at most, whatever the order holds."""
    _order_sources.append(source)


def add_customer_timeline(source: CustomerTimeline) -> None:
    """Register what an app knows about one customer."""
    _customer_sources.append(source)


def _sorted(items: Iterable[TimelineItem]) -> list[TimelineItem]:
    return sorted(items, key=lambda item: (item.at is not None, item.at), reverse=True)


def order_timeline(order: Order) -> list[TimelineItem]:
    """All that is known about an order, newest first."""
    return _sorted(item for source in _order_sources for item in source(order))


def customer_timeline(customer: Customer) -> list[TimelineItem]:
    """All that is known about a customer, newest first."""
    return _sorted(item for source in _customer_sources for item in source(customer))


OrderLink = Callable[[Order], tuple[str, str] | None]
_order_links: list[OrderLink] = []


def add_order_link(source: OrderLink) -> None:
    """Register a page that the shopper has for an order, as (words, address), so that the merchant may look at it."""
    _order_links.append(source)


def order_links(order: Order) -> list[tuple[str, str]]:
    """The shopper's pages of an order."""
    return [link for source in _order_links if (link := source(order))]


@dataclass(frozen=True)
class Card:
    """A fact card in the side column of a detail page: rows of (label, value, url)."""

    title: str
    rows: list[tuple[str, str, str]]
    badge: tuple[str, str] | None = None


_customer_cards: list[Callable[[Customer], Card | None]] = []


def add_customer_card(source: Callable[[Customer], Card | None]) -> None:
    """Register a side card (points, consent) for customer and order pages."""
    _customer_cards.append(source)


def customer_cards(customer: Customer) -> list[Card]:
    """The side cards of a customer, those that have something to say."""
    return [card for source in _customer_cards if (card := source(customer))]


@dataclass(frozen=True)
class NavEntry:
    """A sidebar entry: where it stands, its words, icon and address name under `/app/<store>/`.

    `parent` is the address name of the entry below which it stands (Outbox below Flows); `group` "main" or "settings".
    """

    order: int
    label: Any
    icon: str
    url_name: str
    permission: str
    count: Callable[[Store], int] | None = None
    group: str = "main"
    parent: str = ""


_nav: list[NavEntry] = []


def add_nav(entry: NavEntry) -> None:
    """Register a sidebar entry."""
    _nav.append(entry)


def nav(permissions: frozenset[str]) -> list[NavEntry]:
    """The entries a person with these permissions sees, in order."""
    return sorted((entry for entry in _nav if entry.permission in permissions), key=lambda entry: entry.order)


@dataclass(frozen=True)
class Need:
    """Something that waits for a person: shown on Home under "Needs you"."""

    icon: str
    title: str
    text: str
    url: str
    action: str
    due: str = ""
    urgent: bool = False


_needs: list[Callable[[Store], Iterable[Need]]] = []


def add_needs(source: Callable[[Store], Iterable[Need]]) -> None:
    """Register what may wait for a person. At most two queries, whatever waits."""
    _needs.append(source)


def needs(store: Store) -> list[Need]:
    """All that waits for a person in the store."""
    return [need for source in _needs for need in source(store)]


@dataclass(frozen=True)
class Check:
    """One line of the System page, of `doctor` and of the health address."""

    name: str
    ok: bool
    sentence: str
    fix: str = ""
    url: str = ""
    level: str = "bad"  # how loud when not ok: "bad" or "warn"
    action: str = ""  # what the button says while it is not ok, "" for "Repair"


_checks: list[Callable[[Store], Iterable[Check]]] = []


def add_checks(source: Callable[[Store], Iterable[Check]]) -> None:
    """Register checks of a store's health."""
    _checks.append(source)


def checks(store: Store) -> list[Check]:
    """All checks of a store."""
    return [check for source in _checks for check in source(store)]


@dataclass(frozen=True)
class Figure:
    """A number of the System page: how many, of what (`name` for machines, `words` for people), and why if that differs."""

    name: str
    words: str
    number: int
    reason: str = ""


@dataclass(frozen=True)
class Figures:
    """Figures of one kind, under the name that they have in the health address."""

    name: str
    title: str
    figures: list[Figure]
    url: str = ""


_figures: list[Callable[[Store], Figures]] = []


def add_figures(source: Callable[[Store], Figures]) -> None:
    """Register figures of a store's health. One or two queries at most, whatever the store holds."""
    _figures.append(source)


def figures(store: Store) -> list[Figures]:
    """All that the apps count of a store."""
    return [source(store) for source in _figures]


Writers = Callable[[Store], dict[str, list[str]]]
_writers: list[Writers] = []


def add_writers(source: Writers) -> None:
    """Register what an app sends by itself: {topic of `stores.overlap`: names}. One query at most."""
    _writers.append(source)


def writers(store: Store) -> dict[str, list[str]]:
    """What we send by ourselves about each topic."""
    found: dict[str, list[str]] = {}
    for source in _writers:
        for topic, names in source(store).items():
            found.setdefault(topic, []).extend(names)
    return found


ZoneChange = Callable[[Store, str, str], None]
_zone_changes: list[ZoneChange] = []


def add_zone_change(hook: ZoneChange) -> None:
    """Register what has to be planned anew when a shop's time zone changes: (store, zone before, zone now)."""
    _zone_changes.append(hook)


def zone_changed(store: Store, before: str) -> None:
    """Tell every app, in the transaction in which the shop's zone was changed."""
    for hook in _zone_changes:
        hook(store, before, store.zone)


Eraser = Callable[[Customer], None]
_erasers: list[Eraser] = []


def add_eraser(eraser: Eraser) -> None:
    """Register how an app forgets a person; sums of ledgers stay."""
    _erasers.append(eraser)


def erase(customer: Customer) -> None:
    """Have every app forget the person. Runs in the caller's transaction."""
    for eraser in _erasers:
        eraser(customer)
