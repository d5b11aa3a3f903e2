"""What starts flows. One file for each kind or family of kinds; a new kind is a new file here, imported below.

Entering (`campaigns.triggers.entering`) is apart, because it needs flow files, which need the kinds.
"""

from campaigns.triggers import dates, delivery, manual, orders, plain, products, replenish, segments, silence
from campaigns.triggers.base import (
    Occurrence,
    Start,
    Timed,
    Trigger,
    TriggerKind,
    build,
    find,
    kinds,
    names_of,
)
from campaigns.triggers.reentry import Entry, Reentry

__all__ = [
    "Entry",
    "Occurrence",
    "Reentry",
    "Start",
    "Timed",
    "Trigger",
    "TriggerKind",
    "build",
    "dates",
    "delivery",
    "find",
    "kinds",
    "manual",
    "names_of",
    "orders",
    "plain",
    "products",
    "replenish",
    "segments",
    "silence",
]
