"""The outbox: did it go, and if not, why."""

from csp.decorators import csp_exempt
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import actions, guards, words
from campaigns.models import Enrolment, Message, SendingHold
from campaigns.views.flows import back
from campaigns.views.inbox import framed
from postpurchase import listing
from postpurchase.listing import BulkAction, Cell, Column, Empty, Filter, Listing, RowAction, Tab
from stores.access import CUSTOMERS_PII, MESSAGES_APPROVE, StoreRequest, store_view
from stores.models import Store

S = Message.Status
WAITING = [S.PLANNED, S.HELD, S.RETRY, S.CLAIMED, S.HANDING]
NOT_SENT = [S.SKIPPED, S.EXPIRED, S.CANCELLED]
PROBLEM = Q(status__in=[S.FAILED, S.UNKNOWN]) | Q(bounced_at__isnull=False) | Q(complained_at__isnull=False)


def rows(store: Store) -> QuerySet[Message]:
    """The store's messages with what the list shows of them; the letters themselves are left out."""
    return store.messages.select_related("flow", "customer", "order", "store").defer(
        "html", "text", "context", "customer__raw", "order__raw"
    )


def _message(message: Message) -> Cell:
    url = reverse("message", args=[message.store.slug, message.pk])
    return Cell(words.title(message), url=url, meta=message.flow.name if message.flow else message.template)


def _customer(message: Message) -> Cell:
    return Cell(message.customer.name, meta=f"#{message.order.number}" if message.order else "")


def _state(message: Message) -> Cell:
    return Cell(badge=words.message_state(message), meta=message.reason)


def _when(message: Message) -> Cell:
    if message.status == S.ACCEPTED:
        return Cell(at=message.accepted_at)
    return Cell(at=message.due_at if message.status in WAITING else message.finished_at or message.due_at)


def _action(message: Message) -> RowAction:
    name, label = {
        S.APPROVAL: ("approve", _("Approve")),
        S.PLANNED: ("send_now", _("Send now")),
        S.HELD: ("send_now", _("Send now")),
        S.RETRY: ("retry", _("Retry now")),
        S.FAILED: ("retry", _("Retry")),
    }.get(S(message.status), ("", _("Open")))
    about = words.title(message)
    if not name:
        return RowAction(label, reverse("message", args=[message.store.slug, message.pk]), about=about)
    return RowAction(label, reverse("message_do", args=[message.store.slug, message.pk, name]), post=True, about=about)


def _flows(store: Store) -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in store.flows.order_by("name").values_list("pk", "name")]


def _approve(request: StoreRequest, chosen: QuerySet[Message]) -> str:
    n = actions.approve(request.store, chosen, actor=request.user)
    return ngettext("%(n)s message is approved and goes out.", "%(n)s messages are approved and go out.", n) % {"n": n}


def _cancel(request: StoreRequest, chosen: QuerySet[Message]) -> str:
    n = actions.cancel(request.store, chosen, actor=request.user)
    return ngettext("%(n)s message is cancelled.", "%(n)s messages are cancelled.", n) % {"n": n}


def _retry(request: StoreRequest, chosen: QuerySet[Message]) -> str:
    n = actions.retry(request.store, chosen, actor=request.user)
    return ngettext("%(n)s message is tried again.", "%(n)s messages are tried again.", n) % {"n": n}


def _send_now(request: StoreRequest, chosen: QuerySet[Message]) -> str:
    n = actions.send_now(request.store, chosen, actor=request.user)
    return ngettext("%(n)s message goes out now.", "%(n)s messages go out now.", n) % {"n": n}


FACTS = [
    ("delivered", gettext_lazy("Delivered")),
    ("bounced", gettext_lazy("Bounced")),
    ("complained", gettext_lazy("Complained")),
    ("clicked", gettext_lazy("Clicked")),
]


def _with_fact(messages_: QuerySet[Message], fact: str) -> QuerySet[Message]:
    return messages_.filter(**{f"{fact}_at__isnull": False}) if fact in dict(FACTS) else messages_.none()


