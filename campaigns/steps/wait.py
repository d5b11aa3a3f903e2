"""Wait for a time: days and hours after the event or after the step before, then perhaps for an hour of the day."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import times
from campaigns.steps.base import Done, Outcome, Step, Visit, WaitUntil, register, setting

_SINCE = (("step", gettext_lazy("the step before")), ("event", gettext_lazy("what started the flow")))


@register("wait", label=gettext_lazy("Wait"), icon="clock", group="time")
@dataclass(frozen=True)
class Wait(Step):
    """`months` and `days` are of the calendar in the shop's zone, `hours` and `minutes` exact spans.

    `since` "event" counts from what started the flow, "step" from now. `until` "HH:MM" waits for that time of day;
    `between` ["HH:MM", "HH:MM"] only lets a moment stand that lies there, else it takes the next start.
    """

    days: int = field(default=0, metadata=setting(gettext_lazy("Days"), low=0, high=730))
    hours: int = field(default=0, metadata=setting(gettext_lazy("Hours"), low=0, high=8760))
    minutes: int = field(default=0, metadata=setting(gettext_lazy("Minutes"), low=0, high=1440))
    months: int = field(
        default=0,
        metadata=setting(
            gettext_lazy("Months"), low=0, high=24, help=gettext_lazy("A month that is too short ends on its last day.")
        ),
    )
    since: str = field(default="step", metadata=setting(gettext_lazy("Counted from"), choices=_SINCE))
    until: str = field(
        default="",
        metadata=setting(gettext_lazy("Then until"), widget="time", help=gettext_lazy("In your store’s time zone.")),
    )
    between: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            gettext_lazy("Only between"),
            widget="times",
            help=gettext_lazy("Outside these hours it waits for the next start, in your store’s time zone."),
        ),
    )

    def faults(self) -> list[str]:
        wrong = []
        most = ((self.months, 24), (self.days, 730), (self.hours, 8760), (self.minutes, 1440))
        if any(not 0 <= n <= limit for n, limit in most):
            wrong.append(_("A wait lies between no time and two years."))
        if not (self.months or self.days or self.hours or self.minutes or self.until or self.between):
            wrong.append(_("A wait needs days, hours, minutes, until or between."))
        if self.since not in {"event", "step"}:
            wrong.append(_("since is event or step."))
        if self.between and len(self.between) != 2:
            wrong.append(_("between takes two times, such as 10:00 and 18:00."))
        try:
            hours = [times.clock_time(text) for text in (*self.between, *([self.until] if self.until else []))]
        except ValueError as error:
            return [*wrong, _("%(text)s is not a time of day such as 09:30.") % {"text": error}]
        if len(self.between) == 2 and hours[0] >= hours[1]:
            wrong.append(_("between must begin before it ends, on the same day."))
        return wrong

    def sentence(self) -> str:
        spans = []
        if self.months:
            spans.append(_("1 month") if self.months == 1 else _("%(n)s months") % {"n": self.months})
        if self.days:
            spans.append(_("1 day") if self.days == 1 else _("%(n)s days") % {"n": self.days})
        if self.hours:
            spans.append(_("1 hour") if self.hours == 1 else _("%(n)s hours") % {"n": self.hours})
        if self.minutes:
            spans.append(_("1 minute") if self.minutes == 1 else _("%(n)s minutes") % {"n": self.minutes})
        if spans and self.since == "event":
            text = _("Wait until %(span)s after the start") % {"span": ", ".join(spans)}
        elif spans:
            text = _("Wait %(span)s") % {"span": ", ".join(spans)}
        else:
            text = _("Wait")
        if self.until:
            text += " " + _("until %(time)s") % {"time": self.until}
        if self.between:
            window = {"start": self.between[0], "end": self.between[1]}
            text += (
                _(", then between %(start)s and %(end)s") if spans else _(" until between %(start)s and %(end)s")
            ) % (window)
        return text

    def run(self, visit: Visit) -> Outcome:
        zone = visit.store.tz
        at = datetime.fromisoformat(visit.context["at"]) if self.since == "event" else visit.now
        if self.months:
            at = times.add_months(at, self.months, zone)
        if self.days:
            at = times.add_days(at, self.days, zone)
        at += timedelta(hours=self.hours, minutes=self.minutes)
        if self.until:
            at = times.next_at(at, times.clock_time(self.until), zone)
        if self.between:
            start, end = (times.clock_time(text) for text in self.between)
            at = times.into_window(at, start, end, zone)
            if at < visit.now:
                # The moment has passed while nobody was there; the hours of the day still hold.
                at = times.into_window(visit.now, start, end, zone)
        return WaitUntil(at) if at > visit.now else Done()
