"""How often one person may enter a flow: the re-entry rule of the flow file, and what it says of one moment. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.triggers.base import Occurrence

# Of an enrolment key's 200 characters, what is left after the flow's id.
MAX_SCOPE = 180
EVERY_DAYS = "every_days"
DEFAULT = "once_per_order"
RULES: dict[str, Any] = {
    "once": gettext_lazy("once"),
    "once_per_order": gettext_lazy("once per order"),
    "once_per_order_and_event": gettext_lazy("once per order and kind of event"),
    "once_per_line": gettext_lazy("once per line of an order"),
    EVERY_DAYS: gettext_lazy("at most once in so many days"),
    "always": gettext_lazy("every time"),
}


@dataclass(frozen=True)
class Entry:
    """An earlier entry of the person into the flow: for what, and at which moment."""

    scope: str
    at: datetime


@dataclass(frozen=True)
class Reentry:
    """A checked rule. `days` only with `every_days`."""

    rule: str = DEFAULT
    days: int = 0

    @property
    def looks_back(self) -> bool:
        """Whether it must know the person's earlier entries; for the others the unique key says it all."""
        return self.rule == EVERY_DAYS

    def sentence(self) -> str:
        """ "once per order", "at most once in 30 days"."""
        if self.rule == EVERY_DAYS:
            return ngettext("at most once a day", "at most once in %(n)d days", self.days) % {"n": self.days}
        return str(RULES[self.rule])

    def scope(self, moment: Occurrence, earlier: Iterable[Entry] = ()) -> str | None:
        """For what the person would enter, unique in the flow; None when an earlier entry forbids it.

        What is about a person and not about an order (a birthday, a silence) counts for itself with the rules of orders.
        Repeated, a moment gives the same scope or None. Two workers that look at the same earlier entries give the
        same scope, of which the database takes one: that is what makes `every_days` safe.
        """
        before = list(earlier)
        scope = self._scope(moment, before)
        return None if scope is None or any(entry.scope == scope for entry in before) else scope

    def _scope(self, moment: Occurrence, before: list[Entry]) -> str | None:
        if self.rule == "once":
            return f"customer:{moment.customer_id}"
        if self.rule == EVERY_DAYS:
            apart = timedelta(days=self.days)
            if any(abs(entry.at - moment.at) < apart for entry in before):
                return None
            return f"customer:{moment.customer_id}:{1 + max((_number(entry.scope) for entry in before), default=0)}"
        if self.rule == "once_per_line" and moment.order_id and "line" in moment.payload:
            return f"line:{moment.order_id}:{moment.payload['line']}"
        about_order = moment.order_id and moment.about != "customer"
        if self.rule in {"once_per_order", "once_per_line"} and about_order:
            return f"order:{moment.order_id}"
        if self.rule == "once_per_order_and_event" and about_order:
            return f"order:{moment.order_id}:{moment.name}"
        return _short(moment.key)


def _number(scope: str) -> int:
    tail = scope.rpartition(":")[2]
    return int(tail) if scope.startswith("customer:") and scope.count(":") == 2 and tail.isdigit() else 0


def _short(key: str) -> str:
    if len(key) <= MAX_SCOPE:
        return key
    return f"{key[: MAX_SCOPE - 33]}#{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def faults(raw: Any) -> list[str]:
    """What is wrong with the rule of a flow file, a sentence for each fault."""
    if isinstance(raw, Mapping):
        days = raw.get(EVERY_DAYS)
        good = set(raw) == {EVERY_DAYS} and isinstance(days, int) and not isinstance(days, bool) and 1 <= days <= 3650
        return [] if good else [_("reentry: every_days takes a number of days from 1 to 3650.")]
    if raw == EVERY_DAYS:
        return [_("reentry: every_days needs its days, such as {every_days: 30}.")]
    if not isinstance(raw, str) or raw not in RULES:
        return [_("reentry is one of %(known)s.") % {"known": ", ".join(RULES)}]
    return []


def parse(raw: Any) -> Reentry:
    """The rule of a checked flow file; None is the usual one."""
    if raw is None:
        return Reentry()
    return Reentry(EVERY_DAYS, raw[EVERY_DAYS]) if isinstance(raw, Mapping) else Reentry(raw)
