"""A coupon of the customer's own for the mails that follow. It comes to exist only when one of them is about to go out."""

from dataclasses import dataclass, field
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import wishes
from campaigns.steps.base import Done, Leave, Outcome, Step, Visit, register, setting

KINDS = (("fixed_cart", gettext_lazy("Amount off the order")), ("percent", gettext_lazy("Percentage off the order")))


@register("issue_coupon", label=gettext_lazy("Coupon"), icon="ticket", group="give")
@dataclass(frozen=True)
class IssueCoupon(Step):
    """`discount` fixed_cart takes `amount` in the shop's currency, percent a percentage.

    The step only keeps what is wished for. The outbox has it made when it would send (`campaigns.wishes`), and the mail
    then waits until it is live; the days count from there. A second mail of the flow carries the same coupon.
    """

    amount: Decimal = field(metadata=setting(gettext_lazy("Amount"), widget="money"))
    # Not "kind": a step of a flow file has that already.
    discount: str = field(default="fixed_cart", metadata=setting(gettext_lazy("Kind"), choices=KINDS))
    valid_days: int = field(
        default=30, metadata=setting(gettext_lazy("Valid for"), unit=gettext_lazy("days"), low=1, high=730)
    )
    minimum: Decimal | None = field(
        default=None, metadata=setting(gettext_lazy("Order must be at least"), widget="money")
    )
    prefix: str = field(
        default="", metadata=setting(gettext_lazy("Code begins with"), help=gettext_lazy("Empty: your store’s name."))
    )

    def faults(self) -> list[str]:
        wrong = []
        if self.discount not in {"fixed_cart", "percent"}:
            wrong.append(_("discount is fixed_cart or percent."))
        if self.amount <= 0 or (self.discount == "percent" and self.amount > 100):
            wrong.append(_("The amount is more than nothing, and a percentage at most 100."))
        if not 1 <= self.valid_days <= 730:
            wrong.append(_("valid_days lies between 1 and 730."))
        if self.minimum is not None and self.minimum < 0:
            wrong.append(_("The minimum cannot be negative."))
        return wrong

    def sentence(self) -> str:
        amount = f"{self.amount}%" if self.discount == "percent" else f"{self.amount}"
        return _("Make a coupon for %(amount)s, valid for %(days)s days") % {"amount": amount, "days": self.valid_days}

    def run(self, visit: Visit) -> Outcome:
        if not visit.store.can_write:
            # What follows would speak of a coupon that cannot be.
            return Leave(_("The keys of this store may only read, so no coupon can be made."))
        visit.context[wishes.NAME] = wishes.wish(
            visit.key,
            amount=self.amount,
            kind=self.discount,
            valid_days=self.valid_days,
            minimum=self.minimum,
            prefix=self.prefix,
        )
        return Done()
