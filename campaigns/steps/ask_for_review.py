"""Ask for a review: makes the review page and its link ready; the mail that follows carries it."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.steps.base import Done, Leave, Outcome, Visit, register
from postpurchase.errors import BusinessError
from reviews import asking


@register("ask_for_review", label="Review", icon="star")
@dataclass(frozen=True)
class AskForReview:
    """No settings: one page for all items of the order."""

    def faults(self) -> list[str]:
        return []

    def sentence(self) -> str:
        return _("Make a review page for the items of the order")

    def run(self, visit: Visit) -> Outcome:
        if visit.order is None:
            return Leave(_("no order to review"))
        try:
            request = asking.ask(visit.store, visit.order, enrolment_key=visit.enrolment.key)
        except BusinessError as refusal:
            return Leave(refusal.message)
        visit.context["review_request_id"] = request.pk
        return Done()
