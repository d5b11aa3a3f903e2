"""The checks of a mail: each rule finds what is wrong, says it in words, and leaves a good mail alone."""

from typing import Any

import pytest

from campaigns import checks_mail, content, proofs
from campaigns.checks_mail import OK, STOP, WARN, Finding, Mail
from campaigns.rendering import Rendered
from tests.campaigns.mails import lut

LEAVE = "https://post.example.com/u/u-1/"
GOOD = Rendered(
    subject="Thank you, Ana: order 1042",
    preheader="We have your order. The receipt and how to reach us are inside.",
    html=f'<p>Hello</p><img src="https://x.example.com/a.png" alt="A mug"><a href="{LEAVE}">Unsubscribe</a>',
    text=f"Thank you, Ana. We have your order 1042.\n\nUnsubscribe: {LEAVE}\n",
)


def mail(blocks: list[dict[str, Any]] | None = None, *, klass: str = "T", language: str = "en", **changed: str) -> Mail:
    parts = {"subject": GOOD.subject, "preheader": GOOD.preheader, "html": GOOD.html, "text": GOOD.text} | changed
    return Mail(klass, language, blocks or [], Rendered(**parts), LEAVE if klass != "T" else None)


def about(rule: str, given: Mail) -> list[Finding]:
    return [one for one in checks_mail.check(given) if one.rule == rule]


def levels(rule: str, given: Mail) -> list[str]:
    return [one.level for one in about(rule, given)]


@pytest.mark.parametrize("klass", ["T", "S", "M"])
def test_a_good_mail_has_nothing_against_it(klass: str) -> None:
    assert {one.level for one in checks_mail.check(mail(klass=klass))} == {OK}


@pytest.mark.parametrize(("length", "level"), [(0, STOP), (1, OK), (50, OK), (51, WARN), (78, WARN), (79, WARN)])
def test_the_subject_is_short(length: int, level: str) -> None:
    assert levels("subject", mail(subject="x" * length)) == [level]


@pytest.mark.parametrize(("length", "level"), [(0, STOP), (39, WARN), (40, OK), (90, OK), (91, WARN)])
def test_the_preheader_is_there_and_fits(length: int, level: str) -> None:
    assert levels("preheader", mail(preheader="x" * length)) == [level]


