"""Publishing a draft: what it changes, whom it touches, and taking people who are under way into the new version."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, Max, QuerySet, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from campaigns import bulk, dates, definitions, differences, drafts, flows
from campaigns.definitions import Definition, Placed
from campaigns.flows import Actor
from campaigns.models import Enrolment, Flow, FlowVersion
from campaigns.steps import Visit, WaitUntil
from postpurchase import clock, queue
from postpurchase.due import State
from postpurchase.errors import BusinessError
from stores import audit

CHANGED = "counts_changed"
BATCH = 500


@dataclass(frozen=True)
class Waiting:
    """People who wait at a step whose wait the draft changes."""

    uid: str
    number: str
    before: str
    after: str
    people: int


@dataclass(frozen=True)
class Gone:
    """People at a step that the draft takes out, and the step with which they would go on."""

    uid: str
    before: str
    goes_on: str
    people: int


@dataclass(frozen=True)
class Plan:
    """What publishing would do, for the dialog. `stamp` says whether the numbers are still those that were shown."""

    sentences: list[str]
    faults: list[str]
    under_way: int
    waiting: list[Waiting]
    gone: list[Gone]

    @property
    def stamp(self) -> str:
        at_steps = {one.uid: one.people for one in self.waiting} | {one.uid: one.people for one in self.gone}
        return ",".join([str(self.under_way), *(f"{uid}={people}" for uid, people in sorted(at_steps.items()))])


def plan(flow: Flow) -> Plan:
    """The differences in sentences, the faults, and how many people are at each step that changes."""
    data = drafts.of(flow)
    faults = drafts.faults(flow.store, data)
    said = differences.sentences(flow.live.definition if flow.live else None, data)
    if faults or flow.live is None:
        return Plan(said, faults, _under_way(flow).count() if flow.live else 0, [], [])
    new = definitions.parse(data)
    # One query; one parsed file for each version that still has people.
    at_step: dict[int, Counter[str]] = defaultdict(Counter)
    waits: dict[int, Counter[str]] = defaultdict(Counter)
    for version, step, is_waiting, n in (
        _under_way(flow).values_list("version", "step", "waiting").annotate(n=Count("pk")).order_by()
    ):
        at_step[version][step] += n
        if is_waiting:
            waits[version][step] += n
    old = _parsed(flow, at_step)
    waiting: dict[str, Waiting] = {}
    gone: dict[str, Gone] = {}
    for version, steps in at_step.items():
        for uid, people in steps.items():
            place = old[version].steps.get(uid)
            if place is None:
                continue
            if uid not in new.steps:
                follows = next_surviving(old[version], uid, new)
                goes_on = new.steps[follows].step.sentence() if follows else _("the flow ends for them")
                before = gone[uid].people if uid in gone else 0
                gone[uid] = Gone(uid, place.step.sentence(), goes_on, before + people)
            elif waits[version][uid] and place.step != new.steps[uid].step:
                before = waiting[uid].people if uid in waiting else 0
                waiting[uid] = Waiting(
                    uid,
                    new.steps[uid].number,
                    place.step.sentence(),
                    new.steps[uid].step.sentence(),
                    before + waits[version][uid],
                )
    return Plan(said, [], sum(steps.total() for steps in at_step.values()), list(waiting.values()), list(gone.values()))


def publish(
    flow: Flow,
    token: int,
    *,
    actor: Actor,
    move: bool = False,
    new_waits: Iterable[str] = (),
    stamp: str | None = None,
) -> FlowVersion:
    """Make the draft the live version.

    People under way finish the version they began, or with `move` go on in the new one, each at the step where they are
    (at the next one that is left when theirs is gone). Those who wait at a step of `new_waits` have their wait reckoned
    anew from when it began. `stamp` is that of the shown plan.

    BusinessError `draft_stale`, `flow_faults`, `counts_changed` or `nothing_to_publish`; nothing was changed then.
    """
    with transaction.atomic():
        flow = Flow.objects.select_for_update(of=("self",)).select_related("live", "store").get(pk=flow.pk)
        if flow.draft_token != token:
            raise drafts.stale(flow)
        if flow.draft is None:
            raise BusinessError(_("The draft is the same as the live version, so there is nothing to publish."), "same")
        shown = plan(flow)
        if shown.faults:
            raise BusinessError(
                _("The flow was not published; the live version goes on. Mend first: ") + " ".join(shown.faults),
                "flow_faults",
            )
        if stamp is not None and stamp != shown.stamp:
            raise BusinessError(
                _(
                    "The number of people has changed since this page was opened, so nothing was published yet. "
                    "Look at the new numbers and publish again."
                ),
                CHANGED,
            )
        published = flows.publish(flow.store, drafts.of(flow), actor=actor, slug=flow.slug)
        Flow.objects.filter(pk=flow.pk).update(draft=None, undo=None, draft_token=token + 1)
        assert published.live is not None
        new = definitions.parse(published.live.definition)
        wanted = {one.uid for one in shown.waiting} & set(new_waits)
        reckoned = _reckon_waits(published, new, wanted)
        moved = _move_people(published, new) if move else 0
        if reckoned or moved:
            audit.record(
                flow.store,
                "flow.move_people",
                actor=actor,
                target=flow.slug,
                diff={"moved": moved, "new_waits": reckoned, "version": published.live.number},
            )
    queue.wake()
    return published.live


def _under_way(flow: Flow) -> QuerySet[Enrolment]:
    return Enrolment.objects.filter(flow=flow, status=Enrolment.Status.ACTIVE)


def _parsed(flow: Flow, versions: Iterable[int]) -> dict[int, Definition]:
    found = FlowVersion.objects.filter(flow=flow, pk__in=list(versions))
    return {version.pk: definitions.parse(version.definition) for version in found}


def next_surviving(old: Definition, uid: str, new: Definition) -> str:
    """The first step after this one in the old version that the new one still has; "" when none is left."""
    while uid and uid not in new.steps:
        uid = old.steps[uid].next if uid in old.steps else ""
    return uid


# A worker that has someone in hand loses the lease: what it had not yet written is rolled back and done anew.
_FREED: dict[str, Any] = {"lease_token": None, "lease_until": None}


def _move_people(flow: Flow, new: Definition) -> int:
    assert flow.live is not None
    rows = _under_way(flow).exclude(version=flow.live)
    moved = 0
    there = list(rows.values_list("version", "step").distinct().order_by())
    old = _parsed(flow, {version for version, _step in there})
    for version, uid in there:
        here = rows.filter(version=version, step=uid)
        running = here.filter(state=State.RUNNING)
        running.update(state=State.DUE, **_FREED)
        follows = next_surviving(old[version], uid, new)
        if follows == uid:
            moved += here.update(version=flow.live)
        elif follows:
            # Who waits at the step that is gone waits as long as was said, then goes on, also one who was just woken.
            ends = Case(When(waiting=True, then=Coalesce("wait_until", "due_at")), default="due_at")
            moved += here.update(version=flow.live, step=follows, due_at=ends, wait_until=None, waiting=False)
        else:
            moved += here.update(
                version=flow.live,
                step="",
                waiting=False,
                status=Enrolment.Status.FINISHED,
                state=State.DONE,
                reason=_("the rest of the flow was taken out"),
                finished_at=clock.now(),
            )
    return moved


def _reckon_waits(flow: Flow, new: Definition, uids: set[str]) -> int:
    """Reckon the waits of these steps anew, from when each began; who has waited long enough goes on now."""
    changed = 0
    for uid in sorted(uids):
        people = _under_way(flow).filter(step=uid, waiting=True)
        pks = list(people.order_by("pk").values_list("pk", flat=True))
        for start in range(0, len(pks), BATCH):
            changed += _reckon(new.steps[uid], pks[start : start + BATCH])
    return changed


def _reckon(place: Placed, pks: list[int]) -> int:
    now = clock.now()
    rows = list(
        Enrolment.objects.filter(pk__in=pks)
        .select_related("store", "flow", "customer", "order")
        .annotate(came_at=Max("runs__at"))
        .order_by("pk")
    )
    changes = []
    known = dates.load(place.step.dates(), rows)
    for row, own in zip(rows, known, strict=True):
        began: datetime = row.came_at or row.entered_at
        outcome = place.step.run(Visit(row, place.uid, began, began, {}, dict(row.context), dates=own))
        due_at = outcome.at if isinstance(outcome, WaitUntil) else now
        ends = max(due_at, now)
        changes.append((ends, ends, str(State.HELD if row.state == State.HELD else State.DUE), None, None, row.pk))
    return bulk.update(Enrolment, ("due_at", "wait_until", "state", "lease_token", "lease_until"), ("id",), changes)
