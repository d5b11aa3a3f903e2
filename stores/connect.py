"""Connecting a shop by keys, and its webhooks. Reconnecting keeps everything that is known of the shop."""

import secrets
import string
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from postpurchase import clock, due, queue
from postpurchase.errors import BusinessError
from stores import abilities, audit, events
from stores.models import Job, Membership, Order, Store, SyncTask, User, WebhookEndpoint
from stores.sync import backfill, health, tasks
from stores.woo.client import Client, client_for
from stores.woo.errors import Invalid, Missing, ReadOnlyKeys, WooError
from stores.woo.probe import Found, Probe, Step

TOPICS = (
    *(f"order.{event}" for event in ("created", "updated", "deleted", "restored")),
    *(f"product.{event}" for event in ("created", "updated", "deleted", "restored")),
    "coupon.deleted",
    *(f"customer.{event}" for event in ("created", "updated", "deleted")),
)
WEBHOOKS_EVERY = timedelta(hours=1)
_ALPHABET = string.ascii_letters + string.digits


class ConnectRefused(BusinessError):
    """The shop cannot be connected; `steps` are the checks up to the one that failed."""

    def __init__(self, steps: list[Step]) -> None:
        last = steps[-1]
        kept = _("Nothing was changed.")
        super().__init__(" ".join(part for part in (last.text, kept, last.fix) if part), last.code)
        self.steps = steps


def connect(
    base_url: str,
    *,
    key: str,
    secret: str,
    store: Store | None = None,
    user: User | None = None,
    ca: str | None = None,
    slug: str = "",
    on_step: Callable[[Step], None] | None = None,
) -> Store:
    """Check a shop live and connect it: a new store (owned by `user`), or `store` again with new keys or address.

    `ca` is a file of certificates to trust. `on_step` hears of each check as it ends. Afterwards the shop is polled,
    its webhooks and its history are due. ConnectRefused when a check fails; BusinessError `other_shop` when the address
    now belongs to another shop, `bad_address`, `slug_taken`.
    """
    if not key.strip() or not secret.strip():
        raise BusinessError(_("Both keys are needed. Nothing was changed."), "keys_missing")
    if slug and store is None and Store.objects.filter(slug=slug).exists():
        raise BusinessError(_("There is a store with this short name already. Nothing was changed."), "slug_taken")
    trusted = (store.ca_file if store else "") if ca is None else ca
    probe = Probe(base_url, key=key, secret=secret, ca=trusted)
    steps: list[Step] = []
    for step in probe.steps():
        steps.append(step)
        if on_step:
            on_step(step)
        if step.state == "bad":
            raise ConnectRefused(steps)
    found = probe.found
    if store:
        _must_be_same(store, probe)
    with transaction.atomic():
        connected = store or _new(found, slug)
        _write(connected, found, key=probe.key, secret=probe.secret, ca=trusted)
        if store is None and user:
            Membership.objects.create(store=connected, user=user, role=Membership.Role.OWNER)
        at = clock.now()
        events.record(
            connected, events.STORE_CONNECTED, subject=connected.pk, at=at, fact="" if store is None else at.isoformat()
        )
        audit.record(
            connected,
            "store.connect",
            actor=user or "command",
            target=found.base_url,
            diff={"can_write": found.can_write, "warnings": [step.code for step in steps if step.code]},
        )
        tasks.arm_polls(connected)
        _arm_webhooks(connected)
        abilities.arm(connected)
        Job.objects.filter(store=connected, kind=backfill.KIND, state=due.State.DUE).update(due_at=at)
        if connected.backfilled_at is None:
            backfill.start(connected, user=user)
        queue.wake("sync")
    return connected


def _new(found: Found, slug: str) -> Store:
    host = (urlsplit(found.base_url).hostname or "store").removeprefix("www.")
    wanted = slug or slugify(found.name)[:40] or slugify(host.replace(".", "-"))[:40] or "store"
    free, number = wanted, 1
    while Store.objects.filter(slug=free).exists():
        number += 1
        free = f"{wanted}-{number}"
    return Store(slug=free, name=found.name or host)


