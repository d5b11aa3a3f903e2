"""Flows: the list, one flow as sentences with its numbers, switching, and pausing all sending."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import cards, drafts, flow_words, flows, results, words
from campaigns.models import Enrolment, Flow, Message
from campaigns.start_forms import NewFlow
from postpurchase import clock, listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, RowAction, Tab
from stores.access import FLOWS_EDIT, FLOWS_PUBLISH, ORDERS_VIEW, StoreRequest, store_view
from stores.models import Store


def _number(queryset: QuerySet[Any]) -> Coalesce:
    """A count of rows of each flow as a column, without joining them."""
    counted = queryset.filter(flow=OuterRef("pk")).order_by().values("flow").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def rows(store: Store) -> QuerySet[Flow]:
    """The store's flows with what the list shows of them, without those that are archived."""
    return _rows(store).filter(archived_at=None)


def archived(store: Store) -> QuerySet[Flow]:
    """Those put away, with the same columns."""
    return _rows(store).filter(archived_at__isnull=False)


def _rows(store: Store) -> QuerySet[Flow]:
    since = clock.now() - timedelta(days=cards.DAYS)
    return (
        store.flows.select_related("live", "store")
        .annotate(
            active=_number(Enrolment.objects.filter(status=Enrolment.Status.ACTIVE)),
            sent=_number(Message.objects.filter(status__in=cards.SENT, accepted_at__gte=since)),
            ordered=_number(cards.led_to_order(store.pk, since)),
            problems=_number(Message.objects.filter(status__in=cards.PROBLEMS, planned_for__gte=since)),
        )
        .defer("store__consumer_key", "store__consumer_secret")
    )


def who_enters(flow: Flow) -> str:
    """When and for whom the flow starts, in words."""
    if flow.live is None:
        return _("Nobody yet: not published")
    return flow_words.start(flow.live.definition)


def _name(flow: Flow) -> Cell:
    address = "flow" if flow.live_id else "flow_edit"
    meta = who_enters(flow)
    if flow.live_id and flow.draft is not None:
        meta = _("%(start)s · draft not published") % {"start": meta}
    return Cell(flow.name, url=reverse(address, args=[flow.store.slug, flow.slug]), meta=meta)


def _problems(flow: Any) -> Cell | int:
    if not flow.problems:
        return 0
    return Cell(
        badge=("bad", f"{flow.problems}", "bad"),
        meta=_("failed or unclear"),
    )


def _switch(flow: Flow) -> RowAction | None:
    where = [flow.store.slug, flow.slug]
    if flow.archived_at:
        return RowAction(_("Bring back"), reverse("flow_manage", args=where), about=flow.name)
    if flow.live_id is None:
        return RowAction(_("Edit"), reverse("flow_edit", args=where), about=flow.name)
    if flow.state == Flow.State.OFF:
        return RowAction(_("Turn on"), reverse("flow_on", args=where), about=flow.name)
    return RowAction(_("Pause"), reverse("flow_state", args=[*where, Flow.State.OFF]), post=True, about=flow.name)


LISTING = Listing(
    name="flows",
    title=gettext_lazy("Flows"),
    lede=gettext_lazy("What is written to your customers after they buy, and when."),
    rows=rows,
    columns=[
        Column("name", gettext_lazy("Flow"), _name, sort="name", export=lambda flow: flow.name),
        Column("state", gettext_lazy("State"), lambda flow: Cell(badge=words.flow_state(flow)), sort="state"),
        Column("active", gettext_lazy("In progress"), lambda flow: flow.active, sort="active", number=True),
        Column("sent", gettext_lazy("Sent, 30 days"), lambda flow: flow.sent, sort="sent", number=True),
        Column("ordered", gettext_lazy("Led to orders"), lambda flow: flow.ordered, sort="ordered", number=True),
        Column("problems", gettext_lazy("Problems"), _problems, sort="problems", number=True),
        Column(
            "edited",
            gettext_lazy("Last edited"),
            lambda flow: Cell(at=flow.edited_at),
            sort="edited_at",
            number=True,
            phone=False,
        ),
    ],
    counted=lambda n, shown: ngettext("%(n)s flow", "%(n)s flows", n) % {"n": shown},
    sort="name",
    tabs=[
        Tab("on", gettext_lazy("On"), lambda queryset: queryset.exclude(state=Flow.State.OFF)),
        Tab("drafts", gettext_lazy("With a draft"), lambda queryset: queryset.filter(draft__isnull=False)),
        # Shown by a list of their own, see below.
        Tab("archived", gettext_lazy("Archived"), lambda queryset: queryset),
    ],
    search=("name__icontains",),
    search_hint=gettext_lazy("Name of a flow"),
    filters=[Filter("state", gettext_lazy("Any state"), Flow.State.choices, "state")],
    row_action=_switch,
    head="campaigns/flows_head.html",
    before="campaigns/paused.html",
    empty=Empty(
        gettext_lazy("No flows yet"),
        gettext_lazy("A flow thanks, asks and reminds by itself, each customer in their own language."),
        icon="flow",
    ),
)


