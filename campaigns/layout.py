"""From blocks to the two compiled bodies of a mail: HTML through MJML, and the text written from the same blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from django.utils import translation
from django.utils.translation import gettext as _
from mjml import mjml2html

from campaigns import blocks as kinds
from campaigns import liquid
from campaigns.blocks import FONT, Block, Slots
from postpurchase.errors import BusinessError

_NAMES = ("kind", "id")  # of a block: not Liquid
BLOCK_LIMIT, COMPILED_LIMIT = 60, 200_000
HTML_LIMIT = 100_000  # mail programs cut a message at about 102 KB
_FILLER = "&#847;&zwnj;&nbsp;" * 40

_METAS = (
    '<meta name="color-scheme" content="light dark" /><meta name="supported-color-schemes" content="light dark" />'
    '<meta name="format-detection" content="telephone=no, date=no, address=no, email=no" />'
    '<meta name="x-apple-disable-message-reformatting" />'
)
_DARK = (
    ":root{color-scheme:light dark;supported-color-schemes:light dark}"
    "@media (prefers-color-scheme:dark){"
    "body,.bg{background-color:#111416!important}"
    ".sheet,.sheet>table{background:#191D20!important;background-color:#191D20!important}"
    ".sheet>table>tbody>tr>td{border-color:#30363B!important}"
    ".t1,.t1 div,.t1 h1,.t1 h2{color:#ECEEF0!important}.t2,.t2 div{color:#B4BAC1!important}"
    ".t3,.t3 div{color:#949CA5!important}.ln,.dv p{border-color:#30363B!important}"
    ".lk{color:{{ shop.accent_night }}!important}"
    ".bt td,.bt a{background:{{ shop.accent_night }}!important;color:{{ shop.accent_night_on }}!important}"
    ".st,.ob{border-color:#737B84!important}.sg{color:#F2B84B!important}.well{background-color:#272C31!important}}"
    "[data-ogsc] .t1,[data-ogsc] .t1 div{color:#ECEEF0!important}[data-ogsc] .t2{color:#B4BAC1!important}"
    "[data-ogsc] .t3{color:#949CA5!important}[data-ogsc] .lk{color:{{ shop.accent_night }}!important}"
    "[data-ogsb] .bg{background-color:#111416!important}[data-ogsb] .sheet{background-color:#191D20!important}"
    "@media (max-width:616px){.bg{padding:0 8px!important}}"
    "@media (max-width:480px){.pad{padding-left:20px!important;padding-right:20px!important}"
    ".h1{font-size:26px!important;line-height:34px!important}}"
)
_HEADER = (
    '<tr><td class="pad" style="padding:28px 32px 16px"><table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>'
    '{% if shop.logo %}<td width="40"><img src="{{ shop.logo }}" width="40" height="40" alt="" '
    'style="display:block;border:0" /></td><td width="10" style="font-size:0;line-height:0">&#160;</td>{% endif %}'
    f'<td class="t1" style="font-family:{FONT};font-size:18px;line-height:24px;font-weight:600;color:#1F2328">'
    "{{ shop.name }}</td></tr></table></td></tr>"
)


@dataclass(frozen=True)
class Compiled:
    """Liquid sources of a mail's two bodies."""

    html: str
    text: str


def _footer_link(url: str, words: str) -> str:
    return (
        f'<a class="lk" href="{{{{ {url} }}}}" style="display:inline-block;padding:12px 20px 12px 0;white-space:nowrap;'
        f'color:{{{{ shop.accent }}}};text-decoration:underline">{words}</a>'
    )


