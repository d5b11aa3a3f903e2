"""End the flow here, for instance on one side of a branch."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.steps.base import Leave, Outcome, Visit, register


@register("end", label="End", icon="check")
@dataclass(frozen=True)
class End:
    reason: str = ""

    def faults(self) -> list[str]:
        return []

    def sentence(self) -> str:
        return _("Flow ends")

    def run(self, visit: Visit) -> Outcome:
        return Leave(self.reason or _("the flow ends here"), early=False)
