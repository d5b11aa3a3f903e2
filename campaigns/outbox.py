"""Sends what is planned, or says why not. The only place that hands messages to a channel.

Claim and re-check in one transaction; render; note `handing`, committed; hand over outside any transaction; record. A
process that dies before `handing` has sent nothing, and the message is claimed anew. One that dies after it may have
sent: then the message is `unknown` and never sent again by itself. No double mail, at the price of a rare lost one.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import prefetch_related_objects

from campaigns import breaker, bulk, consent, content, guards, journal, rechecks, rendering, second_look, wishes
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.context import build_context, language_of
from campaigns.models import Message, SentLedger, TemplateVersion
from campaigns.rechecks import Verdict
from campaigns.rendering import Rendered
from postpurchase import clock, due, killpoints
from postpurchase.due import State
from postpurchase.errors import BusinessError
from reviews.models import ReviewRequest
from stores import events
from stores.models import MessageRequest

log = logging.getLogger(__name__)

BATCH = 50
LEASE = timedelta(seconds=300)
RETRIES = (5, 15, 60, 240)  # minutes
RENDER_TRIES = 3
# The first half of the PostgreSQL lock under which one person's caps are judged.
SLOT_LOCK = 7401
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


@dataclass
class Batch:
    """What is learnt while a batch is handed over: stores whose account must rest, those whose works, and texts."""

    resting: set[int] = field(default_factory=set)
    well: set[int] = field(default_factory=set)
    texts: "Texts" = field(default_factory=dict)


def run_due(budget_seconds: float = 20.0) -> int:
    """Work off due messages within the budget; how many were looked at."""
    ends = clock.monotonic() + budget_seconds
    looked = 0
    _begin()
    with email.kept_connections():
        while clock.monotonic() < ends:
            taken = _run_batch(ends)
            if not taken:
                break
            looked += taken
    return looked


_compared = False


def _begin() -> None:
    """Once in a process the journal is compared; at each call the clock."""
    global _compared
    if not _compared:
        journal.compare()
        _compared = True
    guards.watch_clock()


def _run_batch(ends: float) -> int:
    """Claim, judge and hand over one batch; how many were looked at."""
    try:
        taken, ready = _take()
    except Exception:
        log.exception("a batch of messages could not be judged; each is judged alone")
        taken, ready = _take_singly()
    killpoints.reach("outbox.claimed")
    journal.write([message for message, _ in ready])
    batch = Batch()
    kept_back = []
    for message, seen in ready:
        if clock.monotonic() >= ends or message.store_id in batch.resting:
            # Back into the queue; a store whose account refuses is held there by the next look.
            _settle(message, Status.PLANNED, State.DUE, attempts=max(message.attempts - 1, 0))
            kept_back.append(message)
        elif not (_is_unchanged(message, seen) and _hand_over(message, batch)):
            kept_back.append(message)
    journal.take_back(kept_back)
    return taken


def end_crashed() -> int:
    """Each minute: messages given up because their worker died too often get the end that is true of them; how many.

    One that was being handed over may have been sent, so it is `unknown`; the others were not sent, so they failed.
    """
    rows = Message.objects.filter(state=State.DEAD, error_code=CRASHED).exclude(status__in=_OVER)
    done = 0
    for row in rows[:100]:
        if row.status == Status.HANDING:
            done += _unclear(row, STOPPED)
        else:
            reason = "the sender stopped too often before handing it over; it was not sent"
            done += _settle(row, Status.FAILED, State.DEAD, reason=reason, code=CRASHED)
    return done


# A message that is to be sent, and what its verdict rests on.
Ready = tuple[Message, second_look.Stamp | None]


def _take() -> tuple[int, list[Ready]]:
    """Claim and judge a batch in one transaction: how many, and those that are to be sent."""
    with transaction.atomic():
        rows = due.claim(Message, limit=BATCH, lease=LEASE)
        return len(rows), _judge(rows)


def _take_singly() -> tuple[int, list[Ready]]:
    rows = due.claim(Message, limit=BATCH, lease=LEASE)
    ready: list[Ready] = []
    for row in rows:
        try:
            with transaction.atomic():
                ready += _judge([row])
        except Exception as error:
            log.exception("message %s could not be judged", row.pk)
            _try_again(row, f"{type(error).__name__}: {error}", code="judging")
    return len(rows), ready


def _judge(rows: Sequence[Message]) -> list[Ready]:
    """Judge claimed messages, in the caller's transaction."""
    prefetch_related_objects(rows, "customer", "store")
    for store in {row.store for row in rows if row.klass == "M"}:
        guards.look(store)
    _one_at_a_time(rows)
    # Before anything else is read: what changes from here on is found by the second look.
    seen = second_look.stamps([row.pk for row in rows])
    prefetch_related_objects(rows, "flow", "enrolment__version", "enrolment__line", "order", "request")
    clear = []
    for row in rows:
        if row.status == Status.HANDING:
            _unclear(row, STOPPED)
        else:
            clear.append(row)
    verdicts = rechecks.judge(clear, now=clock.now())
    return [(row, seen.get(row.pk)) for row, verdict in zip(clear, verdicts, strict=True) if _apply(row, verdict)]


