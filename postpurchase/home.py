"""Home: in ten seconds, is anything wrong, who waits, and is it working."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Flow, Message
from postpurchase import charts, clock, shell
from stores import registries
from stores.access import CUSTOMERS_PII, ORDERS_VIEW, StoreRequest, store_view
from stores.insights import retention
from stores.models import Shipment, Store
from stores.registries import Need

# A poll comes every 5 minutes; three missed ones are worth a word.
STALE = timedelta(minutes=20)
WEEKS = 12
NEEDS_SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """A line of the problems strip: what happened, what is safe, and a button."""

    state: str  # "warn" or "bad"
    what: str
    safe: str
    action: str
    url: str


@dataclass(frozen=True)
class Number:
    """One of the four numbers, with its denominator; `wait` instead of a value says why there is none."""

    title: str
    under: str
    value: float | None = None
    unit: str = ""
    wait: str = ""
    url: str = ""
    spark: charts.Spark | None = None
    delta: str = ""
    direction: str = ""
    good: bool = False


def problems(store: Store, *, worker_alive: bool) -> list[Problem]:
    """What keeps the machine from working, the worst first."""
    found = []
    connect = reverse("system", args=[store.slug])
    if store.state == Store.State.REFUSED:
        found.append(
            Problem(
                "bad",
                _("WooCommerce refuses our keys."),
                _("What was fetched before is safe; nothing new arrives. Make new keys in WooCommerce and reconnect."),
                _("Check connection"),
                connect,
            )
        )
    elif store.state == Store.State.UNREACHABLE:
        found.append(
            Problem(
                "bad",
                _("Your store does not answer."),
                _("Nothing is lost. We keep trying and fetch what was missed."),
                _("Check connection"),
                connect,
            )
        )
    elif store.state == Store.State.DOUBT:
        found.append(
            Problem(
                "bad",
                _("It may be another shop that answers."),
                _(
                    "Nothing is read or written until you have said whether it is yours. What was fetched before is safe."
                ),
                _("Answer"),
                connect,
            )
        )
    if not worker_alive:
        found.append(
            Problem(
                "bad",
                _("The worker is silent, so nothing is fetched and no message goes out."),
                _("Nothing is lost; all goes on when it runs again."),
                _("What to do"),
                connect,
            )
        )
    elif store.state == Store.State.CONNECTED:
        heard = max(filter(None, (store.polled_at, store.hooked_at)), default=None)
        if heard and clock.now() - heard > STALE:
            minutes = int((clock.now() - heard).total_seconds() // 60)
            found.append(
                Problem(
                    "warn",
                    _("No event from your store for %(n)d min.") % {"n": minutes},
                    _("Orders are fetched as soon as it answers. Nothing is lost."),
                    _("Check connection"),
                    connect,
                )
            )
    if store.sending_paused:
        found.append(
            Problem(
                "warn",
                _("All sending is paused."),
                _("Planned messages wait; what becomes too old to be useful is not sent."),
                _("Look at it"),
                connect,
            )
        )
    return found


def _weekly(queryset: QuerySet[Any], field: str, now: datetime, weeks: int) -> list[int]:
    """How many rows fell in each of the last weeks, the oldest first. One query."""
    edges = [now - timedelta(weeks=weeks - n) for n in range(weeks + 1)]
    counts = {
        f"week{n}": Count("pk", filter=Q(**{f"{field}__gt": edges[n], f"{field}__lte": edges[n + 1]}))
        for n in range(weeks)
    }
    found = queryset.filter(**{f"{field}__gt": edges[0]}).aggregate(**counts)
    return [found[f"week{n}"] for n in range(weeks)]


def _movement(values: Sequence[float | None], unit: str) -> tuple[str, str]:
    """How a series moved from its first to its last known value: words and the arrow's name."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return "", ""
    change = known[-1] - known[0]
    if abs(change) < 0.05:
        return _("as 12 weeks ago"), ""
    said = _("up %(n).1f%(unit)s in 12 weeks") if change > 0 else _("down %(n).1f%(unit)s in 12 weeks")
    return said % {"n": abs(change), "unit": unit}, "up" if change > 0 else "down"


def _repeat(store: Store) -> Number:
    points = retention.repeat_within_90_days(store, weeks=WEEKS)
    values, last = [point.percent for point in points], points[-1]
    title, url = _("Repeat purchase rate, 90 days"), reverse("retention", args=[store.slug])
    if last.percent is None:
        return Number(title, _("counted 90 days after first orders"), wait=_("Not enough data yet"), url=url)
    delta, direction = _movement(values, " " + _("points"))
    return Number(
        title,
        _("%(part)s of %(whole)s who first bought 3 to 6 months ago") % {"part": last.part, "whole": last.whole},
        value=last.percent,
        unit="%",
        url=url,
        spark=charts.spark(values, answer=_("Repeat purchase rate: %(words)s") % {"words": delta}),
        delta=delta,
        direction=direction,
        good=direction == "up",
    )


