"""Send an e-mail: plans a message; the outbox looks again before it goes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import times
from campaigns.models import Message
from campaigns.steps.base import Done, Outcome, Step, Visit, register, setting
from postpurchase.due import MARKETING, TRANSACTIONAL
from stores import conditions

PURPOSES = ("order", "service", "review", "survey", "loyalty", "marketing")
PURPOSE_OF_CLASS = {"T": "order", "S": "service", "M": "marketing"}
# How long a message that has to wait is still of use.
USEFUL_FOR = {"T": timedelta(hours=72), "S": timedelta(days=30), "M": timedelta(days=14)}
LONGEST = timedelta(days=365)
_WORDS = (
    ("", gettext_lazy("As the flow’s class says")),
    ("order", gettext_lazy("About the order")),
    ("service", gettext_lazy("Service")),
    ("review", gettext_lazy("Reviews")),
    ("survey", gettext_lazy("Surveys")),
    ("loyalty", gettext_lazy("Loyalty")),
    ("marketing", gettext_lazy("Marketing")),
)


@register("send_email", label=gettext_lazy("Email"), icon="mail", group="send")
@dataclass(frozen=True)
class SendEmail(Step):
    """`template` names the text. `purpose` is for consent, by default that of the flow's class.

    `useful_for` ("3 days") is how long it may be held back before it is of no use any more. `send_if` is judged by the
    outbox, just before it goes out.
    """

    template: str = field(metadata=setting(gettext_lazy("Text"), widget="template"))
    title: str = field(default="", metadata=setting(gettext_lazy("Name in this flow"), widget="text"))
    purpose: str = field(
        default="",
        metadata=setting(
            gettext_lazy("Purpose"), choices=_WORDS, help=gettext_lazy("Which consent of the person it needs.")
        ),
    )
    useful_for: str = field(
        default="",
        metadata=setting(
            gettext_lazy("Of use for"),
            widget="span",
            help=gettext_lazy(
                "If it has to wait for longer than this, it is not sent. Empty: as the flow’s class says."
            ),
        ),
    )
    send_if: dict[str, Any] | None = field(
        default=None,
        metadata=setting(
            gettext_lazy("Send only if"), widget="condition", help=gettext_lazy("Looked at just before it is sent.")
        ),
    )

    def faults(self) -> list[str]:
        wrong = []
        if not self.template.strip():
            wrong.append(_("Choose an email template."))
        if self.purpose and self.purpose not in PURPOSES:
            wrong.append(_("purpose is one of %(known)s.") % {"known": ", ".join(PURPOSES)})
        if self.useful_for:
            try:
                fits = timedelta() < times.span(self.useful_for) <= LONGEST
            except ValueError:
                fits = False
            if not fits:
                wrong.append(_("useful_for is a time such as 12 hours or 3 days, at most 365 days."))
        if self.send_if is not None:
            wrong += conditions.faults(self.send_if, at="send_if")
        return wrong

    def sentence(self) -> str:
        title = self.title or self.template
        text = _("Send “%(title)s” by email, in the customer’s language") % {"title": title}
        if self.send_if:
            text += _(", if by then %(condition)s") % {"condition": conditions.describe(self.send_if)}
        return text

    def run(self, visit: Visit) -> Outcome:
        klass = visit.flow.klass
        useful = times.span(self.useful_for) if self.useful_for else USEFUL_FOR[klass]
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
                context={name: value for name, value in visit.context.items() if name not in {"payload", "waits"}},
                key=visit.key,
                priority=TRANSACTIONAL if klass == "T" else MARKETING,
                created_at=visit.now,
                planned_for=visit.at,
                due_at=visit.at,
                useful_until=visit.at + useful,
            )
        )
        return Done()


def send_condition(step: Step) -> Mapping[str, Any] | None:
    """What must hold when a message of this step goes out; None when nothing must."""
    return step.send_if if isinstance(step, SendEmail) else None
