"""What is looked at before a mail may go out: pure functions over its written parts, each finding in words.

`stop` keeps a text from being used and a flow from being published; `warn` is worth a look; `ok` says what was looked at.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.blocks import Block
from campaigns.blocks import markup as cleaning
from campaigns.rendering import Rendered
from postpurchase import colours

STOP, WARN, OK = "stop", "warn", "ok"
SUBJECT_GOOD, SUBJECT_MOST = 50, 78
PREHEADER_LEAST, PREHEADER_MOST = 40, 90
SIZE_GOAL, SIZE_WARN, SIZE_STOP = 60_000, 80_000, 100_000
TEXT_LEAST = 40

_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r'\balt="([^"]*)"', re.IGNORECASE)
_HREF = re.compile(r'<a\b[^>]*?\bhref="([^"]*)"', re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b(?![^>]*\bhref=)[^>]*>", re.IGNORECASE)
_STYLED = re.compile(r'\bstyle="([^"]*)"', re.IGNORECASE)
_COLOUR = re.compile(r"(?:^|;)\s*color:\s*(#[0-9a-fA-F]{6})\b")
_GROUND = re.compile(r"(?:^|;)\s*background(?:-color)?:\s*(#[0-9a-fA-F]{6})\b")
_ELEMENT = re.compile(r"</?[a-zA-Z][^>]*>")
# Words of an offer, as they begin; in a message about an order they make it advertising.
PROMOTIONAL = {
    "en": (
        r"sale|discounts?|\d+ ?% off|special offer|limited offer|buy now|shop now|deals?|promo\w*|coupons?|free shipping|"
        r"don.t miss|new collection|best ?sellers?|last chance|save \d+"
    ),
    "ro": (
        r"reducer\w*|ofert[aăe]\w*|promo[tțţ]\w*|cump[aă]r[aă](?:ți)? acum|transport gratuit|cupo[nă]\w*|voucher\w*|chilipir\w*|"
        r"lichid[aă]r\w*|nu rata\w*|ultima [sș]ans[aă]|economisi\w*|colec[tț]i[ae] nou[aă]"
    ),
    "id": (
        r"diskon\w*|promo\w*|penawaran\w*|gratis ongkir|beli sekarang|belanja sekarang|kupon\w*|voucher\w*|hemat\w*|obral\w*|"
        r"jangan lewatkan|koleksi (?:baru|terbaru)|cuci gudang"
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `rule` is stable; `block` is the block's number from 1, 0 for the whole mail."""

    level: str
    rule: str
    words: str
    block: int = 0


@dataclass(frozen=True)
class Mail:
    """What is checked: the blocks as they were written, and the mail as one person would get it."""

    klass: str
    language: str
    blocks: Sequence[Block]
    rendered: Rendered
    unsubscribe: str | None = None


def check(mail: Mail) -> list[Finding]:
    """All findings, the gravest first and else in the order of the rules."""
    looked = (subject, preheader, size, pictures, contrast, links, unsubscribe, promotion, markup, text_part)
    found = [finding for look in looked for finding in look(mail)]
    return sorted(found, key=lambda one: (STOP, WARN, OK).index(one.level))


def stops(found: Sequence[Finding]) -> list[Finding]:
    """Those that keep the text from being used."""
    return [one for one in found if one.level == STOP]


def subject(mail: Mail) -> Iterator[Finding]:
    length = len(mail.rendered.subject)
    if not length:
        yield Finding(STOP, "subject", _("The subject is empty. Write one."))
    elif length > SUBJECT_MOST:
        words = _("The subject has %(n)d characters; most programs cut it at about %(most)d.")
        yield Finding(WARN, "subject", words % {"n": length, "most": SUBJECT_MOST})
    elif length > SUBJECT_GOOD:
        words = _("The subject has %(n)d characters; phones show about %(good)d.")
        yield Finding(WARN, "subject", words % {"n": length, "good": SUBJECT_GOOD})
    else:
        yield Finding(OK, "subject", _("Subject: %(n)d characters") % {"n": length})


def preheader(mail: Mail) -> Iterator[Finding]:
    length = len(mail.rendered.preheader)
    if not length:
        yield Finding(STOP, "preheader", _("There is no preheader. Write the line that stands after the subject."))
    elif not PREHEADER_LEAST <= length <= PREHEADER_MOST:
        words = _("The preheader has %(n)d characters; %(least)d to %(most)d are best.")
        yield Finding(WARN, "preheader", words % {"n": length, "least": PREHEADER_LEAST, "most": PREHEADER_MOST})
    else:
        yield Finding(OK, "preheader", _("Preheader: %(n)d characters") % {"n": length})


def size(mail: Mail) -> Iterator[Finding]:
    length = len(mail.rendered.html.encode())
    shown = {"n": f"{length / 1000:.0f}"}
    if length > SIZE_STOP:
        words = _("The mail has %(n)s KB; Gmail cuts it at 102 KB, with the unsubscribe link. Take blocks out.")
        yield Finding(STOP, "size", words % shown)
    elif length > SIZE_WARN:
        yield Finding(WARN, "size", _("The mail has %(n)s KB; from 100 KB on it is not sent.") % shown)
    else:
        yield Finding(OK, "size", _("Size: %(n)s KB") % shown)


def pictures(mail: Mail) -> Iterator[Finding]:
    images = _IMAGE.findall(mail.rendered.html)
    bare = sum(_ALT.search(image) is None for image in images)
    for number, block in enumerate(mail.blocks, 1):
        if block.get("kind") == "image" and not str(block.get("alt") or "").strip():
            yield Finding(STOP, "alt", _("The picture has no words for those who do not see it."), number)
    if bare:
        words = ngettext(
            "%(n)d picture has no alt text. Many people read with pictures off.",
            "%(n)d pictures have no alt text. Many people read with pictures off.",
            bare,
        )
        yield Finding(STOP, "alt", words % {"n": bare}, _first_with(mail, "html", "<img"))
    elif images:
        yield Finding(OK, "alt", _("Every picture has an alt text"))


