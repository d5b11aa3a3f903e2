"""A merchant's own HTML: cleaned of all that acts or loads, with its Liquid kept in place.

Outputs become words while it is cleaned and control tags become comments, which may stand between rows of a table.
"""

import re

import nh3

from campaigns.blocks.base import Slots

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"\{%.*?%\}", re.DOTALL)
_OUT = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_HELD_TAG = re.compile(r"<!--(qz\d{4}zq)-->")
_ADDRESS = re.compile(r'\b(href|src)="([^"]*)"')
_SLOT = re.compile(r"qz\d{4}zq")
_FIXED = re.compile(r"(?:https?://\S|mailto:|tel:)", re.IGNORECASE)
_STYLE = re.compile(r'\sstyle="([^"]*)"')

TAGS = frozenset(
    "a b blockquote br center code div em font h1 h2 h3 h4 hr i img li ol p pre s small span strong sub sup table tbody td "  # noqa: SIM905
    "tfoot th thead tr u ul".split()
)
_LOOK = frozenset({"align", "valign", "width", "height", "bgcolor", "dir", "lang"})
_ATTRIBUTES = {tag: set(_LOOK | {"style"}) for tag in TAGS} | {
    "a": {"href", "title", "style"},
    "img": {"src", "alt", "width", "height", "style"},
    "table": set(_LOOK | {"style", "role", "border", "cellpadding", "cellspacing"}),
    "td": set(_LOOK | {"style", "colspan", "rowspan"}),
    "th": set(_LOOK | {"style", "colspan", "rowspan", "scope"}),
    "font": {"color", "size"},
}
_STYLES = frozenset(
    "background-color border border-bottom border-collapse border-left border-radius border-right border-top color "  # noqa: SIM905
    "direction display font-family font-size font-style font-weight height letter-spacing line-height margin margin-bottom "
    "margin-left margin-right margin-top max-width padding padding-bottom padding-left padding-right padding-top text-align "
    "text-decoration text-transform vertical-align white-space width".split()
)


def cleaned(source: str, slots: Slots) -> str:
    """The HTML without scripts, forms, frames, handlers, comments and foreign addresses; Liquid is held in `slots`.

    What a variable puts at the beginning of a link must be an address of the web, and none stands in a style.
    """
    bare = _COMMENT.sub("", source)
    bare = _TAG.sub(lambda found: f"<!--{slots.raw(found.group())}-->", bare)
    bare = _OUT.sub(lambda found: slots.raw(found.group()), bare)
    safe = nh3.clean(
        bare,
        tags=set(TAGS),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "tel"},
        strip_comments=False,
        link_rel=None,
        filter_style_properties=set(_STYLES),
    )
    safe = _HELD_TAG.sub(r"\1", safe)
    safe = _STYLE.sub(lambda found: "" if re.search(r"qz\d{4}zq|url\(", found.group(1)) else found.group(), safe)
    return _ADDRESS.sub(lambda found: f'{found.group(1)}="{_address(found.group(2), slots)}"', safe)


def _address(value: str, slots: Slots) -> str:
    if _FIXED.match(value):
        return value
    if ":" in _SLOT.sub("", value):
        return ""  # words before or after Liquid would make it an address of another kind

    def checked(found: re.Match[str]) -> str:
        held = slots.held(found.group())
        return slots.address(held) if held.startswith("{{") else found.group()

    return _SLOT.sub(checked, value)


_ACTS = re.compile(
    r"<\s*/?\s*(?:script|style|iframe|object|embed|form|input|button|link|meta|base|svg|video|audio)\b|\son\w+\s*=|"
    r"(?:javascript|data|vbscript):|url\(|expression\(",
    re.IGNORECASE,
)


def takes_away(source: str) -> bool:
    """Whether the HTML holds something that acts or loads, which `cleaned` leaves out."""
    return _ACTS.search(source) is not None
