"""Loyalty for the merchant: the programme, its members, and the ledger."""

import re
import uuid
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from loyalty import ledger, programs
from loyalty.earning import live_rule
from loyalty.models import Account, EarnRule, Entry, Program
from loyalty.resources import EntryResource
from postpurchase import exporting, links, listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from postpurchase.money import quantise
from stores.access import CUSTOMERS_PII, LEDGER_ADJUST, LOYALTY_EDIT, ORDERS_VIEW, StoreRequest, store_view
from stores.models import Store

ENTRY_BADGE = {
    Entry.Kind.EARNED: "ok",
    Entry.Kind.TAKEN_BACK: "warn",
    Entry.Kind.REDEEMED: "info",
    Entry.Kind.RETURNED: "neutral",
    Entry.Kind.GIVEN: "ok",
    Entry.Kind.ADJUSTED: "neutral",
}


@store_view(ORDERS_VIEW)
def program(request: StoreRequest) -> HttpResponse:
    """The programme with its rules, and what it owes."""
    found = Program.objects.filter(store=request.store).first()
    sums = Account.objects.filter(store=request.store).aggregate(usable=Sum("usable"), pending=Sum("pending"))
    usable, pending = sums["usable"] or 0, sums["pending"] or 0
    context: dict[str, Any] = {"program": found, "usable": usable, "pending": pending}
    if found:
        context |= {
            "order_rule": live_rule(found, EarnRule.Kind.ORDER),
            "review_rule": live_rule(found, EarnRule.Kind.REVIEW),
            "rewards": found.rewards.all(),
            "liability": quantise(usable * found.point_value, request.store.currency),
            "members": Account.objects.filter(store=request.store).count(),
        }
    return render(request, "loyalty/program.html", context)


@require_POST
@store_view(LOYALTY_EDIT)
def program_save(request: StoreRequest) -> HttpResponse:
    """Start, stop, or change what is earned from now on."""
    act = request.POST.get("act", "")
    found = Program.objects.filter(store=request.store).first()
    try:
        if act == "start":
            programs.start(request.store, actor=request.user)
            messages.success(request, _("The programme is on. Orders paid from now on earn points."))
        elif act == "stop" and found:
            programs.stop(found, actor=request.user)
            messages.success(request, _("The programme is off. Balances stay as they are."))
        elif act == "rules" and found:
            # Both or neither.
            with transaction.atomic():
                for kind in (EarnRule.Kind.ORDER, EarnRule.Kind.REVIEW):
                    programs.set_rule(found, kind=kind, points=_points(request.POST.get(kind, "")), actor=request.user)
            messages.success(request, _("From now on these points are earned. What was earned before stays."))
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    return redirect("loyalty", store=request.store.slug)


def _points(text: str) -> Decimal:
    try:
        return Decimal(text.strip().replace(",", "."))
    except InvalidOperation as error:
        raise BusinessError(
            _("%(text)r is not a number. Nothing was changed.") % {"text": text[:20]}, "not_a_number"
        ) from error


def _member_url(account: Account) -> str:
    return reverse("loyalty-member", args=[account.store.slug, account.pk])


def _accounts(store: Store) -> QuerySet[Account]:
    return Account.objects.filter(store=store).select_related("customer", "store").defer("customer__raw")


MEMBERS = Listing(
    name="members",
    title=gettext_lazy("Members"),
    rows=_accounts,
    columns=[
        Column(
            "customer",
            gettext_lazy("Customer"),
            lambda row: Cell(row.customer.name, url=_member_url(row), meta=row.customer.email),
            permission=CUSTOMERS_PII,
        ),
        Column("member", gettext_lazy("Member"), lambda row: Cell(f"#{row.pk}", url=_member_url(row)), phone=False),
        Column("usable", gettext_lazy("Usable"), lambda row: row.usable, sort="usable", number=True),
        Column("pending", gettext_lazy("Pending"), lambda row: row.pending, sort="pending", number=True),
        Column("joined", gettext_lazy("Joined"), lambda row: Cell(at=row.joined_at), sort="joined_at"),
    ],
    counted=lambda n, shown: ngettext("%(n)s member", "%(n)s members", n) % {"n": shown},
    sort="-usable",
    search_private=(CUSTOMERS_PII, ("customer__email_key__icontains", "customer__last_name__icontains")),
    search_hint=gettext_lazy("Name or email"),
    tabs=[
        Tab("usable", gettext_lazy("With points to use"), lambda q: q.filter(usable__gt=0)),
        Tab("below", gettext_lazy("Below zero"), lambda q: q.filter(usable__lt=0)),
    ],
    empty=Empty(
        gettext_lazy("No members yet"),
        gettext_lazy("Everybody whose order earns points becomes a member by that. Start the programme first."),
        icon="gift",
    ),
    crumbs=[(gettext_lazy("Loyalty"), "loyalty")],
)


