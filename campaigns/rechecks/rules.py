"""The rules, one function each, in the order in which `judging` asks them. They look nothing up."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.formats import date_format

from campaigns import permission, priority, troubles, walking, wishes, zones
from campaigns.models import Flow, Message
from campaigns.rechecks.known import (
    APPROVAL,
    EXPIRE,
    HOLD,
    SKIP,
    Known,
    Past,
    Rival,
    Verdict,
    asks,
    effective_klass,
    takes_slot,
)
from stores import conditions, events
from stores.models import Coupon, Store

LATE = {"T": timedelta(hours=72), "S": timedelta(hours=48), "M": timedelta(hours=48)}
LOOK_AGAIN = timedelta(hours=1)
PAUSE_LOOK = timedelta(minutes=15)
COUPON_LOOK = timedelta(minutes=1)
# The code of a verdict that asks for the message's coupon to be made.
COUPON_WANTED = "coupon_wanted"
RIVAL_LOOK = timedelta(minutes=5)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
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
# Exits that have a word of their own.
_LEFT = {"order.fully_reviewed": "already reviewed", "customer.open_case": "on hold: open case"}

Rule = Callable[[Message, Known, datetime, Verdict], None]


def once(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """The ledger outlives the log; what may have gone out is sent again only by a person."""
    if known.sent == "sure":
        verdict.decide(SKIP, "Once", "already sent", code="already_sent")
    elif known.sent and not message.approved_at:
        verdict.decide(SKIP, "Once", "it may have been sent already", code="already_sent")


def flow(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    if known.flow_gone:
        verdict.decide(SKIP, "Flow", "the flow was deleted", code="flow_gone")
    elif known.flow_state == Flow.State.OFF:
        verdict.decide(SKIP, "Flow", "flow is off", code="flow_off")
    elif known.flow_state:
        number = f", version {known.version}" if known.version else ""
        state = Flow.State(known.flow_state).label
        verdict.saw("Flow", f"{known.flow_name} is {state.lower()}{number}")


def shop(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """Nobody gets two of a kind: what was left to the shop is not sent here."""
    if known.left:
        verdict.decide(SKIP, "Who writes", known.left, code="left_to_shop")


def person(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    if message.customer.erased_at:
        verdict.decide(SKIP, "Address", "customer erased", code="erased")
        return
    if message.channel != "email":
        return
    try:
        validate_email(message.customer.email)
    except ValidationError:
        verdict.decide(SKIP, "Address", "no usable email address", code="address")
    else:
        verdict.saw("Address", message.customer.email)


def order(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    if message.order is None:
        return
    status = known.order_status
    if status in {"trash", "deleted"}:
        verdict.decide(SKIP, "Order", f"order #{message.order.number} was deleted in the shop", code="order_gone")
    elif status in ENDED and known.flow_state and not _is_about_the_end(known):
        verdict.decide(SKIP, "Order", f"order {status}", code=f"order_{status}")
    else:
        verdict.saw("Order", f"#{message.order.number} is {status}")


def _is_about_the_end(known: Known) -> bool:
    return known.definition is not None and bool(ABOUT_THE_END & set(known.definition.events))


def still_true(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """Exit conditions, then the step's own condition to send."""
    for condition in known.definition.exit_when if known.definition else ():
        if conditions.holds(condition, known.values):
            plain = _LEFT.get(str(condition.get("field")))
            verdict.decide(
                SKIP, "Still needed", plain or walking.exit_reason(condition, dict(known.values)), code="left"
            )
            return
        verdict.saw("Still needed", f"not so: {conditions.describe(condition)}")
    if known.send_if:
        words = conditions.describe(known.send_if)
        if conditions.holds(known.send_if, known.values):
            verdict.saw("Send only if", words)
        else:
            verdict.decide(SKIP, "Send only if", f"not so: {words}", code="send_if")


