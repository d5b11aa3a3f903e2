"""Jobs: long work with an address of its own; leaving the page does not stop it."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from postpurchase import listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from stores import audit, jobs, words
from stores.access import DATA_EXPORT, STORE_CONNECT, SYSTEM_VIEW, StoreRequest, store_view
from stores.models import Job, Store
from stores.sync import backfill

_RUNNING = {Job.Status.QUEUED, Job.Status.RUNNING}


def _rows(store: Store) -> QuerySet[Job]:
    return store.jobs.select_related("store", "started_by").defer("cursor")


def _state(job: Job) -> Cell:
    return Cell(badge=words.job_status(job), meta=job.error)


def _progress(job: Job) -> Cell:
    if not job.total:
        return Cell(f"{job.done:,}" if job.done else "")
    share = f"{min(job.done * 100 // job.total, 100)}%" if job.status != Job.Status.DONE else ""
    return Cell(_("%(done)s of %(total)s") % {"done": f"{job.done:,}", "total": f"{job.total:,}"}, meta=share)


JOBS = Listing(
    name="jobs",
    title=gettext_lazy("Jobs"),
    lede=gettext_lazy("Long work of this store. It goes on when you leave its page."),
    rows=_rows,
    columns=[
        Column(
            "kind",
            gettext_lazy("What"),
            lambda one: Cell(
                jobs.label(one.kind),
                url=reverse("job", kwargs={"store": one.store.slug, "pk": one.pk}),
                meta=one.result.get("sentence", ""),
            ),
            sort="kind",
        ),
        Column("status", gettext_lazy("State"), _state, sort="status"),
        Column("done", gettext_lazy("Done"), _progress),
        Column("errors", gettext_lazy("Errors"), lambda one: f"{one.errors_count:,}", sort="errors_count", number=True),
        Column("by", gettext_lazy("Started by"), lambda one: str(one.started_by or _("By itself")), phone=False),
        Column("at", gettext_lazy("Started"), lambda one: Cell(at=one.created_at), sort="created_at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s job", "%(n)s jobs", n) % {"n": shown},
    sort="-at",
    tabs=[
        Tab("open", gettext_lazy("Not ended"), lambda rows: rows.filter(status__in=jobs.OPEN), counted=True),
        Tab("failed", gettext_lazy("Failed"), lambda rows: rows.filter(status=Job.Status.FAILED), counted=True),
        Tab("errors", gettext_lazy("With errors"), lambda rows: rows.filter(errors_count__gt=0)),
    ],
    filters=[
        Filter("kind", gettext_lazy("Any kind"), lambda store: jobs.labels(), "kind"),
        listing.period("created_at"),
    ],
    crumbs=[(gettext_lazy("System"), "system")],
    empty=Empty(
        gettext_lazy("No long work yet"),
        gettext_lazy("Reading the history, imports and nightly comparisons appear here."),
        icon="refresh",
    ),
)


@store_view(SYSTEM_VIEW)
def listed(request: StoreRequest) -> HttpResponse:
    """All long work of the store."""
    return listing.answer(request, JOBS)


@store_view(SYSTEM_VIEW)
def ring(request: StoreRequest) -> HttpResponse:
    """The small ring of the top bar alone; it asks for itself while something runs."""
    return render(request, "dashboard/ring.html")


def _left(job: Job) -> str:
    """The time left as a range; empty until there is enough to go by."""
    seconds = jobs.left(job) if job.status in _RUNNING else None
    if seconds is None:
        return ""
    low, high = seconds
    if high < 60:
        return _("less than a minute left")
    if low >= 5400:
        return _("%(low)d to %(high)d h left") % {"low": int(low / 3600), "high": int(high / 3600) + 1}
    return _("%(low)d to %(high)d min left") % {"low": int(low / 60) or 1, "high": int(high / 60) + 1}


@store_view(SYSTEM_VIEW)
def job(request: StoreRequest, pk: int) -> HttpResponse:
    """How far a job is. The page asks again every 2 seconds while it runs."""
    found = get_object_or_404(request.store.jobs, pk=pk)
    running = found.status in _RUNNING
    context = {
        "job": found,
        "kind": jobs.label(found.kind),
        "quarter": found.done * 4 // found.total * 25 if found.total else 0,
        "status": words.job_status(found),
        "running": running,
        "percent": min(found.done * 100 // found.total, 100) if found.total else 0,
        "remaining": _left(found),
        "waits_until": jobs.waits_until(found),
        "reads_history": found.kind == backfill.KIND,
        "complete_since": found.store.complete_since if found.kind == backfill.KIND else None,
        "may_download": DATA_EXPORT in request.permissions,
        "may_act": STORE_CONNECT in request.permissions,
    }
    polled = request.htmx and request.htmx.target == "job"  # type: ignore[attr-defined]
    response = render(request, "stores/job.html#progress" if polled else "stores/job.html", context)
    if polled and not running:
        # htmx stops asking at this status.
        response.status_code = 286
    return response


@require_POST
@store_view(STORE_CONNECT)
def job_action(request: StoreRequest, pk: int) -> HttpResponse:
    """Pause, resume or cancel; and how hard the store may be asked while its history is read."""
    found = get_object_or_404(request.store.jobs, pk=pk)
    action = request.POST.get("action", "")
    if action in {"gentle", "brisk"}:
        backfill.set_gentle(request.store, action == "gentle")
        audit.record(request.store, f"job.{action}", actor=request.user, target=str(found), request=request)
        messages.success(request, _("It holds from the next minute on."))
        return redirect("job", store=request.store.slug, pk=pk)
    act = jobs.ACTIONS.get(action)
    if act is None:
        messages.error(request, _("There is no such action. Nothing was changed."))
        return redirect("job", store=request.store.slug, pk=pk)
    try:
        act(found)
    except BusinessError as refused:
        messages.error(request, refused.message)
    else:
        audit.record(request.store, f"job.{action}", actor=request.user, target=str(found), request=request)
        messages.success(
            request, {"pause": _("Paused."), "resume": _("It goes on."), "cancel": _("Cancelled.")}[action]
        )
    return redirect("job", store=request.store.slug, pk=pk)


@store_view(DATA_EXPORT)
def job_errors(request: StoreRequest, pk: int) -> HttpResponse:
    """What the job put aside, as a file."""
    found = get_object_or_404(request.store.jobs, pk=pk)
    audit.record(request.store, "job.errors", actor=request.user, target=str(found), request=request)
    response = HttpResponse(jobs.error_csv(found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.kind}-{found.pk}-errors.csv"'
    return response