def _one_at_a_time(rows: Sequence[Message]) -> None:
    """Until this transaction ends, no other worker judges a message that counts for these people's caps.

    SQLite writes one transaction at a time anyway. The locks are taken in order, so that two workers never wait in a ring.
    """
    people = sorted({row.customer_id for row in rows if rechecks.takes_slot(row) or rechecks.asks(row)})
    if people and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for person in people:
                cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SLOT_LOCK, person % 2**31])


def _is_unchanged(message: Message, seen: second_look.Stamp | None) -> bool:
    """Whether nothing that counts has changed since the verdict; else it is judged anew, and may be sent all the same."""
    now = second_look.stamp(message.pk)
    if now == seen:
        return True
    fresh = Message.objects.filter(pk=message.pk, lease_token=message.lease_token).first()
    if fresh is None:
        return False
    with transaction.atomic():
        again = _judge([fresh])
    for name in ("store", "customer", "order", "flow", "trace"):
        setattr(message, name, getattr(fresh, name))
    return bool(again)


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
        if verdict.moved:
            more["owed_at"] = verdict.until
    kept = _settle(message, status, state, reason=verdict.reason, code=verdict.code, **more)
    return kept and verdict.action == rechecks.SEND


def _settle(message: Message, status: str, state: str, *, reason: str = "", code: str = "", **more: Any) -> bool:
    """Write a new state, only if the claim is still ours; an asking app reads it on its request."""
    changes = {"status": status, "state": state, "reason": reason[:300], "error_code": code, **more}
    if state != State.RUNNING:
        changes |= {"lease_token": None, "lease_until": None}
    if state in {State.DONE, State.DEAD}:
        changes["finished_at"] = clock.now()
    if not _kept(message, changes):
        log.warning("lease of message %s was lost", message.pk)
        return False
    for name, value in changes.items():
        setattr(message, name, value)
    if message.request_id:
        MessageRequest.objects.filter(pk=message.request_id).update(state=status, reason=message.reason)
    return True


def _kept(message: Message, changes: dict[str, Any]) -> bool:
    if message.lease_token is None:
        return bool(Message.objects.filter(pk=message.pk, lease_token=None).update(**changes))
    # Past the ORM, because this is done twice for each message.
    row = [*changes.values(), message.pk, message.lease_token]
    return bool(bulk.update(Message, list(changes), ("id", "lease_token"), [row]))


def _hand_over(message: Message, batch: Batch) -> bool:
    """Render, hand over, record. Whether it went, or may have gone."""
    language = language_of(message.customer, message.order)
    try:
        rendered = render(message, language=language, texts=batch.texts)
    except BusinessError as refusal:
        _settle(message, Status.FAILED, State.DEAD, reason=refusal.message, code=refusal.code)
        return False
    except Exception as error:
        log.exception("message %s could not be rendered", message.pk)
        reason = f"could not be written: {type(error).__name__}: {error}"
        if message.attempts >= RENDER_TRIES:
            _settle(message, Status.FAILED, State.DEAD, reason=reason, code="render")
        else:
            _try_again(message, reason, code="render")
        return False
    return hand_over(message, rendered, language=language, batch=batch)


