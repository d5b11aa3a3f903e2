"""What the shop was found to be able to do: looked at again each day, kept with its date, shown with what to repair."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase import clock, due
from stores import audit, registries, selftest
from stores.models import Store, SyncTask
from stores.registries import Check
from stores.sync import tasks
from stores.woo import diagnosis
from stores.woo.probe import Probe, Step

KEY = "abilities"
EVERY, AFTER_TROUBLE = timedelta(days=1), timedelta(hours=1)
# More than this old, and the daily look has failed for days.
OLD = timedelta(days=3)
NAMES: list[tuple[str, object]] = [
    ("modified_after:order", gettext_lazy("Tells which orders changed")),
    ("modified_after:product", gettext_lazy("Tells which products changed")),
    ("modified_after:coupon", gettext_lazy("Tells which coupons changed")),
    ("refunds_list", gettext_lazy("Lists all refunds at once")),
    ("variations_list", gettext_lazy("Lists all variations at once")),
    ("fulfilments", gettext_lazy("Keeps parcels itself")),
    ("trims_fields", gettext_lazy("Sends only the fields that are asked for")),
    ("webhooks", gettext_lazy("Can call this program")),
]


def arm(store: Store) -> None:
    """Have the shop looked at again a day from now."""
    SyncTask.objects.update_or_create(
        store=store,
        key=KEY,
        defaults={"entity": KEY, "priority": due.POLL, "state": due.State.DUE, "due_at": clock.now() + EVERY},
    )


def look_again(task: SyncTask) -> timedelta:
    """The daily look; after which time to look again."""
    bad = look(task.store)
    return AFTER_TROUBLE if bad else EVERY


def look(store: Store) -> Step | None:
    """Try what the shop can do now and keep it with its date; the check that failed, if one did.

    Nothing is written in the shop, and keys are shown only as carefully as before or more so. When a check fails, what
    was known stays, with its date; what to make of a shop that does not answer is the polls' to say.
    """
    probe = Probe(store.base_url, key=store.consumer_key, secret=store.consumer_secret, ca=store.ca_file)
    steps = list(probe.again(store.auth_mode))
    bad = next((step for step in steps if step.state == "bad"), None)
    if bad:
        _keep(store, {"probe_trouble": {"at": clock.now().isoformat(), "text": bad.text, "fix": bad.fix}})
    elif probe.found.base_url != store.base_url:
        # Where a redirect leads is not believed without a person: it may be a copy of the shop.
        _keep(store, {"moved_to": probe.found.base_url})
    else:
        _write(store, probe)
    return bad


def _keep(store: Store, found: dict[str, Any]) -> None:
    with transaction.atomic():
        row = Store.objects.select_for_update().only("capabilities").get(pk=store.pk)
        row.capabilities |= found
        row.save(update_fields=["capabilities"])
    store.capabilities = row.capabilities


def _write(store: Store, probe: Probe) -> None:
    found = probe.found
    with transaction.atomic():
        row = Store.objects.select_for_update().get(pk=store.pk)
        if (row.base_url, row.consumer_key) != (store.base_url, store.consumer_key):
            # Connected anew meanwhile: that looked later than this did.
            return
        known = {key: value for key, value in row.capabilities.items() if key not in _PASSING}
        # Junk around answers is seen by each look. A cache may not be: polls notice within minutes when it is still there.
        seen = {"pollution": probe.client.pollution} if probe.client and probe.client.pollution else {}
        row.capabilities = known | found.capabilities | seen | {"webhooks": found.webhooks and row.can_write}
        row.probed_at = clock.now()
        new = {
            "zone": found.zone,
            "currency": found.currency or row.currency,
            "decimals": found.decimals,
            "auth_mode": found.mode,
        }
        changed = {name: [getattr(row, name), value] for name, value in new.items() if getattr(row, name) != value}
        for name, value in new.items():
            setattr(row, name, value)
        row.save(update_fields=["capabilities", "probed_at", *new])
        if "zone" in changed:
            registries.zone_changed(row, changed["zone"][0])
        if changed:
            audit.record(row, "store.settings_changed", actor="daily look", target=row.base_url, diff=changed)
    store.refresh_from_db()


# Said anew by each look.
_PASSING = frozenset({"probe_trouble", "moved_to", "index_php", "pollution", "cached"})


def shown(store: Store) -> list[tuple[object, bool | None]]:
    """The abilities in the merchant's words: yes, no, or None where it could not be told."""
    return [(label, store.capabilities.get(name)) for name, label in NAMES]


def checks(store: Store) -> Iterator[Check]:
    """How the shop takes keys, and what it was found to be able to do."""
    if store.state == Store.State.NEW or not store.base_url:
        return
    url = reverse("connect", args=[store.slug])
    yield _access(store, url)
    if store.probed_at:
        yield _look(store, url)


def _access(store: Store, url: str) -> Check:
    secure = store.base_url.startswith("https://")
    repair = diagnosis.of_mode(store.auth_mode, secure=secure)
    if repair:
        text = _("It works, but should be repaired.") + " " + repair.text
        return Check(_("Access"), False, text, repair.fix, url, "warn")
    if not secure and not selftest.is_local(store.base_url):
        return Check(
            _("Access"),
            False,
            _("The shop answers without HTTPS. Keys are only used to sign there, but customers' data travel readable."),
            _("Ask the host for a certificate, then connect with https://."),
            url,
            "warn",
        )
    return Check(_("Access"), True, _("The keys are taken in the usual way.") if secure else _("Each call is signed."))


def _look(store: Store, url: str) -> Check:
    assert store.probed_at is not None
    moved, trouble = store.capabilities.get("moved_to"), store.capabilities.get("probe_trouble")
    day = date_format(store.probed_at.astimezone(store.tz), "SHORT_DATETIME_FORMAT")
    if moved:
        return Check(
            _("Abilities"),
            False,
            _("The shop's address now leads to %(url)s. Nothing was sent there.") % {"url": moved},
            _("If that is your shop, connect it again with this address."),
            url,
            "warn",
        )
    version = store.capabilities.get("woo_version") or "?"
    sentence = _("Last tried on %(day)s: WooCommerce %(version)s.") % {"day": day, "version": version}
    if trouble and clock.now() - store.probed_at > OLD:
        return Check(_("Abilities"), False, f"{sentence} {trouble['text']}", trouble["fix"], url, "warn")
    lacking = [str(label) for label, can in shown(store) if can is False]
    if lacking:
        sentence += " " + _("Not there: %(names)s. Other ways are used instead.") % {"names": ", ".join(lacking)}
    return Check(_("Abilities"), True, sentence)


def register() -> None:
    """Called from `AppConfig.ready()`."""
    tasks.register_fetch(KEY, look_again)
    registries.add_checks(checks)
