"""Preview of a flow: real people, each condition, the way, the letters; and what would have happened to everybody."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from csp.decorators import csp_exempt
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Flow
from campaigns.simulation import choosing, explaining, kept, letters, telling, why
from campaigns.simulation.explaining import Told
from campaigns.simulation.report import Report
from campaigns.simulation.running import Asked
from campaigns.triggers import Occurrence
from campaigns.views.inbox import framed
from postpurchase.errors import BusinessError
from stores import jobs
from stores.access import CUSTOMERS_PII, StoreRequest, store_view
from stores.models import Customer, Job

LOOKS = ("light", "dark", "images-off", "text")
WIDTHS = ("desktop", "phone")
SPANS = (30, 90, 180, 365)


@dataclass(frozen=True)
class Choice:
    """A line of the list on the left."""

    told: Told
    query: str
    chosen: bool

    @property
    def name(self) -> str:
        return self.told.subject.customer.name if self.told.subject else ""

    @property
    def about(self) -> str:
        order = self.told.subject.order if self.told.subject else None
        return f"#{order.number}" if order else ""


def _flow(request: StoreRequest, slug: str) -> Flow:
    return get_object_or_404(request.store.flows.select_related("live", "store"), slug=slug)


def _wants_draft(request: StoreRequest, flow: Flow) -> bool:
    """The draft when it is asked for, or when there is nothing else."""
    sent = request.POST if request.method == "POST" else request.GET
    return bool(flow.draft) and (sent.get("draft") == "1" or flow.live is None)


def _where(one: Occurrence) -> dict[str, str]:
    """What of the address names an occurrence."""
    if one.key.startswith("preview:"):
        kind, _colon, pk = one.key.removeprefix("preview:").partition(":")
        return {kind: pk}
    return {"at": one.at.isoformat(), "key": one.key}


def _chosen(request: StoreRequest, asked: Asked) -> Occurrence | None:
    """The occurrence that the address names. 404 when it is of another store or gone."""
    sent = request.GET
    if sent.get("key"):
        try:
            at = datetime.fromisoformat(sent.get("at", ""))
        except ValueError as error:
            raise Http404 from error
        found = choosing.exactly(asked, at, sent["key"]) if at.tzinfo else None
        if found is None:
            raise Http404
        return found
    if sent.get("order", "").isdigit():
        order = get_object_or_404(request.store.orders.defer("raw"), pk=sent["order"], customer__isnull=False)
        customer = get_object_or_404(request.store.customers.defer("raw"), pk=order.customer_id)
        real = choosing.of_customer(asked, customer, order=order)
        return real[0] if real else choosing.as_if(asked, customer, order)
    if sent.get("customer", "").isdigit():
        customer = get_object_or_404(request.store.customers.defer("raw"), pk=sent["customer"])
        real = choosing.of_customer(asked, customer)
        return real[0] if real else choosing.as_if(asked, customer, None)
    return None


@store_view(CUSTOMERS_PII)
def flow_preview(request: StoreRequest, flow: str) -> HttpResponse:
    """`?draft=1`, a person by `at` and `key`, `order` or `customer`, `q` to search, `look` and `width` of the letters."""
    found = _flow(request, flow)
    draft = _wants_draft(request, found)
    context: dict[str, Any] = {"flow": found, "draft": draft, "spans": SPANS, "has_both": found.draft and found.live}
    try:
        asked = kept.asked_of(found, draft=draft)
    except BusinessError as refusal:
        return render(request, "campaigns/preview.html", context | {"refusal": refusal.message})
    look, width = request.GET.get("look", "light"), request.GET.get("width", "desktop")
    context |= {"look": look if look in LOOKS else "light", "width": width if width in WIDTHS else "desktop"}
    context |= _people(request, asked, draft)
    context |= _history(found, asked, draft)
    return render(request, "campaigns/preview.html", context)


def _people(request: StoreRequest, asked: Asked, draft: bool) -> dict[str, Any]:
    match, near = choosing.candidates(asked)
    one = _chosen(request, asked) or (match[0].moment if match else near[0].moment if near else None)
    told = explaining.person(asked, [one])[0] if one else None
    base = {"draft": "1"} if draft else {}

    def line(each: Told) -> Choice:
        same = one is not None and each.moment.key == one.key
        return Choice(each, urlencode(base | _where(each.moment)), same)

    query = request.GET.get("q", "").strip()
    results = choosing.search(request.store, query)
    return {
        "match": [line(each) for each in match],
        "near": [line(each) for each in near],
        "told": told,
        "as_if": one is not None and one.key.startswith("preview:"),
        "here": urlencode(base | _where(one)) if one else urlencode(base),
        "query": query,
        "results": [
            (
                customer,
                order,
                urlencode(base | ({"order": str(order.pk)} if order else {"customer": str(customer.pk)})),
            )
            for customer, order in results
        ],
        "looks": list(zip(LOOKS, (_("Light"), _("Dark"), _("Images off"), _("Text")), strict=True)),
        "widths": list(zip(WIDTHS, (_("Desktop"), _("Phone")), strict=True)),
    }


def _history(flow: Flow, asked: Asked, draft: bool) -> dict[str, Any]:
    row = kept.last(flow, draft=draft)
    job = Job.objects.filter(store=flow.store, kind=kept.KIND, params__flow=flow.pk, status__in=jobs.OPEN).first()
    if row is None:
        return {"ran": None, "job": job}
    report = Report.from_json(row.result)
    stale = row.digest != kept.digest(kept.data_of(flow, draft=draft))
    return {"ran": row, "job": job, "stale": stale, "result": None if stale else telling.told(report, asked.definition)}


@require_POST
@store_view(CUSTOMERS_PII)
def flow_simulate(request: StoreRequest, flow: str) -> HttpResponse:
    """Run it over the last days, now or as a job."""
    found = _flow(request, flow)
    draft = _wants_draft(request, found)
    days = request.POST.get("days", "")
    back = reverse("flow_preview", args=[request.store.slug, found.slug]) + ("?draft=1" if draft else "")
    try:
        result = kept.start(found, draft=draft, days=int(days) if days.isdigit() else kept.DAYS, user=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
        return redirect(back)
    if result.job:
        return redirect("job", store=request.store.slug, pk=result.job.pk)
    messages.success(request, kept.sentence(result.report))
    return redirect(f"{back}#happened")


@csp_exempt()
@store_view(CUSTOMERS_PII)
def flow_letter(request: StoreRequest, flow: str, uid: str) -> HttpResponse:
    """One letter of the person that the address names, for the sandboxed frame; `look` light, dark or images-off."""
    found = _flow(request, flow)
    try:
        asked = kept.asked_of(found, draft=_wants_draft(request, found))
    except BusinessError as refusal:
        raise Http404 from refusal
    one = _chosen(request, asked)
    letter = _letter(asked, one, uid) if one else None
    if letter is None:
        raise Http404
    look = request.GET.get("look", "light")
    try:
        rendered = letters.written(letter.message)
    except BusinessError as refusal:
        return framed(f"<html><head></head><body><p>{refusal.message}</p></body></html>", dark=look == "dark")
    if look == "text":
        answer = HttpResponse(rendered.text, content_type="text/plain; charset=utf-8")
        answer["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'self'; sandbox"
        return answer
    answer = framed(letters.inert(rendered.html), dark=look == "dark")
    if look == "images-off":
        policy = answer["Content-Security-Policy"]
        answer["Content-Security-Policy"] = policy.replace("img-src 'self' https: http: data:", "img-src 'none'")
    return answer


def _letter(asked: Asked, one: Occurrence, uid: str) -> Any:
    told = explaining.person(asked, [one])[0]
    return next((letter for letter in told.course.letters if letter.message.step == uid), None)


@store_view(CUSTOMERS_PII)
def flow_why(request: StoreRequest, flow: str) -> HttpResponse:
    """Why a person got a flow's messages, and why not: `?customer=` or `?q=` to search."""
    found = _flow(request, flow)
    query = request.GET.get("q", "").strip()
    context: dict[str, Any] = {"flow": found, "query": query, "results": _results(request, query), "customer": None}
    pk = request.GET.get("customer", "")
    if pk.isdigit():
        customer = get_object_or_404(Customer.objects.filter(store=request.store).defer("raw"), pk=pk)
        context |= {"customer": customer, "answers": why.answers(found, customer)}
    return render(request, "campaigns/why.html", context)


def _results(request: StoreRequest, query: str) -> list[Customer]:
    return list({customer.pk: customer for customer, _order in choosing.search(request.store, query)}.values())
