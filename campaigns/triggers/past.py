"""Running a flow over past data: whom it would have started in the last days, in a preview, then as a job at a rate.

Each person comes in once, for the newest of their moments; what is due begins now, and the enrolment says that it comes out
of the past. Nobody of the past enters a flow in any other way.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import flows
from campaigns.models import Enrolment, Flow
from campaigns.triggers import entering
from campaigns.triggers.base import Occurrence
from campaigns.triggers.entering import Entering, Judged
from postpurchase import clock
from postpurchase.errors import BusinessError, RetryLater
from stores import audit, jobs
from stores.jobs import JobProgress
from stores.models import Job, User

KIND = "flow_past"
MAX_DAYS = 365
PER_HOUR, MAX_PER_HOUR = 100, 10_000
# A flow that nobody has seen at work begins gently: no more than this an hour in its first two days.
WARM_UP, WARM_UP_FOR = 25, timedelta(hours=48)
BATCH = 50
# With more people than this the number who would enter is reckoned from a part of them.
COUNTED, SAMPLE = 3000, 1500
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Found:
    """Whom a flow would take in. `enter` of `people` would; `about` when it was reckoned from a part of them."""

    days: int
    people: int
    enter: int
    about: bool
    reasons: dict[str, int] = field(default_factory=dict)
    shown: tuple[Judged, ...] = ()

    def sentence(self) -> str:
        """ "41 of 60 people of the last 30 days would enter"."""
        number = _("about %(n)d") % {"n": self.enter} if self.about else str(self.enter)
        return ngettext(
            "%(enter)s of %(people)d person of the last %(days)d days would enter.",
            "%(enter)s of %(people)d people of the last %(days)d days would enter.",
            self.people,
        ) % {"enter": number, "people": self.people, "days": self.days}


def preview(flow: Flow, *, days: int, show: int = 20) -> Found:
    """How many people of the last `days` days would enter, why not the others, and the newest of both. Writes nothing.

    BusinessError `past_days`, `flow_empty`.
    """
    _check(flow, days)
    now = clock.now()
    moments = _newest(flow, now - timedelta(days=days), now)
    looked = moments
    if len(moments) > COUNTED:
        looked = moments[:: max(len(moments) // SAMPLE, 1)]
    reasons: Counter[str] = Counter()
    enter = 0
    shown: list[Judged] = []
    for start in range(0, len(looked), 500):
        for one in entering.judge(flow, looked[start : start + 500]):
            enter += one.enters
            reasons[one.reason] += not one.enters
            shown.append(one)
            if len(shown) > 4 * show:
                shown = shown[-2 * show :]
    scale = len(moments) / len(looked) if looked else 1.0
    return Found(
        days=days,
        people=len(moments),
        enter=round(enter * scale),
        about=len(looked) < len(moments),
        reasons={reason: round(n * scale) for reason, n in reasons.items() if reason and n},
        shown=tuple(reversed(shown[-show:])),
    )


def switch_on(
    flow: Flow, state: str, *, actor: User | str, days: int = 0, per_hour: int = PER_HOUR, warm_up: bool = True
) -> Job | None:
    """Switch the flow on, from now on; with `days` also for the people of the last days, as a job, which is returned.

    BusinessError `flow_state`, `flow_empty`, `past_days`, `past_rate`: nothing was changed.
    """
    with transaction.atomic():
        if days:
            _check(flow, days, per_hour)
        flows.set_state(flow, state, actor=actor)
        return start(flow, days=days, actor=actor, per_hour=per_hour, warm_up=warm_up) if days else None


def start(flow: Flow, *, days: int, actor: User | str, per_hour: int = PER_HOUR, warm_up: bool = True) -> Job:
    """Queue the job that takes the people of the last `days` days in, `per_hour` an hour at most.

    While one for this flow is unfinished it is returned and nothing new begins. BusinessError `past_days`, `past_rate`,
    `flow_empty`, `flow_off`.
    """
    _check(flow, days, per_hour)
    if flow.state == Flow.State.OFF:
        raise BusinessError(_("The flow is off, so nobody was taken in. Switch it on, then begin."), "flow_off")
    open_ = Job.objects.filter(store_id=flow.store_id, kind=KIND, params__flow=flow.pk, status__in=jobs.OPEN).first()
    if open_:
        return open_
    now = clock.now()
    with transaction.atomic():
        job = jobs.start(
            flow.store,
            KIND,
            params={
                "flow": flow.pk,
                "name": flow.name,
                "days": days,
                "per_hour": per_hour,
                "warm_up": warm_up,
                "until": now.isoformat(),
            },
            user=actor if isinstance(actor, User) else None,
            key=f"{KIND}:{flow.pk}:{days}:{now.isoformat()}",
        )
        audit.record(flow.store, "flow.past", actor=actor, target=flow.slug, diff={"days": days, "per_hour": per_hour})
    return job


def allowed(job: Job, now: datetime) -> int:
    """How many people may come in during the job's present hour, counted from its start."""
    rate = int(job.params["per_hour"])
    warm = job.params["warm_up"] and now < job.created_at + WARM_UP_FOR
    return min(rate, WARM_UP) if warm else rate