@store_view(ORDERS_VIEW)
def members(request: StoreRequest) -> HttpResponse:
    """Who has how many points."""
    return listing.answer(request, MEMBERS)


def _entries(store: Store) -> QuerySet[Entry]:
    return (
        Entry.objects.filter(store=store)
        .select_related("account__customer", "account__store", "award__order", "by")
        .defer("account__customer__raw", "award__order__raw")
    )


def _points_cell(entry: Entry) -> Cell:
    return Cell(f"{entry.points:+d}".replace("-", "−"))


def _kind_cell(entry: Entry) -> Cell:
    why = f"{entry.reason}. {entry.note}" if entry.note else entry.reason
    return Cell(why, badge=(ENTRY_BADGE[Entry.Kind(entry.kind)], entry.get_kind_display()), meta=why)


LEDGER = Listing(
    name="ledger",
    title=gettext_lazy("Points ledger"),
    lede=gettext_lazy("Every movement of points. Entries are never changed; each balance is their sum."),
    rows=_entries,
    columns=[
        Column("date", gettext_lazy("Date"), lambda row: Cell(at=row.at), sort="at"),
        Column(
            "customer",
            gettext_lazy("Customer"),
            lambda row: Cell(row.account.customer.name, url=_member_url(row.account)),
            permission=CUSTOMERS_PII,
        ),
        Column(
            "kind",
            gettext_lazy("What"),
            _kind_cell,
        ),
        Column(
            "points", gettext_lazy("Points"), _points_cell, sort="points", number=True, export=lambda row: row.points
        ),
    ],
    counted=lambda n, shown: ngettext("%(n)s entry", "%(n)s entries", n) % {"n": shown},
    sort="-date",
    filters=[Filter("kind", gettext_lazy("Anything"), list(Entry.Kind.choices), "kind"), listing.period("at")],
    empty=Empty(
        gettext_lazy("No points have moved yet"),
        gettext_lazy("The first paid order after the start of the programme writes the first entry."),
        icon="gift",
    ),
    crumbs=[(gettext_lazy("Loyalty"), "loyalty")],
    export=exporting.of_resource(EntryResource),
)


@store_view(ORDERS_VIEW)
def entries(request: StoreRequest) -> HttpResponse:
    """All movements of points."""
    return listing.answer(request, LEDGER)


@store_view(ORDERS_VIEW)
def member(request: StoreRequest, account: int) -> HttpResponse:
    """One member: balance, awards, entries; corrections by hand with a note."""
    row = get_object_or_404(_accounts(request.store), pk=account)
    running = row.usable + row.pending
    lines = []
    for entry in row.entries.select_related("award__order", "by").order_by("-at", "-pk")[:200]:
        lines.append({"entry": entry, "after": running, "badge": ENTRY_BADGE[Entry.Kind(entry.kind)]})
        running -= entry.points
    return render(
        request,
        "loyalty/member.html",
        {
            "account": row,
            "balance": ledger.balance(row.customer),
            "lines": lines,
            "redemptions": row.redemptions.select_related("reward", "coupon").order_by("-at")[:20],
            "link": links.url("l", row.pk, version=row.link_version),
            "key": uuid.uuid4().hex,
        },
    )


@require_POST
@store_view(LEDGER_ADJUST)
def adjust(request: StoreRequest, account: int) -> HttpResponse:
    """Correct a balance by hand."""
    row = get_object_or_404(_accounts(request.store), pk=account)
    try:
        text = request.POST.get("points", "").strip().replace("−", "-")
        if not re.fullmatch(r"[+-]?[0-9]{1,8}", text):
            raise BusinessError(
                _("%(text)r is not a whole number. Nothing was changed.") % {"text": text[:20]}, "not_a_number"
            )
        ledger.adjust(
            row,
            points=int(text),
            note=request.POST.get("note", ""),
            by=request.user,
            key=request.POST.get("key", "")[:64] or uuid.uuid4().hex,
        )
        messages.success(request, _("The ledger has a new entry; the balance moved with it."))
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    return redirect("loyalty-member", store=request.store.slug, account=row.pk)
