"""Calls that flows make: each with what was sent, what was answered at each try, and sending it again; and their secret."""

import json
from datetime import datetime

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import hooks
from campaigns.models import HookDelivery
from postpurchase import listing
from postpurchase.due import State
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Listing, Tab
from stores.access import CUSTOMERS_PII, FLOWS_PUBLISH, SYSTEM_VIEW, TEAM_MANAGE, StoreRequest, store_view
from stores.models import Store


def rows(store: Store) -> QuerySet[HookDelivery]:
    """The store's calls."""
    return HookDelivery.objects.filter(store=store).select_related("flow", "store").defer("body")


def state_of(row: HookDelivery) -> tuple[str, str, str]:
    """Badge state, words, icon."""
    if row.state == State.DONE:
        return "ok", _("Taken"), "check"
    if row.state == State.DEAD:
        return "bad", _("Given up"), "bad"
    if row.state == State.RUNNING:
        return "info", _("Sending"), "refresh"
    if row.calls:
        return "warn", _("Retrying"), "refresh"
    return "info", _("Planned"), "clock"


def _what(row: HookDelivery) -> Cell:
    flow = row.flow.name if row.flow else _("a flow that was deleted")
    return Cell(
        row.label or row.host,
        url=reverse("hook_delivery", args=[row.store.slug, row.pk]),
        meta=f"{flow} · {row.step}",
    )


LISTING = Listing(
    name="hook_deliveries",
    title=gettext_lazy("Calls of your addresses"),
    lede=gettext_lazy("What your flows tell other programs: signed, and repeated for three days until it is taken."),
    rows=rows,
    columns=[
        Column("what", gettext_lazy("Call"), _what, sort="host"),
        Column(
            "state",
            gettext_lazy("State"),
            lambda row: Cell(badge=state_of(row), meta=row.error),
            sort="state",
        ),
        Column(
            "answer",
            gettext_lazy("Answer"),
            lambda row: row.status_code or "–",
            sort="status_code",
            number=True,
            phone=False,
        ),
        Column("at", gettext_lazy("Asked for"), lambda row: Cell(at=row.created_at), sort="created_at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s call", "%(n)s calls", n) % {"n": shown},
    sort="-at",
    search=("host__icontains", "label__icontains"),
    search_hint=gettext_lazy("Name or host"),
    tabs=[
        Tab("waiting", gettext_lazy("Waiting"), lambda q: q.filter(state__in=[State.DUE, State.RUNNING])),
        Tab("failed", gettext_lazy("Given up"), lambda q: q.filter(state=State.DEAD), counted=True),
    ],
    head="campaigns/hooks_head.html",
    crumbs=[(gettext_lazy("Flows"), "flows")],
    empty=Empty(
        gettext_lazy("No flow has called an address yet"),
        gettext_lazy("Add the step “Webhook” to a flow, with the address of your program."),
        icon="external",
    ),
)


@store_view(SYSTEM_VIEW)
def deliveries(request: StoreRequest) -> HttpResponse:
    """All calls of the store."""
    return listing.answer(request, LISTING)


@store_view(SYSTEM_VIEW)
def delivery(request: StoreRequest, pk: int) -> HttpResponse:
    """One call. What it tells is about a person, so it is shown to those who may see people."""
    row = get_object_or_404(
        HookDelivery.objects.select_related("flow", "order", "customer", "store"), store=request.store, pk=pk
    )
    personal = CUSTOMERS_PII in request.permissions
    body = json.dumps(json.loads(row.body), indent=2, ensure_ascii=False) if row.body and personal else ""
    context = {
        "row": row,
        "status": state_of(row),
        "personal": personal,
        "body": body,
        "calls": [
            call | {"number": number, "at": datetime.fromisoformat(call["at"])}
            for number, call in reversed(list(enumerate(row.calls, 1)))
        ],
        "may_send": FLOWS_PUBLISH in request.permissions and row.state in {State.DONE, State.DEAD, State.HELD},
        "next_at": row.due_at if row.state == State.DUE and row.calls else None,
    }
    return render(request, "campaigns/hook.html", context)


@require_POST
@store_view(FLOWS_PUBLISH)
def send_again(request: StoreRequest, pk: int) -> HttpResponse:
    """The same call once more."""
    row = get_object_or_404(HookDelivery, store=request.store, pk=pk)
    try:
        hooks.send_again(request.store, row, actor=request.user)
    except BusinessError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("The call is made again, with the same content."))
    return redirect("hook_delivery", store=request.store.slug, pk=pk)


@store_view(TEAM_MANAGE)
def secret(request: StoreRequest) -> HttpResponse:
    """What calls are signed with, and a new one."""
    if request.method == "POST":
        hooks.renew_secret(request.store, actor=request.user)
        messages.success(request, _("Calls are signed with a new secret; for seven days with the earlier one as well."))
        return redirect("hook_secret", store=request.store.slug)
    answer = render(request, "campaigns/hook_secret.html", {"found": hooks.secret_of(request.store)})
    answer["Cache-Control"] = "no-store, private"
    return answer
