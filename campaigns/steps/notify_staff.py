"""Write to members of the team: once for each person and step."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects, notices
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from campaigns.steps.base import Done, Outcome, Step, Visit, register, setting
from stores.models import Membership

NOTIFY = "staff.notify"


def _roles() -> list[tuple[str, str]]:
    return [(value, str(label)) for value, label in Membership.Role.choices]


@register("notify_staff", label=gettext_lazy("Notify"), icon="bell", group="team")
@dataclass(frozen=True)
class NotifyStaff(Step):
    """`subject` and `text` go by mail to the members with one of `roles`. A link to the order or the customer follows;
    nothing about the person stands in the mail itself.
    """

    subject: str = field(metadata=setting(gettext_lazy("Subject"), widget="text"))
    text: str = field(default="", metadata=setting(gettext_lazy("Text"), widget="textarea"))
    roles: tuple[str, ...] = field(default=("owner",), metadata=setting(gettext_lazy("To"), choices=_roles))

    def faults(self) -> list[str]:
        wrong = []
        if not 1 <= len(self.subject.strip()) <= 200 or any(ord(sign) < 32 for sign in self.subject):
            wrong.append(_("subject is one line of 1 to 200 characters."))
        if len(self.text) > 5000:
            wrong.append(_("text has at most 5000 characters."))
        known = Membership.Role.values
        if not self.roles or set(self.roles) - set(known):
            wrong.append(_("roles are some of %(known)s.") % {"known": ", ".join(known)})
        return wrong

    def sentence(self) -> str:
        labels = dict(Membership.Role.choices)
        return _("Write “%(subject)s” to your team (%(roles)s)") % {
            "subject": self.subject,
            "roles": ", ".join(str(labels[role]) for role in self.roles),
        }

    def run(self, visit: Visit) -> Outcome:
        visit.want(NOTIFY, subject=self.subject, text=self.text, roles=list(self.roles))
        return Done()


@effects.performs(NOTIFY)
def _plan(person: Enrolment, effect: Effect) -> Performed:
    return Performed() if notices.plan(person, effect) else Performed(skipped=_("your team was told already"))
