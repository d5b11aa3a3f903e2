"""Wait until so many days before or after a date: of the order, the person, the coupon, or a field of the shop."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import dates, times
from campaigns.steps.base import Done, Leave, Outcome, Step, Visit, WaitUntil, register, setting

_PAST = (("go_on", gettext_lazy("go on at once")), ("end", gettext_lazy("end the flow here")))


@register("wait_for_date", label=gettext_lazy("Wait for a date"), icon="clock", group="time")
@dataclass(frozen=True)
class WaitForDate(Step):
    """The moment is `time` "HH:MM" in the shop's zone, `days` after `date`; before it when negative.

    A date of each year (a birthday) means the next one; the 29th of February is kept on the 28th in other years. `patience`
    is how many days it waits for a date that is not known yet (a delivery, a coupon that is being made): it looks again
    whenever something about the person happens, and the flow ends when it stays unknown. `past` says what to do when the
    moment lies before today.
    """

    date: str = field(metadata=setting(gettext_lazy("Date"), widget="date", choices=dates.choices))
    days: int = field(
        default=0,
        metadata=setting(
            gettext_lazy("Days after it"), low=-365, high=730, help=gettext_lazy("Less than 0: so many days before.")
        ),
    )
    time: str = field(default="10:00", metadata=setting(gettext_lazy("At"), widget="time"))
    past: str = field(default="go_on", metadata=setting(gettext_lazy("When that day is over"), choices=_PAST))
    patience: int = field(
        default=0,
        metadata=setting(
            gettext_lazy("When the date is not known, wait for it"), unit=gettext_lazy("days"), low=0, high=365
        ),
    )

    def faults(self) -> list[str]:
        wrong = []
        if not dates.is_known(self.date):
            known = ", ".join(dates.known())
            wrong.append(_("There is no date %(name)s. Known are %(known)s.") % {"name": self.date, "known": known})
        if not -365 <= self.days <= 730:
            wrong.append(_("days lies between -365 and 730."))
        if self.past not in {"go_on", "end"}:
            wrong.append(_("past is go_on or end."))
        if not 0 <= self.patience <= 365:
            wrong.append(_("patience lies between 0 and 365 days."))
        try:
            times.clock_time(self.time)
        except ValueError:
            wrong.append(_("%(text)s is not a time of day such as 09:30.") % {"text": self.time})
        return wrong

    def sentence(self) -> str:
        words = {"date": dates.label_of(self.date), "time": self.time, "n": abs(self.days)}
        if self.days == 0:
            return _("Wait until %(date)s, %(time)s") % words
        if self.days > 0:
            text = ngettext(
                "Wait until %(n)d day after %(date)s, %(time)s",
                "Wait until %(n)d days after %(date)s, %(time)s",
                self.days,
            )
        else:
            text = ngettext(
                "Wait until %(n)d day before %(date)s, %(time)s",
                "Wait until %(n)d days before %(date)s, %(time)s",
                -self.days,
            )
        return text % words

    def run(self, visit: Visit) -> Outcome:
        visit.begin()
        at = self._moment(visit)
        if at is None:
            gives_up = visit.begun + timedelta(days=self.patience)
            if visit.now < gives_up:
                return WaitUntil(gives_up)
            return Leave(_("not known: %(date)s") % {"date": dates.label_of(self.date)})
        if at > visit.now:
            return WaitUntil(at)
        zone = visit.store.tz
        over = at.astimezone(zone).date() < visit.begun.astimezone(zone).date()
        if over and self.past == "end":
            return Leave(_("the day was over: %(date)s") % {"date": dates.label_of(self.date)})
        return Done()

    # The date may have become known, or have moved, while the person waited.
    resume = run

    def _moment(self, visit: Visit) -> datetime | None:
        found, zone = visit.dates.get(self.date), visit.store.tz
        if found is None:
            return None
        day = found.astimezone(zone).date() if isinstance(found, datetime) else found
        wanted = times.clock_time(self.time)
        if not dates.is_yearly(self.date):
            return times.at_wall(datetime.combine(day + timedelta(days=self.days), wanted), zone)
        # From the year before, because "30 days after" reaches over the new year.
        first = visit.begun.astimezone(zone).date()
        for year in range(first.year - 3, first.year + 4):
            turn = times.in_year(day, year) + timedelta(days=self.days)
            if turn >= first:
                return times.at_wall(datetime.combine(turn, wanted), zone)
        return None

    def dates(self) -> frozenset[str]:
        return frozenset({self.date})
