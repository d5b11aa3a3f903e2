"""What the steps that write into the shop have in common."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment
from postpurchase.errors import BusinessError
from stores import write_backs
from stores.models import Intent, Order

ON: tuple[tuple[str, Any], ...] = (("order", gettext_lazy("the order")), ("customer", gettext_lazy("the customer")))


def order_of(person: Enrolment) -> Order:
    """The order that the person is in the flow for; the steps have seen that there is one."""
    assert person.order is not None
    return person.order


def may_write(person: Enrolment, effect: Effect) -> None:
    """Whether the shop would take it. Raises BusinessError as `stores.write_backs` would."""
    if not person.store.can_write:
        raise BusinessError(
            _("The keys of this store may only read. Nothing was written. Connect it with keys that may write."),
            "store_read_only",
        )
    if effect.params.get("on") != "customer" and not write_backs.in_shop(order_of(person)):
        raise BusinessError(_("This order is not in the shop, so nothing can be written there."), "order_elsewhere")


def mark(person: Enrolment, effect: Effect) -> Performed:
    """Have the shop's order or customer carry a mark of ours."""
    name, value = effect.params["name"], effect.params["value"]
    made: Intent | None
    if effect.params["on"] == "customer":
        if person.customer.woo_id is None:
            return Performed(skipped=_("the customer has no account in the store"))
        made = write_backs.mark_customer(person.customer, name, value)
    else:
        made = write_backs.mark_order(order_of(person), name, value)
    return Performed() if made else Performed(skipped=_("it is so already"))