def hand_over(message: Message, rendered: Rendered, *, language: str, batch: Batch) -> bool:
    """Hand a written message over and record it, in two commits. Whether it went, or may have gone.

    Nothing is handed over when the claim is lost.
    """
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
        return False
    killpoints.reach("outbox.handing")
    try:
        handed = email.send(message, rendered)
    except Exception as error:
        log.exception("handing over message %s ended in the unclear", message.pk)
        handed = Handed(accepted=False, error_kind=email.UNKNOWN, error=f"{type(error).__name__}: {error}")
    killpoints.reach("outbox.handed")
    until = breaker.strike(message.store, handed) if handed.error_kind in breaker.RESTS else None
    if handed.error_kind in breaker.RESTS:
        batch.well.discard(message.store_id)
    if until:
        batch.resting.add(message.store_id)
    if _record(message, handed, until) and message.store_id not in batch.well:
        batch.well.add(message.store_id)
        breaker.accepted(message.store)
    return handed.accepted or handed.error_kind == email.UNKNOWN


# Newest versions of texts by store, name and language.
Texts = dict[tuple[int, str, str], TemplateVersion]


def render(message: Message, *, language: str, texts: Texts | None = None) -> Rendered:
    """The message as this person would get it now. BusinessError when its text cannot be written.

    `texts` is kept over a batch, so that a text is looked up once.
    """
    key = (message.store_id, message.template, language)
    version = texts.get(key) if texts is not None else None
    if version is None:
        template = content.of(message.store, message.template)
        template.store = message.store
        version = content.version_for(template, language)
        if texts is not None:
            texts[key] = version
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


def _record(message: Message, handed: Handed, rest_until: datetime | None) -> bool:
    """Write what became of it; whether the other side took it."""
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
                return True
            _enter(message, now)
            events.record(
                message.store,
                events.MESSAGE_ACCEPTED,
                subject=message.pk,
                at=now,
                order=message.order,
                customer=message.customer,
                payload={"template": message.template, "flow": message.flow_id, "purpose": message.purpose},
            )
    elif handed.error_kind in breaker.RESTS and rest_until:
        _wait_for_account(message, handed, rest_until)
    elif handed.error_kind in {email.TEMPORARY, *breaker.RESTS}:
        _try_again(message, handed.error, code=handed.error_kind)
    elif handed.error_kind == email.UNKNOWN:
        _unclear(message, handed.error, code=handed.error_kind)
    else:
        with transaction.atomic():
            if _fail(message, Status.FAILED, handed, bounced_at=clock.now()):
                consent.suppress(message.store, message.to, reason="bounce")
    return handed.accepted


def _unclear(message: Message, reason: str, *, code: str = "unclear") -> bool:
    """It may have gone: it counts, and only a person may send it again."""
    with transaction.atomic():
        if not _settle(message, Status.UNKNOWN, State.DEAD, reason=reason, code=code, provider_answer=reason):
            return False
        _enter(message, message.handed_at or clock.now(), sure=False)
    return True


def _enter(message: Message, at: datetime, *, sure: bool = True) -> None:
    """Into the ledger, which knows what went out when the log is long gone."""
    row = SentLedger(
        store_id=message.store_id,
        key=message.key,
        at=at,
        sure=sure,
        customer_id=message.customer_id,
        flow_id=message.flow_id,
        # What an app asked for takes no slot.
        klass="" if message.request_id else rechecks.effective_klass(message),
        purpose="" if message.request_id and not rechecks.asks(message) else message.purpose,
        channel=message.channel,
    )
    bulk.insert(SentLedger, [row])
    if message.approved_at:
        # Sent again by a person: the entry of the first time stands.
        SentLedger.objects.filter(store=message.store_id, key=message.key).update(at=at, sure=sure)


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


def _wait_for_account(message: Message, handed: Handed, at: datetime) -> None:
    """The store's own account is refused: no fault of this message, and no other leaves before this one is tried again."""
    changes = {"reason": handed.error, "code": handed.error_kind, "provider_answer": handed.error}
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
