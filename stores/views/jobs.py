"""Jobs: long work with an address of its own; leaving the page does not stop it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from postpurchase.errors import BusinessError
from stores import audit, jobs, words
from stores.access import DATA_EXPORT, STORE_CONNECT, SYSTEM_VIEW, StoreRequest, store_view
from stores.models import Job
from stores.sync import backfill

_RUNNING = {Job.Status.QUEUED, Job.Status.RUNNING}


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