def _write(store: Store, found: Found, *, key: str, secret: str, ca: str) -> None:
    store.base_url, store.auth_mode, store.ca_file = found.base_url, found.mode, ca
    store.consumer_key, store.consumer_secret = key, secret
    store.can_write = found.can_write
    store.zone, store.decimals = found.zone, found.decimals
    store.currency = found.currency or store.currency
    store.country = found.country or store.country
    store.language = found.language or store.language
    store.capabilities = {**found.capabilities, "webhooks": found.webhooks and found.can_write}
    store.probed_at = clock.now()
    # Once: what happened before the first connect never starts a message, however often keys change.
    store.live_from = store.live_from or found.now or clock.now()
    store.state, store.state_reason, store.failures, store.refusals = Store.State.CONNECTED, "", 0, 0
    store.good_answers, store.probes, store.quiet_until = 0, 0, None
    store.save()


def _must_be_same(store: Store, probe: Probe) -> None:
    """A store with orders must find one of them at the new address: an empty or foreign shop would undo the mirror."""
    sample = Order.objects.filter(store=store, woo_id__isnull=False, deleted_at=None).order_by("-woo_id").first()
    if sample is None or probe.client is None:
        return
    try:
        body = probe.client.get(f"orders/{sample.woo_id}")
        same = body.get("order_key") == sample.raw.get("order_key", body.get("order_key"))
    except Missing:
        same = probe.found.base_url == store.base_url
    except WooError as error:
        raise BusinessError(error.message, error.code or "unreachable") from None
    if not same:
        raise BusinessError(
            _(
                "This address belongs to another shop than before: its order %(number)s is not the one known here. "
                "Nothing was changed. Connect it as a new store."
            )
            % {"number": sample.number},
            "other_shop",
        )


# Webhooks: made from a due row, never from a request, because the shop calls us while it makes one.


def _arm_webhooks(store: Store) -> None:
    SyncTask.objects.update_or_create(
        store=store,
        key="webhooks",
        defaults={"entity": "webhooks", "priority": due.POLL, "state": due.State.DUE, "due_at": clock.now()},
    )


def endpoint_url(endpoint: WebhookEndpoint) -> str:
    """Where the shop sends the deliveries of an endpoint."""
    return settings.PUBLIC_URL + reverse("woo-hook", args=[endpoint.token])


def _secret() -> str:
    return "".join(secrets.choice(_ALPHABET) for _place in range(48))


def ensure_webhooks(task: SyncTask) -> timedelta:
    """Have each topic once in the shop, active and with our secret; stale ones of ours go. Says when to look again.

    A disabled webhook is deleted and made anew: setting it active would keep its count of failures.
    """
    store = task.store
    if not store.can_write or not store.capabilities.get("webhooks", True):
        return timedelta(days=1)
    client = client_for(store)
    prefix = settings.PUBLIC_URL + reverse("woo-hook", args=["x"]).removesuffix("x/")
    listed = [hook for hook in _all(client) if str(hook.get("delivery_url", "")).startswith(prefix)]
    wanted = {}
    for topic in TOPICS:
        endpoint, _made = WebhookEndpoint.objects.get_or_create(
            store=store, topic=topic, defaults={"secret": _secret()}
        )
        wanted[endpoint_url(endpoint)] = endpoint
    kept: set[str] = set()
    try:
        for hook in listed:
            url = hook["delivery_url"]
            ours = wanted.get(url)
            if ours and url not in kept and hook.get("status") == "active" and hook.get("topic") == ours.topic:
                kept.add(url)
                _note(ours, "active", hook["id"])
            else:
                _remove(client, hook["id"])
        for url, endpoint in wanted.items():
            if url not in kept:
                _make(client, endpoint, url)
    except ReadOnlyKeys as error:
        health.failed(store, error)
        return timedelta(days=1)
    health.answered(store)
    return WEBHOOKS_EVERY


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
        "name": f"Postpurchase {endpoint.topic}",
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


def _note(endpoint: WebhookEndpoint, state: str, woo_id: int | None) -> None:
    if (endpoint.state, endpoint.woo_id) != (state, woo_id):
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(state=state, woo_id=woo_id)


def register() -> None:
    """Hook the webhook task in; called from `AppConfig.ready()`."""
    tasks.register_fetch("webhooks", ensure_webhooks)
