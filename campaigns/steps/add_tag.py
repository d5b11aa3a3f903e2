"""Put a tag on the order or the customer in the shop, or take it off."""

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import effects
from campaigns.steps.base import Done, Outcome, Skipped, Step, Visit, register, setting
from campaigns.steps.shop import ON, mark, may_write

TAG = "mark.tag"
NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,30}")


@register("add_tag", label=gettext_lazy("Tag"), icon="edit", group="shop")
@dataclass(frozen=True)
class AddTag(Step):
    """WooCommerce itself has no tags of orders and customers: the shop keeps `_postpurchase_tag_<tag>` = yes, which its
    own screens and other plugins can filter by. With `remove` the field is emptied.
    """

    tag: str = field(
        metadata=setting(gettext_lazy("Tag"), widget="text", help=gettext_lazy("Small letters, digits and _."))
    )
    on: str = field(default="customer", metadata=setting(gettext_lazy("Of"), choices=ON))
    remove: bool = field(default=False, metadata=setting(gettext_lazy("Take it off")))

    def faults(self) -> list[str]:
        wrong = []
        if not NAME.fullmatch(self.tag):
            wrong.append(_("tag is a short name of small letters, digits and _."))
        if self.on not in dict(ON):
            wrong.append(_("on is order or customer."))
        return wrong

    def sentence(self) -> str:
        words = {"tag": self.tag, "object": dict(ON)[self.on]}
        if self.remove:
            return _("Take the tag “%(tag)s” off %(object)s in your store") % words
        return _("Put the tag “%(tag)s” on %(object)s in your store") % words

    def run(self, visit: Visit) -> Outcome:
        if self.on == "order" and visit.order is None:
            return Skipped(_("no order"))
        visit.want(TAG, on=self.on, name=f"tag_{self.tag}", value="" if self.remove else "yes")
        return Done()


effects.performs(TAG, foresee=may_write)(mark)
