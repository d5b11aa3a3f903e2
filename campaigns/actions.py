"""What a merchant can do with messages and with people on their way. Each action is audited.

Actions on messages take a query of the store's messages and return how many they changed: one that a worker is just
sending, or that is over, stays as it is.
"""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns.flows import Actor
from campaigns.models import Enrolment, Message
from postpurchase import clock, queue
from postpurchase.due import State
from stores import audit
from stores.models import MessageRequest, Store

Status = Message.Status
OPEN = (Status.PLANNED, Status.HELD, Status.APPROVAL, Status.RETRY)
BROKEN = (Status.FAILED, Status.UNKNOWN)


def cancel(store: Store, messages: QuerySet[Message], *, actor: Actor) -> int:
    """They are not sent, now or later."""
    return _change(
        store,
        messages,
        Q(status__in=OPEN),
        actor=actor,
        action="message.cancel",
        status=Status.CANCELLED,
        state=State.DONE,
        reason=f"by {actor}",
        finished_at=clock.now(),
    )


def approve(store: Store, messages: QuerySet[Message], *, actor: Actor) -> int:
    """Those that wait for approval go out when caps and hours allow, if the last look finds nothing against it."""
    return _go(store, messages, Q(status=Status.APPROVAL), actor=actor, action="message.approve")


def send_now(store: Store, messages: QuerySet[Message], *, actor: Actor) -> int:
    """Planned and waiting ones go out now: no cap, no hold, no quiet hours; consent and the order's state still count."""
    return _go(store, messages, Q(status__in=OPEN), actor=actor, action="message.send_now", pressed_at=clock.now())


def retry(store: Store, messages: QuerySet[Message], *, actor: Actor) -> int:
    """Failed and unclear ones are tried again. An unclear one may then arrive twice: a person has chosen that."""
    wanted = Q(status__in=(*BROKEN, Status.RETRY))
    return _go(store, messages, wanted, actor=actor, action="message.retry")


def _go(store: Store, messages: QuerySet[Message], wanted: Q, *, actor: Actor, action: str, **more: Any) -> int:
    now = clock.now()
    changed = _change(
        store,
        messages,
        wanted,
        actor=actor,
        action=action,
        status=Status.PLANNED,
        state=State.DUE,
        reason="",
        due_at=now,
        approved_at=now,
        attempts=0,
        error_code="",
        finished_at=None,
        **more,
    )
    queue.wake()
    return changed


def _change(store: Store, messages: QuerySet[Message], wanted: Q, *, actor: Actor, action: str, **changes: Any) -> int:
    with transaction.atomic():
        fitting = messages.filter(wanted, store=store).exclude(state=State.RUNNING)
        ids = list(fitting.order_by("pk").values_list("pk", flat=True))
        changed = Message.objects.filter(wanted, pk__in=ids, store=store).exclude(state=State.RUNNING).update(**changes)
        if changed:
            MessageRequest.objects.filter(messages__in=ids).update(state=changes["status"], reason=changes["reason"])
            audit.record(store, action, actor=actor, target=_target(ids), diff={"messages": ids, "changed": changed})
    return changed


def _target(ids: list[int]) -> str:
    return f"message {ids[0]}" if len(ids) == 1 else f"{len(ids)} messages"


def stop(enrolment: Enrolment, *, actor: Actor) -> bool:
    """The person leaves the flow here. False when the way was over or a worker has it in hand."""
    with transaction.atomic():
        changed = (
            Enrolment.objects.filter(pk=enrolment.pk, status=Enrolment.Status.ACTIVE)
            .exclude(state=State.RUNNING)
            .update(
                status=Enrolment.Status.LEFT, state=State.DONE, reason=f"cancelled by {actor}", finished_at=clock.now()
            )
        )
        if changed:
            audit.record(enrolment.store, "enrolment.stop", actor=actor, target=f"enrolment {enrolment.pk}")
    return bool(changed)


def hasten(enrolment: Enrolment, *, actor: Actor) -> bool:
    """The present wait ends now. False when there is none."""
    with transaction.atomic():
        changed = Enrolment.objects.filter(
            pk=enrolment.pk, status=Enrolment.Status.ACTIVE, state=State.DUE, waiting=True
        ).update(due_at=clock.now(), wait_until=clock.now())
        if changed:
            audit.record(enrolment.store, "enrolment.hasten", actor=actor, target=f"enrolment {enrolment.pk}")
            queue.wake()
    return bool(changed)
