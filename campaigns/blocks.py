"""The blocks a message is made of. Each knows its look (MJML rows) and its written text; both keep Liquid as it is.

A block is a dict: `kind`, the kind's own words, and optionally `when`, a Liquid condition. Widths and colours follow one
format: 600 px, tables, inline styles, and classes only for dark mode and phones.
"""

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from django.utils.translation import gettext as _

from postpurchase.errors import BusinessError

FONT = "system-ui,'Segoe UI',Roboto,'Noto Sans',Arial,sans-serif"
_SLOT = re.compile(r"qz(\d{4})zq")
_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


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
_SIZES = {"normal": (16, 26, "t1", "#1F2328"), "soft": (16, 26, "t2", "#4F565E"), "small": (14, 22, "t2", "#4F565E")}


def _style(size: int, line: int, colour: str, weight: int = 400, extra: str = "") -> str:
    return f"font-family:{FONT};font-size:{size}px;line-height:{line}px;font-weight:{weight};color:{colour};{extra}"


def _row(inner: str, *, padding: str) -> str:
    return f'<mj-raw><tr><td class="pad" style="padding:{padding}">{inner}</td></tr></mj-raw>'


def _mj_text(inner: str, *, padding: str, size: int, line: int, css: str, colour: str, weight: int = 400) -> str:
    return (
        f'<mj-text css-class="pad {css}" padding="{padding}" font-size="{size}px" line-height="{line}px" '
        f'font-weight="{weight}" color="{colour}">{inner}</mj-text>'
    )


def _heading(block: Block, slots: Slots) -> Built:
    text = slots.words(block["text"])
    head = f'<h1 class="h1" style="margin:0;font-size:28px;line-height:36px;font-weight:600">{text}</h1>'
    html = _mj_text(head, padding="32px 32px 0", size=28, line=36, css="t1", colour="#1F2328", weight=600)
    return html, block["text"]


def _text(block: Block, slots: Slots) -> Built:
    size, line, css, colour = _SIZES[block.get("tone", "normal")]
    inner = slots.words(block["text"])
    return _mj_text(inner, padding="8px 32px 0", size=size, line=line, css=css, colour=colour), block["text"].strip()


def _title(text: str, *, top: int = 28) -> str:
    inner = f'<h2 style="margin:0;font-size:18px;line-height:26px;font-weight:600">{text}</h2>'
    return _mj_text(inner, padding=f"{top}px 32px 0", size=18, line=26, css="t1", colour="#1F2328", weight=600)


def _delivery(block: Block, slots: Slots) -> Built:
    inner = slots.markup(
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
        '<td class="well" style="background-color:#F6F6F4;border-radius:6px;padding:16px">'
        f'<span class="t2" style="{_style(14, 22, "#4F565E")}">{{{{ delivery.label }}}}</span><br />'
        f'<span class="t1" style="{_style(20, 28, "#1F2328", 600)}">{{{{ delivery.window }}}}</span>'
        f'{{% if delivery.to %}}<br /><span class="t2" style="{_style(14, 22, "#4F565E")}">{{{{ delivery.to }}}}</span>'
        "{% endif %}</td></tr></table>"
    )
    text = "{{ delivery.label }}: {{ delivery.window }}{% if delivery.to %}\n{{ delivery.to }}{% endif %}"
    return (
        f"<mj-raw>{slots.raw('{% if delivery.window %}')}</mj-raw>{_row(inner, padding='20px 32px 0')}"
        f"<mj-raw>{slots.raw('{% endif %}')}</mj-raw>",
        "{% if delivery.window %}" + text + "{% endif %}",
    )


def _picture(name: str) -> str:
    return (
        f'<img src="{{{{ {name}.image }}}}" width="72" height="72" alt="{{{{ {name}.alt }}}}" class="ln" '
        'style="display:block;border:1px solid #DCDCD7;border-radius:6px;'
        f'{_style(13, 18, "#4F565E")}" />'
    )


