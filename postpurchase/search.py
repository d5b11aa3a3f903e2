"""The search box of the top bar: orders and customers that match, in one page."""

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render

from stores.access import CUSTOMERS_PII, ORDERS_VIEW, StoreRequest, store_view

MOST = 20


@store_view(ORDERS_VIEW)
def search(request: StoreRequest) -> HttpResponse:
    """What matches `q`. An order number that fits exactly opens the order at once."""
    asked = request.GET.get("q", "").strip()[:100].replace("\x00", "")
    number = asked.lstrip("#")
    found_orders, found_customers = [], []
    may_see_people = CUSTOMERS_PII in request.permissions
    if asked:
        exact = list(request.store.orders.filter(number=number).values_list("pk", flat=True)[:2])
        if len(exact) == 1:
            return redirect("order", store=request.store.slug, pk=exact[0])
        matching = Q(number__istartswith=number)
        if may_see_people:
            matching |= Q(email__icontains=asked) | Q(billing_name__icontains=asked)
            words = asked.split()
            people = Q(email_key__icontains=asked.lower())
            by_name = Q()
            for word in words:
                by_name &= Q(first_name__icontains=word) | Q(last_name__icontains=word)
            found_customers = list(
                request.store.customers.filter(people | by_name).defer("raw").order_by("-last_order_at", "-pk")[:MOST]
            )
        found_orders = list(
            request.store.orders.filter(matching)
            .select_related("customer")
            .defer("raw", "customer__raw")
            .order_by("-created_gmt", "-pk")[:MOST]
        )
    shown = {"asked": asked, "orders": found_orders, "customers": found_customers, "people": may_see_people}
    return render(request, "dashboard/search.html", shown)
