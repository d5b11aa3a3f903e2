"""Which message goes first when two want the same slot. The order is written down once, here."""

from collections.abc import Iterable

ORDER = (
    "delay",
    "case",
    "return",
    "renewal",
    "shipping",
    "check-in",
    "review",
    "points",
    "replenishment",
    "second purchase",
    "cross-sell",
    "win-back",
    "dates",
    "other",
)
_RANK = {topic: rank for rank, topic in enumerate(ORDER)}
_RECIPES = {
    "R01": "shipping",
    "R02": "shipping",
    "R03": "delay",
    "R04": "check-in",
    "R05": "shipping",
    "R06": "review",
    "R07": "review",
    "R08": "review",
    "R09": "case",
    "R10": "return",
    "R11": "check-in",
    "R12": "cross-sell",
    "R13": "replenishment",
    "R14": "second purchase",
    "R15": "win-back",
    "R16": "dates",
    "R17": "dates",
    "R18": "renewal",
    "R19": "points",
    "R20": "points",
    "R21": "points",
    "R22": "points",
    "R23": "points",
    "R24": "check-in",
    "R25": "shipping",
}
# What a flow of the merchant's own is about, by the beginning of what starts it.
_STARTS = (
    ("order.late", "delay"),
    ("case.", "case"),
    ("return.", "return"),
    ("withdrawal.", "return"),
    ("refund.", "return"),
    ("order.refunded", "return"),
    ("shipment.", "shipping"),
    ("review.", "review"),
    ("survey.", "review"),
    ("points.", "points"),
    ("reward.", "points"),
    ("tier.", "points"),
    ("credit.", "points"),
    ("replenish", "replenishment"),
    ("reorder", "replenishment"),
    ("win_back", "win-back"),
    ("winback", "win-back"),
    ("birthday", "dates"),
    ("anniversary", "dates"),
    ("date", "dates"),
)
_PURPOSES = {"review": "review", "survey": "review", "loyalty": "points"}


def topic_of(*, recipe: str = "", starts: Iterable[str] = (), purpose: str = "") -> str:
    """What a message is about: by its recipe, else by what is asked, else by what starts its flow."""
    if recipe in _RECIPES:
        return _RECIPES[recipe]
    if purpose in _PURPOSES:
        return _PURPOSES[purpose]
    for name in starts:
        plain = name.removeprefix("time.")
        for start, topic in _STARTS:
            if plain.startswith(start):
                return topic
    return "other"


def rank(topic: str) -> int:
    """Its place in the order; the lowest goes first."""
    return _RANK[topic]
