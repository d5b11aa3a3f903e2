"""A branch: one side when a condition holds, the other when not."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from campaigns.steps.base import Choose, Outcome, Visit, register
from stores import conditions


@register("branch", label="Check", icon="branch")
@dataclass(frozen=True)
class Branch:
    """`condition` is a condition tree; the steps of both sides stand beside it as `then` and `else`."""

    condition: dict[str, Any]

    def faults(self) -> list[str]:
        return conditions.faults(self.condition)

    def sentence(self) -> str:
        return _("Check: %(condition)s?") % {"condition": conditions.describe(self.condition)}

    def run(self, visit: Visit) -> Outcome:
        return Choose(conditions.holds(self.condition, visit.values))
