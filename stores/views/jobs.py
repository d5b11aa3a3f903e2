"""Jobs: long work with an address of its own; leaving the page does not stop it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from postpurchase.errors import BusinessError
from stores import audit, jobs, words
from stores.access import STORE_CONNECT, SYSTEM_VIEW, StoreRequest, store_view
from stores.models import Job

_OPEN = {Job.Status.QUEUED, Job.Status.RUNNING}
_SHORTEST = 0.05  # of the work is done before a remaining time is told


def _remaining(job: Job) -> str:
    """The time left as a range; empty until there is enough to go by."""
    if job.status not in _OPEN or not job.total or not job.rate or job.done < job.total * _SHORTEST:
        return ""
    minutes = max((job.total - job.done) / job.rate / 60, 0)
    if minutes < 1:
        return _("less than a minute left")
    return _("%(low)d to %(high)d min left") % {"low": int(minutes * 0.8) or 1, "high": int(minutes * 1.3) + 1}


@store_view(SYSTEM_VIEW)
def job(request: StoreRequest, pk: int) -> HttpResponse:
    """How far a job is. The page asks again every 2 seconds while it runs."""
    found = get_object_or_404(request.store.jobs, pk=pk)
    running = found.status in _OPEN
    context = {
        "job": found,
        "status": words.job_status(found),
        "running": running,
        "percent": min(found.done * 100 // found.total, 100) if found.total else 0,
        "remaining": _remaining(found),
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
    """Pause, resume or cancel."""
    found = get_object_or_404(request.store.jobs, pk=pk)
    action = request.POST.get("action", "")
    act = {"pause": jobs.pause, "resume": jobs.resume, "cancel": jobs.cancel}.get(action)
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