def _items(block: Block, slots: Slots) -> Built:
    # Words stand outside the f-strings, where the extractor finds them.
    item, price = escape(_("Item")), escape(_("Price"))
    head = _style(13, 20, "#4F565E")
    cell = "border-top:1px solid #DCDCD7;" + _style(16, 24, "#1F2328")
    total = _style(16, 24, "#4F565E")
    table = slots.markup(
        '<table width="100%" cellpadding="0" cellspacing="0" border="0" style="border-collapse:collapse">'
        f'<tr><th scope="col" class="t2" align="left" colspan="2" style="padding:0 0 6px;{head}">{item}</th>'
        f'<th scope="col" class="t2" align="right" style="padding:0 0 6px;{head}">{price}</th></tr>'
        "{% for item in order.items %}<tr>"
        '{% if order.pictures %}<td class="ln" width="74" style="padding:12px 0;border-top:1px solid #DCDCD7">'
        f"{{% if item.image %}}{_picture('item')}{{% endif %}}</td>{{% endif %}}"
        '<th scope="row" class="t1 ln" align="left"{% unless order.pictures %} colspan="2"{% endunless %} '
        f'style="padding:12px 14px 12px {{% if order.pictures %}}14px{{% else %}}0{{% endif %}};{cell}">{{{{ item.name }}}}<br />'
        '<span class="t2" style="font-size:14px;line-height:20px;color:#4F565E">{{ item.pieces }}</span></th>'
        f'<td class="t1 ln" align="right" style="padding:12px 0;{cell}white-space:nowrap">{{{{ item.total }}}}</td></tr>'
        "{% endfor %}"
        '<tr><td class="ln" colspan="3" style="border-top:1px solid #DCDCD7;font-size:0;line-height:8px;height:8px">'
        "&#160;</td></tr>"
        "{% for line in order.lines %}"
        f'<tr><th scope="row" class="t2" colspan="2" align="left" style="padding:4px 0;{total}">{{{{ line.label }}}}</th>'
        f'<td class="t2" align="right" style="padding:4px 0;{total}white-space:nowrap">{{{{ line.amount }}}}</td></tr>'
        "{% endfor %}"
        f'<tr><th scope="row" class="t1 ln" colspan="2" align="left" style="padding:10px 0;{cell}font-weight:600">'
        f'{{{{ order.total_label }}}}</th><td class="t1 ln" align="right" style="padding:10px 0;{cell}font-weight:600;'
        'white-space:nowrap">{{ order.total }}</td></tr></table>'
    )
    text = (
        f"{block['title']}\n\n"
        "{% for item in order.items %}{{ item.name }}\n  {{ item.pieces }}, {{ item.total }}\n{% endfor %}\n"
        "{% for line in order.lines %}{{ line.label }}: {{ line.amount }}\n{% endfor %}"
        "{{ order.total_label }}: {{ order.total }}"
    )
    return _title(slots.words(block["title"])) + _row(table, padding="12px 32px 0"), text


def _tracking(block: Block, slots: Slots) -> Built:
    follow = escape(_("Follow the parcel"))
    rows = slots.markup(
        "{% for parcel in parcels %}"
        f'<tr><td class="pad t1" style="padding:8px 32px 0;{_style(16, 26, "#1F2328")}">'
        '{{ parcel.words }}{% if parcel.url %}<br /><a class="lk" href="{{ parcel.url }}" style="color:{{ shop.accent }};'
        f'text-decoration:underline">{follow}</a>{{% endif %}}</td></tr>{{% endfor %}}'
    )
    text = "{% for parcel in parcels %}{{ parcel.words }}{% if parcel.url %}\n{{ parcel.url }}{% endif %}\n{% endfor %}"
    return f"<mj-raw>{rows}</mj-raw>", text


