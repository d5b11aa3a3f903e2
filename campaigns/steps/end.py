"""End the flow here, for instance on one side of a branch."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.steps.base import Leave, Outcome, Step, Visit, register, setting


@register("end", label=gettext_lazy("End"), icon="check", group="way")
@dataclass(frozen=True)
class End(Step):
    """`reason` is what the person's page says."""

    reason: str = field(default="", metadata=setting(gettext_lazy("Reason, as you will read it"), widget="text"))

    def sentence(self) -> str:
        return _("Flow ends")

    def run(self, visit: Visit) -> Outcome:
        return Leave(self.reason or _("the flow ends here"), early=False)