ARCHIVED = replace(LISTING, rows=archived)


@store_view(ORDERS_VIEW)
def flow_list(request: StoreRequest) -> HttpResponse:
    """All flows of the store."""
    return listing.answer(request, ARCHIVED if request.GET.get("view") == "archived" else LISTING)


@store_view(ORDERS_VIEW)
def flow(request: StoreRequest, flow: str) -> HttpResponse:
    """One flow: who enters, each step as a sentence with its numbers of the last 30 days, who leaves."""
    found = get_object_or_404(request.store.flows.select_related("live"), slug=flow)
    context: dict[str, Any] = {
        "flow": found,
        "badge": words.flow_state(found),
        "days": cards.DAYS,
        "differs": drafts.differs(found),
    }
    if found.live:
        data = found.live.definition
        shown = cards.of(data, cards.numbers_of(found))
        context |= {
            "cards": shown,
            "start": who_enters(found),
            "where": flow_words.where_parts(data),
            "again": flow_words.again(data),
            "exits": flow_words.exit_parts(data),
            "counts": cards.entered(found),
            "skipped": cards.all_reasons(shown),
            "splits": results.of_flow(found),
            "went_out": found.messages.filter(accepted_at__gte=clock.now() - timedelta(days=cards.DAYS)).exists(),
        }
    return render(request, "campaigns/flow.html", context)


@store_view(FLOWS_EDIT)
def flow_new(request: StoreRequest) -> HttpResponse:
    """A new flow from scratch: its name, what starts it, what kind of messages. It is a draft until it is published."""
    form = NewFlow(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        data = drafts.empty(said["name"], said["klass"], said["event"])
        made = drafts.create(request.store, data, actor=request.user)
        messages.success(request, _("This is a draft. Add steps; nobody enters until you publish it and turn it on."))
        return redirect("flow_edit", store=request.store.slug, flow=made.slug)
    status = 422 if request.method == "POST" else 200
    return render(request, "campaigns/flow_new.html", {"form": form}, status=status)


@require_POST
@store_view(FLOWS_PUBLISH)
def flow_state(request: StoreRequest, flow: str, state: str) -> HttpResponse:
    """Switch a flow off, to review first, or on."""
    found = get_object_or_404(request.store.flows, slug=flow)
    try:
        flows.set_state(found, state, actor=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    else:
        said = {
            Flow.State.OFF: _("%(name)s is off. People on their way stay where they are."),
            Flow.State.REVIEW: _("%(name)s asks you before each message."),
            Flow.State.ON: _("%(name)s is on."),
        }
        messages.success(request, said[Flow.State(state)] % {"name": found.name})
    return HttpResponseRedirect(back(request, reverse("flows", args=[request.store.slug])))


def back(request: StoreRequest, usual: str) -> str:
    """Where the form stood, if that is a page of this store."""
    wanted = request.POST.get("next", "")
    return wanted if wanted.startswith(f"/app/{request.store.slug}/") else usual


@store_view(ORDERS_VIEW)
def flow_file(request: StoreRequest, flow: str) -> HttpResponse:
    """The live version as a flow file."""
    found = get_object_or_404(request.store.flows.select_related("live"), slug=flow, live__isnull=False)
    return HttpResponse(
        flows.export_file(found),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{found.slug}.yaml"'},
    )


@store_view(FLOWS_PUBLISH)
def flow_import(request: StoreRequest) -> HttpResponse:
    """Publish a flow file as a flow of this store: a new one is off, one of the same name gets its next version."""
    text = request.POST.get("file", "")
    if request.method == "POST":
        try:
            published = flows.import_file(request.store, text, actor=request.user)
        except BusinessError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, _("%(name)s is published.") % {"name": published.name})
            return redirect("flow", store=request.store.slug, flow=published.slug)
    return render(request, "campaigns/flow_import.html", {"text": text})


@store_view(FLOWS_PUBLISH)
def sending(request: StoreRequest) -> HttpResponse:
    """Ask, then pause or resume all sending of the store."""
    if request.method != "POST":
        return render(request, "campaigns/sending.html", {"store": request.store})
    if request.store.sending_paused:
        flows.resume_sending(request.store, actor=request.user)
        messages.success(request, _("Messages go out again, those that waited first."))
    else:
        flows.pause_sending(request.store, actor=request.user)
        messages.success(request, _("All sending is paused. What becomes due waits; nothing is lost."))
    return redirect("outbox", store=request.store.slug)
