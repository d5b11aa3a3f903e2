"""A branch: one side when a condition holds, the other when not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.steps.base import ELSE, THEN, Choose, Outcome, Step, Visit, register, setting
from stores import conditions


@register("branch", label=gettext_lazy("Check"), icon="branch", group="way", parts=True)
@dataclass(frozen=True)
class Branch(Step):
    """`condition` is a condition tree; the steps of both sides stand beside it as `then` and `else`."""

    condition: dict[str, Any] = field(metadata=setting(gettext_lazy("What to check"), widget="condition"))

    def faults(self) -> list[str]:
        return conditions.faults(self.condition)

    def sentence(self) -> str:
        return _("Check: %(condition)s?") % {"condition": conditions.describe(self.condition)}

    def run(self, visit: Visit) -> Outcome:
        return Choose(THEN if conditions.holds(self.condition, visit.values) else ELSE)

    def conditions(self) -> list[Mapping[str, Any]]:
        return [self.condition]

    def lanes(self) -> tuple[str, ...]:
        return (THEN, ELSE)
