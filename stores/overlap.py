"""Who else tells the customer: what WooCommerce and its plugins send by themselves, so that nobody gets two of a kind.

Read over the API at each connect and daily look. What the API does not show is said to be unknown, never taken for a no.
For each topic a person may choose who writes: kept in `Store.writers`, and flows leave out what is left to the shop.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase.errors import BusinessError
from stores import registries
from stores.models import Store
from stores.woo.client import Client, client_for
from stores.woo.errors import WooError

YES, NO, UNKNOWN = "yes", "no", "unknown"
THEIRS, OURS = "theirs", "ours"
# Plugins that write to customers, by a part of their name; whether they do now is for the merchant to see there.
_PLUGINS: dict[str, tuple[str, ...]] = {
    "shipped": ("shipment tracking", "advanced shipment", "aftership", "parcel panel", "17track"),
    "delivered": ("aftership", "parcel panel", "17track", "trackship"),
    "review": ("customer reviews", "judge.me", "yotpo", "trustpilot", "loox", "stamped", "review reminder"),
    "cart": ("cart recovery", "cart abandonment", "abandoned cart", "automatewoo", "klaviyo", "mailpoet"),
    "points": ("points and rewards", "points & rewards", "loyalty", "yith woocommerce points", "gratisfaction"),
    "back": ("automatewoo", "klaviyo", "mailpoet", "follow-up", "mailchimp", "omnisend", "brevo"),
}
# The topic, the shop's mails for it by their setting's id, and the feature without which the shop cannot send them.
_MAILS: dict[str, tuple[tuple[str, ...], str]] = {
    "received": (("customer_processing_order", "customer_on_hold_order"), ""),
    "shipped": (("customer_completed_order", "customer_fulfillment_created"), ""),
    "review": (("customer_review_request",), "customer_review_request"),
    "cart": ((), "abandoned_cart_recovery"),
}
# The shop's own mails about parcels come only with the feature that keeps parcels.
_NEEDS = {"customer_fulfillment_created": "fulfillments"}
TOPICS: list[tuple[str, object, object]] = [
    ("received", gettext_lazy("Order received"), gettext_lazy("WooCommerce > Settings > Emails > Processing order")),
    (
        "shipped",
        gettext_lazy("Shipped or completed"),
        gettext_lazy("WooCommerce > Settings > Emails > Completed order"),
    ),
    ("delivered", gettext_lazy("Delivered"), ""),
    (
        "review",
        gettext_lazy("Review request"),
        gettext_lazy("WooCommerce > Settings > Emails > Review request, or Advanced > Features"),
    ),
    ("cart", gettext_lazy("Unfinished order"), gettext_lazy("WooCommerce > Settings > Advanced > Features")),
    ("points", gettext_lazy("Points"), ""),
    ("back", gettext_lazy("Back in touch"), ""),
]
# WooCommerce has none of these itself.
_NEVER = frozenset({"delivered", "points", "back"})


@dataclass(frozen=True)
class Line:
    """One row of the table: what WooCommerce sends (yes, no, unknown), which plugins may, and where to change it."""

    topic: str
    label: object
    woo: str
    plugins: list[str] | None  # None where the plugins could not be seen
    path: object
    choice: str = ""  # THEIRS or OURS once a person chose
    # Mails of WooCommerce on this that can be switched off over the API, and our flows that are on.
    mails: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()

    @property
    def twice(self) -> bool:
        """Whether a message of ours on this would be a second one."""
        return self.woo == YES or bool(self.plugins)

    @property
    def suggested(self) -> str:
        """What is chosen until a person says otherwise: theirs wherever somebody writes, or might."""
        return self.choice or (THEIRS if self.twice or self.woo == UNKNOWN else OURS)

    @property
    def both(self) -> bool:
        """Whether ours was chosen and theirs still goes out."""
        return self.choice == OURS and self.twice


def look(client: Client, status: dict[str, Any]) -> dict[str, Any]:
    """What is to be kept: {"mails": {id: bool}, "features": [..] | None, "plugins": [..] | None}.

    `status` is the shop's system status, empty where it is closed.
    """
    features = status["settings"].get("enabled_features") if isinstance(status.get("settings"), dict) else None
    plugins = status.get("active_plugins")
    names = [str(one.get("name"))[:80] for one in plugins if isinstance(one, dict)] if isinstance(plugins, list) else []
    return {
        "mails": {name: on for name in _wanted() if (on := _enabled(client, name)) is not None},
        "features": [str(name)[:80] for name in features][:200] if isinstance(features, list) else None,
        "plugins": names[:200] if isinstance(plugins, list) else None,
    }


def _wanted() -> list[str]:
    return [name for names, _feature in _MAILS.values() for name in names]


def _enabled(client: Client, mail: str) -> bool | None:
    """Whether a mail of the shop is switched on; None where the API does not say."""
    try:
        told = client.get(f"settings/email_{mail}/enabled")
    except WooError:
        return None
    value = told.get("value") if isinstance(told, dict) else None
    return value == "yes" if value in {"yes", "no"} else None


def table(store: Store) -> list[Line]:
    """Who tells the customer about what, as far as it was seen."""
    seen = store.capabilities.get("others")
    seen = seen if isinstance(seen, dict) else {}
    names = seen.get("plugins")
    ours = registries.writers(store)
    return [
        Line(
            topic,
            label,
            _woo(topic, seen),
            _plugins(topic, names),
            path,
            store.writers.get(topic, ""),
            _on(topic, seen) if store.can_write else (),
            tuple(ours.get(topic, ())),
        )
        for topic, label, path in TOPICS
    ]


def _on(topic: str, seen: dict[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in _MAILS.get(topic, ((), ""))[0] if seen.get("mails", {}).get(name))


def left_to(store: Store, topic: str) -> str:
    """Why we do not write about a topic, when a person left it to the shop; "" when we do. Asks no database."""
    if store.writers.get(topic) != THEIRS:
        return ""
    seen = store.capabilities.get("others")
    seen = seen if isinstance(seen, dict) else {}
    plugins = _plugins(topic, seen.get("plugins")) or []
    if plugins and _woo(topic, seen) != YES:
        return _("%(plugin)s sends this one") % {"plugin": plugins[0]}
    return _("WooCommerce sends this one")


def choose(store: Store, choices: dict[str, str]) -> dict[str, list[str]]:
    """Keep who writes about which topic; what changed, as {topic: [before, now]}. BusinessError for other words."""
    known = {topic for topic, _label, _path in TOPICS}
    if not set(choices) <= known or not set(choices.values()) <= {THEIRS, OURS}:
        raise BusinessError(_("There is no such choice. Nothing was changed."), "no_such_choice")
    with transaction.atomic():
        row = Store.objects.select_for_update().only("writers").get(pk=store.pk)
        changed = {
            topic: [row.writers.get(topic, ""), choice]
            for topic, choice in choices.items()
            if row.writers.get(topic) != choice
        }
        row.writers |= choices
        row.save(update_fields=["writers"])
    store.writers = row.writers
    return changed


def switch_off(store: Store, topic: str) -> list[str]:
    """Switch WooCommerce's own mails about a topic off, and see that they are; which ones.

    BusinessError with the place in WordPress when the shop does not let us.
    """
    line = next((one for one in table(store) if one.topic == topic), None)
    if line is None or not line.mails:
        raise BusinessError(
            _("There is nothing that could be switched off from here. Nothing was changed."), "no_switch"
        )
    client = client_for(store)
    off: list[str] = []
    for mail in line.mails:
        try:
            client.put(f"settings/email_{mail}/enabled", {"value": "no"})
        except WooError as error:
            raise BusinessError(_by_hand(line, off) + " " + error.message, "not_switched") from None
        if _enabled(client, mail) is not False:
            raise BusinessError(_by_hand(line, off), "not_switched")
        off.append(mail)
        _saw(store, mail)
    return off


def _by_hand(line: Line, off: list[str]) -> str:
    done = _("Switched off so far: %(mails)s.") % {"mails": ", ".join(off)} + " " if off else ""
    return done + _("The shop did not take it. Switch it off there: %(path)s.") % {"path": line.path}


def _saw(store: Store, mail: str) -> None:
    with transaction.atomic():
        row = Store.objects.select_for_update().only("capabilities").get(pk=store.pk)
        others = row.capabilities.get("others") or {}
        row.capabilities["others"] = {**others, "mails": {**others.get("mails", {}), mail: False}}
        row.save(update_fields=["capabilities"])
    store.capabilities = row.capabilities


def _woo(topic: str, seen: dict[str, Any]) -> str:
    """Whether WooCommerce itself writes about a topic."""
    if topic in _NEVER:
        return NO
    mails, feature = _MAILS[topic]
    if not mails:
        return _feature(feature, seen)
    said = [_mail(name, feature or _NEEDS.get(name, ""), seen) for name in mails]
    if YES in said:
        return YES
    return UNKNOWN if UNKNOWN in said else NO


def _feature(name: str, seen: dict[str, Any]) -> str:
    features = seen.get("features")
    return UNKNOWN if features is None else YES if name in features else NO


def _mail(name: str, feature: str, seen: dict[str, Any]) -> str:
    """One mail: off without its feature, else as its own switch says."""
    if feature and (there := _feature(feature, seen)) != YES:
        return there
    on = seen.get("mails", {}).get(name)
    return UNKNOWN if on is None else YES if on else NO


def _plugins(topic: str, names: Any) -> list[str] | None:
    if not isinstance(names, list):
        return None
    marks = _PLUGINS.get(topic, ())
    return [name for name in names if any(mark in str(name).lower() for mark in marks)]
