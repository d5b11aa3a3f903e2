"""Move the order to another state in the shop, if it is still in a state that the flow knows."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from campaigns.steps.base import Done, Outcome, Skipped, Step, Visit, register, setting
from campaigns.steps.shop import may_write, order_of
from stores import conditions, write_backs
from stores.words import ORDER_STATUS

STATUS = "order.status"


def _words(status: str) -> str:
    known = ORDER_STATUS.get(status)
    return str(known[1]) if known else status


def _choices() -> list[tuple[str, str]]:
    return [(status, _words(status)) for status in write_backs.STATES]


@register("change_status", label=gettext_lazy("Order state"), icon="edit", group="shop")
@dataclass(frozen=True)
class ChangeStatus(Step):
    """`status` is set only while the order is in one of the states `only_from`, here when the step runs and once more in
    the shop when it is written; when somebody moved it meanwhile, a person is asked.
    """

    status: str = field(metadata=setting(gettext_lazy("Move it to"), choices=_choices))
    only_from: tuple[str, ...] = field(
        metadata=setting(
            gettext_lazy("Only when it is"),
            choices=_choices,
            help=gettext_lazy("States of your own are written by name."),
        )
    )

    def faults(self) -> list[str]:
        wrong = []
        if self.status not in write_backs.STATES:
            wrong.append(_("status is one of %(known)s.") % {"known": ", ".join(write_backs.STATES)})
        if not self.only_from:
            wrong.append(_("only_from needs at least one state that the order may be moved from."))
        elif self.status in self.only_from:
            wrong.append(_("The order would be moved to the state that it is in; take it out of only_from."))
        return wrong

    def sentence(self) -> str:
        return _("Move the order to “%(status)s” in your store, if it is %(states)s") % {
            "status": _words(self.status),
            "states": _(" or ").join(f"“{_words(each)}”" for each in self.only_from),
        }

    def run(self, visit: Visit) -> Outcome:
        if visit.order is None:
            return Skipped(_("no order"))
        seen = conditions.present_status(visit.order)
        if seen == self.status:
            return Skipped(_("it is so already"))
        if seen not in self.only_from:
            return Skipped(_("the order is “%(status)s”") % {"status": _words(seen)})
        visit.want(STATUS, status=self.status)
        return Done()


@effects.performs(STATUS, foresee=may_write)
def _move(person: Enrolment, effect: Effect) -> Performed:
    write_backs.set_status(order_of(person), effect.params["status"], key=effect.key, by=f"flow {person.flow.slug}")
    return Performed()
