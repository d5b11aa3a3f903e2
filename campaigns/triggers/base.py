"""What starts a flow: kinds of triggers, each a frozen dataclass of its parameters, and the moments that they find.

A kind tells for any span of time whom it would have started (`history`), from the recorded events and the mirror. One that
hears recorded events uses the same code when they happen; one that time brings about is asked for the span since it was
last asked. So preview, dry run, past data and the running flow agree.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.triggers import params as reading
from stores.models import Event, Store

CHUNK = 1000
Subject = Literal["order", "line", "customer"]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A moment at which a flow begins for one person, if its conditions and its re-entry rule allow.

    `key` is unique in the store and the same whenever the moment is reckoned again. `name` is the trigger's.
    """

    at: datetime
    key: str
    customer_id: int
    order_id: int | None = None
    line_id: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    # What it is about: an order that is only at hand (the last one, before a long silence) does not count for re-entry.
    about: Subject = "order"

    def told(self) -> dict[str, Any]:
        """What conditions and messages see of it."""
        return {"name": self.name, **self.payload}


@dataclass(frozen=True)
class TriggerKind:
    """A kind of trigger. `label` reads after "When": "an order is paid"; `subject` is what an enrolment is about."""

    name: str
    label: Any
    group: Any
    subject: Subject
    params: "type[Trigger]"

    @property
    def timed(self) -> bool:
        """Time alone brings it about."""
        return issubclass(self.params, Timed)

    def history(self, store: Store, params: "Trigger", since: datetime, until: datetime) -> Iterator[Occurrence]:
        """Whom it would have started in [since, until), ordered by time."""
        return params.history(store, since, until)


class Trigger:
    """The parameters of a kind of trigger: a frozen dataclass, whose fields are the schema of the flow file."""

    kind: ClassVar[TriggerKind]

    def faults(self) -> list[str]:
        """What is wrong with well-typed parameters, a sentence for each fault."""
        return []

    def sentence(self) -> str:
        """What starts the flow, as it reads after "When"."""
        return str(self.kind.label)

    def hears(self) -> tuple[str, ...]:
        """The recorded events that bring it about; none for what time brings."""
        return ()

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        """What some of the events that it hears bring about, in their order."""
        return []

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        """Whom it would have started in [since, until), ordered by time; read in chunks."""
        for page in recorded(store, self.hears(), since, until):
            yield from self.occurrences(store, page)


class Timed(Trigger):
    """A trigger that time brings about: `history` of the span since it was last asked is what starts now.

    It is asked no more often than `every`, and each time for `overlap` once more, for what reached us late.
    """

    every: ClassVar[timedelta] = timedelta(minutes=15)
    overlap: ClassVar[timedelta] = timedelta(0)

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        raise NotImplementedError


def recorded(store: Store, names: Sequence[str], since: datetime, until: datetime) -> Iterator[list[Event]]:
    """The recorded events of these names in [since, until) that are about a person, by time, a chunk at a time."""
    found = Event.objects.filter(store=store, name__in=names, at__lt=until, customer__isnull=False)
    start = Q(at__gte=since)
    while page := list(found.filter(start).order_by("at", "pk")[:CHUNK]):
        yield page
        if len(page) < CHUNK:
            return
        last = page[-1]
        start = Q(at__gt=last.at) | Q(at=last.at, pk__gt=last.pk)


def as_occurrence(event: Event, **changes: Any) -> Occurrence:
    """The event itself as a moment."""
    assert event.customer_id is not None
    plain = Occurrence(event.at, event.key, event.customer_id, event.order_id, None, event.payload, event.name)
    return replace(plain, **changes) if changes else plain


_kinds: dict[str, TriggerKind] = {}
# Kinds whose names are not known beforehand: prefix and how to make one of that name.
_families: dict[str, Callable[[str], TriggerKind | None]] = {}
T = TypeVar("T", bound=type[Trigger])