def _reviews(store: Store, now: datetime) -> Number:
    weeks = WEEKS + 3
    delivered = _weekly(store.orders.filter(delivered_at__isnull=False), "delivered_at", now, weeks)
    written = _weekly(store.store_reviews.filter(deleted_at=None, trashed_at=None), "created_gmt", now, weeks)
    windows = [(sum(written[n : n + 4]), sum(delivered[n : n + 4])) for n in range(WEEKS)]
    values = [part * 100 / whole if whole else None for part, whole in windows]
    part, whole = windows[-1]
    title = _("Reviews per 100 delivered")
    if not whole:
        return Number(title, _("in the last 28 days"), wait=_("No order delivered yet"))
    delta, direction = _movement(values, "")
    return Number(
        title,
        _("%(part)s of %(whole)s, last 28 days") % {"part": part, "whole": whole},
        value=part * 100 / whole,
        spark=charts.spark(values, answer=_("Reviews per 100 delivered orders: %(words)s") % {"words": delta}),
        delta=delta,
        direction=direction,
        good=direction == "up",
    )


def _late(store: Store) -> Number:
    """Nobody is told yet by us that a parcel is late, so there is only how many are."""
    today = timezone.localtime(clock.now()).date()
    late = (
        Shipment.objects.filter(store=store, promised_to__lt=today, order__delivered_at=None)
        .exclude(state__in=[Shipment.State.DELIVERED, Shipment.State.RETURNED])
        .values("order")
        .distinct()
        .count()
    )
    said = ngettext("%(n)s order is late now", "%(n)s orders are late now", late) % {"n": late}
    url = reverse("orders", args=[store.slug]) + "?view=late"
    return Number(_("Late orders told first"), said, wait=_("No delay notices yet"), url=url)


def _extra() -> Number:
    return Number(
        _("Extra orders caused by flows"),
        _("counted against a group that gets no message"),
        wait=_("Not enough data yet"),
    )


def next_step(store: Store, *, flows_on: int) -> Need | None:
    """The one thing worth doing next; None when nothing stands out."""
    if store.state == Store.State.NEW:
        return Need(
            "plug",
            _("Connect your store"),
            _("Its orders and customers appear here, and history builds your numbers without sending anything."),
            "/setup/connect/",
            _("Connect your store"),
        )
    if not flows_on:
        return Need(
            "flow",
            _("Turn on your first flow"),
            _(
                "A thank-you with the receipt and a review request after delivery are ready. You see each mail before it goes."
            ),
            reverse("flows", args=[store.slug]),
            _("Look at the flows"),
        )
    return None


def checklist(store: Store, *, flows_on: int, has_orders: bool) -> list[dict[str, Any]]:
    """The six steps of setting up, with how long each takes; empty when all are done."""
    system = reverse("system", args=[store.slug])
    sender = reverse("settings", args=[store.slug]) + "#s-sending"
    steps = [
        (store.state != Store.State.NEW, _("Connect your store"), _("2 min"), "/setup/connect/"),
        (has_orders, _("Import your history"), _("runs by itself"), system),
        (bool(store.mail_from), _("Say who your mails come from"), _("1 min"), sender),
        (bool(store.postal_address), _("Add your postal address, which mails must show"), _("1 min"), sender),
        (bool(store.hooked_at), _("Receive the first event from your store"), _("comes with the next order"), ""),
        (flows_on > 0, _("Turn on your first flow"), _("5 min"), reverse("flows", args=[store.slug])),
    ]
    if all(done for done, *_rest in steps):
        return []
    return [{"done": done, "what": what, "time": time, "url": url} for done, what, time, url in steps]


@store_view(ORDERS_VIEW)
def home(request: StoreRequest) -> HttpResponse:
    """The page. The same number of queries whatever the store holds."""
    store, now = request.store, clock.now()
    waiting = registries.needs(store)
    flows_on = Flow.objects.filter(store=store, state=Flow.State.ON).count()
    has_orders = store.orders.exists()
    people = CUSTOMERS_PII in request.permissions
    last = (
        list(
            Message.objects.filter(store=store, accepted_at__isnull=False)
            .select_related("customer", "flow")
            .defer("html", "text", "customer__raw")
            .order_by("-accepted_at", "-pk")[:10]
        )
        if people
        else []
    )
    context = {
        "now": now,
        "problems": problems(store, worker_alive=shell.of(request).worker_alive),
        "needs": waiting[:NEEDS_SHOWN],
        "needs_more": len(waiting) - NEEDS_SHOWN,
        "numbers": [_repeat(store), _late(store), _reviews(store, now), _extra()] if has_orders else [],
        "next": next_step(store, flows_on=flows_on),
        "checklist": checklist(store, flows_on=flows_on, has_orders=has_orders),
        "messages_sent": last,
        "people": people,
    }
    return render(request, "dashboard/home.html", context)
