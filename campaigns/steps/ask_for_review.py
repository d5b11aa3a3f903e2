"""Ask for a review: makes the review page and its link ready; the mail that follows carries it."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from campaigns.steps.base import Done, Leave, Outcome, Step, Visit, register
from postpurchase.errors import BusinessError
from reviews import asking
from stores.models import Order

ASK = "review.ask"


@register("ask_for_review", label=gettext_lazy("Review"), icon="star", group="send")
@dataclass(frozen=True)
class AskForReview(Step):
    """No settings: one page for all items of the order."""

    def sentence(self) -> str:
        return _("Make a review page for the items of the order")

    def run(self, visit: Visit) -> Outcome:
        if visit.order is None:
            return Leave(_("no order to review"))
        visit.want(ASK)
        return Done()

    def refused(self, reason: str) -> Outcome:
        # The mail that follows would lead to an empty page.
        return Leave(reason)


def _order(person: Enrolment) -> Order:
    assert person.order is not None
    return person.order


def _can_ask(person: Enrolment, effect: Effect) -> None:
    if not asking.reviewable(_order(person)):
        raise BusinessError(_("nothing of the order can be reviewed"), "nothing_to_review")


@effects.performs(ASK, foresee=_can_ask)
def _ask(person: Enrolment, effect: Effect) -> Performed:
    request = asking.ask(person.store, _order(person), enrolment_key=person.key)
    return Performed(context={"review_request_id": request.pk})
