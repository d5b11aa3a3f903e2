"""Write a note on the order in the shop: for the staff, or mailed by the shop to the customer."""

from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from campaigns.steps.base import Done, Outcome, Skipped, Step, Visit, register, setting
from campaigns.steps.shop import may_write, order_of
from stores import write_backs

NOTE = "order.note"


@register("add_note", label=gettext_lazy("Note"), icon="edit", group="shop")
@dataclass(frozen=True)
class AddNote(Step):
    """`text` as it stands there; once for each enrolment. With `to_customer` WooCommerce mails it to the buyer."""

    text: str = field(metadata=setting(gettext_lazy("Note"), widget="textarea"))
    to_customer: bool = field(
        default=False,
        metadata=setting(
            gettext_lazy("For the customer"), help=gettext_lazy("Your store then mails the note to the customer.")
        ),
    )

    def faults(self) -> list[str]:
        if not 1 <= len(self.text.strip()) <= write_backs.LONGEST_NOTE:
            return [_("A note has 1 to %(n)d characters.") % {"n": write_backs.LONGEST_NOTE}]
        return []

    def sentence(self) -> str:
        text = self.text if len(self.text) <= 60 else f"{self.text[:59]}…"
        if self.to_customer:
            return _("Write “%(text)s” on the order in your store, for the customer") % {"text": text}
        return _("Write “%(text)s” on the order in your store") % {"text": text}

    def run(self, visit: Visit) -> Outcome:
        if visit.order is None:
            return Skipped(_("no order"))
        visit.want(NOTE, text=self.text, to_customer=self.to_customer)
        return Done()


@effects.performs(NOTE, foresee=may_write)
def _write(person: Enrolment, effect: Effect) -> Performed:
    write_backs.add_note(
        order_of(person),
        effect.params["text"],
        key=effect.key,
        by=f"flow {person.flow.slug}",
        to_customer=effect.params["to_customer"],
    )
    return Performed()