def _footer() -> tuple[str, str]:
    leave, choose = _("Unsubscribe"), _("Message preferences")
    html = (
        f'<tr><td class="pad t3" style="padding:24px 32px 32px;font-family:{FONT};font-size:13px;line-height:20px;'
        'color:#646B73">{{ message.why }}<br />'
        f"{{% if links.unsubscribe %}}{_footer_link('links.unsubscribe', escape(leave))}{{% endif %}}"
        f"{_footer_link('links.preferences', escape(choose))}"
        f"{_footer_link('links.other_language', '{{ links.other_language_name }}')}<br />"
        "{% for line in shop.address %}{{ line }}<br />{% endfor %}</td></tr>"
    )
    text = (
        "--\n{{ message.why }}\n"
        f"{{% if links.unsubscribe %}}{leave}: {{{{ links.unsubscribe }}}}\n{{% endif %}}"
        f"{choose}: {{{{ links.preferences }}}}\n\n"
        "{% for line in shop.address %}{{ line }}\n{% endfor %}"
    )
    return html, text


def direction(language: str) -> str:
    """ "rtl" or "ltr"."""
    return "rtl" if language.split("-")[0] in {"ar", "he", "fa", "ur"} else "ltr"


def _column(inner: str) -> str:
    return f'<mj-section padding="0"><mj-column padding="0">{inner}</mj-column></mj-section>'


def compile_blocks(language: str, subject: str, preheader: str, blocks: Sequence[Block]) -> Compiled:
    """Compile a message in a language. BusinessError names the block and the line that cannot be understood."""
    if len(blocks) > BLOCK_LIMIT:
        raise BusinessError(
            f"The message has {len(blocks)} blocks; at most {BLOCK_LIMIT} are allowed. Nothing was saved. Take some out.",
            "template_block",
        )
    for name, source in (("The subject", subject), ("The preheader", preheader)):
        liquid.check(source, where=name)
    for number, block in enumerate(blocks, 1):
        for name, source in block.items():
            if name not in _NAMES and source:
                whole = f"{{% if {source} %}}{{% endif %}}" if name == "when" else str(source)
                liquid.check(whole, where=f"Block {number} ({block.get('kind')}), {name}")
    slots = Slots()
    with translation.override(language):
        built = [kinds.build(block, slots, number=number) for number, block in enumerate(blocks, 1)]
        footer_html, footer_text = _footer()
    space = '<mj-raw><tr><td style="font-size:0;line-height:32px;height:32px">&#160;</td></tr></mj-raw>'
    source = (
        f'<mjml lang="{language}" dir="{direction(language)}"><mj-head>'
        f"<mj-title>{slots.words(subject)}</mj-title><mj-preview>{slots.words(preheader)}{slots.raw(_FILLER)}</mj-preview>"
        f'<mj-attributes><mj-all font-family="{FONT}"></mj-all></mj-attributes>'
        f"<mj-style>{slots.markup(_DARK)}</mj-style><mj-raw>{slots.raw(_METAS)}</mj-raw></mj-head>"
        '<mj-body width="600px" background-color="#F6F6F4" css-class="bg">'
        f"{_column(f'<mj-raw>{slots.markup(_HEADER)}</mj-raw>')}"
        '<mj-wrapper css-class="sheet" background-color="#FFFFFF" border="1px solid #DCDCD7" border-radius="8px" padding="0">'
        f"{_column(''.join(html for html, _text in built) + space)}</mj-wrapper>"
        f"{_column(f'<mj-raw>{slots.markup(footer_html)}</mj-raw>')}"
        "</mj-body></mjml>"
    )
    try:
        # No fonts: otherwise the compiler adds a style sheet from a third party for a name it knows.
        html = slots.restore(mjml2html(slots.hide_raw(source), fonts={}))
    except ValueError as error:
        raise BusinessError(
            f"The message could not be laid out: {error}. Nothing was saved. Check the blocks for unclosed tags.",
            "template_layout",
        ) from error
    if len(html) > COMPILED_LIMIT:
        raise BusinessError(
            f"The message is longer than {COMPILED_LIMIT:,} characters. Nothing was saved. Take blocks or words out.",
            "template_layout",
        )
    text = "\n\n".join([*(text for _html, text in built), footer_text])
    return Compiled(html, text)
