"""Who may be written to, about what, by which channel; and the log that proves it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns import permission
from campaigns.consent_table import CHANNELS, PURPOSES
from campaigns.models import Consent, ConsentEvent, InboxMail, Preference, Suppression
from campaigns.models.consent import ConsentState
from campaigns.permission import SUPPRESSED, Decision, address_key
from postpurchase import clock, links
from stores import events
from stores.models import Customer, Event, Order, Store

STOP_PURPOSES = ("service", "review", "survey", "loyalty", "marketing", "ads")
_TRUE = frozenset({"1", "yes", "true", "on", "da", "ya", "checked", "granted"})


def may_send(
    store: Store, customer: Customer, *, channel: str, purpose: str, at: datetime, order: Order | None = None
) -> Decision:
    """`permission.decide` for one person, looked up now. At most three queries, changes nothing."""
    standing = permission.load([customer])[customer.pk]
    return permission.decide(customer, standing, channel=channel, purpose=purpose, at=at, order=order)


def suppress(store: Store, email: str, *, reason: str) -> bool:
    """Never write to the address again ("bounce", "complaint", "erased"). False when that was so already."""
    if reason not in SUPPRESSED:
        raise ValueError(f"unknown reason {reason!r}")
    return Suppression.objects.get_or_create(store=store, address_key=address_key(email), defaults={"reason": reason})[
        1
    ]


def set_consent(
    store: Store,
    customer: Customer,
    *,
    channel: str,
    purpose: str,
    state: str,
    source: str,
    text_version: str = "",
    at: datetime | None = None,
    proof: Mapping[str, Any] | None = None,
) -> ConsentEvent | None:
    """Append a change to the log, bring the present state up to date and record `consent.changed`.

    The same state from the same source again is no change: None, and nothing is written. A fact older than what is
    known goes to the log and does not move the present state.
    """
    if channel not in CHANNELS or purpose not in PURPOSES or state not in ConsentState.values or not state:
        raise ValueError(f"no such consent: {channel} {purpose} {state}")
    at = at or clock.now()
    with transaction.atomic():
        row = _row(store, customer, channel, purpose)
        if row.state == state and (row.source == source or state == ConsentState.DENIED):
            return None
        event = ConsentEvent.objects.create(
            store=store,
            customer=customer,
            channel=channel,
            purpose=purpose,
            state=state,
            source=source,
            text_version=text_version,
            country=customer.country,
            at=at,
            proof=dict(proof or {}),
        )
        if row.at is None or at >= row.at:
            row.state, row.source, row.at = state, source, at
            row.save(update_fields=["state", "source", "at"])
        events.record(
            store,
            events.CONSENT_CHANGED,
            subject=event.pk,
            at=at,
            customer=customer,
            payload={"channel": channel, "purpose": purpose, "state": state, "source": source},
        )
    return event


def _row(store: Store, customer: Customer, channel: str, purpose: str) -> Consent:
    row, new = Consent.objects.get_or_create(
        customer=customer, channel=channel, purpose=purpose, defaults={"store": store}
    )
    return row if new else Consent.objects.select_for_update(of=("self",)).get(pk=row.pk)


def unsubscribe_url(store: Store, customer: Customer, *, channel: str, purpose: str) -> str:
    """The one-click address for one person, channel and purpose. It never ends, whatever else is deleted."""
    row, _new = Consent.objects.get_or_create(
        customer=customer, channel=channel, purpose=purpose, defaults={"store": store}
    )
    return links.url("u", row.pk)


def stop_all(customer: Customer, *, source: str, channels: tuple[str, ...] = CHANNELS) -> int:
    """Nothing but messages about orders any more: no tips, reviews, surveys, points, marketing, audiences. How many changed."""
    return sum(
        set_consent(
            customer.store,
            customer,
            channel=channel,
            purpose=purpose,
            state=ConsentState.DENIED,
            source=source,
            text_version="preferences-1",
        )
        is not None
        for channel in channels
        for purpose in STOP_PURPOSES
    )


def pause(customer: Customer, *, until: datetime | None) -> None:
    """No message of class M before `until`; None ends the pause. What was agreed to stays as it was."""
    with transaction.atomic():
        for channel in CHANNELS:
            for purpose in STOP_PURPOSES:
                row = _row(customer.store, customer, channel, purpose)
                if row.paused_until != until:
                    row.paused_until = until
                    row.save(update_fields=["paused_until"])


def read_checkout_box(event: Event) -> None:
    """Source 1: a new order carries the mapped box ("subscribe me"). Checked is consent; unchecked says nothing."""
    store, order = event.store, event.order
    if order is None or order.customer is None or not store.opt_in_meta_key:
        return
    raw = order.raw if isinstance(order.raw, dict) else {}
    for entry in raw.get("meta_data") or []:
        if not isinstance(entry, dict) or entry.get("key") != store.opt_in_meta_key:
            continue
        if str(entry.get("value")).strip().lower() in _TRUE:
            set_consent(
                store,
                order.customer,
                channel="email",
                purpose="marketing",
                state=ConsentState.GRANTED,
                source="checkout",
                at=order.created_gmt,
                proof={"order": order.number, "key": store.opt_in_meta_key, "value": str(entry.get("value"))[:100]},
            )


def forget(customer: Customer) -> None:
    """Erase what consent and mail know of the person: the fact that we may not write stays, as a digest."""
    if customer.email:
        suppress(customer.store, customer.email, reason="erased")
        InboxMail.objects.filter(store=customer.store, to__iexact=customer.email).delete()
    Preference.objects.filter(customer=customer).delete()
    ConsentEvent.objects.filter(customer=customer).update(proof={})
