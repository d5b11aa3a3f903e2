"""A shop's time zone changed: what was planned for an hour of the clock there is planned for that hour in the new zone."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from campaigns import definitions, times
from campaigns.models import Enrolment, FlowVersion, Message
from campaigns.steps.wait import Wait
from postpurchase import clock
from stores import registries
from stores.models import Store


def replan(store: Store, before: str, now: str) -> None:
    """Move waits that end at an hour of the day; messages that wait for one are judged again at once.

    Waits of days and hours alone are spans, and end when they end. Runs in the transaction that changed the zone.
    """
    old, new = ZoneInfo(before), ZoneInfo(now)
    people = Enrolment.objects.filter(store=store, status=Enrolment.Status.ACTIVE, waiting=True)
    versions = FlowVersion.objects.filter(pk__in=people.values("version"))
    for version in versions:
        for uid in _by_the_clock(version):
            _move(people.filter(version=version, step=uid), old, new)
    Message.objects.filter(store=store, status=Message.Status.HELD, due_at__gt=clock.now()).update(due_at=clock.now())


def _by_the_clock(version: FlowVersion) -> list[str]:
    placed = definitions.parse(version.definition).steps.values()
    return [one.uid for one in placed if isinstance(one.step, Wait) and (one.step.until or one.step.between)]


def _move(people: Iterable[Enrolment], old: ZoneInfo, new: ZoneInfo) -> None:
    changed = []
    for person in people:
        until = person.wait_until or person.due_at
        anew = times.at_wall(until.astimezone(old).replace(tzinfo=None, fold=0), new)
        # Who is woken before the end, to look at an event, is woken all the same.
        person.due_at = anew if person.due_at >= until else min(person.due_at, anew)
        person.wait_until = anew
        changed.append(person)
    Enrolment.objects.bulk_update(changed, ["due_at", "wait_until"], batch_size=500)


def register() -> None:
    """Called from `AppConfig.ready()`."""
    registries.add_zone_change(replan)