def register(name: str, *, label: Any, group: Any, subject: Subject = "order") -> Callable[[T], T]:
    """Name a kind of trigger; decorates its dataclass."""

    def add(cls: T) -> T:
        cls.kind = _kinds[name] = TriggerKind(name, label, group, subject, cls)
        return cls

    return add


def register_family(prefix: str, make: Callable[[str], TriggerKind | None]) -> None:
    """Make kinds of names that begin with `prefix` when they are asked for."""
    _families[prefix] = make


def kinds() -> Mapping[str, TriggerKind]:
    """All kinds whose names are known, by name."""
    return _kinds


def find(name: str) -> TriggerKind | None:
    """The kind of that name."""
    if name in _kinds:
        return _kinds[name]
    return next((make(name) for prefix, make in _families.items() if name.startswith(prefix)), None)


@dataclass(frozen=True)
class Start:
    """A checked trigger of a flow: one kind with its parameters, or several plain ones."""

    triggers: tuple[Trigger, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(trigger.kind.name for trigger in self.triggers)

    @property
    def hears(self) -> frozenset[str]:
        """The recorded events that may start the flow."""
        return frozenset(name for trigger in self.triggers for name in trigger.hears())

    @property
    def timed(self) -> tuple[Timed, ...]:
        """Those of its triggers that time brings about."""
        return tuple(trigger for trigger in self.triggers if isinstance(trigger, Timed))

    def sentence(self) -> str:
        """ "When an order is paid, placed or changes its status"."""
        said = [trigger.sentence() for trigger in self.triggers]
        if all(words.startswith("an order ") for words in said):
            # In English the order is named once.
            drop = "an order is " if said[0].startswith("an order is ") else "an order "
            said[1:] = [words.removeprefix(drop).removeprefix("an order ") for words in said[1:]]
        what = _(" or ").join([part for part in (", ".join(said[:-1]), said[-1]) if part])
        return _("When %(what)s") % {"what": what}

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        """What recorded events bring about."""
        found: list[Occurrence] = []
        for trigger in self.triggers:
            heard = trigger.hears()
            found += trigger.occurrences(store, [event for event in events if event.name in heard])
        return found

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        """Whom the flow would have started in [since, until), before its conditions, ordered by time."""
        each = [trigger.history(store, since, until) for trigger in self.triggers]
        return heapq.merge(*each, key=lambda one: (one.at, one.key))


# Keys of a flow file's trigger that are no parameters.
COMMON = ("event", "where")


def names_of(trigger: Mapping[str, Any]) -> list[str]:
    """The events that a flow file's trigger names."""
    event = trigger.get("event")
    return [str(each) for each in event] if isinstance(event, list) else [str(event)]


def build(trigger: Any) -> tuple[Start | None, list[str]]:
    """The trigger of a flow file, or None and a sentence for each fault. Its condition (`where`) is not looked at."""
    if not isinstance(trigger, Mapping) or not trigger.get("event"):
        return None, [_("trigger has event and, if wanted, where and the settings of that event.")]
    names = names_of(trigger)
    settings = {key: value for key, value in trigger.items() if key not in COMMON}
    if len(names) > 1 and settings:
        return None, [
            _("trigger: %(settings)s can be set for one event only, not for several.")
            % {"settings": ", ".join(map(str, settings))}
        ]
    built: list[Trigger] = []
    wrong: list[str] = []
    for name in names:
        kind = find(name)
        if kind is None:
            known = ", ".join(sorted(_kinds))
            wrong.append(_("trigger: %(name)r starts no flow. Known are %(known)s.") % {"name": name, "known": known})
            continue
        made, faults = reading.read(kind.params, settings)
        faults = faults or (made.faults() if made else [])
        wrong += [f"trigger: {fault}" for fault in faults]
        if made and not faults:
            built.append(made)
    return (None, wrong) if wrong else (Start(tuple(built)), [])
