"""The events that a step may wait for, and their words: the recorded ones that may also start a flow."""

from typing import Any

from campaigns import triggers
from campaigns.triggers import plain


def is_event(name: str) -> bool:
    """Whether an event of this name may come: one of ours, or a custom one."""
    return name in plain.NAMES or (name.startswith("custom.") and triggers.find(name) is not None)


def choices() -> list[tuple[str, Any]]:
    """Events by name with their words."""
    return [(name, kind.label) for name in plain.NAMES if (kind := triggers.find(name))]


def words_of(name: str) -> str:
    """In words, such as: an order is placed."""
    kind = triggers.find(name)
    return str(kind.label) if kind else name
