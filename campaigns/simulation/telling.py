"""A report in words and rows, for pages and the command line: every number with what it is a part of."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import steps
from campaigns.definitions import Definition
from campaigns.simulation.course import ALREADY, NOT_MET, UNKNOWN
from campaigns.simulation.report import AGAIN_WITHIN, Report, StepCount, weeks_between

_REFUSED = {
    NOT_MET: gettext_lazy("the conditions of entering did not hold"),
    ALREADY: gettext_lazy("was in the flow already for this"),
    UNKNOWN: gettext_lazy("the person or the order is not known any more"),
}
_EFFECTS = {
    "review.ask": gettext_lazy("review pages made"),
    "points.give": gettext_lazy("times points given"),
}
WIDTH, HEIGHT, LEFT, FOOT = 640, 180, 40, 24


@dataclass(frozen=True)
class Part:
    """A number of a whole, with its words."""

    words: str
    n: int
    of: int

    @property
    def share(self) -> str:
        """ "14.8%"; nothing where there is no whole."""
        return f"{Decimal(self.n) * 100 / Decimal(self.of):.1f}%" if self.of else ""


@dataclass(frozen=True)
class StepRow:
    """One step: its sentence, and what happened at it."""

    number: str
    icon: str
    words: str
    facts: list[Part]
    reasons: list[Part]


@dataclass(frozen=True)
class Bar:
    """A week of the chart."""

    x: float
    y: float
    width: float
    height: float
    words: str
    label: str


@dataclass(frozen=True)
class Weeks:
    """Messages sent by week: the chart, and its table with a column for each message."""

    bars: list[Bar]
    titles: list[str]
    rows: list[tuple[str, list[int], int]]
    top: int


@dataclass(frozen=True)
class Told:
    """All that a page shows of a dry run."""

    report: Report
    entered: list[Part]
    not_entered: list[Part]
    ends: list[Part]
    steps: list[StepRow]
    not_sent: list[Part]
    weeks: Weeks
    baseline: str
    notes: list[str]


def told(report: Report, definition: Definition) -> Told:
    """The report for people."""
    not_sent: Counter[str] = Counter()
    for step in report.steps.values():
        not_sent.update(step.not_sent)
    return Told(
        report=report,
        entered=[
            Part(_("entered"), report.entered, report.found),
            Part(_("people"), report.people, report.found_people),
            Part(_("messages sent"), report.sent, report.planned),
        ],
        not_entered=_parts(report.not_entered, report.found, _REFUSED),
        ends=_ends(report),
        steps=[_row(uid, report.steps.get(uid, StepCount()), definition, report) for uid in _in_order(definition)],
        not_sent=_parts(not_sent, report.planned),
        weeks=_weeks(report, definition),
        baseline=baseline(report),
        notes=notes(report),
    )


def _parts(counter: Counter[str], whole: int, names: Mapping[str, Any] | None = None) -> list[Part]:
    rows = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Part(str((names or {}).get(reason, reason)), n, whole) for reason, n in rows]


def _ends(report: Report) -> list[Part]:
    parts = [
        Part(_("went to the end"), report.finished, report.entered),
        Part(_("still on their way"), report.active, report.entered),
    ]
    if report.held_back:
        parts.append(Part(_("in the hold-back group"), report.held_back, report.entered))
    return parts + [
        Part(_("left: %(reason)s") % {"reason": part.words}, part.n, part.of)
        for part in _parts(report.left, report.entered)
    ]


def _in_order(definition: Definition) -> list[str]:
    """The steps by their numbers as the flow shows them."""
    return sorted(definition.steps, key=lambda uid: _sortable(definition.steps[uid].number))


def _sortable(number: str) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    digits = ""
    for sign in number + " ":
        if sign.isdigit():
            digits += sign
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        if sign != " ":
            parts.append((0, sign))
    return parts


def _row(uid: str, count: StepCount, definition: Definition, report: Report) -> StepRow:
    place = definition.steps[uid]
    kind = steps.kinds()[place.kind]
    facts = [Part(_lane(lane), n, count.done) for lane, n in sorted(count.lanes.items(), key=lambda pair: -pair[1])]
    reasons = _parts(count.passed_over, report.entered)
    if count.planned:
        facts.append(Part(_("sent"), count.sent, count.planned))
        if waiting := count.waiting.total():
            facts.append(Part(_("waiting at the end"), waiting, count.planned))
        reasons += _parts(count.not_sent, count.planned)
    elif not count.lanes:
        facts.append(Part(_("done"), count.done, report.entered))
    return StepRow(place.number, kind.icon, place.step.sentence(), facts, reasons)


def _lane(lane: str) -> str:
    return {"then": _("yes"), "else": _("otherwise")}.get(lane, lane)


def _weeks(report: Report, definition: Definition) -> Weeks:
    weeks = weeks_between(report.since, report.until, ZoneInfo(report.zone))
    mails = [uid for uid in _in_order(definition) if report.steps.get(uid) and report.steps[uid].planned]
    rows = []
    for week in weeks:
        each = [report.steps[uid].weeks.get(week.isoformat(), 0) for uid in mails]
        rows.append((week, each, sum(each)))
    most = max((total for _week, _each, total in rows), default=0)
    top = _round_up(most)
    slot = (WIDTH - LEFT) / max(len(rows), 1)
    bars = []
    for n, (week, _each, total) in enumerate(rows):
        height = (HEIGHT - FOOT) * total / top if top else 0
        label = _short(week) if n % max(len(rows) // 6, 1) == 0 else ""
        words = ngettext("Week of %(day)s: %(n)s message", "Week of %(day)s: %(n)s messages", total)
        bars.append(
            Bar(
                round(LEFT + n * slot + slot * 0.15, 1),
                round(HEIGHT - FOOT - height, 1),
                round(slot * 0.7, 1),
                round(height, 1),
                words % {"day": _short(week), "n": f"{total:,}"},
                label,
            )
        )
    titles = [getattr(definition.steps[uid].step, "title", "") or uid for uid in mails]
    return Weeks(bars, titles, [(_short(week), each, total) for week, each, total in rows], top)


def _short(day: date) -> str:
    return date_format(day, "j M")


def _round_up(most: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    if most <= 0:
        return 0
    step = 1
    while True:
        for times in (1, 2, 5):
            if step * times >= most:
                return step * times
        step *= 10


def baseline(report: Report) -> str:
    """Who bought again by themselves. It predicts nothing about money, and nothing about the flow."""
    days = AGAIN_WITHIN.days
    if report.watched:
        part = Part("", report.again, report.watched)
        return _(
            "%(again)s of the %(watched)s people who entered at least %(days)s days before the end bought again within "
            "%(days)s days with no message of this flow: %(share)s."
        ) % {"again": f"{part.n:,}", "watched": f"{part.of:,}", "days": days, "share": part.share}
    if report.written_to:
        return _("Everybody who entered early enough got messages of this flow, so nobody shows what happens without.")
    return _("Nobody entered more than %(days)s days before the end, so it is too early to say who buys again.") % {
        "days": days
    }


def notes(report: Report) -> list[str]:
    """What a reader must know to judge the numbers."""
    found = [
        _(
            "As if the flow had been on since the first day, and the worker never late. No other flow was run beside it."
        ),
    ]
    if report.undated:
        found.append(
            _("Told as it is today, because its past is not kept: %(what)s.") % {"what": ", ".join(report.undated)}
        )
    if report.undated_orders:
        found.append(
            ngettext(
                "%(n)s order was cancelled or failed at a moment that your store does not tell; it counts as such from the start.",
                "%(n)s orders were cancelled or failed at moments that your store does not tell; they count as such from the start.",
                report.undated_orders,
            )
            % {"n": f"{report.undated_orders:,}"}
        )
    if report.erased:
        found.append(
            ngettext("%(n)s erased person is left out.", "%(n)s erased people are left out.", report.erased)
            % {"n": f"{report.erased:,}"}
        )
    if report.written_to:
        found.append(
            ngettext(
                "%(n)s person got messages of this flow and is left out of those who bought again by themselves.",
                "%(n)s people got messages of this flow and are left out of those who bought again by themselves.",
                report.written_to,
            )
            % {"n": f"{report.written_to:,}"}
        )
    found.append(_("Names, addresses, languages and pauses are those of today; consent is replayed from its log."))
    return found
