"""May a person be written to? Loaded for many people at once, judged without looking anything up."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.consent_table import klass
from campaigns.models import Consent, Suppression
from campaigns.models.consent import ConsentState
from stores.models import Customer, Order

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
SUPPRESSED = {"bounce": BOUNCED, "complaint": COMPLAINED, "erased": ERASED}


@dataclass(frozen=True)
class Decision:
    """May it be sent? `reason` in the merchant's words when not; `trace` lists (passed, rule, what was seen)."""

    allowed: bool
    reason: str
    trace: list[tuple[bool, str, str]]


@dataclass(frozen=True)
class Standing:
    """What is known of one person: why the address is dead ("" when it is not), what was agreed to or refused.

    `elsewhere`: all that the person ordered was in channels that keep their buyers to themselves, such as marketplaces.
    """

    suppressed: str = ""
    consents: Mapping[tuple[str, str], Consent] = field(default_factory=dict)
    elsewhere: bool = False


def load(customers: Iterable[Customer]) -> dict[int, Standing]:
    """The standing of each person, by id; three queries for all of them."""
    people = {each.pk: each for each in customers}
    keys = {pk: address_key(each.email) for pk, each in people.items() if each.email}
    dead = {
        (store, key): reason
        for store, key, reason in Suppression.objects.filter(address_key__in=set(keys.values())).values_list(
            "store_id", "address_key", "reason"
        )
    }
    consents: dict[int, dict[tuple[str, str], Consent]] = {}
    for row in Consent.objects.filter(customer_id__in=people):
        consents.setdefault(row.customer_id, {})[row.channel, row.purpose] = row
    policies: dict[int, set[str]] = {}
    guests = [pk for pk, each in people.items() if each.woo_id is None]
    if guests:
        seen = Order.objects.filter(customer_id__in=guests).order_by().values_list("customer_id", "contact").distinct()
        for pk, policy in seen:
            policies.setdefault(pk, set()).add(policy)
    return {
        pk: Standing(
            suppressed=dead.get((each.store_id, keys.get(pk, "")), ""),
            consents=consents.get(pk, {}),
            elsewhere=bool(policies.get(pk)) and Order.Contact.ALL not in policies[pk],
        )
        for pk, each in people.items()
    }


def decide(
    customer: Customer, standing: Standing, *, channel: str, purpose: str, at: datetime, order: Order | None = None
) -> Decision:
    """Whether the person may get a message of this purpose at this moment. Asks nothing of the database.

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
        dead = standing.suppressed
        if not step(not dead, "address works", dead or "no bounce or complaint known"):
            return refuse(SUPPRESSED.get(dead, BOUNCED))
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
    row = standing.consents.get((channel, purpose))
    state = row.state if row else ConsentState.UNKNOWN
    ours = customer.woo_id is not None or (order is not None and order.contact == Order.Contact.ALL)
    if not ours and not step(
        not standing.elsewhere or state == ConsentState.GRANTED,
        "customer of the shop",
        "has ordered where buyers may be written to, or agreed",
    ):
        return refuse(ONLY_ELSEWHERE)
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


def soft_opt_in(customer: Customer) -> bool:
    """Is this a buyer in a country for which the merchant attests that the checkout offers the objection?"""
    return customer.orders_count > 0 and customer.country in customer.store.soft_opt_in_countries


def address_key(email: str) -> str:
    """A digest of the trimmed, lower-cased address: it can be compared and not read."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()
