"""Write-backs: what we asked the shop to hold, what came of it, and a person's choice where it came out otherwise."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
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
from stores import intents, words, write_backs
from stores.access import CUSTOMERS_PII, ORDERS_CHANGE, SYSTEM_VIEW, StoreRequest, store_view
from stores.models import Intent, Store

Status = Intent.Status


def rows(store: Store) -> QuerySet[Intent]:
    """The store's write-backs."""
    return Intent.objects.filter(store=store).select_related("store")


def _what(intent: Intent) -> Cell:
    return Cell(
        intents.kind_of(intent).label, url=reverse("write_back", args=[intent.store.slug, intent.pk]), meta=intent.about
    )


def _kinds(store: Store) -> list[tuple[str, Any]]:
    return [(name, kind.label) for name, kind in intents.kinds().items()]


LISTING = Listing(
    name="write_backs",
    title=gettext_lazy("Write-backs"),
    lede=gettext_lazy(
        "Everything written into your store: looked up before each try, and done only when read back as asked for."
    ),
    rows=rows,
    columns=[
        Column("what", gettext_lazy("What"), _what, sort="kind"),
        Column(
            "state",
            gettext_lazy("State"),
            lambda one: Cell(badge=words.write_back(one), meta=one.error),
            sort="status",
        ),
        Column("tries", gettext_lazy("Tries"), lambda one: one.attempts, number=True, phone=False),
        Column("at", gettext_lazy("Asked for"), lambda one: Cell(at=one.created_at), sort="created_at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s write-back", "%(n)s write-backs", n) % {"n": shown},
    sort="-at",
    search=("about__icontains",),
    search_hint=gettext_lazy("Order number or code"),
    filters=[
        Filter("kind", gettext_lazy("Anything"), _kinds, "kind"),
        Filter("state", gettext_lazy("Any state"), list(Status.choices), "status"),
    ],
    tabs=[
        Tab("attention", gettext_lazy("Needs you"), lambda q: q.filter(status=Status.ATTENTION), counted=True),
        Tab("failed", gettext_lazy("Failed"), lambda q: q.filter(status=Status.FAILED), counted=True),
        Tab("waiting", gettext_lazy("Waiting"), lambda q: q.filter(status__in=[Status.PLANNED, Status.SENT])),
    ],
    crumbs=[(gettext_lazy("System"), "system")],
    empty=Empty(
        gettext_lazy("Nothing was written to your store yet"),
        gettext_lazy("Coupons, published reviews, notes and marks appear here with what your store made of them."),
        icon="external",
    ),
)

# What a choice does, in words on its button and below it.
CHOICES = {
    intents.AGAIN: (
        gettext_lazy("Try again"),
        gettext_lazy("It is asked for once more, after a look whether it is there."),
    ),
    intents.ACCEPT: (
        gettext_lazy("Accept what the store has"),
        gettext_lazy("What the store holds counts from now on, as it is there."),
    ),
    intents.GIVE_UP: (
        gettext_lazy("Give up"),
        gettext_lazy("It is not asked for again. What was held for it, such as points, is given back."),
    ),
}
_DONE = {
    intents.AGAIN: gettext_lazy("It is asked for once more."),
    intents.ACCEPT: gettext_lazy("What the store has counts from now on."),
    intents.GIVE_UP: gettext_lazy("Given up. What was held for it is given back."),
}


@store_view(SYSTEM_VIEW)
def listed(request: StoreRequest) -> HttpResponse:
    """All write-backs of the store."""
    return listing.answer(request, LISTING)


@store_view(SYSTEM_VIEW)
def write_back(request: StoreRequest, pk: int) -> HttpResponse:
    """One write-back: what was asked for, what came of it, and what may be done about it."""
    intent = get_object_or_404(rows(request.store), pk=pk)
    kind = intents.kind_of(intent)
    open_ = kind.write_back.choices(intent)
    context = {
        "intent": intent,
        "kind": kind,
        "status": words.write_back(intent),
        "address": kind.address(intent),
        "asked_state": words.ORDER_STATUS.get(intent.params.get("status", ""), ("", ""))[1],
        "note": intent.params.get("text", "") if CUSTOMERS_PII in request.permissions else "",
        "choices": [(name, *said) for name, said in CHOICES.items() if name in open_],
        "may_choose": kind.permission in request.permissions,
        "patience": kind.write_back.patience if intent.status == Status.ATTENTION else None,
        "waits_until": intent.due_at if intent.state == "due" and intent.attempts else None,
    }
    return render(request, "stores/write_back.html", context)


@require_POST
@store_view(SYSTEM_VIEW)
def choose(request: StoreRequest, pk: int) -> HttpResponse:
    """A person's choice; it takes the right to do such a thing in the first place."""
    intent = get_object_or_404(rows(request.store), pk=pk)
    if (needed := intents.kind_of(intent).permission) not in request.permissions:
        raise PermissionDenied(needed)
    choice = request.POST.get("choice", "")
    try:
        intents.choose(intent, choice, by=request.user)
    except BusinessError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _DONE[choice])
    return redirect("write_back", store=request.store.slug, pk=pk)


@require_POST
@store_view(ORDERS_CHANGE)
def order_note(request: StoreRequest, pk: int) -> HttpResponse:
    """A note on the shop's order."""
    order = get_object_or_404(request.store.orders.select_related("store"), pk=pk)
    to_customer = request.POST.get("to_customer") == "1"
    try:
        write_backs.add_note(
            order,
            request.POST.get("note", ""),
            key=request.POST.get("press", ""),
            by=request.user,
            to_customer=to_customer,
        )
    except BusinessError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(
            request,
            _("The note is on its way to your store, which mails it to the customer.")
            if to_customer
            else _("The note is on its way to your store."),
        )
    return redirect("order", store=request.store.slug, pk=pk)


@require_POST
@store_view(ORDERS_CHANGE)
def order_status(request: StoreRequest, pk: int) -> HttpResponse:
    """Another state of the shop's order."""
    order = get_object_or_404(request.store.orders.select_related("store"), pk=pk)
    try:
        write_backs.set_status(
            order, request.POST.get("status", ""), key=request.POST.get("press", ""), by=request.user
        )
    except BusinessError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("The change is on its way to your store. It shows here once the store has it."))
    return redirect("order", store=request.store.slug, pk=pk)
