"""Reconciliation: the slow loop on which correctness rests. Each night the mirror is held against the shop."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase import clock, due
from postpurchase.errors import BusinessError
from stores import jobs, registries
from stores.models import Job, Reconciliation, Store, SyncTask
from stores.registries import Check
from stores.sync import tasks
from stores.sync.reconcile import absent, identity, report, walk

KIND = "reconcile"
KEY = "reconcile:nightly"
# Between one and five in the night of the store, each store at another minute.
FIRST_HOUR, MINUTES = 1, 240
# A night that ended with a question or with lists that leave things out is repeated so often, an hour later.
AGAIN_IN, TIMES = timedelta(hours=1), 3


def start(store: Store, *, deep: bool = False, user: Any = None) -> Job:
    """Queue a comparison, or go on with the one under way. `deep` reads every order in full.

    BusinessError while it is in doubt whether it is the same shop, or before the history is here.
    """
    if store.state == Store.State.DOUBT:
        raise BusinessError(
            _("It has to be clear first whether this is the same shop: see the System page. Nothing was changed."),
            "other_shop",
        )
    if store.backfilled_at is None:
        raise BusinessError(
            _("The history has not been read to its end yet, so there is nothing to compare. Nothing was changed."),
            "no_history",
        )
    return jobs.start(store, KIND, params={"deep": "all"} if deep else {}, user=user)


def nightly(task: SyncTask) -> timedelta:
    """The due row of a night: queue the comparison, and come back the next night."""
    store = task.store
    if store.backfilled_at is not None:
        jobs.start(store, KIND, params={"deep": "night", "spread": True})
    return next_night(store, clock.now()) - clock.now()


def next_night(store: Store, now: datetime) -> datetime:
    """When the store's next night check begins."""
    local = now.astimezone(store.tz)
    begin = local.replace(hour=FIRST_HOUR, minute=0, second=0, microsecond=0) + timedelta(
        minutes=store.pk * 37 % MINUTES
    )
    if begin <= local:
        begin += timedelta(days=1)
    return begin


def tick_nightly() -> int:
    """Have a nightly row for each connected store; how many were made."""
    waiting = Store.objects.exclude(state=Store.State.NEW).exclude(sync_tasks__key=KEY)
    made = 0
    for store in waiting[:100]:
        made += SyncTask.objects.get_or_create(
            store=store,
            key=KEY,
            defaults={"entity": KIND, "priority": due.POLL, "due_at": next_night(store, clock.now())},
        )[1]
    SyncTask.objects.filter(key=KEY, state__in=[due.State.DONE, due.State.DEAD]).update(
        state=due.State.DUE, due_at=clock.now() + AGAIN_IN, attempts=0, finished_at=None
    )
    return made


def run_slice(job: Job, budget_seconds: float) -> jobs.JobProgress:
    """`walk.run_slice`; a night that found the lists wanting is repeated an hour later."""
    progress = walk.run_slice(job, budget_seconds)
    if progress.finished:
        run = job.store.reconciliations.order_by("-pk").first()
        doubtful = run is not None and (
            (run.status == Reconciliation.Status.ASKS and run.question == Reconciliation.Question.MISSING)
            or run.told.get("unlisted")
        )
        if run and doubtful and job.store.reconciliations.filter(night=run.night).count() < TIMES:
            SyncTask.objects.filter(store=job.store, key=KEY, state=due.State.DUE).update(due_at=clock.now() + AGAIN_IN)
    return progress


def answer(run: Reconciliation, choice: str, *, user: Any = None) -> None:
    """What a person decided: `deleted` or `keep` of what is missing, `same` or `other` of the shop.

    BusinessError when the question is not open any more, or does not know this answer.
    """
    choices = {
        Reconciliation.Question.MISSING: {"deleted", "keep"},
        Reconciliation.Question.IDENTITY: {"same", "other"},
    }.get(Reconciliation.Question(run.question), set())
    if choice not in choices:
        raise BusinessError(_("There is no such answer. Nothing was changed."), "no_such_answer")
    with transaction.atomic():
        changed = Reconciliation.objects.filter(pk=run.pk, status=Reconciliation.Status.ASKS).update(
            status=Reconciliation.Status.ANSWERED, answer=choice
        )
        if not changed:
            raise BusinessError(_("This was answered already. Nothing was changed."), "answered")
        if choice == "deleted":
            Reconciliation.objects.filter(pk=run.pk).update(status=Reconciliation.Status.RUNNING)
            jobs.start(run.store, KIND, params={"marks": True, "run": run.pk}, user=user, key=f"{KIND}:marks:{run.pk}")
        elif choice == "keep":
            absent.keep(run)
    if choice == "same":
        identity.accept(run.store)
        jobs.start(run.store, KIND, params={}, user=user)


def checks(store: Store) -> Iterator[Check]:
    """One line: the nightly check ran, and asks nothing."""
    if not store.backfilled_at:
        return
    asks = next(iter(report.open_questions(store)), None)
    if asks:
        yield Check(
            _("Nightly check"),
            False,
            asks.told.get("reason") or _("More is missing in the shop than is plausible. Nothing was deleted here."),
            _("Say what it is."),
            reverse("reconciliation", args=[store.slug, asks.pk]),
        )
        return
    last = store.reconciliations.filter(finished_at__isnull=False).order_by("-started_at").first()
    if last is None:
        yield Check(_("Nightly check"), True, _("The first comparison with the shop runs in the coming night."))
        return
    fresh = clock.now() - last.started_at < timedelta(hours=50)
    sentence = report.sentence(last.causes)
    left_out = last.causes.get("unlisted", 0)
    yield Check(
        _("Nightly check"),
        fresh and not left_out,
        sentence,
        _("See whether the worker runs.")
        if not fresh
        else _("The shop's lists leave out what it has. Nothing was deleted here; it is checked again by itself."),
        level="warn",
    )


def register() -> None:
    """Hook job, fetchers and checks in; called from `AppConfig.ready()`."""
    jobs.register(KIND, run_slice, starter=start, asks_shop=True, label=gettext_lazy("Comparison with the shop"))
    tasks.register_fetch(KIND, nightly)
    absent.register()
    registries.add_checks(checks)
