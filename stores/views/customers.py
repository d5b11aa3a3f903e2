"""Customers: the list, and one person."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from stores.access import CUSTOMERS_PII, StoreRequest, store_view


@store_view(CUSTOMERS_PII)
def customer(request: StoreRequest, pk: int) -> HttpResponse:
    """One person."""
    found = get_object_or_404(request.store.customers, pk=pk)
    return render(request, "stores/customer.html", {"customer": found})
