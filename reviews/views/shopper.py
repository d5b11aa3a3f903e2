"""What shoppers see of us here: the review page, the help page and their photos. The link in the path is the permission."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_datetime
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.translation import gettext as _

from postpurchase.errors import BusinessError
from postpurchase.links import Link
from reviews import asking, cases, forms, photos, submission
from reviews.models import Case, Photo, ReviewRequest
from stores import limits, public
from stores.models import Order

SENDS, WINDOW = 40, timedelta(hours=1)


@public.shopper_page("r")
def review(request: HttpRequest, link: Link) -> HttpResponse:
    """One page for all items of an order: a GET shows, a POST records."""
    row = public.find(ReviewRequest.objects.select_related("store", "customer", "order__store"), link)
    language = public.language_for(request, store=row.store, customer=row.customer, order=row.order)
    with translation.override(language):
        if request.method == "POST":
            return _record(request, row, language)
        if "sent" in request.GET and row.reviews.exists():
            return _sent(request, row)
        return _form(request, row, forms.unbound(row, request.GET.dict()))


def _record(request: HttpRequest, row: ReviewRequest, language: str) -> HttpResponse:
    if forms.oversized(request):
        form = forms.unbound(row, {})
        form.refuse(
            _("The photos are too large together. Nothing was sent. Go back, your text is still there; choose fewer.")
        )
        return _form(request, row, form, status=413)
    if "clear" in request.POST:
        return _form(request, row, forms.cleared(row, request))
    form = forms.bound(row, request)
    if not limits.hit(f"review:{row.pk}", limit=SENDS, window=WINDOW):
        form.refuse(_("This page was sent very often. Nothing was lost. Wait an hour, then send again."))
        return _form(request, row, form, status=429)
    if form.errors:
        return _form(request, row, form, status=422)
    answers, refused = forms.answers(form)
    try:
        submission.submit(row, answers, display_name=form.name, language=language)
    except BusinessError as error:
        form.refuse(error.message)
        return _form(request, row, form, status=422)
    query = {"sent": "1", "lang": language} | ({"photo": min(refused)} if refused else {})
    return _see_other(request, query)


def _see_other(request: HttpRequest, query: Mapping[str, str]) -> HttpResponse:
    answer = HttpResponseRedirect(f"{request.path}?{urlencode(query)}")
    answer.status_code = 303
    return answer


def _form(request: HttpRequest, row: ReviewRequest, form: forms.ReviewForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "said": [(number, submission.rating_words(number)) for number in range(1, 6)],
        "accept": photos.ACCEPT,
        "delivered": _delivered(row.order),
        "points": asking.points_for_review(row.store),
    }
    return _show(request, row, "public/review.html", context, status=status)


def _delivered(order: Order) -> str:
    """When the order arrived, in the store's zone; only when it is known to have arrived."""
    if order.delivered_at is None or order.delivered_estimated:
        return ""
    local = order.delivered_at.astimezone(order.store.tz)
    day = format_datetime(local, _("EEE d MMM"), locale=translation.get_language() or "en")
    return _("Delivered: %(date)s") % {"date": day}


def _sent(request: HttpRequest, row: ReviewRequest) -> HttpResponse:
    refusals = {"photo_too_large": photos.too_large, "photo_unreadable": photos.unreadable}
    refusal = refusals.get(request.GET.get("photo", ""))
    return _show(request, row, "public/review_sent.html", {"photo_note": refusal().message if refusal else ""})


def _show(
    request: HttpRequest, row: ReviewRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return public.page(
        request,
        template,
        {"review_request": row} | _help(row.order) | context,
        store=row.store,
        customer=row.customer,
        order=row.order,
        status=status,
    )


def _help(order: Order) -> dict[str, Any]:
    """What the help form needs wherever it stands."""
    return {
        "order": order,
        "help_url": cases.help_url(order),
        "help_key": uuid.uuid4().hex,
        "kinds": Case.Kind.choices,
        "wishes": Case.Wish.choices,
        "lines": list(order.lines.select_related("product").order_by("woo_id")),
        "accept": photos.ACCEPT,
    }


@public.shopper_page("h")
def help_page(request: HttpRequest, link: Link) -> HttpResponse:
    """Something is wrong: choose, say, send; and later say whether it is solved."""
    order = public.find(
        Order.objects.select_related("store", "customer").filter(customer__isnull=False),
        link,
        version_of=lambda order: order.customer.link_version if order.customer else 0,
    )
    language = public.language_for(request, store=order.store, customer=order.customer, order=order)
    with translation.override(language):
        if request.method != "POST":
            return _help_form(request, order)
        if forms.oversized(request):
            return _help_form(request, order, error=photos.too_large().message, status=413)
        if not limits.hit(f"help:{order.pk}", limit=SENDS, window=WINDOW):
            message = _("This page was sent very often. Nothing was lost. Wait an hour, then send again.")
            return _help_form(request, order, error=message, status=429)
        if "solved" in request.POST or "not_yet" in request.POST:
            return _answer_solved(request, order, language)
        return _open_case(request, order, language)


def _help_form(request: HttpRequest, order: Order, *, error: str = "", status: int = 200) -> HttpResponse:
    own = list(order.cases.order_by("-opened_at"))
    context = _help(order) | {
        "cases": own,
        "opened": next((case for case in own if str(case.pk) == request.GET.get("case")), None),
        "error": error,
        "chosen": {name: request.POST.get(name, "") for name in ("kind", "wish", "text")} if status != 413 else {},
        "reply_hours": cases.usual_hours(order.store),
        "photo_note": photos.unreadable().message if request.GET.get("photo") else "",
        "address_shown": public.masked(order.customer.email) if order.customer else "",
    }
    return public.page(
        request, "public/help.html", context, store=order.store, customer=order.customer, order=order, status=status
    )


def _answer_solved(request: HttpRequest, order: Order, language: str) -> HttpResponse:
    solved = request.POST.get("solved", "")
    case = order.cases.filter(pk=_number(solved or request.POST.get("not_yet", ""))).first()
    if case is None:
        raise Http404
    cases.confirm(case) if solved else cases.reopen(case)
    return _see_other(request, {"case": str(case.pk), "lang": language})


def _open_case(request: HttpRequest, order: Order, language: str) -> HttpResponse:
    post = request.POST
    good, refused = photos.prepare_all(request.FILES.getlist("photo")[: photos.MAX_PHOTOS])
    try:
        case = cases.open_case(
            order,
            kind=post.get("kind", ""),
            key=post.get("key", "") or uuid.uuid4().hex,
            text=post.get("text", ""),
            wish=post.get("wish", ""),
            line_ids=[_number(one) for one in post.getlist("line")],
            prepared=good,
            language=language,
        )
    except BusinessError as error:
        return _help_form(request, order, error=error.message, status=422)
    return _see_other(request, {"case": str(case.pk), "lang": language} | ({"photo": "1"} if refused else {}))


def _number(raw: str) -> int:
    return int(raw) if raw.isdecimal() and len(raw) < 19 else 0


def photo(request: HttpRequest, name: str) -> HttpResponseBase:
    """A shopper's photo by its unguessable name: one fixed type, nothing in it can run, no cookie looked at."""
    row = Photo.objects.filter(name=name).first()
    if row is None or not default_storage.exists(row.file):
        raise Http404
    answer = FileResponse(default_storage.open(row.file), content_type="image/webp", filename=f"{row.name}.webp")
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = "private, max-age=86400, immutable"
    answer["X-Robots-Tag"] = "noindex"
    return answer
