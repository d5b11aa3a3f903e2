"""Help cases in the dashboard: what is open, and one case with everything needed to solve it."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase import listing
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from reviews import cases as work
from reviews.models import Case
from stores.access import CASES_WORK, CUSTOMERS_PII, StoreRequest, store_view
from stores.models import Store

BADGES = {"open": ("warn", "clock"), "resolved": ("info", "check"), "confirmed": ("ok", "check")}


def rows(store: Store) -> QuerySet[Case]:
    """The store's cases with their order and person."""
    return store.cases.select_related("store", "order", "customer").defer("order__raw", "customer__raw")


def _state(case: Case) -> Cell:
    state, icon = BADGES[case.state]
    return Cell(badge=(state, case.get_state_display(), icon))


LISTING = Listing(
    name="cases",
    title=gettext_lazy("Help cases"),
    rows=rows,
    columns=[
        Column(
            "number",
            gettext_lazy("Case"),
            lambda case: Cell(case.reference, url=reverse("case", args=[case.store.slug, case.pk])),
        ),
        Column("kind", gettext_lazy("About"), lambda case: Cell(case.get_kind_display()), sort="kind"),
        Column("state", gettext_lazy("State"), _state, sort="state"),
        Column(
            "order",
            gettext_lazy("Order"),
            lambda case: Cell(f"#{case.order.number}", url=reverse("order", args=[case.store.slug, case.order_id])),
        ),
        Column("customer", gettext_lazy("Customer"), lambda case: Cell(case.customer.name), permission=CUSTOMERS_PII),
        Column("opened", gettext_lazy("Opened"), lambda case: Cell(at=case.opened_at), sort="opened_at"),
    ],
    counted=lambda n, shown: ngettext("%(n)s case", "%(n)s cases", n) % {"n": shown},
    sort="-opened",
    empty=Empty(
        gettext_lazy("No help cases"),
        gettext_lazy("When a customer says that something is wrong, it appears here with the order beside it."),
        icon="help",
    ),
    search=("order__number",),
    search_private=(CUSTOMERS_PII, ("customer__email_key", "customer__last_name")),
    search_hint=gettext_lazy("Search order or customer"),
    filters=[Filter("kind", gettext_lazy("Any subject"), Case.Kind.choices, "kind")],
    tabs=[
        Tab("open", gettext_lazy("Open"), lambda rows: rows.filter(state="open"), counted=True),
        Tab("resolved", gettext_lazy("Resolved"), lambda rows: rows.filter(state="resolved")),
        Tab("confirmed", gettext_lazy("Confirmed solved"), lambda rows: rows.filter(state="confirmed")),
    ],
)


@store_view(CASES_WORK)
def cases(request: StoreRequest) -> HttpResponse:
    """The list of help cases."""
    return listing.answer(request, LISTING)


@store_view(CASES_WORK)
def case(request: StoreRequest, pk: int) -> HttpResponse:
    """One case; a POST resolves it with an answer to the customer."""
    found = get_object_or_404(rows(request.store), pk=pk)
    if request.method == "POST":
        work.resolve(found, by=request.user, answer=request.POST.get("answer", ""))
        messages.success(request, _("%(case)s is resolved. The customer is asked whether it is.") % {"case": found})
        return HttpResponseRedirect(reverse("case", args=[request.store.slug, found.pk]))
    context = {
        "case": found,
        "badge": BADGES[found.state],
        "said": found.messages.all(),
        "photos": found.photos.all(),
        "lines": found.order.lines.filter(woo_id__in=found.line_ids) if found.line_ids else found.order.lines.all(),
        "answered": request.store.message_requests.filter(key__startswith=f"case.resolved:{found.pk}:").last(),
        "people": CUSTOMERS_PII in request.permissions,
    }
    return render(request, "reviews/case.html", context)
