"""Our webhooks in the shop: each topic once, looked at hourly, made anew when lost, and whether they tell us what changes.

Made from a due row and never from a request, because the shop calls us while it makes one. What is remembered between two
looks stands in that row's `params`: `remade` {topic: [times in a row, when]}, `lost` {at, topics} of the last loss,
`since` when the present webhooks were first whole, `share` {changed, silent, at} of the last day.
"""

import secrets
import string
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.urls import reverse

from postpurchase import clock, due, queue
from stores import audit, selftest
from stores.models import Delivery, Order, Store, SyncTask, WebhookEndpoint
from stores.sync import fetch, health, poll, tasks
from stores.sync.walk import remember
from stores.woo.client import Client, client_for
from stores.woo.errors import Invalid, Missing, ReadOnlyKeys

TOPICS = (
    *(f"order.{event}" for event in ("created", "updated", "deleted", "restored")),
    *(f"product.{event}" for event in ("created", "updated", "deleted", "restored")),
    "coupon.deleted",
    *(f"customer.{event}" for event in ("created", "updated", "deleted")),
)
KEY = "webhooks"
EVERY = timedelta(hours=1)
NEVER_MIND = timedelta(days=1)
# How long after the last making a webhook that is lost again is left alone; the last one repeats.
REMAKE_AFTER = [timedelta(hours=hours) for hours in (1, 2, 4, 8, 24)]
# A webhook that has stood so long since it was made anew begins with a clean record.
STEADY = timedelta(days=1)
# Deliveries come minutes late where the shop has few visitors: changes younger than this are not judged yet.
LATE_BY = timedelta(minutes=30)
# A clock of the shop that differs from ours must not make an announced change look silent.
CLOCKS = timedelta(minutes=10)
# From so many changes in a day on, the share of silent ones says something; above it the merchant hears of it.
ENOUGH, SILENT_SHARE = 10, 0.2
_ALPHABET = string.ascii_letters + string.digits


def arm(store: Store) -> None:
    """Have the store's webhooks looked at now; a past of failures is forgotten, because a person acts."""
    SyncTask.objects.update_or_create(
        store=store,
        key=KEY,
        defaults={
            "entity": KEY,
            "priority": due.POLL,
            "state": due.State.DUE,
            "due_at": clock.now(),
            "params": {},
        },
    )


def choose(store: Store, *, polling_only: bool) -> None:
    """Go without webhooks, or have them again; what is in the shop follows within a minute."""
    Store.objects.filter(pk=store.pk).update(polling_only=polling_only)
    store.polling_only = polling_only
    arm(store)
    queue.wake("sync")


def endpoint_url(endpoint: WebhookEndpoint) -> str:
    """Where the shop sends the deliveries of an endpoint."""
    return settings.PUBLIC_URL + reverse("woo-hook", args=[endpoint.token])


def _secret() -> str:
    return "".join(secrets.choice(_ALPHABET) for _place in range(48))


def ensure_webhooks(task: SyncTask) -> timedelta:
    """Have each topic once in the shop, active and with our secret; stale ones of ours go. Says when to look again.

    A disabled webhook is deleted and made anew, because setting it active would keep its count of failures. One that is
    lost again and again is made ever more seldom; meanwhile the polls bring what it would have told.
    """
    store = task.store
    if store.polling_only:
        _withdraw(store)
        return NEVER_MIND
    if not store.can_write or not store.capabilities.get("webhooks", True):
        return NEVER_MIND
    client = client_for(store)
    wanted = {}
    for topic in TOPICS:
        endpoint, _made = WebhookEndpoint.objects.get_or_create(
            store=store, topic=topic, defaults={"secret": _secret(), "state": "new"}
        )
        wanted[endpoint_url(endpoint)] = endpoint
    try:
        why = _clear(client, wanted)
        if why and not selftest.reachable_for(store.base_url, selftest.own_address()):
            # To make it would lose every delivery in silence. The daily look at what the shop can do finds when it works.
            fetch.learn(store, webhooks=False)
            return NEVER_MIND
        remade = _make_lost(task, client, wanted, why)
    except ReadOnlyKeys as error:
        health.failed(store, error)
        return NEVER_MIND
    health.answered(store)
    _remember(task, wanted, remade)
    return EVERY


def _withdraw(store: Store) -> None:
    """Take ours out of the shop, because a person chose to go without. Those that it would not give up stay known."""
    kept = WebhookEndpoint.objects.filter(store=store).exclude(state="off")
    if not kept or not store.can_write:
        kept.update(state="off")
        return
    client = client_for(store)
    prefix, names = _prefix(), {(one.woo_id, _name(one)) for one in kept if one.woo_id}
    for hook in _all(client):
        if str(hook.get("delivery_url", "")).startswith(prefix) or (hook["id"], str(hook.get("name"))) in names:
            _remove(client, hook["id"])
    kept.update(state="off", woo_id=None)
    audit.record(store, "webhooks.withdraw", actor="worker", target=store.base_url)


def _prefix() -> str:
    return settings.PUBLIC_URL + reverse("woo-hook", args=["x"]).removesuffix("x/")


def _clear(client: Client, wanted: dict[str, WebhookEndpoint]) -> dict[str, str]:
    """Delete those of ours that do not stand as they should; why each address is not there (missing, disabled, ...)."""
    prefix = _prefix()
    # By number and name, for one whose address was changed in the shop.
    mine = {(endpoint.woo_id, _name(endpoint)): url for url, endpoint in wanted.items() if endpoint.woo_id}
    why = dict.fromkeys(wanted, "missing")
    for hook in _all(client):
        url, status = str(hook.get("delivery_url", "")), str(hook.get("status"))
        meant = mine.get((hook["id"], str(hook.get("name"))), "")
        ours = wanted.get(url)
        if ours and url in why and status == "active" and hook.get("topic") == ours.topic:
            del why[url]
            _note(ours, "active", hook["id"])
        elif url.startswith(prefix) or meant:
            _remove(client, hook["id"])
            if (lost := url if ours else meant) in why:
                why[lost] = status if status != "active" else "changed"
    return why