def _stars(block: Block, slots: Slots) -> Built:
    star = (
        '<td class="st" width="44" height="56" align="center" valign="middle" style="width:44px;height:56px;'
        'border:1px solid #82888F;border-radius:6px"><a href="{{ star.url }}" title="{{ star.title }}" '
        'style="display:block;padding:6px 0;width:44px;text-decoration:none;">'
        '<span class="sg" style="font-size:20px;line-height:24px;color:#B26A00">&#9733;</span><br />'
        f'<span class="t1" style="{_style(14, 18, "#1F2328", 600)}">{{{{ star.value }}}}</span></a></td>'
        "{% unless star.value == 5 %}"
        '<td width="6" style="width:6px;font-size:0;line-height:0">&#160;</td>{% endunless %}'
    )
    rate = escape(_("Rate on the page"))
    rows = slots.markup(
        "{% for item in review.items %}"
        '{% unless forloop.first %}<tr><td class="pad" style="padding:10px 32px 0"><table role="presentation" width="100%" '
        'cellpadding="0" cellspacing="0" border="0"><tr><td class="ln" style="border-top:1px solid #DCDCD7;font-size:0;'
        'line-height:0">&#160;</td></tr></table></td></tr>{% endunless %}'
        '<tr><td class="pad" style="padding:22px 32px 0"><table role="presentation" width="100%" cellpadding="0" '
        'cellspacing="0" border="0"><tr>{% if item.image %}<td width="74" valign="middle">'
        f'{_picture("item")}</td><td width="14" style="font-size:0;line-height:0">&#160;</td>{{% endif %}}'
        f'<td class="t1" valign="middle" style="{_style(16, 24, "#1F2328", 600)}">{{{{ item.name }}}}</td></tr></table></td></tr>'
        '<tr><td class="pad" style="padding:12px 32px 0"><table role="presentation" cellpadding="0" cellspacing="0" '
        'border="0" style="border-collapse:separate">'
        f"<tr>{{% for star in item.stars %}}{star}{{% endfor %}}</tr></table></td></tr>"
        f'<tr><td class="pad" style="padding:0 32px;{_style(14, 22, "#4F565E")}"><a class="lk" href="{{{{ item.url }}}}" '
        'style="display:inline-block;padding:11px 0;color:{{ shop.accent }};text-decoration:underline">'
        f"{rate}</a></td></tr>{{% endfor %}}"
    )
    text = (
        "{% for item in review.items %}{{ item.name }}\n"
        + _("Rate it from 1 to 5:")
        + " {{ item.url }}\n\n{% endfor %}"
    )
    return f"<mj-raw>{rows}</mj-raw>", text


def _outline(words: str, url: str, *, width: str = "") -> str:
    return (
        f'<td class="ob" align="center"{width} style="border:1px solid #82888F;border-radius:6px"><a class="t1" href="{url}" '
        f'style="display:inline-block;padding:11px 24px;{_style(16, 24, "#1F2328", 600)}text-decoration:none">{words}</a></td>'
    )


def _help(block: Block, slots: Slots) -> Built:
    words = slots.words(block["button"])
    button = (
        '<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="border-collapse:separate"><tr>'
        f"{_outline(words, slots.raw('{{ links.help }}'))}</tr></table>"
    )
    html = _title(slots.words(block["title"]), top=24)
    html += _text({"text": block["text"], "tone": "soft"}, slots)[0] + _row(button, padding="14px 32px 0")
    return html, f"{block['title']}\n{block['text'].strip()}\n{{{{ links.help }}}}"


def _pair(block: Block, slots: Slots) -> Built:
    half = ' width="50%"'
    table = (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
        'style="border-collapse:separate"><tr>'
        f"{_outline(slots.words(block['left']), slots.words(block['left_url']), width=half)}"
        '<td width="12" style="width:12px;font-size:0;line-height:0">&#160;</td>'
        f"{_outline(slots.words(block['right']), slots.words(block['right_url']), width=half)}</tr></table>"
    )
    text = f"{block['left']}: {block['left_url']}\n{block['right']}: {block['right_url']}"
    return _row(table, padding="20px 32px 0"), text


def _coupon(block: Block, slots: Slots) -> Built:
    inner = slots.markup(
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
        '<td class="well" align="center" style="background-color:#F6F6F4;border-radius:6px;padding:20px 16px">'
        f'<span class="t2" style="{_style(14, 22, "#4F565E")}">{{{{ coupon.worth_words }}}}</span><br />'
        '<span class="t1" style="font-family:ui-monospace,Menlo,Consolas,monospace;font-size:24px;line-height:36px;'
        'font-weight:600;letter-spacing:1px;color:#1F2328">{{ coupon.code }}</span>'
        f'{{% if coupon.conditions %}}<br /><span class="t2" style="{_style(14, 22, "#4F565E")}">'
        "{{ coupon.conditions }}</span>{% endif %}</td></tr></table>"
    )
    text = "{{ coupon.worth_words }}: {{ coupon.code }}{% if coupon.conditions %}\n{{ coupon.conditions }}{% endif %}"
    return _row(inner, padding="20px 32px 0"), text


def _points(block: Block, slots: Slots) -> Built:
    html, _text_part = _text({"text": "{{ points.words }}", "tone": "soft"}, slots)
    return (
        f"<mj-raw>{slots.raw('{% if points.words %}')}</mj-raw>{html}<mj-raw>{slots.raw('{% endif %}')}</mj-raw>",
        "{% if points.words %}{{ points.words }}{% endif %}",
    )