def consent(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    decision = permission.decide(
        message.customer,
        known.standing,
        channel=message.channel,
        purpose=message.purpose,
        at=now,
        # What an app asked for answers the person's own doing, wherever the order was made.
        order=None if message.request_id else message.order,
    )
    verdict.trace += [list(line) for line in decision.trace]
    if not decision.allowed:
        verdict.action, verdict.reason, verdict.code = SKIP, decision.reason, "consent"
        if not any(not line[0] for line in decision.trace):
            verdict.saw("Consent", decision.reason, passed=False)


def coupon(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    found = known.coupon
    if found is None:
        if message.context.get("coupon_id"):
            verdict.decide(SKIP, "Coupon", "no live coupon: gone", code="coupon")
    elif found.state == Coupon.State.LIVE:
        verdict.saw("Coupon", f"{found.code} is live")
    elif found.state == Coupon.State.PENDING:
        verdict.decide(HOLD, "Coupon", "the coupon is being made in the shop", code="coupon", until=now + COUPON_LOOK)
    else:
        words = found.get_state_display().lower()
        verdict.decide(SKIP, "Coupon", f"no live coupon: {words}", code="coupon")


def wished(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """Nothing else stands against the message: only now the coupon that it carries may come to be (`wishes.make`)."""
    if known.coupon is None and wishes.of(message):
        until = now + COUPON_LOOK
        verdict.decide(HOLD, "Coupon", "the coupon is being made in the shop", code=COUPON_WANTED, until=until)


def sending(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """Test mode, the kill switches, the guards and the breaker of the mail account."""
    if known.test_mode:
        verdict.decide(SKIP, "Sending", "test mode", code="test_mode")
    elif known.stopped:
        verdict.decide(HOLD, "Sending", known.stopped, code="paused", until=now + PAUSE_LOOK)
    elif known.guarded and effective_klass(message) == "M":
        verdict.decide(HOLD, "Guard", f"on hold: {known.guarded}", code="guard", until=now + PAUSE_LOOK)
    elif known.refused_until:
        until = known.refused_until + timedelta(seconds=1)
        verdict.decide(HOLD, "Sending", "the mail account refuses; tried again soon", code="account_held", until=until)


def late(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    by = now - (message.owed_at or message.planned_for)
    if by <= LATE[message.klass]:
        verdict.saw("In time", "due now" if by < LOOK_AGAIN else f"{by.total_seconds() / 3600:.0f} hours late")
        return
    words = f"{by.total_seconds() / 3600:.0f} hours late"
    if message.approved_at:
        verdict.saw("In time", f"{words}; approved")
    elif message.klass == "M":
        verdict.decide(EXPIRE, "In time", f"too late to be useful ({words})", code="late")
    else:
        verdict.decide(APPROVAL, "In time", f"{words}; send it all the same?", code="late")


def service(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    if message.klass == "T":
        return
    for trouble in known.troubles:
        if trouble.runs(now) and trouble.topic != known.topic and _holds(trouble, message):
            until = min(now + LOOK_AGAIN, trouble.until or now + LOOK_AGAIN)
            verdict.decide(HOLD, "Service hold", f"on hold: {trouble.reason}", code="hold", until=until, moved=True)
            return
    verdict.saw("Service hold", "nothing holds it")


def _holds(trouble: troubles.Trouble, message: Message) -> bool:
    if trouble.holds == troubles.ORDER:
        return message.purpose == "review" and message.order_id == trouble.order_id
    return trouble.holds == troubles.EVERYTHING or asks(message) or effective_klass(message) == "M"


def space(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """Between two questions for an opinion lies some time, and the one of higher rank is asked first."""
    if not asks(message):
        return
    gap = known.limits.ask_gap
    last = max((past.at for past in _others(message, known) if past.purpose in ("review", "survey")), default=None)
    if last and now < last + gap:
        days = f"{gap.total_seconds() / 86400:g}"
        verdict.decide(
            HOLD,
            "Spacing",
            f"asked for an opinion less than {days} days ago",
            code="spacing",
            until=last + gap,
            moved=True,
        )
    elif ahead := _before(message, known, [each for each in known.rivals if each.purpose in ("review", "survey")]):
        _lose(ahead[0], verdict, until=now + LOOK_AGAIN)
    else:
        verdict.saw("Spacing", f"no other question in the last {gap.total_seconds() / 86400:g} days")


def cap(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """One cap over all flows and channels for each person; two that want one slot go by the written order."""
    if not takes_slot(message):
        return
    limits = known.limits
    went = sorted(
        (past for past in _others(message, known) if past.klass == "M"), key=lambda past: past.at, reverse=True
    )
    frees: list[tuple[datetime, str, Past | None]] = []
    left = limits.per_week
    for most, span, name in ((limits.per_day, DAY, "daily"), (limits.per_week, WEEK, "weekly")):
        within = [past for past in went if past.at > now - span]
        left = min(left, most - len(within))
        if most and len(within) >= most:
            frees.append((within[most - 1].at + span, name, within[0]))
        elif not most:
            frees.append((now + span, name, None))
    before = _before(message, known, [each for each in known.rivals if each.klass == "M"])
    if frees:
        at, name, last = max(frees, key=lambda each: each[0])
        at = zones.into_window(at, *limits.hours(message.channel), _zones(message, known))
        winner = next((each for each in before if last and last.pk is not None and each.pk == last.pk), None)
        if winner:
            # It went just now, before this one.
            _lose(winner, verdict, until=at)
            return
        took = _taken(last) if last else ""
        reason = f"{name} limit reached, next slot {date_format(at.astimezone(message.store.tz), 'D')}"
        verdict.saw("Limit", f"{len(went)} in 7 days{took}", passed=False)
        verdict.decide(HOLD, "Slot", reason, code="cap", until=at, moved=True)
        return
    gone = {past.pk for past in went}
    ahead = [each for each in before if each.pk is None or each.pk not in gone]
    if len(ahead) >= left:
        _lose(ahead[0], verdict, until=now + RIVAL_LOOK)
    else:
        verdict.saw("Limit", f"{len(went)} of {limits.per_week} in 7 days")


def _others(message: Message, known: Known) -> list[Past]:
    return [past for past in known.past if past.pk is None or past.pk != message.pk]


def _taken(last: Past) -> str:
    return f"; the last slot went to “{last.title}”" if last.title else ""


def _before(message: Message, known: Known, rivals: list[Rival]) -> list[Rival]:
    """The rivals that go first, by rank, then by who waits longer."""

    def place(topic: str, planned_for: datetime, pk: int | None) -> tuple[int, datetime, int]:
        return priority.rank(topic), planned_for, pk or 0

    mine = place(known.topic, message.planned_for, message.pk)
    ahead = [each for each in rivals if place(each.topic, each.planned_for, each.pk) < mine]
    return sorted(ahead, key=lambda each: place(each.topic, each.planned_for, each.pk))


def _lose(winner: Rival, verdict: Verdict, *, until: datetime) -> None:
    verdict.saw("Priority", f"“{winner.title}” ({winner.topic}) goes first", passed=False)
    verdict.decide(HOLD, "Slot", "another message had priority", code="priority", until=until, moved=True)


def quiet(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """What nobody waits for arrives by day, where the person is."""
    # What an app asked for answers something the person has just done.
    if message.request_id or (message.klass == "T" and message.channel == "email"):
        return
    around = _zones(message, known)
    until = zones.into_window(now, *known.limits.hours(message.channel), around)
    if until > now:
        reason = f"quiet hours until {until.astimezone(around[0]):%H:%M}"
        verdict.saw("Zone", ", ".join(zone.key for zone in around))
        verdict.decide(HOLD, "Quiet hours", reason, code="quiet", until=until, moved=True)
    else:
        verdict.saw("Quiet hours", f"day in {', '.join(zone.key for zone in around)}")


def _zones(message: Message, known: Known) -> tuple[zones.ZoneInfo, ...]:
    return known.zones or (message.store.tz,)


def turn(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    """After a stop, what is late leaves little by little."""
    if known.turn and known.turn > now:
        verdict.decide(HOLD, "Catching up", "many are late; they leave little by little", code="turn", until=known.turn)


def approval(message: Message, known: Known, now: datetime, verdict: Verdict) -> None:
    if message.approved_at:
        verdict.saw("Approval", "approved")
    elif known.flow_state == Flow.State.REVIEW:
        verdict.decide(APPROVAL, "Approval", "the flow asks you first", code="review_first")


def day_time(store: Store, at: datetime) -> datetime:
    """The moment itself by day, else the next morning, in the shop's zone."""
    return zones.into_window(at, *Known().limits.day, (store.tz,))
