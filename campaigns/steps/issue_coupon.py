"""Issue a coupon of the customer's own, made only when the step runs. Later mails of the flow wait until it is live."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from campaigns.steps.base import Done, Leave, Outcome, Visit, register
from postpurchase.errors import BusinessError
from stores import coupons


@register("issue_coupon", label="Coupon", icon="ticket")
@dataclass(frozen=True)
class IssueCoupon:
    """`kind` fixed_cart takes `amount` in the shop's currency, percent a percentage."""

    amount: Decimal
    kind: str = "fixed_cart"
    valid_days: int = 30
    minimum: Decimal | None = None
    prefix: str = ""

    def faults(self) -> list[str]:
        wrong = []
        if self.kind not in {"fixed_cart", "percent"}:
            wrong.append(_("kind is fixed_cart or percent."))
        if self.amount <= 0 or (self.kind == "percent" and self.amount > 100):
            wrong.append(_("The amount is more than nothing, and a percentage at most 100."))
        if not 1 <= self.valid_days <= 730:
            wrong.append(_("valid_days lies between 1 and 730."))
        if self.minimum is not None and self.minimum < 0:
            wrong.append(_("The minimum cannot be negative."))
        return wrong

    def sentence(self) -> str:
        amount = f"{self.amount}%" if self.kind == "percent" else f"{self.amount}"
        return _("Make a coupon for %(amount)s, valid for %(days)s days") % {"amount": amount, "days": self.valid_days}

    def run(self, visit: Visit) -> Outcome:
        last_day = visit.now.astimezone(visit.store.tz).date() + timedelta(days=self.valid_days)
        try:
            coupon = coupons.issue(
                visit.store,
                source=f"flow:{visit.key}",
                amount=self.amount,
                kind=self.kind,
                customer=visit.customer,
                emails=(visit.customer.email,),
                expires_on=last_day,
                minimum=self.minimum,
                prefix=self.prefix,
            )
        except BusinessError as refusal:
            # What follows would speak of a coupon that is not there.
            return Leave(refusal.message)
        visit.context["coupon_id"] = coupon.pk
        return Done()
