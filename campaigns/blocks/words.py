"""Blocks of the merchant's own words, pictures and markup."""

from html import escape

from django.utils.translation import gettext as _

from campaigns.blocks import markup
from campaigns.blocks.base import SIZES, Block, Built, Field, Slots, mj_text, register, row, style


@register("heading", Field("text"))
def heading(block: Block, slots: Slots) -> Built:
    text = slots.words(block["text"])
    head = f'<h1 class="h1" style="margin:0;font-size:28px;line-height:36px;font-weight:600">{text}</h1>'
    html = mj_text(head, padding="32px 32px 0", size=28, line=36, css="t1", colour="#1F2328", weight=600)
    return html, block["text"]


@register(
    "text",
    Field("text", widget="text"),
    Field("tone", words=False, required=False, widget="choice", choices=tuple(SIZES)),
)
def text(block: Block, slots: Slots) -> Built:
    size, line, css, colour = SIZES[block.get("tone", "normal")]
    inner = slots.words(block["text"])
    return mj_text(inner, padding="8px 32px 0", size=size, line=line, css=css, colour=colour), block["text"].strip()


@register("button", Field("text"), Field("url", words=False, widget="address"))
def button(block: Block, slots: Slots) -> Built:
    url = slots.address(block["url"])
    accent, ink = slots.raw("{{ shop.accent }}"), slots.raw("{{ shop.accent_on }}")
    html = (
        f'<mj-button css-class="pad bt" href="{url}" background-color="{accent}" color="{ink}" align="left" '
        f'padding="20px 32px 0" inner-padding="12px 24px" font-size="16px" line-height="24px" font-weight="600" '
        f'border-radius="6px">{slots.words(block["text"])}</mj-button>'
    )
    open_link = escape(_("Or open this link:"))
    link = f'<a class="lk" href="{url}" style="color:{accent};text-decoration:underline;word-break:break-all">{url}</a>'
    html += mj_text(f"{open_link} {link}", padding="10px 32px 0", size=14, line=22, css="t2", colour="#4F565E")
    return html, f"{block['text']}:\n{block['url']}"


@register("link", Field("text"), Field("url", words=False, widget="address"))
def link(block: Block, slots: Slots) -> Built:
    accent = slots.raw("{{ shop.accent }}")
    anchor = (
        f'<a class="lk" href="{slots.address(block["url"])}" style="display:inline-block;padding:9px 0;font-weight:600;'
        f'color:{accent};text-decoration:underline">{slots.words(block["text"])}</a>'
    )
    html = mj_text(anchor, padding="8px 32px 0", size=16, line=26, css="t1", colour="#1F2328")
    return html, f"{block['text']}: {block['url']}"


@register("divider")
def divider(block: Block, slots: Slots) -> Built:
    html = (
        '<mj-divider css-class="pad dv" padding="20px 32px 8px" border-width="1px" border-color="#DCDCD7"></mj-divider>'
    )
    return html, "--"


@register(
    "image",
    Field("src", words=False, widget="address"),
    Field("alt"),
    Field("url", words=False, required=False, widget="address"),
)
def image(block: Block, slots: Slots) -> Built:
    picture = (
        f'<img src="{slots.address(block["src"])}" width="536" alt="{slots.words(block["alt"])}" class="ln" '
        f'style="display:block;width:100%;max-width:536px;height:auto;border:0;border-radius:6px;{style(14, 22, "#4F565E")}" />'
    )
    text = block["alt"]
    if url := str(block.get("url") or "").strip():
        picture = f'<a href="{slots.address(url)}">{picture}</a>'
        text = f"{text}: {url}"
    return row(picture, padding="20px 32px 0"), text


@register("html", Field("html", widget="html"), Field("text", widget="text"))
def html(block: Block, slots: Slots) -> Built:
    return row(markup.cleaned(block["html"], slots), padding="12px 32px 0"), block["text"].strip()


@register("legal", Field("text", widget="text"))
def legal(block: Block, slots: Slots) -> Built:
    inner = slots.words(block["text"])
    return mj_text(inner, padding="20px 32px 0", size=13, line=20, css="t3", colour="#646B73"), block["text"].strip()
