"""What the rules may know about a message, and what they answer. Values only: made by `loading`, or by a dry run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns import consent_table
from campaigns.definitions import Definition
from campaigns.models import Message, SendingRules
from campaigns.permission import Standing
from campaigns.troubles import Trouble
from stores.conditions import Condition
from stores.models import Coupon

SEND, SKIP, HOLD, APPROVAL, EXPIRE = "send", "skip", "hold", "approval", "expire"
ASKING = ("review", "survey")
WAITING = (
    Message.Status.PLANNED,
    Message.Status.HELD,
    Message.Status.APPROVAL,
    Message.Status.CLAIMED,
    Message.Status.HANDING,
    Message.Status.RETRY,
)


@dataclass
class Verdict:
    """What to do with a message, why, and (holding) when to look again. `code` is for machines.

    `moved`: the hold is no lateness; from `until` on the message counts as due. `trace` is [[passed, rule, seen], ...].
    """

    action: str = SEND
    reason: str = ""
    code: str = ""
    until: datetime | None = None
    moved: bool = False
    trace: list[list[Any]] = field(default_factory=list)

    def saw(self, rule: str, seen: str, *, passed: bool = True) -> None:
        self.trace.append([passed, rule, seen])

    def decide(
        self, action: str, rule: str, reason: str, *, code: str, until: datetime | None = None, moved: bool = False
    ) -> None:
        self.saw(rule, reason, passed=False)
        self.action, self.reason, self.code, self.until, self.moved = action, reason, code, until, moved


@dataclass(frozen=True)
class Limits:
    """A shop's caps and hours."""

    per_week: int = 2
    per_day: int = 1
    ask_gap: timedelta = timedelta(hours=72)
    day: tuple[time, time] = (time(8), time(20))
    # For SMS, WhatsApp and push.
    loud_day: tuple[time, time] = (time(9), time(20))

    @classmethod
    def of(cls, rules: SendingRules | None) -> "Limits":
        if rules is None:
            return cls()
        return cls(
            per_week=rules.marketing_per_week,
            per_day=rules.marketing_per_day,
            ask_gap=timedelta(hours=rules.ask_gap_hours),
            day=(rules.day_from, rules.day_to),
            loud_day=(rules.loud_from, rules.loud_to),
        )

    def hours(self, channel: str) -> tuple[time, time]:
        """The window of a channel."""
        return self.day if channel == "email" else self.loud_day


@dataclass(frozen=True)
class Past:
    """A message that went, may have gone or is just going to the same person. `klass` is the one of the country."""

    at: datetime
    klass: str
    purpose: str
    title: str = ""
    # Of one that is in hand.
    pk: int | None = None


@dataclass(frozen=True)
class Rival:
    """Another message that is due, or was, and waits for the same person."""

    klass: str
    purpose: str
    topic: str
    planned_for: datetime
    due_at: datetime
    title: str
    pk: int | None = None


@dataclass
class Known:
    """All that counts beside the message, its customer and its order. The defaults hold nothing back."""

    # "sure" or "unclear" when the ledger says that this very message went out.
    sent: str = ""
    # off, review or on; empty for a message that belongs to no flow.
    flow_state: str = ""
    flow_name: str = ""
    flow_gone: bool = False
    version: int = 0
    definition: Definition | None = None
    # The step's own condition to send, and the values that it and the exit conditions ask about.
    send_if: Condition | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    # As conditions.present_status gives it; empty without an order.
    order_status: str = ""
    standing: Standing = field(default_factory=Standing)
    coupon: Coupon | None = None
    troubles: Sequence[Trouble] = ()
    # To the same person, in any order; shared between the messages of a batch.
    past: list[Past] = field(default_factory=list)
    rivals: Sequence[Rival] = ()
    topic: str = "other"
    zones: tuple[ZoneInfo, ...] = ()
    limits: Limits = field(default_factory=Limits)
    test_mode: bool = False
    # Why a person left this topic to the shop or a plugin of it.
    left: str = ""
    # Why nothing leaves ("all sending is paused"), and why no marketing does.
    stopped: str = ""
    guarded: str = ""
    # The mail account refuses: when it is tried again.
    refused_until: datetime | None = None
    # Much is late and leaves little by little: the turn of this message.
    turn: datetime | None = None


def effective_klass(message: Message) -> str:
    """The class that counts for caps: a country may raise it (asking for a review in Germany is marketing)."""
    if message.klass == "T":
        return "T"
    of_country = consent_table.klass(message.purpose, message.customer.country)
    return "M" if "M" in {message.klass, of_country} else message.klass


def takes_slot(message: Message) -> bool:
    """Whether caps count it and hold it: marketing. What an app asked for answers what the person has just done."""
    return not message.request_id and effective_klass(message) == "M"


def asks(message: Message) -> bool:
    """Whether it asks for an opinion."""
    return message.purpose in ASKING
