"""Which of our messages are about what the shop may send itself (`stores.overlap`)."""

from collections.abc import Iterator
from typing import Any

from campaigns.models import Flow, Message
from stores import overlap, registries
from stores.models import Store

# By the name of the text, the longer name first; a merchant's own copy keeps the recipe's name in front.
_TOPICS = (
    ("R01", "received"),
    ("R02.delivered", "delivered"),
    ("R02", "shipped"),
    ("R06", "review"),
    *((recipe, "points") for recipe in ("R19", "R20", "R21", "R22")),
    *((recipe, "back") for recipe in ("R13", "R14", "R15")),
)


def topic(template: str, purpose: str) -> str:
    """The topic of a message, "" for one that no shop sends."""
    found = next((topic for name, topic in _TOPICS if template.startswith(name)), "")
    return found or ("review" if purpose == "review" else "")


def left_to_shop(message: Message) -> str:
    """Why a message is left out, when a person left its topic to the shop, else "". The store is loaded already."""
    about = topic(message.template, message.purpose) if message.flow_id else ""
    return overlap.left_to(message.store, about) if about else ""


def writers(store: Store) -> dict[str, list[str]]:
    """Names of the flows that are on, by the topics of their messages."""
    found: dict[str, list[str]] = {}
    flows = Flow.objects.filter(store=store, state__in=[Flow.State.ON, Flow.State.REVIEW]).select_related("live")
    for flow in flows:
        for about in sorted({topic(name, purpose) for name, purpose in _texts(_steps(flow))} - {""}):
            found.setdefault(about, []).append(flow.name)
    return found


def _steps(flow: Flow) -> Any:
    return flow.live.definition.get("steps", []) if flow.live else []


def _texts(steps: Any) -> Iterator[tuple[str, str]]:
    """(text, purpose) of every message among steps of a flow file, however deep."""
    if isinstance(steps, list):
        for step in steps:
            yield from _texts(step)
    elif isinstance(steps, dict):
        if steps.get("kind") == "send_email":
            yield str(steps.get("template", "")), str(steps.get("purpose", ""))
        for inner in steps.values():
            if isinstance(inner, list):
                yield from _texts(inner)


def register() -> None:
    """Called from `AppConfig.ready()`."""
    registries.add_writers(writers)
