"""What a rendered mail is: three languages, two written parts, safe whatever the shop's data holds."""

from decimal import Decimal

import pytest

from campaigns import content, liquid
from postpurchase.errors import BusinessError
from tests.campaigns.mails import ana, lut, mail, pots

pytestmark = pytest.mark.django_db

LIBRARY = ["R01.thank_you", "R06.review_request", "R06.reminder", "case.opened", "reward.ready"]


@pytest.mark.parametrize("language", ["en", "ro", "id"])
@pytest.mark.parametrize("name", LIBRARY)
def test_every_message_holds_to_the_format(name: str, language: str) -> None:
    store = lut()
    customer = ana(store)
    rendered = mail(store, customer, pots(store, customer), name, language)

    assert f'<html lang="{language}" dir="ltr"' in rendered.html
    assert rendered.html.count(f'lang="{language}" dir="ltr"') == 2
    assert '<meta name="color-scheme" content="light dark" />' in rendered.html
    assert "prefers-color-scheme:dark" in rendered.html
    assert "Strada Olarilor 14" in rendered.html
    assert "Strada Olarilor 14" in rendered.text
    assert "/p/p-" in rendered.text
    assert len(rendered.html.encode()) < 60_000
    assert 40 <= len(rendered.preheader) <= 110
    assert "{{" not in rendered.html + rendered.text + rendered.subject
    assert "<" not in rendered.text
    assert ("/u/u-" in rendered.text) == (name in {"R06.review_request", "R06.reminder", "reward.ready"})


def test_a_loop_inside_a_filter_is_stopped_before_it_begins() -> None:
    with pytest.raises(BusinessError) as refused:
        liquid.fill("{{ (1..100000000) | join: ',' | size }}", {}, part="text")
    assert refused.value.code == "template_limit"


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
        "{% assign a = 'aaaaaaaaaa' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
        "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaaaaaaaaaaaa'" * 9 + " }}",
        "{% assign a = 'a,b' | split: ',' %}{% for i in (1..99) %}{% assign a = a | concat: a %}{% endfor %}",
        "{{ 9" + " | times: 999999999999" * 4000 + " }}",
        "{% capture a %}{% for i in (1..1000) %}" + "x" * 500 + "{% endfor %}{% endcapture %}",
    ],
)
def test_a_template_that_wants_too_much_is_stopped(bomb: str) -> None:
    with pytest.raises(BusinessError) as refused:
        liquid.fill(bomb, {}, part="html")
    assert refused.value.code == "template_limit"
    assert "Nothing was sent." in refused.value.message


@pytest.mark.parametrize(
    "reach", ["{% include 'x' %}", "{% render 'x' %}", "{{ 'x' | safe }}", "{{ 'now' | date: '%9999d' }}"]
)
def test_what_reaches_outside_does_not_exist(reach: str) -> None:
    with pytest.raises(BusinessError):
        liquid.fill(reach, {}, part="html")


def test_a_missing_variable_is_named_with_its_line() -> None:
    with pytest.raises(BusinessError) as refused:
        liquid.fill("Hello\n{{ order.nope }}", {"order": {"number": "1"}}, part="text")
    assert refused.value.code == "template_variable"
    assert "The text, line 2: order.nope is undefined" in refused.value.message


def test_python_objects_do_not_go_in() -> None:
    with pytest.raises(TypeError):
        liquid.fill("{{ x }}", {"x": object()}, part="text")
    assert liquid.fill("{{ x }}", {"x": Decimal("1.50")}, part="text") == "1.50"


def test_a_broken_block_is_refused_at_saving_and_named() -> None:
    template = content.install(lut(), "R01.thank_you")
    blocks = [{"kind": "heading", "text": "Hi"}, {"kind": "text", "text": "One\n{% if order %}"}]
    with pytest.raises(BusinessError) as refused:
        content.save_version(template, language="en", subject="Hi", preheader="Hello", blocks=blocks)
    assert refused.value.message.startswith("Block 2 (text), text, line 2:")
    assert template.versions.filter(language="en").count() == 1


def test_installing_twice_changes_nothing() -> None:
    store = lut()
    assert content.install(store, "R01.thank_you") == content.install(store, "R01.thank_you")
    assert store.message_templates.get().versions.count() == 3


def test_a_new_version_leaves_the_earlier_one_as_it_was() -> None:
    template = content.install(lut(), "R01.thank_you")
    first = content.version_for(template, "ro")
    second = content.save_version(
        template, language="ro", subject="Salut", preheader="Bună", blocks=[{"kind": "heading", "text": "Salut"}]
    )
    assert (first.number, second.number) == (1, 2)
    assert content.version_for(template, "ro") == second
    first.refresh_from_db()
    assert first.subject != "Salut"
