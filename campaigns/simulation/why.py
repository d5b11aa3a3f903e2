"""Why did she get this, why did he not: what a flow really did for a person, and why nothing where it did nothing."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from campaigns.models import Enrolment, Flow, Message
from campaigns.simulation import choosing, explaining, kept
from campaigns.simulation.explaining import Check
from campaigns.triggers import Occurrence
from campaigns.triggers.entering import HOLDBACK
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores.models import AuditEvent, Customer, Event, Order

DAYS = 90


@dataclass(frozen=True)
class Answer:
    """One moment: whether the person really entered, why, and what was looked at then."""

    at: datetime
    entered: bool
    sentence: str
    order: Order | None = None
    enrolment: Enrolment | None = None
    messages: list[Message] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def answers(flow: Flow, customer: Customer, *, days: int = DAYS) -> list[Answer]:
    """All moments of the last days at which the flow could have begun for the person, the newest first.

    Always at least one: where nothing happened that starts the flow, it says so.
    """
    rows = list(
        Enrolment.objects.filter(flow=flow, customer=customer)
        .select_related("order", "version")
        .order_by("-entered_at")
    )
    found = [_entered(row) for row in rows]
    if flow.live is None:
        return found or [Answer(clock.now(), False, _("The flow has no published version, so nobody enters it."))]
    try:
        asked = kept.asked_of(flow, days=days)
    except BusinessError as refusal:
        return found or [Answer(clock.now(), False, refusal.message)]
    known = {row.context.get("event_key") for row in rows}
    moments = choosing.of_customer(asked, customer)
    others = [one for one in moments if one.key not in known]
    told = {each.moment.key: each for each in explaining.person(asked, moments)}
    events = {event.key: event for event in Event.objects.filter(store=flow.store, key__in=[one.key for one in others])}
    spans = _off(flow)
    for one in others:
        each = told[one.key]
        order = each.subject.order if each.subject else None
        if reason := _not_then(flow, one, events.get(one.key), spans, rows):
            found.append(Answer(one.at, False, reason, order=order, checks=each.checks))
        else:
            found.append(Answer(one.at, False, each.why, order=order, checks=each.checks))
    if not found:
        what = asked.definition.start.sentence()
        words = _(
            "Nothing that starts this flow happened to this person in the last %(days)s days. It starts: %(what)s."
        )
        return [Answer(clock.now(), False, words % {"days": days, "what": what[:1].lower() + what[1:]})]
    return sorted(found, key=lambda answer: answer.at, reverse=True)


def _entered(row: Enrolment) -> Answer:
    messages = list(row.messages.order_by("planned_for", "pk").defer("html", "text"))
    if row.reason == HOLDBACK:
        words = _("Entered, and is in the hold-back group: gets nothing, so that the effect can be measured.")
    elif row.status == Enrolment.Status.LEFT:
        words = _("Entered, and left early because: %(reason)s.") % {"reason": row.reason}
    elif row.status == Enrolment.Status.FAILED:
        words = _("Entered, but a step failed: %(reason)s") % {"reason": row.reason}
    elif row.status == Enrolment.Status.FINISHED:
        words = _("Entered and went to the end.")
    else:
        words = _("Entered and is on the way.")
    return Answer(row.entered_at, True, words, order=row.order, enrolment=row, messages=messages)


def _off(flow: Flow) -> list[tuple[datetime, datetime]]:
    """When the flow was off, as the audit log tells it; from its making until it was first switched on as well."""
    spans: list[tuple[datetime, datetime]] = []
    begun: datetime | None = flow.created_at
    changes = AuditEvent.objects.filter(store=flow.store, action="flow.state", target=flow.slug).order_by("at", "pk")
    for at, diff in changes.values_list("at", "diff"):
        if diff.get("to") == Flow.State.OFF:
            begun = begun or at
        elif begun:
            spans.append((begun, at))
            begun = None
    if begun and flow.state == Flow.State.OFF:
        spans.append((begun, clock.now() + timedelta(days=1)))
    return spans


def _not_then(
    flow: Flow, one: Occurrence, event: Event | None, off: list[tuple[datetime, datetime]], rows: list[Enrolment]
) -> str:
    """Why nobody entered at that moment whatever the conditions say; empty when there was nothing of the kind."""
    if event and event.historic:
        return _("Did not enter: this was read from the store’s history, and history starts nothing.")
    if one.at < flow.created_at:
        return _("Did not enter: the flow did not exist yet.")
    if any(begun <= one.at < ended for begun, ended in off):
        return _("Did not enter: the flow was off.")
    if one.order_id and any(row.order_id == one.order_id for row in rows):
        return _("Did not enter again: entered for this order before.")
    return ""
