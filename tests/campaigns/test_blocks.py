"""The blocks of a message: what each shows, and that nothing a merchant or a shop writes acts in a mail."""

import email
import email.policy
import re
from typing import Any

import pytest

from campaigns import blocks, layout, outbox, rendering, variables
from campaigns.blocks import Slots, markup
from campaigns.blocks.labels import FIELDS, KINDS
from campaigns.channels import email as channel
from campaigns.rendering import Rendered
from postpurchase.errors import BusinessError
from reviews import asking
from stores.models import Store
from tests.campaigns.mails import ana, lut, message_for, pots

pytestmark = pytest.mark.django_db


def written(*given: dict[str, Any], subject: str = "Hello", **changed: Any) -> Rendered:
    store = Store.objects.filter(slug="lut").first() or lut()
    values = variables.example(store, language="en", klass="M", purpose="marketing")
    for name, value in changed.items():
        group, _dot, key = name.partition("__")
        values[group] = value if not key else values[group] | {key: value}
    compiled = layout.compile_blocks("en", subject, "A line before", given)
    return rendering.fill(subject, "A line before", compiled.html, compiled.text, values)


def test_every_kind_can_be_written_and_is_named_for_the_editor() -> None:
    words = {"url": "https://shop.example.com/", "src": "https://shop.example.com/a.png", "html": "<p>Mine</p>"}
    for kind in blocks.KINDS.values():
        block = {"kind": kind.name}
        for field in kind.fields:
            if field.required:
                block[field.name] = words.get(field.name.removeprefix("left_").removeprefix("right_"), "Some words")
            assert FIELDS[field.name]
        mail = written(block)
        assert KINDS[kind.name]
        if kind.name not in {"divider", "reach"}:
            assert len(mail.text) > len(written().text), kind.name


def test_a_picture_has_a_width_words_and_its_link_in_both_parts() -> None:
    mail = written(
        {"kind": "image", "src": "https://x.example.com/a.png", "alt": "Three mugs", "url": "{{ links.shop }}"}
    )
    assert 'src="https://x.example.com/a.png" width="536" alt="Three mugs"' in mail.html
    assert "Three mugs: https://atelier-lut.example.com" in mail.text


def test_product_picks_are_shown_with_reasons_and_hidden_when_there_are_none() -> None:
    mail = written({"kind": "products", "title": "You may like"})
    assert "Goes with Example mug, blue" in mail.html
    assert "Example bowl, 185,00 lei" in mail.text
    none = written({"kind": "products", "title": "You may like"}, picks={"items": [], "pictures": False})
    assert "You may like" not in none.html + none.text


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<script>alert(1)</script>Hi", "Hi"),
        ('<p onclick="x()">Hi</p>', "<p>Hi</p>"),
        ('<a href="javascript:alert(1)">Hi</a>', "<a>Hi</a>"),
        ('<a href="{% if true %}javascript:x{% endif %}">Hi</a>', '<a href="">Hi</a>'),
        ('<iframe src="https://x"></iframe><form action="/"><input></form>Hi', "Hi"),
        ('<p style="color:red;background:url(https://x/a)">Hi</p>', '<p style="color:red">Hi</p>'),
        ('<p style="color:{{ x }}">Hi</p>', "<p>Hi</p>"),
        ("<!-- {{ x }} <b> -->Hi", "Hi"),
        ("<svg><script>1</script></svg><style>p{}</style>Hi", "Hi"),
        ('<a href="{{ order.url }}">Hi</a>', '<a href="{{ order.url | web }}">Hi</a>'),
        ('<a href="https://x.example.com/{{ n }}">Hi</a>', '<a href="https://x.example.com/{{ n }}">Hi</a>'),
        (
            "<table>{% for i in l %}<tr><td>{{ i.name }}</td></tr>{% endfor %}</table>",
            "<table>{% for i in l %}<tbody><tr><td>{{ i.name }}</td></tr>{% endfor %}</tbody></table>",
        ),
    ],
)
def test_a_merchants_html_keeps_its_looks_and_liquid_and_loses_what_acts(given: str, kept: str) -> None:
    slots = Slots()
    assert slots.restore(markup.cleaned(given, slots)) == kept


EVIL = [
    "Ana\r\nBcc: all@example.com",
    '"><script>alert(1)</script>',
    "</title><img src=x onerror=alert(1)>",
    "{{ 7777 | times: 7 }}{% include 'x' %}",
    "\u202eanA 😀 \u2066x",
]


@pytest.mark.parametrize("name", EVIL)
def test_a_name_is_inert_in_subject_html_and_text(name: str) -> None:
    block = {"kind": "text", "text": "Hello {{ customer.first_name }}"}
    html = {"kind": "html", "html": '<b title="{{ customer.first_name }}">{{ customer.first_name }}</b>', "text": "x"}
    mail = written(block, html, subject="For {{ customer.first_name }}", customer__first_name=rendering.one_line(name))
    assert not re.search(r"[\r\n\u202e\u2066]", mail.subject)
    assert "<script" not in mail.html
    assert "<img src=x" not in mail.html
    assert "54439" not in mail.html + mail.text
    assert len(re.findall("<title>", mail.html)) == 1


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", " \tjavascript:x", "//evil.example.com"]
)
def test_an_address_from_data_that_is_none_of_the_web_makes_no_link(address: str) -> None:
    mail = written({"kind": "button", "text": "Go", "url": "{{ extra.url }}"}, extra={"url": address})
    assert address.strip() not in mail.html


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"kind": "nothing"}, "Block 1 is of the kind 'nothing', which does not exist."),
        ({"kind": "button", "text": "Go"}, "Block 1 (button) has no url. Fill it in. Nothing was saved."),
        ({"kind": "text", "text": " "}, "Block 1 (text) has no text."),
        ({"kind": "text", "text": "Hi", "tone": "loud"}, "Block 1 (text) has no known tone."),
    ],
)
def test_what_is_wrong_with_a_block_is_said(block: dict[str, Any], said: str) -> None:
    with pytest.raises(BusinessError) as refused:
        written(block)
    assert refused.value.message.startswith(said)
    assert refused.value.code == "template_block"


@pytest.mark.parametrize("name", EVIL)
def test_a_message_with_any_name_is_valid_mime_with_one_recipient(name: str) -> None:
    store = lut(name=f"Lut {name}")
    customer = ana(store, first_name=name, last_name=name)
    order = pots(store, customer, number=f"1042 {name}"[:60])
    message = message_for(store, customer, order, "R06.review_request")
    message.context = {"review_request_id": asking.ask(store, order).pk}
    built = channel.build(message, outbox.render(message, language="en"), to="ana@example.com").message()
    read = email.message_from_bytes(built.as_bytes(), policy=email.policy.default)
    assert read.defects == []
    assert [read[header] for header in ("To", "Bcc", "Cc")] == ["ana@example.com", None, None]
    assert len(read.get_all("Subject")) == len(read.get_all("From")) == 1
    assert read.get_body(("plain",)).get_content().strip()
    assert "<script" not in read.get_body(("html",)).get_content()
