"""The nightly check: start it, answer what it asks, and take back what it marked as deleted."""

from datetime import timedelta

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from postpurchase import clock, listing
from postpurchase.errors import BusinessError
from postpurchase.listing import BulkAction, Cell, Column, Empty, Filter, Listing, Tab
from stores import audit
from stores.access import STORE_CONNECT, SYSTEM_VIEW, StoreRequest, store_view
from stores.models import Absence, Reconciliation, Store
from stores.sync import reconcile
from stores.sync.reconcile import absent

_CRUMBS = [(gettext_lazy("System"), "system")]
SHOWN = 50
ENTITIES: dict[str, object] = {
    "order": gettext_lazy("Order"),
    "product": gettext_lazy("Product"),
    "variation": gettext_lazy("Variation"),
    "category": gettext_lazy("Category"),
    "customer": gettext_lazy("Customer"),
    "coupon": gettext_lazy("Coupon"),
    "review": gettext_lazy("Review"),
}


@require_POST
@store_view(STORE_CONNECT)
def start(request: StoreRequest) -> HttpResponse:
    """Compare now; with `deep` every order in full."""
    try:
        job = reconcile.start(request.store, deep=request.POST.get("deep") == "1", user=request.user)
    except BusinessError as refused:
        messages.error(request, refused.message)
        return redirect("system", store=request.store.slug)
    audit.record(request.store, "reconcile.start", actor=request.user, target=str(job), request=request)
    return redirect("job", store=request.store.slug, pk=job.pk)


@store_view(SYSTEM_VIEW)
def question(request: StoreRequest, pk: int) -> HttpResponse:
    """What a comparison asks, with some of what is missing; POST answers."""
    run = get_object_or_404(request.store.reconciliations, pk=pk)
    may_answer = STORE_CONNECT in request.permissions
    if request.method == "POST" and may_answer:
        choice = request.POST.get("answer", "")
        try:
            reconcile.answer(run, choice, user=request.user)
        except BusinessError as refused:
            messages.error(request, refused.message)
        else:
            audit.record(request.store, f"reconcile.{choice}", actor=request.user, target=str(run), request=request)
            if choice == "other":
                messages.success(
                    request,
                    _(
                        "Nothing more is read from that address; what is here stays as it is. Say where your shop is now, and it "
                        "goes on from there."
                    ),
                )
                return redirect("connect", store=request.store.slug)
            messages.success(request, _("Thank you; it goes on with that."))
        return redirect("reconciliation", store=request.store.slug, pk=pk)
    context = {
        "run": run,
        "asks": run.status == Reconciliation.Status.ASKS,
        "entity": ENTITIES.get(run.told.get("entity", ""), ""),
        "missing": run.absences.filter(state__in=[Absence.State.WAITING, Absence.State.MISSING]).order_by("pk")[:SHOWN],
        "may_answer": may_answer,
    }
    return render(request, "stores/reconciliation.html", context, status=403 if request.method == "POST" else 200)


def _rows(store: Store) -> QuerySet[Absence]:
    since = clock.now() - timedelta(days=absent.UNDO_FOR.days)
    return store.absences.filter(state__in=[Absence.State.MARKED, Absence.State.UNDONE], at__gt=since)


def _undo(request: StoreRequest, rows: QuerySet[Absence]) -> str:
    done = 0
    for one in rows:
        try:
            absent.undo(one)
        except BusinessError:
            continue
        done += 1
    audit.record(request.store, "reconcile.undo", actor=request.user, target=str(done), request=request)
    return ngettext(
        "%(n)d object is back, and the shop is asked for it once more.",
        "%(n)d objects are back, and the shop is asked for them once more.",
        done,
    ) % {"n": done}


MARKED = Listing(
    name="marked",
    title=gettext_lazy("Marked as deleted"),
    lede=gettext_lazy(
        "What the nightly check no longer found in your shop. It is kept for 30 days; until then you can take it back."
    ),
    rows=_rows,
    columns=[
        Column(
            "object",
            gettext_lazy("Object"),
            lambda one: Cell(str(ENTITIES.get(one.entity, one.entity)), meta=f"#{one.woo_id}"),
            sort="entity",
        ),
        Column("name", gettext_lazy("Name"), lambda one: one.label or "–", permission="customers.pii"),
        Column(
            "state",
            gettext_lazy("State"),
            lambda one: Cell(
                badge=("neutral", _("Deleted")) if one.state == Absence.State.MARKED else ("ok", _("Taken back"))
            ),
        ),
        Column("at", gettext_lazy("When"), lambda one: Cell(at=one.at), sort="at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s object", "%(n)s objects", n) % {"n": shown},
    sort="-at",
    filters=[
        Filter("entity", gettext_lazy("Any kind"), list(ENTITIES.items()), "entity"),
        listing.period("at"),
    ],
    tabs=[
        Tab(
            "night",
            gettext_lazy("Last night"),
            lambda q: q.filter(at__gt=clock.now() - timedelta(hours=24), state=Absence.State.MARKED),
            counted=True,
        )
    ],
    bulk=[BulkAction("undo", gettext_lazy("Take back"), _undo, STORE_CONNECT)],
    crumbs=_CRUMBS,
    empty=Empty(
        gettext_lazy("Nothing was deleted"),
        gettext_lazy("What the nightly check does not find in your shop any more appears here."),
        icon="check",
    ),
)


@store_view(SYSTEM_VIEW)
def marked(request: StoreRequest) -> HttpResponse:
    """What was marked as deleted in the last 30 days."""
    return listing.answer(request, MARKED)
