"""The values that conditions ask about, as they were at a moment; and which of them nobody can know any more.

Four ways, the first that fits: a reader made here from dated facts; the field's own reading of the rewound order or customer;
a value that never changes, loaded once for many; else the field as it is told now, with the clock set back, which the
result then says (`undated`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Max

from campaigns.consent_table import PURPOSES
from campaigns.simulation.world import Person
from reviews.models import Case, Review, ReviewRequest
from stores import conditions
from stores.conditions import MOMENT, Subject
from stores.conditions.base import field_of
from stores.conditions.judging import CLOCK
from stores.conditions.operators import Clock

# (person, about whom, moment) to the value.
Reader = Callable[[Person, Subject, datetime], Any]

# What an order or a line is from its first day on.
FIXED = frozenset(
    {
        "order.items_count",
        "order.lines_count",
        "order.guest",
        "order.customer_note",
        "order.physical",
        "order.coupons",
        "order.region",
        "order.city",
        "order.postcode",
        "order.categories",
        "order.attributes",
        "order.products",
        "order.skus",
        "order.item_names",
        "line.product",
        "line.quantity",
        "line.total",
        "line.sku",
        "line.name",
        "line.categories",
        "line.attributes",
        "customer.email_domain",
        "customer.account",
    }
)
# Asked of rows with dates, so that setting the clock back gives the true answer of that day.
DATED = frozenset(
    {
        "customer.products",
        "customer.categories",
        "customer.attributes",
        "customer.skus",
        "customer.item_names",
        "customer.coupons",
    }
)


def _not_historic(person: Person, subject: Subject, moment: datetime) -> Any:
    # On the day itself it was no history; a dry run asks what would have happened then.
    return None if subject.order is None else False


def _nth(person: Person, subject: Subject, moment: datetime) -> Any:
    if subject.order is None:
        return None
    own = (subject.order.created_gmt, subject.order.pk)
    return 1 + sum(
        (past.row.created_gmt, past.row.pk) < own and past.at(moment).counted
        for past in person.orders
        if past.row.created_gmt <= moment
    )


def _first(person: Person, subject: Subject, moment: datetime) -> Any:
    return None if subject.order is None else _nth(person, subject, moment) == 1


def _ask_again(person: Person, subject: Subject, moment: datetime) -> Any:
    """Asked, then a problem, which the customer said is solved, and not asked since: of what the dry run sent."""
    if subject.order is None:
        return None
    solved = [ended for ended in person.solved.get(subject.order.pk, ()) if ended <= moment]
    if not solved:
        return False
    asks = [each for each in person.letters if each.purpose == "review" and each.order_id == subject.order.pk]
    before = any(each.sent_at and each.sent_at < solved[-1] for each in asks)
    since = any((each.sent_at and each.sent_at >= solved[-1]) or each.waits for each in asks)
    return before and not since


def _consent(purpose: str) -> Reader:
    def read(person: Person, subject: Subject, moment: datetime) -> Any:
        row = person.standing(moment).consents.get(("email", purpose))
        return (row.state or None) if row else None

    return read


READERS: dict[str, Reader] = {
    "order.historic": _not_historic,
    "order.nth": _nth,
    "order.first": _first,
    "order.ask_again": _ask_again,
    **{f"customer.consent_{purpose}": _consent(purpose) for purpose in PURPOSES},
}

Span = tuple[datetime, datetime | None]
Spans = dict[int, list[Span]]


def _reviewed(orders: set[int], people: set[int]) -> Spans:
    answered = Review.objects.filter(order_id__in=orders, request__state=ReviewRequest.State.ANSWERED)
    last = answered.order_by().values_list("order_id").annotate(at=Max("submitted_at"))
    return {order: [(at, None)] for order, at in last}


def _asked(orders: set[int], people: set[int]) -> Spans:
    found = ReviewRequest.objects.filter(order_id__in=orders).values_list("order_id", "asked_at")
    return {order: [(at, None)] for order, at in found}


def _open_cases(by: str) -> Callable[[set[int], set[int]], Spans]:
    def load(orders: set[int], people: set[int]) -> Spans:
        wanted = {"order_id__in": orders} if by == "order_id" else {"customer_id__in": people}
        found: Spans = defaultdict(list)
        for pk, state, opened, resolved, confirmed in Case.objects.filter(**wanted).values_list(
            by, "state", "opened_at", "resolved_at", "confirmed_at"
        ):
            ended = None if state == Case.State.OPEN else resolved or confirmed
            found[pk].append((opened, ended))
        return found

    return load


# What was so from one day to another: name to (about an order?, the spans by order or customer).
SPANS: dict[str, tuple[bool, Callable[[set[int], set[int]], Spans]]] = {
    "order.fully_reviewed": (True, _reviewed),
    "order.review_asked": (True, _asked),
    "order.open_case": (True, _open_cases("order_id")),
    "customer.open_case": (False, _open_cases("customer_id")),
}
# Fields that read nothing but the row in hand: the rewound one gives the answer of that day.
_HOME = "stores.conditions"


class Knower:
    """Answers for the fields that one flow asks about. Made once for a dry run, told of each batch of people."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._reading: list[tuple[str, Reader]] = []
        self._by_row: list[str] = []
        self._fixed: list[str] = []
        self._asked: list[str] = []
        self._clock = CLOCK in self.names
        for name in sorted(self.names - {CLOCK}):
            field, _within = field_of(name)
            if field.name in READERS:
                self._reading.append((name, READERS[field.name]))
            elif field.name in SPANS:
                self._reading.append((name, self._during(field.name)))
            elif field.name in FIXED:
                self._fixed.append(name)
            elif field.load and field.load.__module__.startswith(_HOME):
                self._by_row.append(name)
            else:
                self._asked.append(name)
        self._same: dict[tuple[int | None, int | None, int], Mapping[str, Any]] = {}
        self._spans: dict[str, Spans] = {}

    @property
    def undated(self) -> list[str]:
        """The labels of what is told as it is now, because its past is not kept."""
        fields = [field_of(name)[0] for name in self._asked]
        dated = [field for field in fields if field.name in DATED or field.timed or field.subject == MOMENT]
        return sorted({str(field.label) for field in fields if field not in dated})

    def meet(self, subjects: Sequence[Subject]) -> None:
        """Load for a batch of people what never changes, and what was so from one day to another."""
        orders = {each.order.pk for each in subjects if each.order}
        people = {each.customer.pk for each in subjects}
        wanted = {field_of(name)[0].name for name, _reader in self._reading} & set(SPANS)
        self._spans = {name: SPANS[name][1](orders, people) for name in wanted}
        self._same = {}
        if self._fixed:
            for subject, values in zip(subjects, conditions.load(self._fixed, subjects), strict=True):
                self._same[_key(subject)] = values

    def at(self, person: Person, subject: Subject, moment: datetime) -> dict[str, Any]:
        """All values about the subject, whose order and customer are those of that moment."""
        found: dict[str, Any] = dict(self._same.get(_key(subject), {})) if self._fixed else {}
        if self._clock:
            found[CLOCK] = Clock(moment, subject.store.tz)
        for name, read in self._reading:
            found[name] = read(person, subject, moment)
        if told := [*self._by_row, *self._asked]:
            found |= conditions.load(told, [subject], now=moment)[0]
        return found

    def _during(self, name: str) -> Reader:
        about_order = SPANS[name][0]

        def read(person: Person, subject: Subject, moment: datetime) -> Any:
            if about_order and subject.order is None:
                return None
            pk = subject.order.pk if about_order and subject.order else subject.customer.pk
            spans = self._spans.get(name, {}).get(pk, ())
            return any(begun <= moment and (ended is None or moment < ended) for begun, ended in spans)

        return read


def _key(subject: Subject) -> tuple[int | None, int | None, int]:
    return (
        subject.order.pk if subject.order else None,
        subject.line.pk if subject.line else None,
        subject.customer.pk,
    )
