"""From a saved text and a context to the mail of one person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns import content, liquid
from campaigns.layout import HTML_LIMIT
from campaigns.models import MessageTemplate, TemplateVersion
from postpurchase.errors import BusinessError

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")
SUBJECT_LENGTH = 200
COSTLY = ("picks",)


@dataclass(frozen=True)
class Rendered:
    """What is handed to a channel. `subject` and `preheader` are one line each."""

    subject: str
    preheader: str
    html: str
    text: str


def one_line(value: str, *, length: int = SUBJECT_LENGTH) -> str:
    """Safe in a header: no line breaks, no control or direction characters, no more than `length` characters."""
    return " ".join(_BIDI.sub("", _CONTROL.sub(" ", value)).split())[:length]


def render(content_: TemplateVersion | MessageTemplate, context: Mapping[str, Any], *, language: str) -> Rendered:
    """Fill a message for one person; a template gives its newest version in the language (else the store's, else English).

    BusinessError: `template_variable`, `template_limit`, `template_missing`, `message_too_large`; nothing was sent.
    """
    version = content_ if isinstance(content_, TemplateVersion) else content.version_for(content_, language)
    return fill(version.subject, version.preheader, version.html, version.text, context)


def fill(subject: str, preheader: str, html: str, text: str, context: Mapping[str, Any]) -> Rendered:
    """The four Liquid sources of a mail, filled for one person. BusinessError as `render`."""
    liquid.plain(context)
    with liquid.watched():
        written = liquid.fill_plain(text, context, part="text")
        page = liquid.fill_plain(html, context, part="html")
        head = one_line(liquid.fill_plain(subject, context, part="subject"))
        before = one_line(liquid.fill_plain(preheader, context, part="preheader"))
    # An ASCII character is a byte, and most mails are nearly all ASCII: count only where it may matter.
    if len(page) > HTML_LIMIT or (len(page) * 4 > HTML_LIMIT and len(page.encode()) > HTML_LIMIT):
        raise BusinessError(
            "The message is larger than 100 KB, and mail programs would cut it. Nothing was sent. "
            "Take blocks or words out of the template.",
            "message_too_large",
        )
    return Rendered(subject=head, preheader=before, html=page, text=_tidy(written))


def wants(version: TemplateVersion) -> frozenset[str]:
    """The parts of the context that cost queries of their own and that this text uses: give them to `build_context`."""
    return frozenset(name for name in COSTLY if f"{name}." in version.html or f"{name}." in version.text)


def wants_of(blocks: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The same for a text that is not compiled."""
    told = " ".join(str(value) for block in blocks for value in block.values())
    return frozenset(
        name for name in COSTLY if f"{name}." in told or any(block.get("kind") == "products" for block in blocks)
    )


def _tidy(text: str) -> str:
    """No trailing blanks, no more than one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
