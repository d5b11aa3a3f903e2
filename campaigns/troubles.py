"""What is wrong in a person's matter, and while it is: nothing is asked or advertised meanwhile.

Spans rather than present states, so that a dry run over last month holds what would have been held.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from reviews.models import Case
from stores import events
from stores.models import Event
from stores.shipments import OFF

QUIET_AFTER_CASE = timedelta(days=7)
# A parcel of which nothing was heard for so long holds nothing any more.
LATE_FOR = timedelta(days=30)

EVERYTHING, SELLING, ORDER = "everything", "selling", "order"


@dataclass(frozen=True)
class Trouble:
    """`until` is None while it lasts. It holds service and marketing (everything), marketing and questions (selling),
    or only the question about this order (order). `topic` names the flows that are about it: those are not held."""

    customer_id: int
    order_id: int | None
    since: datetime
    until: datetime | None
    reason: str
    holds: str
    topic: str

    def runs(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


Source = Callable[[Collection[int], datetime], Iterable[Trouble]]
_sources: list[Source] = []


def add_source(source: Source) -> None:
    """Register what may be wrong: customers and a moment to what was wrong then or later. One query for all of them."""
    _sources.append(source)


def of_people(customer_ids: Collection[int], *, since: datetime) -> dict[int, list[Trouble]]:
    """All troubles of these people that lasted beyond `since`."""
    found: dict[int, list[Trouble]] = {}
    for source in _sources if customer_ids else []:
        for trouble in source(customer_ids, since):
            found.setdefault(trouble.customer_id, []).append(trouble)
    return found


def cases(customer_ids: Collection[int], since: datetime) -> Iterable[Trouble]:
    """Open cases, and the week after one was put right."""
    rows = Case.objects.filter(customer_id__in=customer_ids)
    for customer, order, state, kind, opened, resolved, confirmed in rows.values_list(
        "customer_id", "order_id", "state", "kind", "opened_at", "resolved_at", "confirmed_at"
    ):
        back = kind == Case.Kind.RETURN
        reason, topic = ("return in progress", "return") if back else ("open case", "case")
        closed = max((at for at in (resolved, confirmed) if at), default=None)
        if state == Case.State.OPEN:
            yield Trouble(customer, order, opened, None, reason, EVERYTHING, topic)
            continue
        if closed is None:
            continue
        yield Trouble(customer, order, opened, closed, reason, EVERYTHING, topic)
        healed = closed + QUIET_AFTER_CASE
        if healed > since:
            yield Trouble(customer, order, closed, healed, "a case was solved less than 7 days ago", ORDER, "case")


def late_orders(customer_ids: Collection[int], since: datetime) -> Iterable[Trouble]:
    """Orders past their promise, until they arrive."""
    told = (
        Event.objects.filter(name=events.ORDER_LATE, customer_id__in=customer_ids, at__gt=since - LATE_FOR)
        .exclude(order__status__in=OFF)
        .filter(order__deleted_at=None, order__trashed_at=None)
    )
    for customer, order, at, arrived in told.values_list("customer_id", "order_id", "at", "order__delivered_at"):
        until = min(arrived or at + LATE_FOR, at + LATE_FOR)
        yield Trouble(customer, order, at, until, "order late", SELLING, "delay")


def register() -> None:
    """Called once at start."""
    add_source(cases)
    add_source(late_orders)
