"""What a rendered mail is: three languages, two written parts, safe whatever the shop's data holds."""

import re
from decimal import Decimal

import pytest

from campaigns import content, liquid
from loyalty.models import Account, EarnRule, Program
from postpurchase.errors import BusinessError
from stores.models import Order, Product
from tests.campaigns.mails import ana, lut, mail, pots
from tests.factories import NOON

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
    loaded = re.findall(r"""(?:<link|@import|url\(|src=)[^>]*?//([^/"')]+)""", rendered.html)
    assert set(loaded) <= {"atelier-lut.example.com"}
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


def test_points_are_told_in_money_where_the_programme_runs() -> None:
    store = lut()
    customer = ana(store)
    order = pots(store, customer)
    assert "puncte" not in mail(store, customer, order, "R01.thank_you", "ro").text

    program = Program.objects.create(store=store, name="Clubul Lut", is_on=True, started_at=NOON)
    EarnRule.objects.create(program=program, kind=EarnRule.Kind.REVIEW, points=20)
    Account.objects.create(store=store, customer=customer, usable=320)
    thanks = mail(store, customer, order, "R01.thank_you", "ro", fields={"key": "two"})
    assert "Aveți 320 de puncte, în valoare de 16,00 lei." in thanks.text
    assert "Aveți 320 de puncte" in thanks.html
    asked = mail(store, customer, order, "R06.review_request", "ro")
    assert "Primiți aceleași puncte indiferent de notă: 20 de puncte pe recenzie." in asked.text


def test_cash_at_the_door_says_what_to_have_ready_and_claims_no_payment() -> None:
    store = lut()
    customer = ana(store)
    order = pots(store, customer, payment_method="cod", paid_gmt=None)
    text = mail(store, customer, order, "R01.thank_you", "ro").text
    assert "Vă rugăm să aveți pregătită pentru curier suma de 413,00 lei." in text
    assert "De plată la livrare: 413,00 lei" in text
    assert "plata de" not in text


def test_a_promise_is_made_only_where_there_is_one() -> None:
    store = lut(delivery_days={"Curier": {"min": 1, "max": 2}}, handling_days=1)
    customer = ana(store)
    order = pots(store, customer, shipping_method="Curier")
    assert "Ajunge între: marți 24 și joi 26 nov." in mail(store, customer, order, "R01.thank_you", "ro").text

    order.shipments.all().delete()
    by_table = mail(store, customer, order, "R01.thank_you", "en", fields={"key": "table"}).text
    assert "Arriving: Tue 24 to Wed 25 Nov" in by_table

    Order.objects.filter(pk=order.pk).update(shipping_method="Unknown")
    order.refresh_from_db()
    nothing = mail(store, customer, order, "R01.thank_you", "en", fields={"key": "none"})
    assert "Arriving" not in nothing.text + nothing.html


def test_the_receipt_adds_up_with_tax_inside_the_prices() -> None:
    store = lut()
    customer = ana(store)
    order = pots(store, customer, total=Decimal("430.00"), tax=Decimal("68.00"), discount=Decimal("8.40"))
    first, *others = order.lines.order_by("pk")
    order.raw = {
        "prices_include_tax": True,
        "discount_total": "8.40",
        "discount_tax": "1.60",
        "shipping_total": "15.97",
        "shipping_tax": "3.03",
        "line_items": [
            {"id": first.woo_id, "subtotal": "78.99", "subtotal_tax": "15.01"},
            *({"id": line.woo_id, "subtotal": str(line.subtotal), "subtotal_tax": "0"} for line in others),
        ],
    }
    order.save(update_fields=["raw"])
    text = mail(store, customer, order, "R01.thank_you", "en").text
    for line in ["1 piece, 94,00 lei", "Discount: -10,00 lei", "Delivery: 19,00 lei", "Fees: 22,00 lei", "430,00 lei"]:
        assert line in text
    assert "Tax:" not in text


def test_addresses_from_the_catalogue_that_are_none_of_the_web_stay_out() -> None:
    store = lut(logo_url="javascript:alert(1)")
    customer = ana(store)
    order = pots(store, customer)
    Product.objects.update(image_url="javascript:alert(2)")
    assert "javascript:" not in mail(store, customer, order, "R01.thank_you", "en").html
