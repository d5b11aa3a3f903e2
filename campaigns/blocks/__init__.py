"""The blocks a message is made of. Each knows its look (MJML rows) and its written text; both keep Liquid as it is.

A new kind: a function with `@register` in one of the files here, its words in `labels.py`, and a test of both its parts.
"""

from campaigns.blocks import asking, order, words  # noqa: F401  each registers its kinds
from campaigns.blocks.base import FONT, KINDS, SIZES, Block, Built, Field, Kind, Slots
from postpurchase.errors import BusinessError

__all__ = ["FONT", "KINDS", "SIZES", "Block", "Built", "Field", "Kind", "Slots", "build", "empty_fields", "fault"]


def fault(block: Block) -> str:
    """What is wrong with the shape of a block, in words; empty when it can be built."""
    kind = KINDS.get(str(block.get("kind")))
    if kind is None:
        return f"is of the kind {block.get('kind')!r}, which does not exist. Choose one of {', '.join(KINDS)}"
    if missing := empty_fields(block):
        return f"({kind.name}) has no {', '.join(missing)}. Fill it in"
    for field in kind.fields:
        if field.choices and block.get(field.name) and block[field.name] not in field.choices:
            return f"({kind.name}) has no known {field.name}. Choose one of {', '.join(field.choices)}"
    return ""


def empty_fields(block: Block) -> list[str]:
    """The fields that a block of a known kind must have and has not."""
    fields = KINDS[str(block["kind"])].fields
    return sorted(field.name for field in fields if field.required and not _given(block.get(field.name)))


def _given(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def build(block: Block, slots: Slots, *, number: int) -> Built:
    """MJML and written text of one block. BusinessError `template_block` names the block that is not understood."""
    if wrong := fault(block):
        raise BusinessError(f"Block {number} {wrong}. Nothing was saved.", "template_block")
    html, text = KINDS[block["kind"]].build(block, slots)
    when = block.get("when")
    if when:
        opens, closes = "{% if " + str(when) + " %}", "{% endif %}"
        html = f"<mj-raw>{slots.raw(opens)}</mj-raw>{html}<mj-raw>{slots.raw(closes)}</mj-raw>"
        text = opens + text + closes
    return html, text
