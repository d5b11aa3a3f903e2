"""Segments: the list with ready-made ones, the page that builds one, who is in it."""

from datetime import timedelta
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from postpurchase import charts, clock, exporting
from postpurchase.errors import BusinessError
from stores import conditions, presets, segments
from stores.access import CUSTOMERS_PII, DATA_EXPORT, FLOWS_EDIT, StoreRequest, store_view
from stores.conditions import CUSTOMER
from stores.conditions.builder import Builder
from stores.models import Segment
from stores.resources import CustomerResource

PREFIX, SAMPLE, DAYS = "who", 10, 90


@store_view(CUSTOMERS_PII)
def listed(request: StoreRequest) -> HttpResponse:
    """All segments, and the ready-made ones that are not there yet."""
    found = list(request.store.segments.order_by("name"))
    taken = {one.preset for one in found}
    context = {
        "segments": [(one, conditions.describe(one.conditions, request.store)) for one in found],
        "presets": [one for one in presets.presets(request.store) if one.name not in taken],
    }
    return render(request, "stores/segments.html", context)


@store_view(FLOWS_EDIT)
def new(request: StoreRequest) -> HttpResponse:
    """A new segment, empty or from a ready-made one (`?from=vip`)."""
    name = request.GET.get("from", "")
    try:
        preset = presets.preset(request.store, name) if name else None
    except KeyError:
        preset = None
    return _page(request, None, preset)


@store_view(CUSTOMERS_PII)
def segment(request: StoreRequest, pk: int) -> HttpResponse:
    """One segment: its condition, who is in it, and how its size went."""
    return _page(request, get_object_or_404(request.store.segments, pk=pk), None)


def _page(request: StoreRequest, found: Segment | None, preset: presets.Preset | None) -> HttpResponse:
    store, may_edit = request.store, FLOWS_EDIT in request.permissions
    name = found.name if found else str(preset.title) if preset else ""
    tree = found.conditions if found else preset.tree if preset else None
    builder = Builder.of(tree, store=store, subject=CUSTOMER, prefix=PREFIX)
    refused = ""
    if request.method == "POST":
        if not may_edit:
            raise PermissionDenied
        name = request.POST.get("name", "")
        builder = Builder.read(request.POST, store=store, subject=CUSTOMER, prefix=PREFIX)
        if request.POST.get("act") == "save" and not builder.acted and not builder.faults:
            try:
                saved = segments.save(
                    store,
                    found,
                    name=name,
                    tree=builder.tree,
                    actor=request.user,
                    preset=preset.name if preset else "",
                    why=preset.why if preset and preset.tree == builder.tree else "",
                )
            except BusinessError as refusal:
                refused = refusal.message
            else:
                words = ngettext("Saved: %(n)d person is in it.", "Saved: %(n)d people are in it.", saved.size)
                messages.success(request, words % {"n": saved.size})
                return redirect("segment", store=store.slug, pk=saved.pk)
    context: dict[str, Any] = {
        "segment": found,
        "preset": preset,
        "name": name,
        "builder": builder,
        "may_edit": may_edit,
        "refused": refused,
        **_counted(request, builder),
    }
    if found:
        context |= _over_time(found)
    return render(request, "stores/segment.html", context)


def _counted(request: StoreRequest, builder: Builder) -> dict[str, Any]:
    """How many are meant, and some of them; nothing while something is wrong."""
    if builder.faults:
        return {"total": None, "sample": []}
    meant = segments.people(request.store, builder.tree)
    sample = (
        meant.defer("raw").order_by("-last_order_at", "pk")[:SAMPLE] if CUSTOMERS_PII in request.permissions else []
    )
    return {"total": meant.count(), "sample": list(sample), "everybody": builder.tree is None}


@require_POST
@store_view(FLOWS_EDIT)
def count(request: StoreRequest) -> HttpResponse:
    """Who is meant by the condition as it stands in the form; a fragment, nothing is saved."""
    builder = Builder.read(request.POST, store=request.store, subject=CUSTOMER, prefix=PREFIX)
    return render(request, "stores/segment_people.html", _counted(request, builder))


def _over_time(found: Segment) -> dict[str, Any]:
    since = clock.now() - timedelta(days=DAYS)
    days = list(found.days.filter(day__gte=since.date()).order_by("day"))
    moved = list(segments.changes(found, clock.now() - timedelta(days=28), clock.now()))
    came = sum(one.entered for one in moved)
    answer = _("In the last 28 days %(came)d came and %(went)d left.") % {"came": came, "went": len(moved) - came}
    return {"days": days[::-1], "moves": answer, "spark": charts.spark([one.size for one in days], answer=answer)}


@store_view(DATA_EXPORT)
def export(request: StoreRequest, pk: int) -> HttpResponse:
    """The people of a segment as a file."""
    found = get_object_or_404(request.store.segments, pk=pk)
    if CUSTOMERS_PII not in request.permissions:
        raise PermissionDenied
    rows = segments.people(request.store, found.conditions).order_by("pk")
    answer = exporting.answer(f"segment-{found.slug}", exporting.of_resource(CustomerResource)(rows), "csv")
    return cast(HttpResponse, answer)


@store_view(FLOWS_EDIT)
def delete(request: StoreRequest, pk: int) -> HttpResponse:
    """Ask, then delete."""
    found = get_object_or_404(request.store.segments, pk=pk)
    if request.method == "POST":
        try:
            segments.delete(found, actor=request.user)
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            return redirect("segment", store=request.store.slug, pk=pk)
        messages.success(request, _("The segment is deleted. Nobody was told, and no person was changed."))
        return redirect("segments", store=request.store.slug)
    return render(request, "stores/segment_delete.html", {"segment": found})
