"""What a person may choose: topics, a pause, the language. The page and the mails ask here."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from campaigns import consent, permission
from campaigns.consent_table import klass
from campaigns.models import Consent, ConsentEvent, Preference
from campaigns.models.consent import ConsentState
from postpurchase import clock
from stores.models import Customer
from stores.outgoing import request_message

# Channels that this installation can send by.
CHANNELS: tuple[tuple[str, Any], ...] = (("email", _("Email")),)
TOPICS: tuple[tuple[str, Any, Any], ...] = (
    ("review", _("Review requests"), _("once per order, one reminder")),
    ("survey", _("Short surveys"), _("one question, now and then")),
    ("service", _("Tips and check-ins"), _("after a delivery")),
    ("loyalty", _("Points and rewards"), _("when points are ready or expire")),
    ("marketing", _("News and offers"), _("at most two a week")),
)
PAUSES = (30, 90)
WORDS = "preferences-1"


@dataclass(frozen=True)
class Choice:
    """One box of the page."""

    name: str
    channel: Any
    on: bool
    pending: bool


@dataclass(frozen=True)
class Topic:
    """One row of the page."""

    label: Any
    note: Any
    choices: list[Choice]

    @property
    def pending(self) -> bool:
        return any(choice.pending for choice in self.choices)


def topics(customer: Customer) -> list[Topic]:
    """What the person gets now, by topic and channel. One query."""
    rows = {(row.channel, row.purpose): row for row in Consent.objects.filter(customer=customer)}
    found = []
    for purpose, label, note in TOPICS:
        choices = []
        for channel, channel_label in CHANNELS:
            row = rows.get((channel, purpose))
            pending = row is not None and row.state == ConsentState.PENDING
            choices.append(Choice(f"{purpose}-{channel}", channel_label, is_on(customer, purpose, row), pending))
        found.append(Topic(label, note, choices))
    return found


def is_on(customer: Customer, purpose: str, row: Consent | None) -> bool:
    """Does the person get this now, as far as consent goes? `row` is the present state, None when never asked."""
    state = row.state if row else ConsentState.UNKNOWN
    if state == ConsentState.UNKNOWN:
        return klass(purpose, customer.country) == "S" or permission.soft_opt_in(customer)
    return bool(state == ConsentState.GRANTED)


def save_topics(customer: Customer, wanted: set[str]) -> int:
    """Bring the choices to what is ticked; how many changed. A tick for what needs consent waits for the mail's answer."""
    changed = 0
    for topic, (purpose, _label, _note) in zip(topics(customer), TOPICS, strict=True):
        for choice, (channel, _channel_label) in zip(topic.choices, CHANNELS, strict=True):
            ticked = choice.name in wanted
            if ticked == choice.on and not (choice.pending and not ticked):
                continue
            if not ticked:
                state = ConsentState.DENIED
            else:
                needs_answer = klass(purpose, customer.country) == "M"
                state = ConsentState.PENDING if needs_answer else ConsentState.GRANTED
            event = consent.set_consent(
                customer.store,
                customer,
                channel=channel,
                purpose=purpose,
                state=state,
                source="preferences",
                text_version=WORDS,
                proof={"page": "preferences"},
            )
            changed += event is not None
            if event and state == ConsentState.PENDING:
                request_message(
                    customer.store,
                    kind="preferences.confirm",
                    customer=customer,
                    key=f"preferences.confirm:{event.pk}",
                    payload={"consent_event": event.pk},
                )
    return changed


def confirm(asked: ConsentEvent) -> bool:
    """The answer to the confirmation mail: what was asked for is agreed. False when it was answered or withdrawn."""
    with transaction.atomic():
        waiting = Consent.objects.filter(
            customer=asked.customer, channel=asked.channel, purpose=asked.purpose, state=ConsentState.PENDING
        ).exists()
        if not waiting:
            return False
        return (
            consent.set_consent(
                asked.store,
                asked.customer,
                channel=asked.channel,
                purpose=asked.purpose,
                state=ConsentState.GRANTED,
                source="double opt-in",
                text_version=asked.text_version,
                proof={"asked": asked.pk},
            )
            is not None
        )


def pause(customer: Customer, days: int) -> None:
    """No marketing for so many days (30 or 90); 0 ends the pause. ValueError for any other number."""
    if days not in {0, *PAUSES}:
        raise ValueError(f"no pause of {days} days is offered")
    consent.pause(customer, until=clock.now() + timedelta(days=days) if days else None)


def set_language(customer: Customer, language: str) -> None:
    """Write to the person in this language from now on, whatever language an order was placed in."""
    Preference.objects.update_or_create(customer=customer, defaults={"store": customer.store, "language": language})


def language_of(customer: Customer) -> str:
    """The chosen language, or "" when the person chose none."""
    return Preference.objects.filter(customer=customer).values_list("language", flat=True).first() or ""
