"""Asks the rules in their order; the first that does not pass decides."""

from datetime import datetime

from campaigns.models import Message
from campaigns.rechecks import rules
from campaigns.rechecks.known import EXPIRE, HOLD, SEND, Known, Verdict
from campaigns.rechecks.rules import Rule

RULES: tuple[Rule, ...] = (
    rules.once,
    rules.flow,
    rules.shop,
    rules.person,
    rules.order,
    rules.still_true,
    rules.consent,
    rules.coupon,
    rules.sending,
    rules.late,
    rules.service,
    rules.approval,
    rules.space,
    rules.quiet,
    rules.cap,
    rules.turn,
    rules.wished,
)
# What a person told us to send now waits for nothing but what makes it wrong.
SEASON = frozenset({rules.late, rules.service, rules.space, rules.quiet, rules.cap, rules.turn})


def judge_one(message: Message, known: Known, *, now: datetime) -> Verdict:
    """The verdict on a message, saved or not, at `now`: pure, nothing is looked up and nothing changed.

    Of the message it reads klass, purpose, channel, planned_for, owed_at, useful_until, approved_at, pressed_at, context,
    request_id, store, customer and order.
    """
    verdict = Verdict()
    for rule in RULES:
        if rule in SEASON and message.pressed_at:
            continue
        rule(message, known, now, verdict)
        if verdict.action != SEND:
            break
    if verdict.action == HOLD and max(now, verdict.until or now) > message.useful_until:
        reason = f"too late to be useful ({verdict.reason})"
        verdict.decide(EXPIRE, "Useful", reason, code="too_late")
    return verdict
