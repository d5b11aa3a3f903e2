"""Wakes people who wait in a flow when an event about them comes: it may end their wait, or be a reason to leave.

One UPDATE for each event. Whoever is being moved just now is marked, and looked at once more when the move is written:
so an event that comes while a person is in a worker's hands is not slept through.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Case, F, Q, When

from campaigns.models import Enrolment
from postpurchase import clock, queue
from postpurchase.due import State
from stores import events
from stores.models import Event

# What our own messages and questions do changes nothing that a flow waits for, but a click may.
QUIET = frozenset({events.MESSAGE_REQUESTED, events.MESSAGE_ACCEPTED, events.REVIEW_ASKED})


def wake(event: Event) -> int:
    """Have the flows look at this event's person again; how many ways were woken. Historic facts wake nobody."""
    if event.historic or event.customer_id is None or event.name in QUIET:
        return 0
    now = clock.now()
    waits = Q(state=State.DUE, waiting=True)
    woken = Enrolment.objects.filter(
        waits | Q(state=State.RUNNING),
        store_id=event.store_id,
        customer_id=event.customer_id,
        status=Enrolment.Status.ACTIVE,
    ).update(woken_at=now, due_at=Case(When(waits & Q(due_at__gt=now), then=now), default=F("due_at")))
    if woken:
        queue.wake()
    return woken


def wake_again(moved: Sequence[int], *, since: datetime) -> int:
    """Of the people just written those about whom an event came after `since`: they are looked at once more."""
    return Enrolment.objects.filter(
        pk__in=moved, state=State.DUE, waiting=True, woken_at__gt=since, due_at__gt=F("woken_at")
    ).update(due_at=F("woken_at"))
