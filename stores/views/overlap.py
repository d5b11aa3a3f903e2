"""Who tells the customer about what: the table, a person's choice for each row, and switching theirs off."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from postpurchase.errors import BusinessError
from stores import audit, overlap
from stores.access import STORE_CONNECT, StoreRequest, store_view


@store_view(STORE_CONNECT)
def page(request: StoreRequest) -> HttpResponse:
    """The table; POST keeps the choices, or switches off what WooCommerce sends about a topic, once confirmed."""
    if request.method != "POST":
        return render(request, "stores/overlap.html", {"overlap": overlap.table(request.store)})
    topic = request.POST.get("off", "")
    if topic and request.POST.get("confirmed") != "1":
        line = next((one for one in overlap.table(request.store) if one.topic == topic and one.mails), None)
        if line:
            return render(request, "stores/overlap_off.html", {"line": line})
    try:
        if topic:
            _switch_off(request, topic)
        else:
            _choose(request)
    except BusinessError as refused:
        messages.error(request, refused.message)
    return redirect("overlap", store=request.store.slug)


def _choose(request: StoreRequest) -> None:
    names = [topic for topic, _label, _path in overlap.TOPICS]
    changed = overlap.choose(request.store, {name: request.POST[name] for name in names if name in request.POST})
    if changed:
        audit.record(request.store, "overlap.choose", actor=request.user, diff=changed, request=request)
    messages.success(request, _("Your choices are saved. Flows leave out what the shop sends."))


def _switch_off(request: StoreRequest, topic: str) -> None:
    off = overlap.switch_off(request.store, topic)
    audit.record(
        request.store, "overlap.off", actor=request.user, target=topic, diff={"mails": ", ".join(off)}, request=request
    )
    messages.success(request, _("Switched off in WooCommerce, and looked at again: it is off."))