@pytest.mark.parametrize(("size", "level"), [(80_000, OK), (80_001, WARN), (100_000, WARN), (100_001, STOP)])
def test_the_mail_is_counted_in_bytes(size: int, level: str) -> None:
    assert levels("size", mail(html="x" * size)) == [level]
    assert levels("size", mail(html="ă" * (size // 2) + "x" * (size % 2))) == [level]


def test_a_picture_without_words_is_stopped_and_its_block_named() -> None:
    block = {"kind": "html", "html": '<img src="https://x.example.com/a.png">', "text": "A"}
    found = about("alt", mail([{"kind": "divider"}, block], html=block["html"]))
    assert [(one.level, one.block) for one in found] == [(STOP, 2)]
    assert levels("alt", mail(html='<img src="https://x.example.com/a.png" alt="">')) == [OK]


def test_words_that_cannot_be_read_are_named_with_their_contrast() -> None:
    block = {"kind": "html", "html": '<p style="color:#999999">Pale</p>', "text": "Pale"}
    (found,) = about("contrast", mail([block]))
    assert (found.level, found.block) == (WARN, 1)
    assert found.words.startswith("Words in #999999 are hard to read: contrast 2.8")
    dark = block | {"html": '<p style="color:#999999;background-color:#111111">Pale</p>'}
    assert levels("contrast", mail([dark])) == [OK]


@pytest.mark.parametrize(
    "address",
    ["shop.example.com/x", "javascript:alert(1)", "https://", "https://shop", "mailto:", "#top", "data:text/html,x"],
)
def test_a_link_that_leads_nowhere_is_stopped(address: str) -> None:
    block = {"kind": "button", "text": "Go", "url": address}
    assert STOP in levels("links", mail([block]))
    assert STOP in levels("links", mail(html=f'<a href="{address}">Go</a>'))


@pytest.mark.parametrize("address", ["https://shop.example.com/?a=1&amp;b=2", "mailto:a@example.com", "tel:+40264"])
def test_a_good_link_passes(address: str) -> None:
    assert levels("links", mail(html=f'<a href="{address}">Go</a>')) == [OK]
    assert levels("links", mail([{"kind": "button", "text": "Go", "url": "{{ links.help }}"}])) == [OK]


def test_an_empty_link_is_counted() -> None:
    found = about("links", mail(html='<a href="">Go</a><a title="x">Go</a>'))
    assert [one.words for one in found] == ["2 links lead nowhere."]


@pytest.mark.parametrize("klass", ["S", "M"])
@pytest.mark.parametrize("part", ["html", "text"])
def test_without_unsubscribe_no_service_or_marketing_mail(klass: str, part: str) -> None:
    without = {"html": "<p>Hello</p>", "text": "Words enough for a text part of a mail."}
    assert levels("unsubscribe", mail(klass=klass, **{part: without[part]})) == [STOP]


@pytest.mark.parametrize(
    ("language", "words", "seen"),
    [
        ("en", "Now 20% off, use the coupon", "20% off, coupon"),
        ("ro", "O ofertă: reducere la toate", "ofertă, reducere"),
        ("ro", "Best sellers only today", "best sellers"),
        ("id", "Diskon untuk Anda, gratis ongkir", "diskon, gratis ongkir"),
    ],
)
def test_words_of_an_offer_are_flagged_in_a_message_about_an_order(language: str, words: str, seen: str) -> None:
    (found,) = about("promotion", mail(language=language, text=f"{words}. Your order is on its way to you now."))
    assert found.level == WARN
    assert all(f in found.words for f in seen.split(", "))
    assert about("promotion", mail(language=language, klass="M", text=words + GOOD.text)) == []


@pytest.mark.parametrize("text", ["Wholesale pots, sales tax 19 lei", "Dealul Mare 4, Cluj", "Savoare: 2 bucăți"])
def test_words_that_only_look_like_an_offer_pass(text: str) -> None:
    found = about("promotion", mail(language="ro", text=text.replace("sales", "") + " for your order number 1042"))
    assert [one.level for one in found] == [OK]


def test_a_coupon_in_a_message_about_an_order_is_flagged() -> None:
    (found, *_rest) = about("promotion", mail([{"kind": "coupon"}]))
    assert (found.level, found.block) == (WARN, 1)


@pytest.mark.parametrize(
    ("text", "level"), [("Hi", STOP), ("<b>Hello</b> " * 9, STOP), ("word " * 300, WARN), (GOOD.text, OK)]
)
def test_the_text_part_can_be_read(text: str, level: str) -> None:
    assert levels("text", mail(text=text)) == [level]


def test_html_that_acts_is_pointed_out() -> None:
    block = {"kind": "html", "html": '<p onclick="x()">A</p>', "text": "A"}
    (found,) = about("markup", mail([block]))
    assert (found.level, found.block) == (WARN, 1)
    assert about("markup", mail([block | {"html": "<p>A</p>"}])) == []


def test_the_gravest_stand_first() -> None:
    found = checks_mail.check(mail(subject="", preheader="short"))
    assert [one.level for one in found][:2] == [STOP, WARN]
    assert [one.rule for one in checks_mail.stops(found)] == ["subject"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", content.names())
def test_every_message_of_the_library_may_go_out(name: str) -> None:
    store = lut()
    assert proofs.faults(store, name) == []
    kinds = {tuple(block["kind"] for block in text.blocks) for text in content.texts_of_library(name)}
    assert len(kinds) == 1, "the languages differ in their blocks"
    assert [text.language for text in content.texts_of_library(name)] == ["en", "id", "ro"]


@pytest.mark.django_db
def test_a_fault_of_a_message_names_message_language_and_block() -> None:
    store = lut()
    template = content.install(store, "R01.thank_you")
    content.save_version(
        template,
        language="ro",
        subject="Salut",
        preheader="",
        blocks=[{"kind": "text", "text": "Salut " * 20}, {"kind": "button", "text": "Go", "url": "lut.example.com"}],
    )
    assert proofs.faults(store, "R01.thank_you") == [
        "Message “R01.thank_you”, ro, There is no preheader. Write the line that stands after the subject.",
        "Message “R01.thank_you”, ro, block 2: “lut.example.com” does not begin with https://.",
    ]


@pytest.mark.django_db
def test_a_message_that_does_not_exist_is_a_fault() -> None:
    assert proofs.faults(lut(), "R99.nothing") == [
        "There is no message 'R99.nothing' in the library. Nothing was changed."
    ]
