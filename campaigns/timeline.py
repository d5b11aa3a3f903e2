"""What this app knows about an order or a customer, for their timelines."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import definitions, words
from campaigns.models import Enrolment, Message
from stores.access import MESSAGES_APPROVE
from stores.models import Customer, Order
from stores.registries import TimelineAction, TimelineItem

S = Message.Status
COMING = (S.PLANNED, S.HELD, S.APPROVAL, S.RETRY, S.CLAIMED, S.HANDING)
LATEST = 50


def of_order(order: Order) -> Iterable[TimelineItem]:
    """Messages of the order, and those that its flows will send."""
    return _items(
        order.messages.all(),
        order.enrolments.filter(status=Enrolment.Status.ACTIVE),
        order.store.slug,
    )


def of_customer(customer: Customer) -> Iterable[TimelineItem]:
    """Messages to the customer, and those to come."""
    return _items(
        customer.messages.all(),
        customer.enrolments.filter(status=Enrolment.Status.ACTIVE),
        customer.store.slug,
    )


def _items(messages: QuerySet[Message], enrolments: QuerySet[Enrolment], store: str) -> Iterator[TimelineItem]:
    found = messages.select_related("flow").defer("html", "text", "context").order_by("-planned_for")[:LATEST]
    for message in found:
        yield _of_message(message, store)
    for enrolment in enrolments.filter(waiting=True).select_related("flow", "version")[:LATEST]:
        yield from _to_come(enrolment, store)


def _of_message(message: Message, store: str) -> TimelineItem:
    state, label, _icon = words.message_state(message)
    coming = message.status in COMING
    reason = message.reason
    return TimelineItem(
        at=message.due_at if coming else message.accepted_at or message.finished_at or message.planned_for,
        kind="message",
        icon="mail" if coming or message.status == S.ACCEPTED else "skip",
        title=words.title(message),
        text=_("%(flow)s, %(channel)s.")
        % {"flow": message.flow.name if message.flow else message.template, "channel": message.channel},
        planned=coming,
        badge=(state, f"{label}: {reason}" if reason else label),
        url=reverse("message", args=[store, message.pk]),
        trace=[(bool(passed), rule, seen) for passed, rule, seen in message.trace],
        actions=_message_actions(message, store) if coming else [],
    )


def _message_actions(message: Message, store: str) -> list[TimelineAction]:
    def act(label: str, name: str) -> TimelineAction:
        return TimelineAction(label, reverse("message_do", args=[store, message.pk, name]), MESSAGES_APPROVE)

    if message.status in {S.CLAIMED, S.HANDING}:
        return []
    first = act(_("Approve"), "approve") if message.status == S.APPROVAL else act(_("Send now"), "send_now")
    return [first, act(_("Cancel"), "cancel")]


def _to_come(enrolment: Enrolment, store: str) -> Iterator[TimelineItem]:
    """The message behind the present wait. Read from the flow file as it stands: it needs no check to be shown."""
    title = _next_mail(enrolment)
    if title is None:
        return
    yield TimelineItem(
        at=enrolment.due_at,
        kind="message",
        icon="mail",
        title=title,
        text=_("%(flow)s. Looked at again before it goes out.") % {"flow": enrolment.flow.name},
        planned=True,
        badge=("info", _("Planned")) if enrolment.state == "due" else ("warn", _("Waiting: flow is off")),
        actions=[
            TimelineAction(
                _("Send now"), reverse("enrolment_do", args=[store, enrolment.pk, "hasten"]), MESSAGES_APPROVE
            ),
            TimelineAction(_("Cancel"), reverse("enrolment_do", args=[store, enrolment.pk, "stop"]), MESSAGES_APPROVE),
        ],
    )


def _next_mail(enrolment: Enrolment) -> str | None:
    """The title of the e-mail between the present wait and the next; None when a check decides first."""
    steps = enrolment.version.definition["steps"]
    for here in _lines(steps):
        uids = [step["uid"] for step in here]
        if enrolment.step not in uids:
            continue
        for step in here[uids.index(enrolment.step) + 1 :]:
            if step["kind"] == "send_email":
                return step.get("title") or step["template"]
            if step["kind"].startswith("wait") or step["kind"] == "end" or definitions.lanes_of(step):
                return None
    return None


def _lines(steps: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The main line of steps and those of all branches."""
    yield steps
    for step in steps:
        for _name, below in definitions.lanes_of(step):
            yield from _lines(below)
