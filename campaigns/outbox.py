"""Sends what is planned, or says why not. The only place that hands messages to a channel.

Claim and re-check in one transaction; render; note `handing`, committed; hand over outside any transaction; record. A
process that dies before `handing` has sent nothing, and the message is claimed anew. One that dies after it may have
sent: then the message is `unknown` and never sent again by itself. No double mail, at the price of a rare lost one.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import prefetch_related_objects

from campaigns import consent, content, rechecks, rendering, wishes
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.context import build_context, language_of
from campaigns.models import Message, SentLedger
from campaigns.rechecks import Verdict
from campaigns.rendering import Rendered
from postpurchase import clock, due, killpoints
from postpurchase.due import State
from postpurchase.errors import BusinessError
from reviews.models import ReviewRequest
from stores import events
from stores.models import MessageRequest

log = logging.getLogger(__name__)

BATCH = 20
LEASE = timedelta(seconds=300)
RETRIES = (5, 15, 60, 240)  # minutes
RENDER_TRIES = 3
ACCOUNT_LOOK = timedelta(minutes=15)
STOPPED = "the sender stopped while handing it over"
# What the sweep of stopped workers writes.
CRASHED = "crash_loop"

Status = Message.Status
_ENDS = {
    rechecks.SKIP: (Status.SKIPPED, State.DONE),
    rechecks.EXPIRE: (Status.EXPIRED, State.DONE),
    rechecks.HOLD: (Status.HELD, State.DUE),
    rechecks.APPROVAL: (Status.APPROVAL, State.HELD),
    rechecks.SEND: (Status.CLAIMED, State.RUNNING),
}
_OVER = [Status.ACCEPTED, Status.SKIPPED, Status.EXPIRED, Status.FAILED, Status.UNKNOWN, Status.CANCELLED]


def run_due(budget_seconds: float = 20.0) -> int:
    """Work off due messages within the budget; how many were looked at."""
    ends = clock.monotonic() + budget_seconds
    looked = 0
    while clock.monotonic() < ends:
        try:
            taken, ready = _take()
        except Exception:
            log.exception("a batch of messages could not be judged; each is judged alone")
            taken, ready = _take_singly()
        if not taken:
            break
        killpoints.reach("outbox.claimed")
        looked += taken
        refused: set[int] = set()
        for message in ready:
            if clock.monotonic() >= ends or message.store_id in refused:
                # Back into the queue; a store whose account refuses is held there by the next look.
                _settle(message, Status.PLANNED, State.DUE, attempts=max(message.attempts - 1, 0))
            elif _hand_over(message) == email.ACCOUNT:
                refused.add(message.store_id)
    return looked


def end_crashed() -> int:
    """Each minute: messages given up because their worker died too often get the end that is true of them; how many.

    One that was being handed over may have been sent, so it is `unknown`; the others were not sent, so they failed.
    """
    rows = Message.objects.filter(state=State.DEAD, error_code=CRASHED).exclude(status__in=_OVER)
    done = 0
    for row in rows[:100]:
        if row.status == Status.HANDING:
            done += _settle(row, Status.UNKNOWN, State.DEAD, reason=STOPPED, code="unclear")
        else:
            reason = "the sender stopped too often before handing it over; it was not sent"
            done += _settle(row, Status.FAILED, State.DEAD, reason=reason, code=CRASHED)
    return done


def _take() -> tuple[int, list[Message]]:
    """Claim and judge a batch in one transaction: how many, and those that are to be sent."""
    with transaction.atomic():
        rows = due.claim(Message, limit=BATCH, lease=LEASE)
        return len(rows), _judge(rows)


def _take_singly() -> tuple[int, list[Message]]:
    rows = due.claim(Message, limit=BATCH, lease=LEASE)
    ready: list[Message] = []
    for row in rows:
        try:
            with transaction.atomic():
                ready += _judge([row])
        except Exception as error:
            log.exception("message %s could not be judged", row.pk)
            _try_again(row, f"{type(error).__name__}: {error}", code="judging")
    return len(rows), ready


def _judge(rows: Sequence[Message]) -> list[Message]:
    prefetch_related_objects(rows, "store", "flow", "enrolment__version", "customer", "order", "request")
    clear = []
    for row in rows:
        if row.status == Status.HANDING:
            _settle(row, Status.UNKNOWN, State.DEAD, reason=STOPPED, code="unclear")
        else:
            clear.append(row)
    verdicts = rechecks.judge(clear, now=clock.now())
    return [row for row, verdict in zip(clear, verdicts, strict=True) if _apply(row, verdict)]


def _apply(message: Message, verdict: Verdict) -> bool:
    """Record the verdict; whether the message is to be sent."""
    if verdict.code == rechecks.COUPON_WANTED:
        try:
            wishes.make(message)
        except BusinessError as refusal:
            verdict.decide(rechecks.SKIP, "Coupon", refusal.message, code=refusal.code)
    status, state = _ENDS[verdict.action]
    if verdict.action in {rechecks.SKIP, rechecks.EXPIRE}:
        wishes.take_back(message)
    more: dict[str, Any] = {"trace": verdict.trace}
    if verdict.action == rechecks.HOLD:
        more |= {"due_at": verdict.until, "attempts": max(message.attempts - 1, 0)}
    kept = _settle(message, status, state, reason=verdict.reason, code=verdict.code, **more)
    return kept and verdict.action == rechecks.SEND


def _settle(message: Message, status: str, state: str, *, reason: str = "", code: str = "", **more: Any) -> bool:
    """Write a new state, only if the claim is still ours; an asking app reads it on its request."""
    changes = {"status": status, "state": state, "reason": reason[:300], "error_code": code, **more}
    if state != State.RUNNING:
        changes |= {"lease_token": None, "lease_until": None}
    if state in {State.DONE, State.DEAD}:
        changes["finished_at"] = clock.now()
    kept = Message.objects.filter(pk=message.pk, lease_token=message.lease_token).update(**changes)
    if not kept:
        log.warning("lease of message %s was lost", message.pk)
        return False
    for name, value in changes.items():
        setattr(message, name, value)
    if message.request_id:
        MessageRequest.objects.filter(pk=message.request_id).update(state=status, reason=message.reason)
    return True


def _hand_over(message: Message) -> str:
    """Render, hand over, record. The kind of error of the channel; empty when it took the message or was not asked."""
    language = language_of(message.customer, message.order)
    try:
        rendered = render(message, language=language)
    except BusinessError as refusal:
        _settle(message, Status.FAILED, State.DEAD, reason=refusal.message, code=refusal.code)
        return ""
    except Exception as error:
        log.exception("message %s could not be rendered", message.pk)
        reason = f"could not be written: {type(error).__name__}: {error}"
        if message.attempts >= RENDER_TRIES:
            _settle(message, Status.FAILED, State.DEAD, reason=reason, code="render")
        else:
            _try_again(message, reason, code="render")
        return ""
    if not _settle(
        message,
        Status.HANDING,
        State.RUNNING,
        to=message.customer.email,
        language=language,
        subject=rendered.subject[:300],
        html=rendered.html,
        text=rendered.text,
        handed_at=clock.now(),
    ):
        return ""
    killpoints.reach("outbox.handing")
    try:
        handed = email.send(message, rendered)
    except Exception as error:
        log.exception("handing over message %s ended in the unclear", message.pk)
        handed = Handed(accepted=False, error_kind=email.UNKNOWN, error=f"{type(error).__name__}: {error}")
    killpoints.reach("outbox.handed")
    _record(message, handed)
    return handed.error_kind


def render(message: Message, *, language: str) -> Rendered:
    """The message as this person would get it now. BusinessError when its text cannot be written."""
    version = content.version_for(content.of(message.store, message.template), language)
    review = message.context.get("review_request_id")
    context = build_context(
        message.store,
        message.customer,
        message.order,
        message=message,
        language=language,
        review_request=ReviewRequest.objects.select_related("order").filter(pk=review).first() if review else None,
        coupon=wishes.coupons_of([message]).get(message.pk),
        wants=rendering.wants(version),
    )
    return rendering.render(version, context, language=language)


def _record(message: Message, handed: Handed) -> None:
    if handed.accepted:
        now = clock.now()
        with transaction.atomic():
            if not _settle(
                message,
                Status.ACCEPTED,
                State.DONE,
                accepted_at=now,
                provider_id=handed.provider_id[:200],
                provider_answer=handed.error,
            ):
                return
            SentLedger.objects.get_or_create(store=message.store, key=message.key, defaults={"at": now})
            events.record(
                message.store,
                events.MESSAGE_ACCEPTED,
                subject=message.pk,
                at=now,
                order=message.order,
                customer=message.customer,
                payload={"template": message.template, "flow": message.flow_id, "purpose": message.purpose},
            )
    elif handed.error_kind == email.TEMPORARY:
        _try_again(message, handed.error, code=handed.error_kind)
    elif handed.error_kind == email.ACCOUNT:
        _wait_for_account(message, handed.error)
    elif handed.error_kind == email.UNKNOWN:
        _fail(message, Status.UNKNOWN, handed)
    else:
        with transaction.atomic():
            if _fail(message, Status.FAILED, handed, bounced_at=clock.now()):
                consent.suppress(message.store, message.to, reason="bounce")


def _fail(message: Message, status: str, handed: Handed, **more: Any) -> bool:
    return _settle(
        message,
        status,
        State.DEAD,
        reason=handed.error,
        code=handed.error_kind,
        provider_answer=handed.error,
        **more,
    )


def _wait_for_account(message: Message, reason: str) -> None:
    """The store's own account is refused: no fault of this message, and no other leaves before this one is tried again."""
    at = clock.now() + ACCOUNT_LOOK
    changes = {"reason": reason, "code": email.ACCOUNT, "provider_answer": reason}
    if at > message.useful_until:
        _settle(message, Status.FAILED, State.DEAD, **changes)
    else:
        _settle(message, Status.RETRY, State.DUE, due_at=at, attempts=max(message.attempts - 1, 0), **changes)


def _try_again(message: Message, reason: str, *, code: str) -> None:
    """5, 15, 60, then 240 minutes later, as long as it is of use."""
    minutes = RETRIES[min(message.attempts, len(RETRIES)) - 1]
    at = clock.now() + timedelta(minutes=minutes)
    if at > message.useful_until or message.attempts >= Message.MAX_ATTEMPTS:
        _settle(message, Status.FAILED, State.DEAD, reason=reason, code=code, provider_answer=reason)
    else:
        _settle(message, Status.RETRY, State.DUE, reason=reason, code=code, due_at=at, provider_answer=reason)
