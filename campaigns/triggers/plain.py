"""Every recorded event of `stores.events` as a trigger, with conditions on what it carries; those that come as well."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.triggers import payloads
from campaigns.triggers.base import Occurrence, Trigger, TriggerKind, as_occurrence, register, register_family
from stores import event_payloads, events
from stores.models import Event, Store

# News about the installation or about our own sending, not about what a person did: a flow that they start could go round
# in a circle or has nobody to write to.
_INTERNAL = ("store.", "message.requested", "message.accepted", "customer.merged", "customer.erased", "coupon.failed")
NAMES = tuple(sorted(name for name in events.NAMES if not name.startswith(_INTERNAL)))
CUSTOM = events.CUSTOM
_CUSTOM_NAME = re.compile(r"custom\.[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Recorded(Trigger):
    """Something happened. `payload` is a list of {field, op, value} on what the event carries; all must hold."""

    carries: ClassVar[type] = event_payloads.AnyPayload

    payload: tuple[dict[str, Any], ...] = ()

    def faults(self) -> list[str]:
        return payloads.faults(self.carries, self.payload)

    def sentence(self) -> str:
        label = super().sentence()
        if not self.payload:
            return label
        return _("%(what)s, if %(condition)s") % {
            "what": label,
            "condition": payloads.sentence(self.carries, self.payload),
        }

    def hears(self) -> tuple[str, ...]:
        return (self.kind.name,)

    def wants(self, event: Event) -> bool:
        """Whether the event meets the conditions on what it carries."""
        return payloads.hold(self.carries, self.payload, event.payload)

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        return [as_occurrence(event) for event in events if event.customer_id and self.wants(event)]


def _make(name: str) -> type[Recorded]:
    made: type[Recorded] = type("Recorded", (Recorded,), {"carries": event_payloads.told(name).payload})
    return made


def _custom(name: str) -> TriggerKind | None:
    if not _CUSTOM_NAME.fullmatch(name):
        return None
    made = _make(name)
    words = gettext_lazy("your own event “%(name)s” arrives")
    label = _Named(words, name.partition(".")[2])
    made.kind = TriggerKind(name, label, gettext_lazy("Your own events"), "customer", made)
    return made.kind


@dataclass(frozen=True)
class _Named:
    """Lazy words with a name in them."""

    words: Any
    name: str

    def __str__(self) -> str:
        return str(self.words) % {"name": self.name}


def subject_of(name: str) -> Any:
    """Whether an event is about an order or about the person alone."""
    return "order" if name.startswith(("order.", "refund.", "shipment.", "review.", "case.")) else "customer"


for _name in NAMES:
    _told = event_payloads.told(_name)
    register(_name, label=_told.label, group=_told.group, subject=subject_of(_name))(_make(_name))
register_family(CUSTOM, _custom)
