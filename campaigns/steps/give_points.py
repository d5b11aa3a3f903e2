"""Give points."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.steps.base import Done, Outcome, Skipped, Visit, register
from loyalty import ledger


@register("give_points", label="Points", icon="gift")
@dataclass(frozen=True)
class GivePoints:
    """`points` to give, once for each enrolment; `reason` is what the customer reads beside them."""

    points: int
    reason: str = ""

    def faults(self) -> list[str]:
        return [] if 1 <= self.points <= 1_000_000 else [_("points lies between 1 and 1,000,000.")]

    def sentence(self) -> str:
        return _("Give %(points)s points") % {"points": self.points}

    def run(self, visit: Visit) -> Outcome:
        given = ledger.give(
            visit.store,
            visit.customer,
            points=self.points,
            key=f"flow:{visit.key}",
            reason=self.reason or visit.flow.name,
        )
        return Done() if given else Skipped(_("these points were given already"))
