"""Send an e-mail: plans a message; the outbox looks again before it goes out."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _

from campaigns.models import Message
from campaigns.steps.base import Done, Outcome, Visit, register
from postpurchase.due import MARKETING, TRANSACTIONAL

PURPOSES = ("order", "service", "review", "survey", "loyalty", "marketing")
PURPOSE_OF_CLASS = {"T": "order", "S": "service", "M": "marketing"}
# How long a message that has to wait is still of use.
USEFUL_FOR = {"T": timedelta(hours=72), "S": timedelta(days=30), "M": timedelta(days=14)}


@register("send_email", label="Email", icon="mail")
@dataclass(frozen=True)
class SendEmail:
    """`template` names the text. `purpose` is for consent, by default that of the flow's class."""

    template: str
    title: str = ""
    purpose: str = ""
    useful_days: int = 0

    def faults(self) -> list[str]:
        wrong = []
        if not self.template.strip():
            wrong.append(_("Choose an email template."))
        if self.purpose and self.purpose not in PURPOSES:
            wrong.append(_("purpose is one of %(known)s.") % {"known": ", ".join(PURPOSES)})
        if not 0 <= self.useful_days <= 365:
            wrong.append(_("useful_days lies between 0 (the usual) and 365."))
        return wrong

    def sentence(self) -> str:
        title = self.title or self.template
        return _("Send “%(title)s” by email, in the customer’s language") % {"title": title}

    def run(self, visit: Visit) -> Outcome:
        klass = visit.flow.klass
        useful = timedelta(days=self.useful_days) if self.useful_days else USEFUL_FOR[klass]
        visit.messages.append(
            Message(
                store_id=visit.enrolment.store_id,
                flow_id=visit.enrolment.flow_id,
                enrolment_id=visit.enrolment.pk,
                step=visit.uid,
                customer_id=visit.enrolment.customer_id,
                order_id=visit.enrolment.order_id,
                klass=klass,
                purpose=self.purpose or PURPOSE_OF_CLASS[klass],
                template=self.template,
                subject=self.title,
                context={name: value for name, value in visit.context.items() if name != "payload"},
                key=visit.key,
                priority=TRANSACTIONAL if klass == "T" else MARKETING,
                created_at=visit.now,
                planned_for=visit.at,
                due_at=visit.at,
                useful_until=visit.at + useful,
            )
        )
        return Done()