def register() -> None:
    """Name the job; called once at start."""
    jobs.register(KIND, run_slice)


def run_slice(job: Job, budget_seconds: float) -> JobProgress:
    """Take people in until the budget, the hour's number or the list is at its end. The place is kept with the people."""
    ends = clock.monotonic() + budget_seconds
    flow = Flow.objects.select_related("store", "live").filter(pk=job.params["flow"], store=job.store_id).first()
    if flow is None or flow.live is None:
        return _done(job, _("The flow is not there any more."))
    if flow.state == Flow.State.OFF:
        raise RetryLater(HOUR.total_seconds() / 4, _("The flow is off."))
    until = datetime.fromisoformat(job.params["until"])
    moments = _newest(flow, until - timedelta(days=job.params["days"]), until)
    cursor: dict[str, Any] = {"entered": 0, "hour": 0, "used": 0, "looked": 0, **job.cursor}
    waiting = [one for one in moments if "key" not in cursor or (one.at.isoformat(), one.key) > tuple(cursor["key"])]
    cursor["looked"] = max(len(moments) - len(waiting), cursor["looked"])
    while waiting:
        now = clock.now()
        hour = int((now - job.created_at) / HOUR)
        if hour != cursor["hour"]:
            cursor |= {"hour": hour, "used": 0}
        free = allowed(job, now) - cursor["used"]
        if free <= 0:
            wait = job.created_at + (hour + 1) * HOUR - now
            raise RetryLater(wait.total_seconds(), _("This hour’s number of people is reached."))
        # As many as may enter; of those looked at, some will not.
        batch, waiting = waiting[: min(BATCH, free)], waiting[min(BATCH, free) :]
        with transaction.atomic():
            entered = entering.enter(flow, batch, how=_how(job, now))
            cursor |= {
                "entered": cursor["entered"] + entered,
                "used": cursor["used"] + entered,
                "looked": cursor["looked"] + len(batch),
                "key": [batch[-1].at.isoformat(), batch[-1].key],
            }
            jobs.save(job, cursor=cursor, done=cursor["looked"], total=max(len(moments), cursor["looked"]))
        if waiting and (clock.monotonic() > ends or not jobs.wanted(job)):
            return _progress(job, cursor, finished=False)
    return _done(job)


def _how(job: Job, now: datetime) -> Entering:
    return Entering(note={"past": {"job": job.pk, "days": job.params["days"]}}, due_at=now)


def _progress(job: Job, cursor: dict[str, Any], *, finished: bool, result: dict[str, Any] | None = None) -> JobProgress:
    phase = _("taking people in")
    total = max(job.total, cursor.get("looked", 0))
    return JobProgress(finished, phase, cursor.get("looked", 0), total, str(job.params["name"]), 0, result)


def _done(job: Job, problem: str = "") -> JobProgress:
    entered, looked = job.cursor.get("entered", 0), job.cursor.get("looked", 0)
    sentence = problem or ngettext(
        "%(entered)d of %(looked)d person entered “%(flow)s”.",
        "%(entered)d of %(looked)d people entered “%(flow)s”.",
        looked,
    ) % {"entered": entered, "looked": looked, "flow": job.params["name"]}
    return _progress(job, job.cursor, finished=True, result={"sentence": sentence, "entered": entered})


def entered_by(job: Job) -> int:
    """How many people are in the flow because of this job."""
    return Enrolment.objects.filter(flow=job.params["flow"], context__past__job=job.pk).count()


def _check(flow: Flow, days: int, per_hour: int = PER_HOUR) -> None:
    if flow.live is None:
        raise BusinessError(_("This flow has no published version yet. Publish one, then begin."), "flow_empty")
    if not 1 <= days <= MAX_DAYS:
        raise BusinessError(
            _("The past is looked at for 1 to %(n)d days. Nothing was changed.") % {"n": MAX_DAYS}, "past_days"
        )
    if not 1 <= per_hour <= MAX_PER_HOUR:
        raise BusinessError(
            _("Between 1 and %(n)d people may come in each hour. Nothing was changed.") % {"n": MAX_PER_HOUR},
            "past_rate",
        )


def _newest(flow: Flow, since: datetime, until: datetime) -> list[Occurrence]:
    """The newest moment of each person, by time."""
    assert flow.live is not None
    newest: dict[int, Occurrence] = {}
    for one in _history(flow, since, until):
        newest[one.customer_id] = one
    return sorted(newest.values(), key=lambda one: (one.at, one.key))


def _history(flow: Flow, since: datetime, until: datetime) -> Iterator[Occurrence]:
    assert flow.live is not None
    return entering.parsed(flow.live).start.history(flow.store, since, until)
