"""Who may be written to, about what, by which channel; and the log that proves it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.consent_table import CHANNELS, PURPOSES, klass
from campaigns.models import Consent, ConsentEvent, InboxMail, Preference, Suppression
from campaigns.models.consent import ConsentState
from postpurchase import clock, links
from stores import events
from stores.models import Customer, Event, Order, Store

NO_CONSENT = "no consent for marketing"
OBJECTED = "objected to these messages"
BOUNCED = "address bounced before"
COMPLAINED = "marked as spam before"
PAUSED = "paused by the customer"
ERASED = "customer was erased"
NO_ADDRESS = "no address for this channel"
NOT_THIS_ORDER = "buyers of this order's sales channel are not written to"
ONLY_THE_ORDER = "buyers of this order's sales channel are written to about the order only"
ONLY_ELSEWHERE = "ordered only in sales channels whose buyers are not written to"
_SUPPRESSED = {"bounce": BOUNCED, "complaint": COMPLAINED, "erased": ERASED}

STOP_PURPOSES = ("service", "review", "survey", "loyalty", "marketing", "ads")
_TRUE = frozenset({"1", "yes", "true", "on", "da", "ya", "checked", "granted"})


@dataclass(frozen=True)
class Decision:
    """May it be sent? `reason` in the merchant's words when not; `trace` lists (passed, rule, what was seen)."""

    allowed: bool
    reason: str
    trace: list[tuple[bool, str, str]]


def may_send(
    store: Store, customer: Customer, *, channel: str, purpose: str, at: datetime, order: Order | None = None
) -> Decision:
    """Whether the person may get a message of this purpose at this moment. At most three queries, changes nothing.

    `order` is what the message is about; the contact policy of its sales channel counts before anything else.
    """
    trace: list[tuple[bool, str, str]] = []

    def step(passed: bool, rule: str, seen: str) -> bool:
        trace.append((passed, rule, seen))
        return passed

    def refuse(reason: str) -> Decision:
        return Decision(False, reason, trace)

    if not step(customer.erased_at is None, "customer exists", "erased" if customer.erased_at else "yes"):
        return refuse(ERASED)
    address = customer.email if channel == "email" else customer.phone
    if not step(bool(address), "has an address", channel if address else f"none for {channel}"):
        return refuse(NO_ADDRESS)
    if channel == "email":
        found = Suppression.objects.filter(store=store, address_key=address_key(customer.email)).first()
        if not step(found is None, "address works", found.reason if found else "no bounce or complaint known"):
            return refuse(_SUPPRESSED.get(found.reason if found else "", BOUNCED))
    if order is not None and order.external_id:
        policy = order.get_contact_display().lower()
        if not step(order.contact != Order.Contact.NONE, "sales channel", f"{order.channel}: {policy}"):
            return refuse(NOT_THIS_ORDER)
        about = order.contact == Order.Contact.ALL or purpose == "order"
        if not step(about, "what the sales channel allows", f"{order.channel}: {policy}"):
            return refuse(ONLY_THE_ORDER)
    of_country = klass(purpose, customer.country)
    step(True, "class", f"{of_country} for {purpose} in {customer.country or 'an unknown country'}")
    if of_country == "T":
        return Decision(True, "", trace)
    ours = customer.woo_id is not None or (order is not None and order.contact == Order.Contact.ALL)
    own_word = Consent.objects.filter(store=store, customer=customer, channel=channel, purpose=purpose)
    if not ours and not step(
        not _only_elsewhere(customer) or own_word.filter(state=ConsentState.GRANTED).exists(),
        "customer of the shop",
        "has ordered where buyers may be written to, or agreed",
    ):
        return refuse(ONLY_ELSEWHERE)

    row = own_word.first()
    state = row.state if row else ConsentState.UNKNOWN
    if not step(state != ConsentState.DENIED, "did not object", f"{purpose}: {state or 'never asked'}"):
        return refuse(NO_CONSENT if of_country == "M" else OBJECTED)
    if of_country == "S":
        return Decision(True, "", trace)

    paused = row.paused_until if row else None
    running = paused is not None and paused > at
    if not step(not running, "not paused", f"until {paused:%Y-%m-%d}" if paused and running else "no pause"):
        return refuse(PAUSED)
    if step(state == ConsentState.GRANTED, "agreed", f"{state or 'never asked'}{f' by {row.source}' if row else ''}"):
        return Decision(True, "", trace)
    attested = soft_opt_in(customer) and state != ConsentState.PENDING
    seen = f"{customer.country or 'unknown country'}, {customer.orders_count} orders"
    if step(attested, "existing customer, objection offered at checkout", seen):
        return Decision(True, "", trace)
    return refuse(NO_CONSENT)


def _only_elsewhere(customer: Customer) -> bool:
    """All that this person ordered was in channels that keep their buyers to themselves, such as marketplaces."""
    policies = set(Order.objects.filter(customer=customer).order_by().values_list("contact", flat=True).distinct())
    return bool(policies) and Order.Contact.ALL not in policies


def soft_opt_in(customer: Customer) -> bool:
    """Is this a buyer in a country for which the merchant attests that the checkout offers the objection?"""
    return customer.orders_count > 0 and customer.country in customer.store.soft_opt_in_countries


def address_key(email: str) -> str:
    """A digest of the trimmed, lower-cased address: it can be compared and not read."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def suppress(store: Store, email: str, *, reason: str) -> bool:
    """Never write to the address again ("bounce", "complaint", "erased"). False when that was so already."""
    if reason not in _SUPPRESSED:
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
