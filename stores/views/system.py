"""System: is everything alive, and what to do when it is not; with the logs behind it."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase import listing, queue
from postpurchase.due import State
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from stores import doctor, registries, words
from stores.access import STORE_CONNECT, SYSTEM_VIEW, StoreRequest, store_view
from stores.models import AuditEvent, Delivery, Heartbeat, Quarantined, Store
from stores.sync import figures
from stores.sync.reconcile import report

_CRUMBS = [(gettext_lazy("System"), "system")]
# Rows of the heartbeat table that are a sign of life; others are marks of the queue.
BEATS: dict[str, object] = {
    queue.TICK: gettext_lazy("Worker, each minute"),
    queue.worker_name("postpurchase"): gettext_lazy("Worker for messages"),
    queue.worker_name("sync"): gettext_lazy("Worker for long jobs"),
}
ENTITIES: dict[str, object] = {
    "order": gettext_lazy("Orders"),
    "product": gettext_lazy("Products"),
    "coupon": gettext_lazy("Coupons"),
    "customer": gettext_lazy("Customers"),
    "review": gettext_lazy("Reviews"),
    "category": gettext_lazy("Categories"),
}
ERRORS: dict[str, object] = {
    "transient": gettext_lazy("No usable answer"),
    "told_to_wait": gettext_lazy("Asked us to wait"),
    "blocked": gettext_lazy("Stopped by a firewall"),
    "refused": gettext_lazy("Keys refused"),
    "permanent": gettext_lazy("Not there, or refused for good"),
}
DELIVERY_STATE: dict[str, tuple[str, object, str]] = {
    State.DUE: ("info", gettext_lazy("Waiting"), "clock"),
    State.RUNNING: ("info", gettext_lazy("Being read"), "refresh"),
    State.DONE: ("ok", gettext_lazy("Read"), "check"),
    State.DEAD: ("bad", gettext_lazy("Given up"), "bad"),
    State.HELD: ("warn", gettext_lazy("Held"), "pause"),
}


@store_view(SYSTEM_VIEW)
def system(request: StoreRequest) -> HttpResponse:
    """Checks of the store and of the machine, what runs, and what could not be read."""
    store = request.store
    groups = [(_("Store"), doctor.store_checks(store)), (_("Machine"), doctor.installation())]
    checks = [check for _title, group in groups for check in group]
    told = figures.of(store)
    for one in told["mirror"]:
        one["label"] = ENTITIES.get(one["entity"], one["entity"])
    context = {
        "told": told,
        "errors": [(ERRORS[name], number) for name, number in told["last_24_hours"]["failed"].items() if number],
        "counted": registries.figures(store),
        "support": [
            (check, figures.for_support(store, check))
            for check in groups[0][1]
            if not check.ok and check.level == "bad"
        ],
        "groups": [
            (title, sorted(group, key=lambda check: (check.ok, check.level != "bad"))) for title, group in groups
        ],
        "failing": sum(not check.ok for check in checks),
        "beats": [(BEATS[one.name], one.at) for one in Heartbeat.objects.filter(name__in=BEATS).order_by("name")],
        "jobs": [(one, words.job_status(one)) for one in store.jobs.order_by("-created_at", "-pk")[:5]],
        "quarantined": store.quarantine.filter(solved_at=None).count(),
        "hooks": list(store.webhooks.order_by("topic")),
        "nights": report.nights(store),
        "may_connect": STORE_CONNECT in request.permissions,
    }
    return render(request, "stores/system.html", context)


def _audit_rows(store: Store) -> QuerySet[AuditEvent]:
    return store.audit_events.all()


def _changes(event: AuditEvent) -> str:
    return "; ".join(f"{key}: {value}" for key, value in list(event.diff.items())[:6])


AUDIT = Listing(
    name="audit",
    title=gettext_lazy("Audit log"),
    lede=gettext_lazy("Who did what in this store. Nothing is ever removed from it."),
    rows=_audit_rows,
    columns=[
        Column("action", gettext_lazy("What"), lambda one: Cell(one.action, meta=_changes(one)), sort="action"),
        Column("actor", gettext_lazy("Who"), lambda one: one.actor, sort="actor"),
        Column("target", gettext_lazy("On what"), lambda one: one.target or "–"),
        Column("at", gettext_lazy("When"), lambda one: Cell(at=one.at), sort="at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s entry", "%(n)s entries", n) % {"n": shown},
    sort="-at",
    search=("action__icontains", "actor__icontains", "target__icontains"),
    search_hint=gettext_lazy("Action, person or target"),
    filters=[listing.period("at")],
    crumbs=_CRUMBS,
    empty=Empty(
        gettext_lazy("Nothing was done yet"), gettext_lazy("What people and keys change appears here."), icon="history"
    ),
)


def _delivery_rows(store: Store) -> QuerySet[Delivery]:
    return store.deliveries.select_related("store").defer("body")


def _delivery_state(delivery: Delivery) -> Cell:
    state, label, icon = DELIVERY_STATE[delivery.state]
    return Cell(badge=(state, str(label), icon), meta=delivery.error or delivery.outcome)


DELIVERIES = Listing(
    name="deliveries",
    title=gettext_lazy("Events from your store"),
    lede=gettext_lazy("Every signed delivery of WooCommerce, as it came in and what was made of it."),
    rows=_delivery_rows,
    columns=[
        Column(
            "topic",
            gettext_lazy("Event"),
            lambda one: Cell(
                one.topic,
                url=reverse("delivery", kwargs={"store": one.store.slug, "pk": one.pk}),
                meta=f"#{one.resource_id}" if one.resource_id else "",
            ),
            sort="topic",
        ),
        Column("state", gettext_lazy("State"), _delivery_state, sort="state"),
        Column("tries", gettext_lazy("Tries"), lambda one: one.attempts, number=True, phone=False),
        Column("at", gettext_lazy("Received"), lambda one: Cell(at=one.received_at), sort="received_at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s event", "%(n)s events", n) % {"n": shown},
    sort="-at",
    search=("topic__istartswith",),
    search_hint=gettext_lazy("Event, such as order.updated"),
    filters=[
        Filter(
            "state",
            gettext_lazy("Any state"),
            [(key, label) for key, (_s, label, _i) in DELIVERY_STATE.items()],
            "state",
        ),
        listing.period("received_at"),
    ],
    tabs=[
        Tab("problems", gettext_lazy("Problems"), lambda q: q.filter(state__in=[State.DEAD, State.HELD]), counted=True)
    ],
    crumbs=_CRUMBS,
    empty=Empty(
        gettext_lazy("No event was received yet"),
        gettext_lazy(
            "WooCommerce tells us of each new and changed order. Until then orders are fetched every few minutes."
        ),
        icon="bell",
    ),
)


def _quarantine_rows(store: Store) -> QuerySet[Quarantined]:
    return store.quarantine.select_related("store").defer("raw")


def _quarantine_state(one: Quarantined) -> Cell:
    if one.solved_at:
        return Cell(badge=("ok", _("Solved")))
    if one.retry_at is None:
        return Cell(badge=("warn", _("Waits for a change")))
    when = date_format(one.retry_at.astimezone(one.store.tz), "SHORT_DATETIME_FORMAT")
    return Cell(badge=("warn", _("Kept aside")), meta=_("asked for again at %(when)s") % {"when": when})


def _times(one: Quarantined) -> Cell:
    return Cell(at=one.last_at, meta=ngettext("seen %(n)d time", "seen %(n)d times", one.times) % {"n": one.times})


QUARANTINE = Listing(
    name="quarantine",
    title=gettext_lazy("Could not be read"),
    lede=gettext_lazy(
        "Objects of your store that are not as they should be. Each is kept, and asked for again: after an hour, six hours, a day, then weekly."
    ),
    rows=_quarantine_rows,
    columns=[
        Column("object", gettext_lazy("Object"), lambda one: f"{one.entity} {one.woo_id or ''}", sort="entity"),
        Column("reason", gettext_lazy("Why"), lambda one: one.reason),
        Column(
            "state",
            gettext_lazy("State"),
            _quarantine_state,
        ),
        Column("at", gettext_lazy("Last seen"), _times, sort="last_at", number=True),
    ],
    counted=lambda n, shown: ngettext("%(n)s object", "%(n)s objects", n) % {"n": shown},
    sort="-at",
    search=("entity__istartswith", "reason__icontains"),
    tabs=[Tab("open", gettext_lazy("Unsolved"), lambda q: q.filter(solved_at=None), counted=True)],
    crumbs=_CRUMBS,
    empty=Empty(
        gettext_lazy("Everything could be read"), gettext_lazy("Nothing of your store was left out."), icon="check"
    ),
)


@store_view(SYSTEM_VIEW)
def audit_log(request: StoreRequest) -> HttpResponse:
    """Who did what."""
    return listing.answer(request, AUDIT)


@store_view(SYSTEM_VIEW)
def deliveries(request: StoreRequest) -> HttpResponse:
    """What the shop told us."""
    return listing.answer(request, DELIVERIES)


@store_view(SYSTEM_VIEW)
def quarantine(request: StoreRequest) -> HttpResponse:
    """What could not be read."""
    return listing.answer(request, QUARANTINE)
