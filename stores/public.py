"""Pages that a shopper opens with a signed link: no login, no cookie, no script, and never a bare 404.

    @public.shopper_page("r")
    def review(request, link):
        row = public.find(ReviewRequest.objects.select_related("store", "customer"), link)
        ...
        return public.page(request, "public/review.html", {...}, store=row.store, customer=row.customer)

A GET reads, a POST acts; the token in the address is the permission, so these views need no CSRF cookie.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt

from postpurchase import clock, colours, links
from postpurchase.links import Link, LinkProblem
from stores import limits
from stores.models import Customer, Order, Store
from stores.outgoing import request_message

WRONG_LINKS, FRESH_LINKS, WINDOW = 60, 5, timedelta(minutes=10)
_LANGUAGES = dict(settings.LANGUAGES)


@dataclass(frozen=True)
class Owner:
    """Whose link it is, and the version that its row carries now."""

    customer: Customer
    version: int


_owners: dict[str, Callable[[int], Owner | None]] = {}


def add_owner(purpose: str, find_owner: Callable[[int], Owner | None]) -> None:
    """Say whose links of a purpose are, by row id, so that an overaged one can be renewed. From `AppConfig.ready()`."""
    _owners[purpose] = find_owner


def current_url(purpose: str, row_id: int) -> str | None:
    """A fresh link to the row; None when it is gone."""
    owner = _owners[purpose](row_id) if purpose in _owners else None
    return links.url(purpose, row_id, version=owner.version) if owner else None


Row = TypeVar("Row", bound=models.Model)


def find(rows: QuerySet[Row], link: Link, *, version_of: Callable[[Row], int] | None = None) -> Row:
    """The row of a link. LinkProblem when it is gone or the link was revoked (its version is not the row's)."""
    row = rows.filter(pk=link.row_id).first()
    if row is None:
        raise LinkProblem
    version = version_of(row) if version_of else getattr(row, "link_version", link.version)
    if version != link.version:
        raise LinkProblem
    return row


View = Callable[..., HttpResponse]


def shopper_page(purpose: str) -> Callable[[View], View]:
    """Wrap a view at `/<purpose>/<token>/`: it gets `(request, link, **rest)` and may raise LinkProblem itself.

    A link that cannot be used gives the "link problem" page: 404 (unknown, altered, foreign, revoked: one answer for
    all), 410 (genuine but overaged; its POST sends a new one), 429 after too many wrong ones.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def inner(request: HttpRequest, token: str, **rest: Any) -> HttpResponse:
            try:
                answer = view(request, link=links.read(purpose, token), **rest)
            except LinkProblem as problem:
                answer = _link_problem(request, purpose, problem)
            return closed(answer)

        return inner

    return decorate


def closed(answer: HttpResponse) -> HttpResponse:
    """What holds for every shopper page: tell nobody where it was, keep it out of search engines and caches."""
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    answer["Cache-Control"] = "no-store, private"
    return answer


def language_for(
    request: HttpRequest, *, store: Store | None, customer: Customer | None, order: Order | None, chosen: str = ""
) -> str:
    """`?lang=`, else the chosen, the order's, the customer's, the store's language, else what the browser asks for."""
    for wanted in (
        request.GET.get("lang", ""),
        chosen,
        order.language if order else "",
        customer.language if customer else "",
        store.language if store else "",
        translation.get_language_from_request(request),
    ):
        short = wanted.replace("_", "-").split("-")[0].lower()
        if short in _LANGUAGES:
            return short
    return "en"


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    store: Store | None,
    customer: Customer | None = None,
    order: Order | None = None,
    language: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render a shopper page in the shop's colours and the shopper's language; templates extend "public/base.html".

    `language` is one that the person chose; `?lang=` in the address still goes before it.
    """
    language = language_for(request, store=store, customer=customer, order=order, chosen=language)
    with translation.override(language):
        frame = {
            "shop": store,
            "customer": customer,
            "brand": colours.brand(store.accent if store else colours.FALLBACK),
            "language": language,
            "direction": "rtl" if translation.get_language_bidi() else "ltr",
            "languages": [(code, name, code == language) for code, name in settings.LANGUAGES],
            "preferences_url": links.url("p", customer.pk, version=customer.link_version) if customer else "",
            "reach_email": (store.mail_reply_to or store.mail_from) if store else "",
            "address": postal_lines(store) if store else [],
        }
        answer = render(request, template, frame | dict(context), status=status)
    answer["Content-Language"] = language
    return closed(answer)


def postal_lines(store: Store) -> list[str]:
    """Name and postal address for a footer; the name once, where the address does not begin with it."""
    lines = [line.strip() for line in store.postal_address.splitlines() if line.strip()]
    return lines if lines and store.name.lower() in lines[0].lower() else [store.name, *lines]


def masked(email: str) -> str:
    """ "b•••@g••••.com": enough to recognise one's own address, not enough to learn it."""
    name, _, domain = email.partition("@")
    host, _, end = domain.rpartition(".")
    return f"{name[:1]}•••@{host[:1]}{'•' * max(len(host) - 1, 3)}.{end}"


def _link_problem(request: HttpRequest, purpose: str, problem: LinkProblem) -> HttpResponse:
    owner = None
    if problem.expired and problem.row_id is not None and purpose in _owners:
        owner = _owners[purpose](problem.row_id)
    if owner is None or owner.customer.erased_at:
        near = limits.hit(f"link:{request.META.get('REMOTE_ADDR', '')}", limit=WRONG_LINKS, window=WINDOW)
        return page(request, "public/link_problem.html", {"expired": False}, store=None, status=404 if near else 429)
    customer, store = owner.customer, owner.customer.store
    context = {"expired": True, "address_shown": masked(customer.email), "sent": request.method == "POST"}
    if request.method == "POST" and limits.hit(f"fresh:{customer.pk}", limit=FRESH_LINKS, window=timedelta(days=1)):
        request_message(
            store,
            kind="link.new",
            customer=customer,
            key=f"link.new:{purpose}:{problem.row_id}:{clock.now():%Y-%m-%dT%H}",
            payload={"link": {"purpose": purpose, "row": problem.row_id}},
        )
    return page(request, "public/link_problem.html", context, store=store, customer=customer, status=410)
