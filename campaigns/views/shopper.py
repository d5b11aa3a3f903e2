"""What a shopper opens from a mail: preferences, unsubscribe, confirmation, counted links. A GET changes nothing."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from campaigns import consent, counted, preferences
from campaigns.models import Consent, ConsentEvent, CountedLink
from campaigns.models.consent import ConsentState
from postpurchase import clock
from postpurchase.links import Link
from stores import public
from stores.models import Customer

_TOPIC = {purpose: label for purpose, label, _note in preferences.TOPICS}


@require_http_methods(["GET", "HEAD", "POST"])
@public.shopper_page("p")
def preferences_page(request: HttpRequest, link: Link) -> HttpResponse:
    """Stop all first, then topics, a pause, the language."""
    customer = public.find(Customer.objects.select_related("store").filter(erased_at=None), link)
    if request.method == "POST":
        return _back(request, _act(request, customer))
    paused = (
        Consent.objects.filter(customer=customer, paused_until__gt=clock.now())
        .values_list("paused_until", flat=True)
        .first()
    )
    context: dict[str, Any] = {
        "email": customer.email,
        "topics": (topics := preferences.topics(customer)),
        "asked": any(topic.pending for topic in topics),
        "channels": [label for _name, label in preferences.CHANNELS],
        "paused": paused.astimezone(customer.store.tz) if paused else None,
        "pauses": preferences.PAUSES,
        "saved": request.GET.get("saved", ""),
        "choices": settings.LANGUAGES,
    }
    return public.page(
        request,
        "public/preferences.html",
        context,
        store=customer.store,
        customer=customer,
        language=preferences.language_of(customer),
    )


def _act(request: HttpRequest, customer: Customer) -> str:
    if "stop" in request.POST:
        consent.stop_all(customer, source="preferences")
        return "stopped"
    if "pause" in request.POST:
        days = request.POST["pause"]
        if days in {"0", *(str(offered) for offered in preferences.PAUSES)}:
            preferences.pause(customer, int(days))
            return "paused" if days != "0" else "resumed"
    elif "language" in request.POST:
        if request.POST["language"] in dict(settings.LANGUAGES):
            preferences.set_language(customer, request.POST["language"])
            return "language"
    elif "topics" in request.POST:
        preferences.save_topics(customer, set(request.POST))
        return "topics"
    return ""


def _back(request: HttpRequest, saved: str) -> HttpResponse:
    keep = {"lang": request.GET["lang"]} if request.GET.get("lang") and saved != "language" else {}
    return HttpResponseRedirect(f"{request.path}?{urlencode({'saved': saved} | keep)}#{saved or 'main'}")


@require_http_methods(["GET", "HEAD", "POST"])
@public.shopper_page("u")
def unsubscribe(request: HttpRequest, link: Link) -> HttpResponse:
    """POST stops one topic, from the mail program's own button (RFC 8058) or from the form that GET shows."""
    row = public.find(Consent.objects.select_related("store", "customer"), link)
    if request.method == "POST":
        consent.set_consent(
            row.store,
            row.customer,
            channel=row.channel,
            purpose=row.purpose,
            state=ConsentState.DENIED,
            source="one-click" if request.POST.get("List-Unsubscribe") else "unsubscribe page",
            text_version=preferences.WORDS,
        )
        row.refresh_from_db()
    context = {
        "topic": _TOPIC.get(row.purpose, ""),
        "done": row.state == ConsentState.DENIED,
        "address_shown": public.masked(row.customer.email),
    }
    return public.page(request, "public/unsubscribe.html", context, store=row.store, customer=row.customer)


@require_http_methods(["GET", "HEAD", "POST"])
@public.shopper_page("d")
def confirm(request: HttpRequest, link: Link) -> HttpResponse:
    """The second half of the double opt-in: pressing the button on the page is the consent."""
    asked = public.find(ConsentEvent.objects.select_related("store", "customer__store"), link)
    done = preferences.confirm(asked) if request.method == "POST" else False
    state = Consent.objects.filter(customer=asked.customer, channel=asked.channel, purpose=asked.purpose).values_list(
        "state", flat=True
    )
    context = {
        "topic": _TOPIC.get(asked.purpose, ""),
        "done": done or ConsentState.GRANTED in state,
        "withdrawn": not done and ConsentState.DENIED in state,
    }
    return public.page(request, "public/confirm.html", context, store=asked.store, customer=asked.customer)


@require_http_methods(["GET", "HEAD"])
@public.shopper_page("c")
def follow(request: HttpRequest, link: Link) -> HttpResponse:
    """To the stored destination, whatever else the address says."""
    found = public.find(CountedLink.objects.all(), link)
    counted.visit(found, method=request.method or "", user_agent=request.headers.get("User-Agent", ""))
    return HttpResponseRedirect(found.destination)


def owner_of_confirmation(row_id: int) -> public.Owner | None:
    """Whose confirmation an overaged link was."""
    asked = ConsentEvent.objects.select_related("customer__store").filter(pk=row_id).first()
    return public.Owner(asked.customer, 1) if asked else None
