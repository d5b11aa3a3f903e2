"""The last look before a message goes out: is it still true, wanted, allowed, timely and in season?

Each rule adds a line to the trace, passed or not, and the first that does not pass decides. Loaded for a batch at once.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from campaigns import consent, definitions, times, walking, wishes
from campaigns.definitions import Definition
from campaigns.models import Flow, Message, SentLedger
from campaigns.steps.send_email import send_condition
from stores import conditions, events
from stores.conditions import Subject
from stores.models import Coupon, Store

SEND, SKIP, HOLD, APPROVAL, EXPIRE = "send", "skip", "hold", "approval", "expire"
LATE = {"T": timedelta(hours=72), "S": timedelta(hours=48), "M": timedelta(hours=48)}
# E-mails that nobody waits for arrive while people are up.
DAY = (time(8), time(20))
ASK_SPACING = timedelta(hours=72)
LOOK_AGAIN = timedelta(hours=1)
PAUSE_LOOK = timedelta(minutes=15)
COUPON_LOOK = timedelta(minutes=1)
# The code of a verdict that asks for the message's coupon to be made.
COUPON_WANTED = "coupon_wanted"
ASKING = ("review", "survey")
ENDED = ("cancelled", "failed", "refunded")
# Flows that begin with such an event speak of the order's end.
ABOUT_THE_END = {
    events.ORDER_CANCELLED,
    events.ORDER_REFUNDED,
    events.REFUND_CREATED,
    events.CASE_RESOLVED,
    events.CASE_CONFIRMED,
    events.CASE_OPENED,
}
WAITING = (
    Message.Status.PLANNED,
    Message.Status.HELD,
    Message.Status.APPROVAL,
    Message.Status.CLAIMED,
    Message.Status.HANDING,
    Message.Status.RETRY,
)

# Of the given messages those that are held: id to the reason in the merchant's words.
Hold = Callable[[Sequence[Message]], dict[int, str]]
_holds: list[Hold] = []


def add_hold(hold: Hold) -> None:
    """Register what may hold service and marketing messages back (an open case). One query for the whole batch."""
    _holds.append(hold)


@dataclass
class Verdict:
    """What to do with a message, why, and (holding) when to look again. `code` is for machines."""

    action: str = SEND
    reason: str = ""
    code: str = ""
    until: datetime | None = None
    trace: list[list[Any]] = field(default_factory=list)

    def saw(self, rule: str, seen: str, *, passed: bool = True) -> None:
        self.trace.append([passed, rule, seen])

    def decide(self, action: str, rule: str, reason: str, *, code: str, until: datetime | None = None) -> None:
        self.saw(rule, reason, passed=False)
        self.action, self.reason, self.code, self.until = action, reason, code, until


@dataclass
class _Batch:
    """What the rules need about all messages of a batch."""

    now: datetime
    sent: set[tuple[int, str]]
    parsed: dict[int, Definition]
    values: dict[int, dict[str, Any]]
    # By message: the coupon that was made for it.
    coupons: dict[int, Coupon]
    asks: dict[int, list[Message]]
    held: dict[int, str]
    # Stores whose mail account refuses: when it is tried again.
    refused: dict[int, datetime]


def judge(messages: Sequence[Message], *, now: datetime) -> list[Verdict]:
    """A verdict for each message; its store, flow, enrolment, customer and order are loaded already."""
    batch = _load(messages, now)
    return [_judge(message, batch) for message in messages]


def _load(messages: Sequence[Message], now: datetime) -> _Batch:
    versions = {each.enrolment.version_id: each.enrolment.version for each in messages if each.enrolment}
    parsed = {pk: definitions.parse(version.definition) for pk, version in versions.items()}
    by_version: dict[int, list[Message]] = defaultdict(list)
    for message in messages:
        if message.enrolment:
            by_version[message.enrolment.version_id].append(message)
    values: dict[int, dict[str, Any]] = {}
    for version, group in by_version.items():
        subjects = [Subject(each.store, each.customer, each.order, _payload(each)) for each in group]
        sending = [tree for step in {each.step for each in group} if (tree := _send_if(parsed[version], step))]
        names = conditions.fields_of([*parsed[version].exit_when, *sending])
        values |= {each.pk: seen for each, seen in zip(group, conditions.load(names, subjects), strict=True)}
    asks: dict[int, list[Message]] = defaultdict(list)
    asking = {each.customer_id for each in messages if each.purpose in ASKING}
    if asking:
        for ask in Message.objects.filter(customer_id__in=asking, purpose__in=ASKING).only(
            "customer_id", "status", "accepted_at", "planned_for"
        ):
            asks[ask.customer_id].append(ask)
    selling = [each for each in messages if each.klass != "T"]
    held: dict[int, str] = {}
    for hold in _holds if selling else []:
        held = hold(selling) | held
    keys = [each.key for each in messages]
    return _Batch(
        now=now,
        sent=set(SentLedger.objects.filter(key__in=keys).values_list("store_id", "key")),
        parsed=parsed,
        values=values,
        coupons=wishes.coupons_of(messages),
        asks=asks,
        held=held,
        refused=dict(
            Message.objects.filter(
                store_id__in={each.store_id for each in messages},
                status=Message.Status.RETRY,
                error_code="account",
                due_at__gt=now,
            ).values_list("store_id", "due_at")
        ),
    )


def _send_if(definition: Definition, uid: str) -> conditions.Condition | None:
    place = definition.steps.get(uid)
    return send_condition(place.step) if place else None


def _payload(message: Message) -> dict[str, Any]:
    return message.enrolment.context.get("payload", {}) if message.enrolment else {}


def _judge(message: Message, batch: _Batch) -> Verdict:
    verdict = Verdict()
    for rule in (
        _once,
        _flow,
        _person,
        _order,
        _still_true,
        _consent,
        _coupon,
        _sending,
        _late,
        _service,
        _space,
        _day,
    ):
        # What a person told us to send now waits for nothing but what makes it wrong.
        if rule in _SEASON and message.approved_at:
            continue
        rule(message, batch, verdict)
        if verdict.action != SEND:
            break
    else:
        _approval(message, verdict)
        if verdict.action == SEND:
            _wished(message, batch, verdict)
    if verdict.action == HOLD and batch.now > message.useful_until:
        verdict.decide(EXPIRE, "Useful", f"too late to be useful ({verdict.reason})", code="too_late")
    return verdict


def _once(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if (message.store_id, message.key) in batch.sent:
        verdict.decide(SKIP, "Once", "already sent", code="already_sent")


def _flow(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if message.flow is None:
        if message.enrolment_id or message.step:
            verdict.decide(SKIP, "Flow", "the flow was deleted", code="flow_gone")
        return
    if message.flow.state == Flow.State.OFF:
        verdict.decide(SKIP, "Flow", "flow is off", code="flow_off")
        return
    number = f", version {message.enrolment.version.number}" if message.enrolment else ""
    verdict.saw("Flow", f"{message.flow.name} is {message.flow.get_state_display().lower()}{number}")


def _person(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if message.customer.erased_at:
        verdict.decide(SKIP, "Address", "customer erased", code="erased")
        return
    try:
        validate_email(message.customer.email)
    except ValidationError:
        verdict.decide(SKIP, "Address", "no usable email address", code="address")
    else:
        verdict.saw("Address", message.customer.email)


def _order(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if message.order is None:
        return
    status = conditions.present_status(message.order)
    if status in {"trash", "deleted"}:
        verdict.decide(SKIP, "Order", f"order #{message.order.number} was deleted in the shop", code="order_gone")
    elif status in ENDED and message.flow and not _is_about_the_end(message, batch):
        verdict.decide(SKIP, "Order", f"order {status}", code=f"order_{status}")
    else:
        verdict.saw("Order", f"#{message.order.number} is {status}")


def _is_about_the_end(message: Message, batch: _Batch) -> bool:
    if message.enrolment is None:
        return False
    return bool(ABOUT_THE_END & set(batch.parsed[message.enrolment.version_id].events))


def _still_true(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if message.enrolment is None:
        return
    values, definition = batch.values[message.pk], batch.parsed[message.enrolment.version_id]
    for condition in definition.exit_when:
        if conditions.holds(condition, values):
            verdict.decide(SKIP, "Still needed", walking.exit_reason(condition, values), code="left")
            return
        verdict.saw("Still needed", f"not so: {conditions.describe(condition)}")
    if (wanted := _send_if(definition, message.step)) is not None:
        words = conditions.describe(wanted)
        if conditions.holds(wanted, values):
            verdict.saw("Send only if", words)
        else:
            verdict.decide(SKIP, "Send only if", f"not so: {words}", code="send_if")


def _consent(message: Message, batch: _Batch, verdict: Verdict) -> None:
    decision = consent.may_send(
        message.store,
        message.customer,
        channel=message.channel,
        purpose=message.purpose,
        at=batch.now,
        # What an app asked for answers the person's own doing, wherever the order was made.
        order=None if message.request_id else message.order,
    )
    verdict.trace += [list(line) for line in decision.trace]
    if not decision.allowed:
        verdict.action, verdict.reason, verdict.code = SKIP, decision.reason, "consent"
        if not any(not line[0] for line in decision.trace):
            verdict.saw("Consent", decision.reason, passed=False)


def _coupon(message: Message, batch: _Batch, verdict: Verdict) -> None:
    coupon = batch.coupons.get(message.pk)
    if coupon is None:
        if message.context.get("coupon_id"):
            verdict.decide(SKIP, "Coupon", "no live coupon: gone", code="coupon")
    elif coupon.state == Coupon.State.LIVE:
        verdict.saw("Coupon", f"{coupon.code} is live")
    elif coupon.state == Coupon.State.PENDING:
        until = batch.now + COUPON_LOOK
        verdict.decide(HOLD, "Coupon", "the coupon is being made in the shop", code="coupon", until=until)
    else:
        words = coupon.get_state_display().lower()
        verdict.decide(SKIP, "Coupon", f"no live coupon: {words}", code="coupon")


def _wished(message: Message, batch: _Batch, verdict: Verdict) -> None:
    """Nothing else stands against the message: only now the coupon that it carries may come to be (`wishes.make`)."""
    if wishes.of(message) and message.pk not in batch.coupons:
        until = batch.now + COUPON_LOOK
        verdict.decide(HOLD, "Coupon", "the coupon is being made in the shop", code=COUPON_WANTED, until=until)


def _sending(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if message.store.test_mode:
        verdict.decide(SKIP, "Sending", "test mode", code="test_mode")
    elif message.store.sending_paused:
        until = batch.now + PAUSE_LOOK
        verdict.decide(HOLD, "Sending", "all sending is paused", code="paused", until=until)
    elif message.store_id in batch.refused:
        until = batch.refused[message.store_id] + timedelta(seconds=1)
        verdict.decide(HOLD, "Sending", "the mail account refuses; tried again soon", code="account_held", until=until)


def _late(message: Message, batch: _Batch, verdict: Verdict) -> None:
    by = batch.now - message.due_at
    if by <= LATE[message.klass]:
        verdict.saw("In time", "due now")
        return
    days = f"{by.total_seconds() / 3600:.0f} hours late"
    if message.klass == "M":
        verdict.decide(EXPIRE, "In time", f"too late to be useful ({days})", code="late")
    else:
        verdict.decide(APPROVAL, "In time", f"{days}; send it all the same?", code="late")


def _service(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if reason := batch.held.get(message.pk):
        until = batch.now + LOOK_AGAIN
        verdict.decide(HOLD, "Service hold", f"on hold: {reason}", code="hold", until=until)
    elif message.klass != "T":
        verdict.saw("Service hold", "nothing holds it")


def _space(message: Message, batch: _Batch, verdict: Verdict) -> None:
    if message.purpose not in ASKING:
        return
    others = [ask for ask in batch.asks[message.customer_id] if ask.pk != message.pk]
    last = max((ask.accepted_at for ask in others if ask.accepted_at), default=None)
    if last and batch.now < last + ASK_SPACING:
        until = last + ASK_SPACING
        verdict.decide(HOLD, "Spacing", "asked for an opinion less than 3 days ago", code="spacing", until=until)
    elif any(ask.status in WAITING and (ask.planned_for, ask.pk) < (message.planned_for, message.pk) for ask in others):
        until = batch.now + LOOK_AGAIN
        verdict.decide(HOLD, "Spacing", "an earlier question waits to be sent", code="spacing", until=until)
    else:
        verdict.saw("Spacing", "no other question in the last 3 days")


def _day(message: Message, batch: _Batch, verdict: Verdict) -> None:
    # What an app asked for answers something the person has just done.
    if message.klass == "T" or message.request_id:
        return
    until = day_time(message.store, batch.now)
    if until > batch.now:
        reason = f"quiet hours until {until.astimezone(message.store.tz):%H:%M}"
        verdict.decide(HOLD, "Quiet hours", reason, code="quiet", until=until)
    else:
        verdict.saw("Quiet hours", "day time in the shop's zone")


def day_time(store: Store, at: datetime) -> datetime:
    """The moment itself by day, else the next morning, in the shop's zone."""
    return times.into_window(at, *DAY, store.tz)


def _approval(message: Message, verdict: Verdict) -> None:
    if message.approved_at:
        verdict.saw("Approval", "approved")
    elif message.flow and message.flow.state == Flow.State.REVIEW:
        verdict.decide(APPROVAL, "Approval", "the flow asks you first", code="review_first")


_SEASON = (_late, _service, _space, _day)