def _make_lost(
    task: SyncTask, client: Client, wanted: dict[str, WebhookEndpoint], why: dict[str, str]
) -> dict[str, str]:
    """Make what is not there, unless it was made a short while ago; {topic: why} of those that had stood before."""
    record, now, remade = dict(task.params.get("remade", {})), clock.now(), {}
    for url, endpoint in wanted.items():
        times, at = record.get(endpoint.topic, (0, None))
        last = datetime.fromisoformat(at) if at else None
        if url not in why:
            if last and now - last >= STEADY:
                del record[endpoint.topic]
            continue
        stood = endpoint.state not in {"new", "refused", "off"}
        if stood and last and now < last + REMAKE_AFTER[min(times, len(REMAKE_AFTER)) - 1]:
            _note(endpoint, "lost", None)
            continue
        if stood:
            # Before the call: dying in between must not make this a loop.
            record[endpoint.topic] = (times + 1, now.isoformat())
            remember(task, remade=record)
            remade[endpoint.topic] = why[url]
        _make(client, endpoint, url)
    remember(task, remade=record)
    return remade


def _remember(task: SyncTask, wanted: dict[str, WebhookEndpoint], remade: dict[str, str]) -> None:
    """Note what was lost, have its gap closed by a wide poll, and judge whether what changes is announced."""
    now = clock.now()
    if remade:
        with transaction.atomic():
            remember(task, lost={"at": now.isoformat(), "topics": sorted(remade)})
            audit.record(task.store, "webhooks.remade", actor="worker", target=task.store.base_url, diff=remade)
            entities = {topic.partition(".")[0] for topic in remade}
            poll.widen(task.store, entities)
            tasks.arm_polls(task.store, entities)
    whole = all(endpoint.state in {"active", "refused"} for endpoint in wanted.values())
    since = task.params.get("since") if whole and not remade else None
    remember(task, since=since or (now.isoformat() if whole else None))
    if since:
        remember(task, share=_share(task.store, datetime.fromisoformat(since)))


def _share(store: Store, since: datetime) -> dict[str, Any]:
    """Of the orders changed in the last day, how many no delivery told of; each by its newest change."""
    now = clock.now()
    begin = max(now - timedelta(days=1), since)
    told: dict[int | None, datetime] = dict(
        Delivery.objects.filter(store=store, received_at__gte=begin - CLOCKS, topic__startswith="order.")
        .exclude(resource_id=None)
        .order_by()
        .values_list("resource_id")
        .annotate(at=Max("received_at"))
    )
    changed = list(
        Order.objects.filter(store=store, woo_id__isnull=False, modified_gmt__range=(begin, now - LATE_BY)).values_list(
            "woo_id", "modified_gmt"
        )
    )
    silent = sum(1 for woo_id, at in changed if at and (woo_id not in told or told[woo_id] < at - CLOCKS))
    return {"changed": len(changed), "silent": silent, "at": now.isoformat()}


def silent_share(store: Store) -> tuple[int, int] | None:
    """(silent, changed) when too many changes of the last day were found by asking alone, else None."""
    row = SyncTask.objects.filter(store=store, key=KEY).first()
    share = row.params.get("share") if row else None
    if not share or share["changed"] < ENOUGH or share["silent"] <= share["changed"] * SILENT_SHARE:
        return None
    return share["silent"], share["changed"]


def last_loss(store: Store) -> tuple[datetime, list[str], int] | None:
    """When webhooks were last made anew within a day, which, and how often in a row at most."""
    row = SyncTask.objects.filter(store=store, key=KEY).first()
    lost = row.params.get("lost") if row else None
    if row is None or not lost or clock.now() - datetime.fromisoformat(lost["at"]) > STEADY:
        return None
    times = max((one[0] for one in row.params.get("remade", {}).values()), default=1)
    return datetime.fromisoformat(lost["at"]), list(lost["topics"]), times


def _all(client: Client) -> list[dict[str, Any]]:
    number, found = 1, []
    while True:
        page = client.page("webhooks", per_page=100, page=number)
        found += page.rows
        if len(page.rows) < 100:
            return found
        number += 1


def _remove(client: Client, woo_id: int) -> None:
    try:
        client.delete(f"webhooks/{woo_id}", force=True)
    except Missing:
        pass


def _make(client: Client, endpoint: WebhookEndpoint, url: str) -> None:
    body = {
        "name": _name(endpoint),
        "topic": endpoint.topic,
        "delivery_url": url,
        "secret": endpoint.secret,
        "status": "active",
    }
    try:
        made = client.post("webhooks", body)
    except Invalid:
        # Versions differ in the topics they know.
        _note(endpoint, "refused", None)
        return
    _note(endpoint, "active", made.get("id"))


def _name(endpoint: WebhookEndpoint) -> str:
    return f"Postpurchase {endpoint.topic}"


def _note(endpoint: WebhookEndpoint, state: str, woo_id: int | None) -> None:
    if (endpoint.state, endpoint.woo_id) != (state, woo_id):
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(state=state, woo_id=woo_id)
        endpoint.state, endpoint.woo_id = state, woo_id


def register() -> None:
    """Hook the webhook task in; called from `AppConfig.ready()`."""
    tasks.register_fetch(KEY, ensure_webhooks)
