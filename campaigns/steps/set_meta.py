"""Write a value into a field of the order or the customer in the shop, where other plugins can read it."""

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects
from campaigns.steps.base import Done, Outcome, Skipped, Step, Visit, register, setting
from campaigns.steps.shop import ON, mark, may_write
from stores import write_backs

META = "mark.meta"
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


@register("set_meta", label=gettext_lazy("Field"), icon="edit", group="shop")
@dataclass(frozen=True)
class SetMeta(Step):
    """The shop keeps `value` under `_postpurchase_<name>` of the order or the customer's account; the last value counts."""

    name: str = field(
        metadata=setting(
            gettext_lazy("Field"),
            widget="text",
            help=gettext_lazy("Small letters, digits and _; in your store it begins with _postpurchase_."),
        )
    )
    value: str = field(metadata=setting(gettext_lazy("Value"), widget="text"))
    on: str = field(default="order", metadata=setting(gettext_lazy("Of"), choices=ON))

    def faults(self) -> list[str]:
        wrong = []
        if not NAME.fullmatch(self.name) or self.name == "ref":
            wrong.append(_("name is a short name of small letters, digits and _, and not ref."))
        if len(self.value) > 200:
            wrong.append(_("value has at most 200 characters."))
        if self.on not in dict(ON):
            wrong.append(_("on is order or customer."))
        return wrong

    def sentence(self) -> str:
        return _("Set %(name)s to “%(value)s” on %(object)s in your store") % {
            "name": f"{write_backs.PREFIX}{self.name}",
            "value": self.value,
            "object": dict(ON)[self.on],
        }

    def run(self, visit: Visit) -> Outcome:
        if self.on == "order" and visit.order is None:
            return Skipped(_("no order"))
        visit.want(META, on=self.on, name=self.name, value=self.value)
        return Done()


effects.performs(META, foresee=may_write)(mark)
