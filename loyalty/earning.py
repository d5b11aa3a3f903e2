"""What an order earns: the one place where money and points meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from django.utils.translation import gettext as _

from loyalty import ledger
from loyalty.models import Award, EarnRule, Entry, Program
from stores.models import Customer, Event, Order

# An order whose delivery nobody reports still lets its points go at last: pending days counted from here after payment.
UNREPORTED_DELIVERY = timedelta(days=30)


@dataclass(frozen=True)
class PaidLine:
    """What was paid for one line, without tax, and what of it was refunded; both in the order's currency, positive."""

    paid: Decimal
    refunded: Decimal


def points_for(lines: Sequence[PaidLine], *, rate: Decimal, unassigned_refund: Decimal = Decimal(0)) -> int:
    """Points for the lines at `rate` points per unit of currency.

    Each line is rounded down by itself, so that a refund of a line takes back exactly what that line earned. A refund
    that names no line is spread over the lines in proportion to what is left of them.
    """
    left = [max(line.paid - line.refunded, Decimal(0)) for line in lines]
    total = sum(left, Decimal(0))
    if total <= 0 or unassigned_refund >= total:
        return 0
    keep = 1 - unassigned_refund / total if unassigned_refund > 0 else Decimal(1)
    return sum(int((amount * keep * rate).to_integral_value(ROUND_FLOOR)) for amount in left)


def points_of(order: Order, rule: EarnRule) -> int:
    """What the order earns now by this rule; nothing unless it counts (paid, not fully refunded, not trashed)."""
    if not order.counted or order.fully_refunded:
        return 0
    lines = [PaidLine(line.total, line.refunded_total) for line in order.lines.all()]
    # A refund without lines names an amount only; one with lines has its rest in tax and shipping, which earn nothing.
    unassigned = sum(
        (refund.amount for refund in order.refund_rows.all() if not refund.deleted_at and not refund.lines), Decimal(0)
    )
    return points_for(lines, rate=rule.points, unassigned_refund=unassigned)


def usable_at(order: Order, program: Program) -> datetime:
    """When the order's points can be spent: the pending days after delivery."""
    wait = timedelta(days=program.pending_days)
    if order.delivered_at:
        return order.delivered_at + wait
    return (order.paid_gmt or order.created_gmt) + UNREPORTED_DELIVERY + wait


def live_rule(program: Program, kind: str) -> EarnRule | None:
    """The rule of a kind that counts for what happens now."""
    return program.earn_rules.filter(kind=kind, ended_at=None).first()


def refresh_order(order: Order) -> Entry | None:
    """Bring the order's points to what it earns now. Safe to call at any time and any number of times.

    Orders paid before the programme started, and orders without a customer, earn nothing.
    """
    program = Program.objects.filter(store=order.store_id).first()
    if program is None or order.customer is None or order.customer.erased_at:
        return None
    subject = f"order:{order.pk}"
    award = Award.objects.filter(subject=subject, store=order.store_id).select_related("rule", "account").first()
    if award:
        # The rule of the day on which it was first earned, and the account that earned it.
        rule, account = award.rule, award.account
    else:
        found = live_rule(program, EarnRule.Kind.ORDER)
        paid = order.paid_gmt
        if not program.is_on or found is None or program.started_at is None or paid is None:
            return None
        if paid < program.started_at or not points_of(order, found):
            return None
        rule, account = found, ledger.open_account(order.customer)
    return ledger.post_target(
        account,
        rule,
        subject=subject,
        target=points_of(order, rule),
        usable_at=usable_at(order, program),
        reason=_("Order %(number)s") % {"number": f"#{order.number}"},
        order=order,
    )


def refresh_review(event: Event, *, published: bool) -> Entry | None:
    """Points for a published review, the same for any rating; taken back when it is hidden."""
    customer: Customer | None = event.customer
    program = Program.objects.filter(store=event.store).first()
    if program is None or customer is None or customer.erased_at:
        return None
    subject = f"review:{event.payload['review']}"
    award = Award.objects.filter(subject=subject, store=event.store).select_related("rule", "account").first()
    rule = award.rule if award else live_rule(program, EarnRule.Kind.REVIEW)
    if rule is None or (award is None and not (program.is_on and published)):
        return None
    return ledger.post_target(
        award.account if award else ledger.open_account(customer),
        rule,
        subject=subject,
        target=int(rule.points) if published else 0,
        usable_at=event.at,
        reason=_("Review"),
        order=event.order,
    )
