"""Blocks that ask, help and give: stars, the way to help, coupon, points, how to reach the shop."""

from html import escape

from django.utils.translation import gettext as _

from campaigns.blocks import words as plain
from campaigns.blocks.base import Block, Built, Field, Slots, outline, picture, register, row, style, title


@register("stars", needs="review")
def stars(block: Block, slots: Slots) -> Built:
    star = (
        '<td class="st" width="44" height="56" align="center" valign="middle" style="width:44px;height:56px;'
        'border:1px solid #82888F;border-radius:6px"><a href="{{ star.url }}" title="{{ star.title }}" '
        'style="display:block;padding:6px 0;width:44px;text-decoration:none;">'
        '<span class="sg" style="font-size:20px;line-height:24px;color:#B26A00">&#9733;</span><br />'
        f'<span class="t1" style="{style(14, 18, "#1F2328", 600)}">{{{{ star.value }}}}</span></a></td>'
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
        f'{picture("item")}</td><td width="14" style="font-size:0;line-height:0">&#160;</td>{{% endif %}}'
        f'<td class="t1" valign="middle" style="{style(16, 24, "#1F2328", 600)}">{{{{ item.name }}}}</td></tr></table></td></tr>'
        '<tr><td class="pad" style="padding:12px 32px 0"><table role="presentation" cellpadding="0" cellspacing="0" '
        'border="0" style="border-collapse:separate">'
        f"<tr>{{% for star in item.stars %}}{star}{{% endfor %}}</tr></table></td></tr>"
        f'<tr><td class="pad" style="padding:0 32px;{style(14, 22, "#4F565E")}"><a class="lk" href="{{{{ item.url }}}}" '
        'style="display:inline-block;padding:11px 0;color:{{ shop.accent }};text-decoration:underline">'
        f"{rate}</a></td></tr>{{% endfor %}}"
    )
    text = (
        "{% for item in review.items %}{{ item.name }}\n"
        + _("Rate it from 1 to 5:")
        + " {{ item.url }}\n\n{% endfor %}"
    )
    return f"<mj-raw>{rows}</mj-raw>", text


@register("help", Field("title"), Field("text", widget="text"), Field("button"))
def help(block: Block, slots: Slots) -> Built:
    words = slots.words(block["button"])
    button = (
        '<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="border-collapse:separate"><tr>'
        f"{outline(words, slots.raw('{{ links.help }}'))}</tr></table>"
    )
    html = title(slots.words(block["title"]), top=24)
    html += plain.text({"text": block["text"], "tone": "soft"}, slots)[0] + row(button, padding="14px 32px 0")
    return html, f"{block['title']}\n{block['text'].strip()}\n{{{{ links.help }}}}"


@register(
    "pair",
    Field("left"),
    Field("left_url", words=False, widget="address"),
    Field("right"),
    Field("right_url", words=False, widget="address"),
)
def pair(block: Block, slots: Slots) -> Built:
    half = ' width="50%"'
    table = (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
        'style="border-collapse:separate"><tr>'
        f"{outline(slots.words(block['left']), slots.address(block['left_url']), width=half)}"
        '<td width="12" style="width:12px;font-size:0;line-height:0">&#160;</td>'
        f"{outline(slots.words(block['right']), slots.address(block['right_url']), width=half)}</tr></table>"
    )
    text = f"{block['left']}: {block['left_url']}\n{block['right']}: {block['right_url']}"
    return row(table, padding="20px 32px 0"), text


@register("coupon", needs="coupon")
def coupon(block: Block, slots: Slots) -> Built:
    inner = slots.markup(
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'
        '<td class="well" align="center" style="background-color:#F6F6F4;border-radius:6px;padding:20px 16px">'
        f'<span class="t2" style="{style(14, 22, "#4F565E")}">{{{{ coupon.worth_words }}}}</span><br />'
        '<span class="t1" style="font-family:ui-monospace,Menlo,Consolas,monospace;font-size:24px;line-height:36px;'
        'font-weight:600;letter-spacing:1px;color:#1F2328">{{ coupon.code }}</span>'
        f'{{% if coupon.conditions %}}<br /><span class="t2" style="{style(14, 22, "#4F565E")}">'
        "{{ coupon.conditions }}</span>{% endif %}</td></tr></table>"
    )
    text = "{{ coupon.worth_words }}: {{ coupon.code }}{% if coupon.conditions %}\n{{ coupon.conditions }}{% endif %}"
    return row(inner, padding="20px 32px 0"), text


@register("points")
def points(block: Block, slots: Slots) -> Built:
    html, _text_part = plain.text({"text": "{{ points.words }}", "tone": "soft"}, slots)
    return (
        f"<mj-raw>{slots.raw('{% if points.words %}')}</mj-raw>{html}<mj-raw>{slots.raw('{% endif %}')}</mj-raw>",
        "{% if points.words %}{{ points.words }}{% endif %}",
    )


@register("reach")
def reach(block: Block, slots: Slots) -> Built:
    rows = slots.markup(
        "{% for way in reach %}"
        f'<tr><td class="pad t2" style="padding:4px 32px 0;{style(16, 26, "#4F565E")}">{{{{ way.label }}}}: '
        '{% if way.url %}<a class="lk" href="{{ way.url }}" style="color:{{ shop.accent }};text-decoration:underline">'
        "{{ way.value }}</a>{% else %}{{ way.value }}{% endif %}</td></tr>{% endfor %}"
    )
    text = "{% for way in reach %}{{ way.label }}: {{ way.value }}\n{% endfor %}"
    return f"<mj-raw>{rows}</mj-raw>", text
