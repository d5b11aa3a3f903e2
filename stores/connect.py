"""Connecting a shop by keys. Reconnecting keeps everything that is known of the shop."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from postpurchase import clock, due, queue
from postpurchase.errors import BusinessError
from stores import abilities, audit, events, hooks, registries
from stores.models import Job, Membership, Order, Reconciliation, Store, User
from stores.sync import backfill, tasks
from stores.woo.errors import Missing, WooError
from stores.woo.probe import Found, Probe, Step


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
        zone_before = connected.zone
        _write(connected, found, key=probe.key, secret=probe.secret, ca=trusted)
        if store is not None and connected.zone != zone_before:
            registries.zone_changed(connected, zone_before)
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
        connected.reconciliations.filter(
            status=Reconciliation.Status.ASKS, question=Reconciliation.Question.IDENTITY
        ).update(status=Reconciliation.Status.ANSWERED, answer="connected")
        tasks.arm_polls(connected)
        hooks.arm(connected)
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
