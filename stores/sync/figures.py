"""The figures of a store's health: the same for the System page, the API and `doctor`."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from postpurchase import clock
from stores import registries
from stores.models import Intent, RequestHour, Store, SyncTask
from stores.registries import Check
from stores.sync import health
from stores.woo.client import USER_AGENT

DAY = timedelta(hours=24)
# A webhook is late when a poll has brought news since, and none came for so long.
HOOKS_LATE = timedelta(hours=24)
ERRORS = ("transient", "told_to_wait", "blocked", "refused", "permanent")
_SUMS = ("requests", *ERRORS, "told_seconds")


def of(store: Store) -> dict[str, Any]:
    """All figures; moments are aware datetimes, None where a thing has not happened yet."""
    night = store.reconciliations.filter(finished_at__isnull=False).order_by("-started_at").first()
    probe = SyncTask.objects.filter(store=store, key=health.PROBE).first() if health.is_held(store) else None
    return {
        "state": store.state,
        "reason": store.state_reason,
        "next_probe_at": probe.due_at if probe else None,
        "waits_until": store.quiet_until if store.quiet_until and store.quiet_until > clock.now() else None,
        "mirror": [
            {"entity": entity, "as_of": at}
            for entity, at in store.cursors.order_by("entity").values_list("entity", "polled_at")
        ],
        "complete_since": store.complete_since,
        "history_complete": store.backfilled_at is not None,
        "webhooks": {"state": _hooks(store), "last_at": store.hooked_at},
        "last_24_hours": _requests(store),
        "could_not_be_read": store.quarantine.filter(solved_at=None).count(),
        "drift": {"night": night.night, "differences": sum(night.causes.values()), "causes": night.causes}
        if night
        else None,
        "write_backs_needing_attention": store.intents.filter(status=Intent.Status.ATTENTION).count(),
        **{group.name: [asdict(figure) for figure in group.figures] for group in registries.figures(store)},
    }


def _hooks(store: Store) -> str:
    """How the shop tells us of changes.

    `polling_only` when a person chose that, `off` when the shop cannot or does not call us, `late` when nothing came for
    a day though polls did, or `healthy`.
    """
    if store.polling_only:
        return "polling_only"
    states = set(store.webhooks.values_list("state", flat=True))
    if not states or not store.capabilities.get("webhooks", True) or "active" not in states:
        return "off"
    newest = store.orders.order_by("-created_gmt").values_list("created_gmt", flat=True).first()
    heard: datetime | None = store.hooked_at
    if newest and newest > clock.now() - HOOKS_LATE and (heard is None or heard < newest - timedelta(hours=1)):
        return "late"
    return "healthy" if states == {"active"} else "late"


def _requests(store: Store) -> dict[str, Any]:
    rows = RequestHour.objects.filter(store=store, hour__gt=clock.now() - DAY)
    sums = rows.aggregate(**{name: Sum(name) for name in _SUMS})
    return {
        "requests": sums["requests"] or 0,
        "failed": {name: sums[name] or 0 for name in ERRORS},
        "told_to_wait_seconds": sums["told_seconds"] or 0,
    }


def for_support(store: Store, check: Check) -> str:
    """What to send to the shop's host about a failed check: no names, no keys, nothing personal. In English."""
    told = _requests(store)
    lines = [
        f"{check.name}: {check.sentence}",
        f"Shop: {store.base_url}",
        f"Time: {clock.now():%Y-%m-%d %H:%M} UTC",
        f"Requests in 24 hours: {told['requests']}",
        *(f"  of these {name.replace('_', ' ')}: {number}" for name, number in told["failed"].items() if number),
        f"We call {store.base_url}/wp-json/wc/v3/ as “{USER_AGENT}”, one request at a time, up to four while history is read.",
        "Please see whether a firewall, a security plugin or a limit of the host refuses these requests.",
    ]
    return "\n".join(lines)
