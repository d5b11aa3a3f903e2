"""Letters are kept for 90 days, facts for good; a person who is erased leaves neither letter nor address behind."""

from datetime import timedelta

from campaigns.models import Enrolment, Message
from postpurchase import clock
from postpurchase.due import State
from stores.models import Customer

LETTERS_KEPT = timedelta(days=90)
AT_ONCE = 500


def tidy() -> int:
    """Throw away old letters, each minute a few; what was sent to whom, when and why stays. How many went."""
    old = Message.objects.filter(accepted_at__lt=clock.now() - LETTERS_KEPT).exclude(text="")
    keys = list(old.order_by("accepted_at").values_list("pk", flat=True)[:AT_ONCE])
    return Message.objects.filter(pk__in=keys).update(html="", text="") if keys else 0


def forget(customer: Customer) -> None:
    """Erase the letters to the person and end their ways; what is planned is skipped. In the caller's transaction."""
    Message.objects.filter(customer=customer).update(
        to="", subject="", html="", text="", context={}, trace=[], provider_answer=""
    )
    Enrolment.objects.filter(customer=customer).update(context={})
    Enrolment.objects.filter(customer=customer, status=Enrolment.Status.ACTIVE).exclude(state=State.RUNNING).update(
        status=Enrolment.Status.LEFT, state=State.DONE, reason="customer erased", finished_at=clock.now()
    )
