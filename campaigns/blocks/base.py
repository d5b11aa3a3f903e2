"""What all blocks share: how Liquid is held while a mail is compiled, the looks, and the register of kinds.

A block is a dict: `kind`, the fields of its kind, and optionally `when`, a Liquid condition, and `id`, by which its words in
other languages are found. Widths and colours follow one format: 600 px, tables, inline styles, classes only for dark mode
and phones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

FONT = "system-ui,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif"
_SLOT = re.compile(r"qz(\d{4})zq")
_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_OUTPUT = re.compile(r"\{\{(.*?)-?\}\}", re.DOTALL)
# A link whose beginning the merchant wrote: what follows cannot change where it leads.
_FIXED = re.compile(r"(?:https?://[^\s{]|mailto:|tel:)", re.IGNORECASE)


class Slots:
    """Takes Liquid out of the way of the MJML and HTML compilers and puts it back afterwards, character by character."""

    def __init__(self) -> None:
        self._held: list[str] = []

    def raw(self, source: str) -> str:
        """A placeholder that survives in text, in attributes and between rows of a table."""
        self._held.append(source)
        return f"qz{len(self._held) - 1:04d}zq"

    def words(self, source: str) -> str:
        """A merchant's words: escaped, line breaks kept, Liquid held."""
        parts, last = [], 0
        for found in _LIQUID.finditer(source):
            parts += [escape(source[last : found.start()]), self.raw(found.group())]
            last = found.end()
        parts.append(escape(source[last:]))
        return "".join(parts).strip().replace("\n", "<br />")

    def address(self, source: str) -> str:
        """A link or picture as an attribute: what Liquid puts at its beginning must be an address of the web or of mail."""
        source = source.strip()
        if _FIXED.match(source):
            return self.words(source)
        return self.words(_OUTPUT.sub(lambda found: f"{{{{{found.group(1)}| web }}}}", source))

    def held(self, slot: str) -> str:
        """What a placeholder stands for; empty when it is none."""
        found = _SLOT.fullmatch(slot)
        return self._held[int(found.group(1))] if found and int(found.group(1)) < len(self._held) else ""

    def markup(self, source: str) -> str:
        """Our own markup: Liquid held, the rest as it is."""
        return _LIQUID.sub(lambda found: self.raw(found.group()), source)

    def hide_raw(self, mjml: str) -> str:
        """Table rows and loops of ours pass the compiler unread."""
        return re.sub(
            r"<mj-raw>(.*?)</mj-raw>",
            lambda found: f"<mj-raw>{self.raw(found.group(1))}</mj-raw>",
            mjml,
            flags=re.DOTALL,
        )

    def restore(self, compiled: str) -> str:
        """Everything back in its place; what is held may hold more."""
        while "qz" in compiled and (changed := _SLOT.sub(self._of, compiled)) != compiled:
            compiled = changed
        return compiled

    def _of(self, found: re.Match[str]) -> str:
        return self._held[int(found.group(1))]


Built = tuple[str, str]
Block = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """One field of a kind of block. `words` are written anew in each language; the others are the same in all.

    `widget` is how the editor asks for it: line, text, address, html or choice (then `choices` are the values). What
    it is called stands in `campaigns.blocks.labels`.
    """

    name: str
    words: bool = True
    required: bool = True
    widget: str = "line"
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of block: its builder, its fields, and the variable without which it has nothing to say ("order")."""

    name: str
    build: Callable[[Block, Slots], Built]
    fields: tuple[Field, ...] = ()
    needs: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """The fields that must be written in each language."""
        return tuple(field.name for field in self.fields if field.words and field.required)


KINDS: dict[str, Kind] = {}
_Builder = Callable[[Block, Slots], Built]


def register(name: str, *fields: Field, needs: str = "") -> Callable[[_Builder], _Builder]:
    """Make a function the builder of a kind of block."""

    def keep(build: _Builder) -> _Builder:
        KINDS[name] = Kind(name, build, fields, needs)
        return build

    return keep


SIZES = {"normal": (16, 26, "t1", "#1F2328"), "soft": (16, 26, "t2", "#4F565E"), "small": (14, 22, "t2", "#4F565E")}


def style(size: int, line: int, colour: str, weight: int = 400, extra: str = "") -> str:
    return f"font-family:{FONT};font-size:{size}px;line-height:{line}px;font-weight:{weight};color:{colour};{extra}"


def row(inner: str, *, padding: str) -> str:
    return f'<mj-raw><tr><td class="pad" style="padding:{padding}">{inner}</td></tr></mj-raw>'


def mj_text(inner: str, *, padding: str, size: int, line: int, css: str, colour: str, weight: int = 400) -> str:
    return (
        f'<mj-text css-class="pad {css}" padding="{padding}" font-size="{size}px" line-height="{line}px" '
        f'font-weight="{weight}" color="{colour}">{inner}</mj-text>'
    )


def title(text: str, *, top: int = 28) -> str:
    inner = f'<h2 style="margin:0;font-size:18px;line-height:26px;font-weight:600">{text}</h2>'
    return mj_text(inner, padding=f"{top}px 32px 0", size=18, line=26, css="t1", colour="#1F2328", weight=600)


def picture(name: str) -> str:
    return (
        f'<img src="{{{{ {name}.image }}}}" width="72" height="72" alt="{{{{ {name}.alt }}}}" class="ln" '
        'style="display:block;border:1px solid #DCDCD7;border-radius:6px;'
        f'{style(13, 18, "#4F565E")}" />'
    )


def outline(words: str, url: str, *, width: str = "") -> str:
    return (
        f'<td class="ob" align="center"{width} style="border:1px solid #82888F;border-radius:6px"><a class="t1" href="{url}" '
        f'style="display:inline-block;padding:11px 24px;{style(16, 24, "#1F2328", 600)}text-decoration:none">{words}</a></td>'
    )
