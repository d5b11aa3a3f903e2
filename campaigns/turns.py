"""Which people the engine moves next: by priority and due time, and fair between stores when there is more than a batch.

A batch that comes back full means that people wait; from then on each store with somebody due gets an equal share of the
next batches, so that a store with 100,000 due people delays another by one batch. Stores whose sending is paused are left
alone, all of them when the operator has stopped everything: their people stay where they are, and nothing is given or
written for them.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q

from campaigns.models import Enrolment, SendingHold
from postpurchase import clock, due
from postpurchase.due import PRIORITIES, State
from stores.models import Store

# A share is at least so large: claiming a handful of rows costs as much as claiming many.
LEAST = 20


class Turns:
    """The order of service in one run of the engine."""

    def __init__(self) -> None:
        self._crowded = False
        # Stores that still have their turn in this round.
        self._waiting: list[int] = []
        self._last = 0

    def take(self, limit: int, *, lease: timedelta) -> list[Enrolment]:
        """The next people to be moved, at most `limit`; none when nobody is due who may be moved."""
        paused = paused_stores()
        if not self._crowded and not paused:
            rows = due.claim(Enrolment, limit=limit, lease=lease)
            self._crowded = len(rows) == limit
            return rows
        if not self._waiting:
            self._waiting = self._stores(paused)
        share = max(limit // max(len(self._waiting), 1), LEAST)
        rows = []
        while self._waiting and len(rows) < limit:
            self._last = self._waiting.pop(0)
            most = min(share, limit - len(rows))
            rows += due.claim(Enrolment, limit=most, lease=lease, where=Q(store_id=self._last))
        self._crowded = bool(rows)
        return rows

    def _stores(self, paused: frozenset[int]) -> list[int]:
        """Stores with somebody to move, beginning after the one served last."""
        people = Enrolment.objects.filter(
            store=OuterRef("pk"),
            state=State.DUE,
            priority__in=[priority for priority, _words in PRIORITIES],
            due_at__lte=clock.now(),
        )
        found = list(
            Store.objects.filter(Exists(people)).exclude(pk__in=paused).order_by("pk").values_list("pk", flat=True)
        )
        return [pk for pk in found if pk > self._last] + [pk for pk in found if pk <= self._last]


def paused_stores() -> frozenset[int]:
    """Stores in whose flows nobody is moved now: by the shop itself, by the operator, or by a guard that stops everything."""
    paused = set(Store.objects.filter(sending_paused=True).values_list("pk", flat=True))
    stopped = SendingHold.objects.filter(kind__in=SendingHold.STOPS_ALL, released_at=None).values_list(
        "store_id", flat=True
    )
    for store in stopped:
        if store is None:
            return frozenset(Store.objects.values_list("pk", flat=True))
        paused.add(store)
    return frozenset(paused)