def _button(block: Block, slots: Slots) -> Built:
    url = slots.words(block["url"])
    accent, ink = slots.raw("{{ shop.accent }}"), slots.raw("{{ shop.accent_on }}")
    html = (
        f'<mj-button css-class="pad bt" href="{url}" background-color="{accent}" color="{ink}" align="left" '
        f'padding="20px 32px 0" inner-padding="12px 24px" font-size="16px" line-height="24px" font-weight="600" '
        f'border-radius="6px">{slots.words(block["text"])}</mj-button>'
    )
    open_link = escape(_("Or open this link:"))
    link = f'<a class="lk" href="{url}" style="color:{accent};text-decoration:underline;word-break:break-all">{url}</a>'
    html += _mj_text(f"{open_link} {link}", padding="10px 32px 0", size=14, line=22, css="t2", colour="#4F565E")
    return html, f"{block['text']}:\n{block['url']}"


def _link(block: Block, slots: Slots) -> Built:
    accent = slots.raw("{{ shop.accent }}")
    anchor = (
        f'<a class="lk" href="{slots.words(block["url"])}" style="display:inline-block;padding:9px 0;font-weight:600;'
        f'color:{accent};text-decoration:underline">{slots.words(block["text"])}</a>'
    )
    html = _mj_text(anchor, padding="8px 32px 0", size=16, line=26, css="t1", colour="#1F2328")
    return html, f"{block['text']}: {block['url']}"


def _divider(block: Block, slots: Slots) -> Built:
    html = (
        '<mj-divider css-class="pad dv" padding="20px 32px 8px" border-width="1px" border-color="#DCDCD7"></mj-divider>'
    )
    return html, "--"


def _reach(block: Block, slots: Slots) -> Built:
    rows = slots.markup(
        "{% for way in reach %}"
        f'<tr><td class="pad t2" style="padding:4px 32px 0;{_style(16, 26, "#4F565E")}">{{{{ way.label }}}}: '
        '{% if way.url %}<a class="lk" href="{{ way.url }}" style="color:{{ shop.accent }};text-decoration:underline">'
        "{{ way.value }}</a>{% else %}{{ way.value }}{% endif %}</td></tr>{% endfor %}"
    )
    text = "{% for way in reach %}{{ way.label }}: {{ way.value }}\n{% endfor %}"
    return f"<mj-raw>{rows}</mj-raw>", text


_Builder = Callable[[Block, Slots], Built]
KINDS: dict[str, tuple[_Builder, frozenset[str]]] = {
    "heading": (_heading, frozenset({"text"})),
    "text": (_text, frozenset({"text"})),
    "delivery": (_delivery, frozenset()),
    "items": (_items, frozenset({"title"})),
    "tracking": (_tracking, frozenset()),
    "stars": (_stars, frozenset()),
    "help": (_help, frozenset({"title", "text", "button"})),
    "pair": (_pair, frozenset({"left", "left_url", "right", "right_url"})),
    "coupon": (_coupon, frozenset()),
    "points": (_points, frozenset()),
    "button": (_button, frozenset({"text", "url"})),
    "link": (_link, frozenset({"text", "url"})),
    "divider": (_divider, frozenset()),
    "reach": (_reach, frozenset()),
}


def build(block: Block, slots: Slots, *, number: int) -> Built:
    """MJML and written text of one block. BusinessError `template_block` names the block that is not understood."""
    known = KINDS.get(str(block.get("kind")))
    if known is None:
        raise BusinessError(
            f"Block {number} is of the kind {block.get('kind')!r}, which does not exist. Nothing was saved. "
            f"Choose one of {', '.join(KINDS)}.",
            "template_block",
        )
    builder, needs = known
    missing = sorted(name for name in needs if not isinstance(block.get(name), str))
    if missing or block.get("tone", "normal") not in _SIZES:
        raise BusinessError(
            f"Block {number} ({block['kind']}) has no {', '.join(missing) or 'known tone'}. Nothing was saved. Fill it in.",
            "template_block",
        )
    html, text = builder(block, slots)
    when = block.get("when")
    if when:
        opens, closes = "{% if " + str(when) + " %}", "{% endif %}"
        html = f"<mj-raw>{slots.raw(opens)}</mj-raw>{html}<mj-raw>{slots.raw(closes)}</mj-raw>"
        text = opens + text + closes
    return html, text
