"""Give points."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from campaigns.steps.base import Done, Outcome, Step, Visit, register, setting
from loyalty import ledger

GIVE = "points.give"


@register("give_points", label=gettext_lazy("Points"), icon="gift", group="give")
@dataclass(frozen=True)
class GivePoints(Step):
    """`points` to give, once for each enrolment; `reason` is what the customer reads beside them."""

    points: int = field(metadata=setting(gettext_lazy("Points"), widget="number", low=1, high=1_000_000))
    reason: str = field(
        default="",
        metadata=setting(
            gettext_lazy("Reason"), widget="text", help=gettext_lazy("The customer reads it beside the points.")
        ),
    )

    def faults(self) -> list[str]:
        return [] if 1 <= self.points <= 1_000_000 else [_("points lies between 1 and 1,000,000.")]

    def sentence(self) -> str:
        return _("Give %(points)s points") % {"points": self.points}

    def run(self, visit: Visit) -> Outcome:
        visit.want(GIVE, points=self.points, reason=self.reason or visit.flow.name)
        return Done()


@effects.performs(GIVE)
def _give(person: Enrolment, effect: Effect) -> Performed:
    given = ledger.give(
        person.store,
        person.customer,
        points=effect.params["points"],
        key=f"flow:{effect.key}",
        reason=effect.params["reason"],
    )
    return Performed() if given else Performed(skipped=_("these points were given already"))
