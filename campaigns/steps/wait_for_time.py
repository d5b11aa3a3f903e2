"""Wait until a time of day, on certain days of the week, by the store's clocks or the recipient's."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import times
from campaigns.steps.base import Done, Outcome, Step, Visit, WaitUntil, register, setting

WEEKDAYS = {
    "mon": gettext_lazy("Monday"),
    "tue": gettext_lazy("Tuesday"),
    "wed": gettext_lazy("Wednesday"),
    "thu": gettext_lazy("Thursday"),
    "fri": gettext_lazy("Friday"),
    "sat": gettext_lazy("Saturday"),
    "sun": gettext_lazy("Sunday"),
}
_NAMES = list(WEEKDAYS)
_ZONES = (("store", gettext_lazy("your store’s time zone")), ("recipient", gettext_lazy("the customer’s time zone")))


@register("wait_for_time", label=gettext_lazy("Wait for a time"), icon="clock", group="time")
@dataclass(frozen=True)
class WaitForTime(Step):
    """`time` "HH:MM" on one of `weekdays` (none: any day). `zone` store or recipient; where a recipient's place leaves
    several zones open, it is that time or later in all of them.
    """

    time: str = field(metadata=setting(gettext_lazy("Time of day"), widget="time"))
    weekdays: tuple[str, ...] = field(
        default=(),
        metadata=setting(
            gettext_lazy("On"),
            widget="weekdays",
            choices=tuple(WEEKDAYS.items()),
            help=gettext_lazy("None chosen: on any day."),
        ),
    )
    zone: str = field(default="store", metadata=setting(gettext_lazy("By the clocks of"), choices=_ZONES))

    def faults(self) -> list[str]:
        wrong = []
        try:
            times.clock_time(self.time)
        except ValueError:
            wrong.append(_("%(text)s is not a time of day such as 09:30.") % {"text": self.time})
        if strange := [name for name in self.weekdays if name not in WEEKDAYS]:
            wrong.append(_("%(text)s is no day of the week; use mon, tue, ... sun.") % {"text": ", ".join(strange)})
        if self.zone not in {"store", "recipient"}:
            wrong.append(_("zone is store or recipient."))
        return wrong

    def sentence(self) -> str:
        days = ", ".join(str(WEEKDAYS[name]) for name in _NAMES if name in self.weekdays)
        place = str(dict(_ZONES)[self.zone])
        if days:
            return _("Wait until %(time)s on %(days)s, in %(zone)s") % {"time": self.time, "days": days, "zone": place}
        return _("Wait until %(time)s, in %(zone)s") % {"time": self.time, "zone": place}

    def run(self, visit: Visit) -> Outcome:
        wanted = times.clock_time(self.time)
        zones = visit.zones if self.zone == "recipient" else (visit.store.tz,)
        day = min(visit.now.astimezone(zone).date() for zone in zones)
        allowed = {_NAMES.index(name) for name in self.weekdays} or set(range(7))
        while True:
            if day.weekday() in allowed:
                at = max(times.at_wall(datetime.combine(day, wanted), zone) for zone in zones)
                if at >= visit.now:
                    return WaitUntil(at) if at > visit.now else Done()
            day += timedelta(days=1)