def contrast(mail: Mail) -> Iterator[Finding]:
    worst: tuple[float, int, str] | None = None
    for number, block in enumerate(mail.blocks, 1):
        if block.get("kind") != "html":
            continue
        for styles in _STYLED.findall(str(block.get("html") or "")):
            ink, ground = _COLOUR.search(styles), _GROUND.search(styles)
            if ink:
                ratio = colours.contrast(ink.group(1), ground.group(1) if ground else "#FFFFFF")
                if ratio < colours.READABLE and (worst is None or ratio < worst[0]):
                    worst = ratio, number, ink.group(1)
    if worst:
        words = _("Words in %(colour)s are hard to read: contrast %(ratio).1f, at least 4.5 is needed.")
        yield Finding(WARN, "contrast", words % {"colour": worst[2], "ratio": worst[0]}, worst[1])
    else:
        yield Finding(OK, "contrast", _("Words can be read on their ground"))


def links(mail: Mail) -> Iterator[Finding]:
    fields = ("url", "left_url", "right_url", "src")
    said: set[str] = set()
    for number, block in enumerate(mail.blocks, 1):
        for name in fields:
            address = str(block.get(name) or "").strip()
            if address and (fault := _fault_of(address)):
                said.add(address)
                yield Finding(STOP, "links", fault % {"address": address[:80]}, number)
    rendered = [unescape(address).strip() for address in _HREF.findall(mail.rendered.html)]
    empty = sum(not address for address in rendered) + len(_ANCHOR.findall(mail.rendered.html))
    if empty:
        words = ngettext("%(n)d link leads nowhere.", "%(n)d links lead nowhere.", empty)
        yield Finding(STOP, "links", words % {"n": empty})
    for address in dict.fromkeys(rendered):
        if address and address not in said and (fault := _fault_of(address)):
            said.add(address)
            yield Finding(STOP, "links", fault % {"address": address[:80]})
    if not said and not empty:
        n = len(rendered)
        yield Finding(OK, "links", ngettext("%(n)d link leads somewhere", "%(n)d links lead somewhere", n) % {"n": n})


def _fault_of(address: str) -> str:
    """What is wrong with an address, as a sentence with %(address)s in it; empty when it is none or begins with Liquid."""
    if address.startswith(("{{", "{%")):
        return ""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return _("“%(address)s” is no address.")
    if parts.scheme in {"mailto", "tel"}:
        return "" if parts.path else _("“%(address)s” names nobody.")
    if parts.scheme not in {"http", "https"}:
        return _("“%(address)s” does not begin with https://.")
    if not host or ("{" not in host and "." not in host and host != "localhost" and host != "testserver"):
        return _("“%(address)s” has no complete host.")
    return ""


def unsubscribe(mail: Mail) -> Iterator[Finding]:
    if mail.klass == "T":
        yield Finding(OK, "unsubscribe", _("About an order: no unsubscribe link is needed"))
        return
    missing = not mail.unsubscribe or any(
        mail.unsubscribe not in part for part in (unescape(mail.rendered.html), mail.rendered.text)
    )
    if missing:
        words = _("There is no unsubscribe link. A message of this class may not go out without one.")
        yield Finding(STOP, "unsubscribe", words)
    else:
        yield Finding(OK, "unsubscribe", _("The unsubscribe link is there"))


def promotion(mail: Mail) -> Iterator[Finding]:
    if mail.klass != "T":
        return
    for number, block in enumerate(mail.blocks, 1):
        if block.get("kind") in {"coupon", "products"}:
            words = _("An offer in a message about an order makes it advertising, which needs consent.")
            yield Finding(WARN, "promotion", words, number)
    told = " ".join([mail.rendered.subject, mail.rendered.preheader, mail.rendered.text])
    # Most shops mix their own language with English.
    patterns = {PROMOTIONAL["en"], PROMOTIONAL.get(mail.language.split("-")[0], PROMOTIONAL["en"])}
    found: dict[str, None] = {}
    for pattern in sorted(patterns):
        for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", told, re.IGNORECASE):
            found.setdefault(match.group().lower())
    if found:
        words = _("Words of an offer in a message about an order: %(words)s. Take them out, or change the class.")
        yield Finding(WARN, "promotion", words % {"words": ", ".join(list(found)[:6])})
    else:
        yield Finding(OK, "promotion", _("No words of an offer"))


def markup(mail: Mail) -> Iterator[Finding]:
    for number, block in enumerate(mail.blocks, 1):
        if block.get("kind") == "html" and cleaning.takes_away(str(block.get("html") or "")):
            words = _("Parts of your HTML act or load by themselves; they are left out. Look at the preview.")
            yield Finding(WARN, "markup", words, number)


def text_part(mail: Mail) -> Iterator[Finding]:
    text = mail.rendered.text.strip()
    if len(text) < TEXT_LEAST:
        yield Finding(STOP, "text", _("The text part says nearly nothing. Write a text block."))
    elif _ELEMENT.search(text):
        yield Finding(STOP, "text", _("The text part holds HTML. Write it in words."))
    elif any(len(line) > 900 for line in text.splitlines()):
        yield Finding(WARN, "text", _("A line of the text part is longer than 900 characters. Break it."))
    else:
        yield Finding(OK, "text", _("The text part can be read"))


def _first_with(mail: Mail, name: str, part: str) -> int:
    return next(
        (number for number, block in enumerate(mail.blocks, 1) if part in str(block.get(name) or "").lower()), 0
    )
