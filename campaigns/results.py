"""What came of a split: for each way its people, successes and an interval; and whether one may be called better.

Looking every day and stopping when it looks good finds a winner where there is none in far more than one case of twenty.
So nothing is called better before the planned number of people has been through each way and their time is over, and then
once, over exactly those people. Intervals are Wilson's (1927) for a share and Newcombe's hybrid score interval (1998, method
10) for the difference of two; with more than two ways the level of each comparison is raised (Bonferroni), so that the whole
answer is right in 95 of 100 cases.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, sqrt
from statistics import NormalDist

from django.utils.translation import gettext as _

from campaigns import definitions, times
from campaigns.models import Flow, StepRun
from campaigns.steps.split import Split
from postpurchase import clock
from stores.models import Event

LEVEL = 0.95
CHUNK = 5000


@dataclass(frozen=True)
class Way:
    """One way of a split. `low` and `high` are the 95 % interval of the share of `people` who had success."""

    name: str
    people: int
    successes: int
    low: float
    high: float
    # People who went this way but whose time is not over yet, or who came after the planned number.
    waiting: int = 0

    @property
    def low_percent(self) -> float:
        return 100 * self.low

    @property
    def high_percent(self) -> float:
        return 100 * self.high

    @property
    def share(self) -> float:
        return self.successes / self.people if self.people else 0.0


@dataclass(frozen=True)
class Results:
    """`better` is the name of the winner; empty before the plan is fulfilled, and when the ways do not differ enough."""

    ways: tuple[Way, ...]
    planned: int
    is_complete: bool
    better: str = ""
    # Of the winner over the second: the interval of the difference of the shares.
    low: float = 0.0
    high: float = 0.0

    def sentence(self) -> str:
        """What may be said, in words."""
        if not self.is_complete:
            fewest = min((way.people for way in self.ways), default=0)
            return _("Too early to say: %(n)d of %(planned)d people have been through the smallest way.") % {
                "n": fewest,
                "planned": self.planned,
            }
        if not self.better:
            return _("No way is better than the others, as far as %(planned)d people each can tell.") % {
                "planned": self.planned
            }
        return _("“%(name)s” is better, by %(low).1f to %(high).1f percentage points.") % {
            "name": self.better,
            "low": 100 * self.low,
            "high": 100 * self.high,
        }


def results(flow: Flow, uid: str, split: Split) -> Results:
    """The results of the flow's split `uid`, over all its versions; read in chunks."""
    window, now = times.span(split.within), clock.now()
    people: dict[str, int] = defaultdict(int)
    waiting: dict[str, int] = defaultdict(int)
    successes: dict[str, int] = defaultdict(int)
    runs = StepRun.objects.filter(enrolment__flow=flow, step=uid, kind="split").order_by("at", "pk")
    rows = runs.values_list("lane", "at", "enrolment__customer_id", "enrolment__context__event_key")
    page: list[_Gone] = []
    for lane, at, customer, key in rows.iterator(chunk_size=CHUNK):
        if at + window > now or people[lane] >= split.sample:
            waiting[lane] += 1
            continue
        people[lane] += 1
        page.append(_Gone(lane, at, at + window, customer, key or ""))
        if len(page) >= CHUNK:
            _count(flow, split.goal, page, successes)
            page = []
    _count(flow, split.goal, page, successes)
    return judge([(name, people[name], successes[name], waiting[name]) for name in split.lanes()], planned=split.sample)


def of_flow(flow: Flow) -> list[tuple[str, Results]]:
    """The number and the results of each split of the live version, in their order."""
    if flow.live is None:
        return []
    placed = definitions.parse(flow.live.definition).steps.values()
    splits = [(each.number, each.uid, each.step) for each in placed if isinstance(each.step, Split)]
    return [(number, results(flow, uid, split)) for number, uid, split in sorted(splits, key=lambda each: each[0])]


@dataclass(frozen=True)
class _Gone:
    """Somebody who went one way, and until when a success counts."""

    lane: str
    at: datetime
    until: datetime
    customer_id: int
    # What started the flow is no success of it.
    event_key: str


def _count(flow: Flow, goal: str, page: Sequence[_Gone], successes: dict[str, int]) -> None:
    if not page:
        return
    events = Event.objects.filter(
        store_id=flow.store_id,
        name=goal,
        at__gte=min(each.at for each in page),
        at__lt=max(each.until for each in page),
    )
    wanted = {each.customer_id for each in page}
    reached: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for customer, at, key in events.values_list("customer_id", "at", "key").iterator(chunk_size=CHUNK):
        if customer in wanted:
            reached[customer].append((at, key))
    for each in page:
        if any(each.at <= at < each.until and key != each.event_key for at, key in reached[each.customer_id]):
            successes[each.lane] += 1


def judge(counts: Sequence[tuple[str, int, int, int]], *, planned: int) -> Results:
    """The answer to (name, people, successes, waiting) of each way. Pure."""
    ways = tuple(Way(name, people, won, *wilson(won, people, LEVEL), waiting) for name, people, won, waiting in counts)
    if any(way.people < planned for way in ways):
        return Results(ways, planned, is_complete=False)
    best, *others = sorted(ways, key=lambda way: -way.share)
    level = 1 - (1 - LEVEL) / max(len(ways) * (len(ways) - 1) / 2, 1)
    against = [difference(best.successes, best.people, way.successes, way.people, level) for way in others]
    if all(low > 0 for low, _high in against):
        return Results(ways, planned, True, best.name, *against[0])
    return Results(ways, planned, is_complete=True)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(1 - (1 - level) / 2)


def wilson(successes: int, people: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a share; (0, 1) when nobody was asked."""
    if not people:
        return 0.0, 1.0
    z, share = _z(level), successes / people
    middle = share + z * z / (2 * people)
    reach = z * sqrt(share * (1 - share) / people + z * z / (4 * people * people))
    whole = 1 + z * z / people
    return max((middle - reach) / whole, 0.0), min((middle + reach) / whole, 1.0)


def difference(one: int, of_one: int, other: int, of_other: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of the difference of two shares."""
    a, b = one / of_one, other / of_other
    (low_a, high_a), (low_b, high_b) = wilson(one, of_one, level), wilson(other, of_other, level)
    return a - b - sqrt((a - low_a) ** 2 + (high_b - b) ** 2), a - b + sqrt((high_a - a) ** 2 + (b - low_b) ** 2)


def people_needed(share: float, wanted: float, *, power: float = 0.8) -> int:
    """How many people each way needs, so that a rise from `share` to `wanted` is found in `power` of the cases."""
    z, reach = _z(LEVEL), NormalDist().inv_cdf(power)
    spread = share * (1 - share) + wanted * (1 - wanted)
    return ceil((z + reach) ** 2 * spread / (wanted - share) ** 2)
