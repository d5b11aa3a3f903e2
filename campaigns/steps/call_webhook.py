"""Call an address of the merchant's with what happened: signed, repeated until it is taken, and to be seen in full."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects, hooks
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from campaigns.steps.base import Done, Outcome, Step, Visit, register, setting

CALL = "hook.call"


@register("call_webhook", label=gettext_lazy("Webhook"), icon="external", group="team")
@dataclass(frozen=True)
class CallWebhook(Step):
    """`url` gets a POST with the flow, the person and the order (`docs/flows.md` shows it). `label` is told along, so that
    one address can serve several steps.
    """

    url: str = field(
        metadata=setting(gettext_lazy("Address"), widget="url", help=gettext_lazy("Begins with https://."))
    )
    label: str = field(
        default="", metadata=setting(gettext_lazy("Name"), widget="text", help=gettext_lazy("Sent along as “label”."))
    )

    def faults(self) -> list[str]:
        wrong = []
        if reason := hooks.fault_of(self.url):
            wrong.append(reason)
        if len(self.label) > 80:
            wrong.append(_("label has at most 80 characters."))
        return wrong

    def sentence(self) -> str:
        return _("Call %(host)s") % {"host": urlsplit(self.url).hostname or self.url}

    def run(self, visit: Visit) -> Outcome:
        visit.want(CALL, url=self.url, label=self.label, at=visit.now.isoformat())
        return Done()


@effects.performs(CALL)
def _plan(person: Enrolment, effect: Effect) -> Performed:
    return Performed() if hooks.plan(person, effect) else Performed(skipped=_("it was called already"))