LISTING = Listing(
    name="outbox",
    title=gettext_lazy("Outbox"),
    lede=gettext_lazy("Every message, sent or not, and why."),
    rows=rows,
    columns=[
        Column("message", gettext_lazy("Message"), _message, export=words.title),
        Column("customer", gettext_lazy("Customer"), _customer),
        Column("state", gettext_lazy("State and reason"), _state, sort="status"),
        Column("when", gettext_lazy("When"), _when, sort="planned_for", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s message", "%(n)s messages", n) % {"n": shown},
    sort="-when",
    search=(
        "subject__icontains",
        "customer__email__icontains",
        "customer__last_name__icontains",
        "order__number__istartswith",
    ),
    search_hint=gettext_lazy("Customer, subject or order"),
    filters=[
        Filter("status", gettext_lazy("Any state"), S.choices, "status"),
        Filter("flow", gettext_lazy("Any flow"), _flows, "flow_id"),
        Filter(
            "class",
            gettext_lazy("Any class"),
            [("T", gettext_lazy("Transactional")), ("S", gettext_lazy("Service")), ("M", gettext_lazy("Marketing"))],
            "klass",
            more=True,
        ),
        Filter("fact", gettext_lazy("Whatever came back"), FACTS, _with_fact, more=True),
        listing.period("planned_for"),
    ],
    tabs=[
        Tab("waiting", gettext_lazy("Waiting"), lambda q: q.filter(status__in=WAITING)),
        Tab("approval", gettext_lazy("Needs approval"), lambda q: q.filter(status=S.APPROVAL), counted=True),
        Tab("sent", gettext_lazy("Sent"), lambda q: q.filter(status=S.ACCEPTED)),
        Tab("skipped", gettext_lazy("Not sent"), lambda q: q.filter(status__in=NOT_SENT)),
        Tab("problems", gettext_lazy("Problems"), lambda q: q.filter(PROBLEM), counted=True),
    ],
    bulk=[
        BulkAction("approve", gettext_lazy("Approve"), _approve, MESSAGES_APPROVE),
        BulkAction("retry", gettext_lazy("Retry"), _retry, MESSAGES_APPROVE),
        BulkAction(
            "send_now",
            gettext_lazy("Send now"),
            _send_now,
            MESSAGES_APPROVE,
            confirm=lambda n: (
                ngettext(
                    "Send %(n)s message now, past limits, quiet hours and holds?",
                    "Send %(n)s messages now, past limits, quiet hours and holds?",
                    n,
                )
                % {"n": n}
            ),
        ),
        BulkAction(
            "cancel",
            gettext_lazy("Cancel"),
            _cancel,
            MESSAGES_APPROVE,
            danger=True,
            confirm=lambda n: (
                ngettext(
                    "Cancel %(n)s message? It is not sent, now or later.",
                    "Cancel %(n)s messages? They are not sent, now or later.",
                    n,
                )
                % {"n": n}
            ),
        ),
    ],
    row_action=_action,
    details="campaigns/trace_row.html",
    has_details=lambda message: bool(message.trace) and message.status in {*NOT_SENT, S.HELD},
    head="campaigns/flows_head.html",
    before="campaigns/paused.html",
    crumbs=[(gettext_lazy("Flows"), "flows")],
    empty=Empty(
        gettext_lazy("No messages yet"),
        gettext_lazy(
            "As soon as a flow is on, everything it sends stands here, and what it did not send with the reason."
        ),
        icon="mail",
    ),
)


@store_view(CUSTOMERS_PII)
def outbox(request: StoreRequest) -> HttpResponse:
    """All messages of the store; POST runs a bulk action."""
    return listing.answer(request, LISTING, holds=guards.active(request.store))


@require_POST
@store_view(MESSAGES_APPROVE)
def hold_release(request: StoreRequest, pk: int) -> HttpResponse:
    """Let go what a guard of this store holds. One for all stores is the operator's."""
    mine = Q(store=request.store) | Q(store=None) if request.user.is_superuser else Q(store=request.store)
    held = get_object_or_404(SendingHold.objects.filter(mine), pk=pk)
    if guards.release(held, actor=request.user):
        messages.success(request, _("Released. What is still of use goes out, little by little."))
    else:
        messages.warning(request, _("Somebody has released it already."))
    return HttpResponseRedirect(back(request, reverse("outbox", args=[request.store.slug])))


LOOKS = [("light", gettext_lazy("Light")), ("dark", gettext_lazy("Dark")), ("text", gettext_lazy("Text"))]


@store_view(CUSTOMERS_PII)
def message(request: StoreRequest, pk: int) -> HttpResponse:
    """One message: as it was handed over, its headers, the answer, and what was looked at before."""
    found = get_object_or_404(rows(request.store), pk=pk)
    look = request.GET.get("look", "light")
    facts = [
        (_("Planned for"), found.planned_for),
        (_("Handed over"), found.handed_at),
        (_("Accepted"), found.accepted_at),
        (_("Delivered"), found.delivered_at),
        (_("Bounced"), found.bounced_at),
        (_("Complained"), found.complained_at),
        (_("Clicked"), found.clicked_at),
    ]
    context = {
        "message": found,
        "title": words.title(found),
        "badge": words.message_state(found),
        "looks": LOOKS,
        "look": look if look in dict(LOOKS) else "light",
        "facts": [(label, at) for label, at in facts if at],
        "can": {
            "approve": found.status == S.APPROVAL,
            "send_now": found.status in {S.PLANNED, S.HELD},
            "retry": found.status in {S.FAILED, S.UNKNOWN, S.RETRY},
            "cancel": found.status in actions.OPEN,
        }
        if MESSAGES_APPROVE in request.permissions
        else {},
        "unclear": found.status == S.UNKNOWN,
    }
    return render(request, "campaigns/message.html", context)


@csp_exempt()
@store_view(CUSTOMERS_PII)
def message_html(request: StoreRequest, pk: int) -> HttpResponse:
    """The letter itself, for a frame: no scripts, no forms, as on a light or (`?look=dark`) a dark screen."""
    found = get_object_or_404(request.store.messages.only("html"), pk=pk)
    return framed(found.html, dark=request.GET.get("look") == "dark")


@require_POST
@store_view(MESSAGES_APPROVE)
def message_do(request: StoreRequest, pk: int, action: str) -> HttpResponse:
    """Approve, send now, retry or cancel one message."""
    acts = {"approve": actions.approve, "send_now": actions.send_now, "retry": actions.retry, "cancel": actions.cancel}
    if action not in acts:
        raise Http404
    found = get_object_or_404(request.store.messages.only("pk"), pk=pk)
    changed = acts[action](request.store, request.store.messages.filter(pk=found.pk), actor=request.user)
    if not changed:
        messages.warning(request, _("Nothing was changed: the message has moved on meanwhile."))
    else:
        said = {
            "approve": _("Approved. It goes out within a minute."),
            "send_now": _("It goes out within a minute."),
            "retry": _("It is tried again within a minute."),
            "cancel": _("Cancelled. It is not sent."),
        }
        messages.success(request, said[action])
    return HttpResponseRedirect(back(request, reverse("message", args=[request.store.slug, pk])))


@require_POST
@store_view(MESSAGES_APPROVE)
def enrolment_do(request: StoreRequest, pk: int, action: str) -> HttpResponse:
    """Cut a person's wait short, or end their way through a flow."""
    acts = {"hasten": actions.hasten, "stop": actions.stop}
    if action not in acts:
        raise Http404
    found = get_object_or_404(Enrolment.objects.select_related("store", "order"), store=request.store, pk=pk)
    if not acts[action](found, actor=request.user):
        messages.warning(request, _("Nothing was changed: it has moved on meanwhile."))
    elif action == "hasten":
        messages.success(request, _("The wait is over. The next step runs within a minute."))
    else:
        messages.success(request, _("Cancelled. Nothing more comes from this flow."))
    usual = (
        reverse("order", args=[request.store.slug, found.order_id])
        if found.order_id
        else reverse("customer", args=[request.store.slug, found.customer_id])
    )
    return HttpResponseRedirect(back(request, usual))
