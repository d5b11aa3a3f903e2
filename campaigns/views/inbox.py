"""The local inbox: reading what would have been sent, light and dark, as HTML and as text."""

from csp.decorators import csp_exempt
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.models import InboxMail
from postpurchase import listing
from postpurchase.listing import Cell, Column, Empty, Listing
from stores.access import CUSTOMERS_PII, StoreRequest, store_view
from stores.models import Store
from stores.registries import NavEntry, add_nav

_SHOW = ("light", "dark", "text", "headers")
_DARK_QUERY = "(prefers-color-scheme:dark)"


def register() -> None:
    """A sidebar entry where mail stays on this machine."""
    if settings.EMAIL_BACKEND == "campaigns.channels.inbox.InboxBackend":
        add_nav(NavEntry(95, gettext_lazy("Local inbox"), "mail", "inbox", CUSTOMERS_PII, group="settings"))


def _rows(store: Store) -> QuerySet[InboxMail]:
    return InboxMail.objects.filter(store=store).defer("html", "text", "headers")


def _subject(mail: InboxMail) -> Cell:
    return Cell(
        mail.subject, url=reverse("inbox-mail", kwargs={"store": mail.store.slug if mail.store else "", "pk": mail.pk})
    )


INBOX = Listing(
    name="inbox",
    title=gettext_lazy("Local inbox"),
    lede=gettext_lazy("Mail of this installation stays here and goes to nobody."),
    rows=lambda store: _rows(store).select_related("store"),
    columns=[
        Column("subject", gettext_lazy("Subject"), _subject),
        Column("to", gettext_lazy("To"), lambda mail: Cell(mail.to)),
        Column("at", gettext_lazy("Sent"), lambda mail: Cell(at=mail.at), sort="at"),
    ],
    counted=lambda n, shown: ngettext("%(n)s mail", "%(n)s mails", n) % {"n": shown},
    sort="-at",
    search=("to", "subject"),
    search_hint=gettext_lazy("Search address or subject"),
    empty=Empty(
        gettext_lazy("No mail yet"),
        gettext_lazy("What flows send is kept here to be read, until a mail account is set (EMAIL_URL)."),
        icon="mail",
    ),
)


@store_view(CUSTOMERS_PII)
def inbox(request: StoreRequest) -> HttpResponse:
    """All local mail of the store."""
    return listing.answer(request, INBOX)


@store_view(CUSTOMERS_PII)
def mail(request: StoreRequest, pk: int) -> HttpResponse:
    """One mail; `?show=light|dark|text|headers`."""
    found = get_object_or_404(InboxMail, store=request.store, pk=pk)
    show = request.GET.get("show", "light")
    tabs = list(zip(_SHOW, (_("Light"), _("Dark"), _("Text"), _("Headers")), strict=True))
    return render(
        request,
        "campaigns/inbox_mail.html",
        {"mail": found, "show": show if show in _SHOW else "light", "tabs": tabs},
    )


@csp_exempt()
@store_view(CUSTOMERS_PII)
def mail_body(request: StoreRequest, pk: int) -> HttpResponse:
    """The HTML of one mail for the sandboxed frame; `?show=dark` as a mail program in dark mode shows it."""
    found = get_object_or_404(InboxMail, store=request.store, pk=pk)
    return framed(found.html, dark=request.GET.get("show") == "dark")


def framed(html: str, *, dark: bool, pictures: bool = True) -> HttpResponse:
    """A mail's HTML, inert: no script, no form, nothing of our origin; links open beside. For views that are CSP exempt."""
    body = html.replace(_DARK_QUERY, "all" if dark else "not all").replace("<head>", '<head><base target="_blank">', 1)
    answer = HttpResponse(body)
    images = "'self' https: http: data:" if pictures else "'none'"
    answer["Content-Security-Policy"] = (
        f"default-src 'none'; img-src {images}; style-src 'unsafe-inline'; frame-ancestors 'self'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    )
    answer["Referrer-Policy"] = "no-referrer"
    return answer
