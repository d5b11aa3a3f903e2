"""Preferences, unsubscribe, confirmation and counted links: a GET changes nothing, a POST acts, repeats are harmless."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns import consent, content, counted
from campaigns.models import Consent, ConsentEvent, LinkVisit, Preference
from postpurchase import clock, links
from stores.models import MessageRequest
from tests.campaigns.mails import ana, lut, message_for
from tests.factories import NOON

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True, headers={"User-Agent": BROWSER})


def path(address: str | None) -> str:
    assert address
    return address.removeprefix("http://testserver")


def test_unsubscribe_by_get_changes_nothing_and_by_post_acts_once(browser: Client) -> None:
    store = lut()
    customer = ana(store)
    address = path(consent.unsubscribe_url(store, customer, channel="email", purpose="review"))

    shown = browser.get(address)
    assert shown.status_code == 200
    assert not ConsentEvent.objects.exists()
    assert consent.may_send(store, customer, channel="email", purpose="review", at=NOON).allowed

    for _again in range(2):
        answer = browser.post(address, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    event = ConsentEvent.objects.get()
    assert (event.purpose, event.state, event.source) == ("review", "denied", "one-click")
    assert consent.may_send(store, customer, channel="email", purpose="review", at=NOON).reason == (
        "objected to these messages"
    )
    assert consent.may_send(store, customer, channel="email", purpose="loyalty", at=NOON).allowed


def test_an_unsubscribe_link_works_for_ever_and_after_rotation(browser: Client, settings: Any) -> None:
    store = lut()
    address = path(consent.unsubscribe_url(store, ana(store), channel="email", purpose="review"))
    settings.LINK_KEYS = ["a-new-key", *settings.LINK_KEYS]
    with clock.shifted(timedelta(days=3000)):
        assert browser.post(address).status_code == 200
    assert Consent.objects.get().state == "denied"


def test_stop_all_is_one_press_and_orders_go_on(browser: Client) -> None:
    store = lut()
    customer = ana(store)
    address = path(links.url("p", customer.pk))
    assert browser.get(address).status_code == 200
    answer = browser.post(address, {"stop": "all"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(address)
    for purpose, allowed in [("review", False), ("loyalty", False), ("marketing", False), ("order", True)]:
        assert consent.may_send(store, customer, channel="email", purpose=purpose, at=NOON).allowed is allowed
    count = ConsentEvent.objects.count()
    browser.post(address, {"stop": "all"})
    assert ConsentEvent.objects.count() == count


def test_ticking_marketing_waits_for_the_answer_to_a_mail(browser: Client) -> None:
    store = lut()
    customer = ana(store)
    address = path(links.url("p", customer.pk))
    everything = {f"{purpose}-email": "on" for purpose in ("review", "survey", "service", "loyalty", "marketing")}
    browser.post(address, {"topics": "1", **everything})

    asked = MessageRequest.objects.get(kind="preferences.confirm")
    assert Consent.objects.get(purpose="marketing").state == "pending"
    assert not consent.may_send(store, customer, channel="email", purpose="marketing", at=NOON).allowed

    yes = path(links.url("d", asked.payload["consent_event"]))
    assert browser.get(yes).status_code == 200
    assert Consent.objects.get(purpose="marketing").state == "pending"
    browser.post(yes)
    browser.post(yes)
    assert Consent.objects.get(purpose="marketing").state == "granted"
    assert ConsentEvent.objects.filter(source="double opt-in").count() == 1
    assert consent.may_send(store, customer, channel="email", purpose="marketing", at=NOON).allowed


def test_a_confirmation_does_not_undo_a_stop(browser: Client) -> None:
    store = lut()
    customer = ana(store)
    asked = consent.set_consent(
        store, customer, channel="email", purpose="marketing", state="pending", source="preferences"
    )
    assert asked
    consent.stop_all(customer, source="preferences")
    browser.post(path(links.url("d", asked.pk)))
    assert Consent.objects.get(channel="email", purpose="marketing").state == "denied"


def test_unticking_stops_that_topic_alone(browser: Client) -> None:
    store = lut()
    customer = ana(store)
    kept = {f"{purpose}-email": "on" for purpose in ("survey", "service", "loyalty")}
    browser.post(path(links.url("p", customer.pk)), {"topics": "1", **kept})
    assert list(ConsentEvent.objects.values_list("purpose", "state")) == [("review", "denied")]


def test_pause_and_language(browser: Client) -> None:
    store = lut()
    customer = ana(store, language="ro")
    address = path(links.url("p", customer.pk))
    browser.post(address, {"pause": "30"})
    assert Consent.objects.filter(paused_until__gt=clock.now() + timedelta(days=29)).exists()
    browser.post(address, {"pause": "0"})
    assert not Consent.objects.filter(paused_until__isnull=False).exists()
    browser.post(address, {"pause": "100000"})
    assert not Consent.objects.filter(paused_until__isnull=False).exists()

    browser.post(address, {"language": "id"})
    assert Preference.objects.get().language == "id"
    browser.post(address, {"language": "xx"})
    assert Preference.objects.get().language == "id"
    assert 'lang="id"' in browser.get(address).content.decode()


def test_a_get_sets_no_cookie_and_tells_nobody(browser: Client) -> None:
    store = lut()
    answer = browser.get(path(links.url("p", ana(store).pk)))
    assert not answer.cookies
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer["X-Robots-Tag"]
    assert "no-store" in answer["Cache-Control"]
    body = answer.content.decode()
    assert "<script" not in body
    assert "nonce=" in body


def test_the_address_chooses_the_language_of_the_page(browser: Client) -> None:
    store = lut()
    address = path(links.url("p", ana(store, language="ro").pk))
    assert '<html lang="ro" dir="ltr">' in browser.get(address).content.decode()
    assert '<html lang="id" dir="ltr">' in browser.get(f"{address}?lang=id").content.decode()
    assert '<html lang="ro" dir="ltr">' in browser.get(f"{address}?lang=../../x").content.decode()


def test_a_wrong_link_is_one_page_whatever_is_wrong_with_it(browser: Client) -> None:
    store, other = lut(), lut(slug="other", name="Other")
    customer = ana(store)
    good = links.make("p", customer.pk)
    wrong = [
        good[:-1],
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        good.replace("p-", "u-", 1),
        links.make("u", customer.pk),
        links.make("p", 999_999),
        links.make("p", customer.pk, version=2),
        "nonsense",
    ]
    pages = {browser.get(f"/p/{token}/").content.replace(b"", b"") for token in wrong}
    bodies = {page.split(b"<main")[1] for page in pages}
    assert len(bodies) == 1
    assert all(browser.get(f"/p/{token}/").status_code == 404 for token in wrong)
    assert other.name.encode() not in b"".join(pages)
    assert not ConsentEvent.objects.exists()


def test_too_many_wrong_links_are_slowed_and_right_ones_still_work(browser: Client) -> None:
    good = path(links.url("p", ana(lut()).pk))
    statuses = [browser.get(f"/p/guess-{number}/").status_code for number in range(62)]
    assert statuses[:60] == [404] * 60
    assert statuses[60:] == [429, 429]
    assert browser.get(good).status_code == 200


def test_an_expired_link_offers_a_new_one_and_says_the_same_to_everybody(browser: Client) -> None:
    store = lut()
    customer = ana(store)
    asked = consent.set_consent(
        store, customer, channel="email", purpose="marketing", state="pending", source="preferences"
    )
    assert asked
    address = path(links.url("d", asked.pk))
    with clock.shifted(timedelta(days=40)):
        shown = browser.get(address)
        assert shown.status_code == 410
        assert "a•••@e••••••.com" in shown.content.decode()
        assert "ana.popescu" not in shown.content.decode()
        assert not MessageRequest.objects.exists()
        answers = [browser.post(address) for _again in range(7)]
    assert {answer.status_code for answer in answers} == {410}
    assert len({answer.content.split(b"<main")[1] for answer in answers}) == 1
    asked_for = MessageRequest.objects.get()
    assert (asked_for.kind, asked_for.payload) == ("link.new", {"link": {"purpose": "d", "row": asked.pk}})


@pytest.mark.parametrize("tail", ["", "?u=//evil.example", "?next=https:evil.example", "?url=%2F%2Fevil.example"])
def test_a_counted_link_leads_where_it_was_made_to(browser: Client, tail: str) -> None:
    store = lut()
    message = message_for(store, ana(store), None, "reward.ready")
    address = counted.url(message, place="shop", destination="https://atelier-lut.example.com")
    assert counted.url(message, place="shop", destination="https://evil.example") == address
    answer = browser.get(path(address) + tail)
    assert (answer.status_code, answer["Location"]) == (302, "https://atelier-lut.example.com")
    assert not answer.cookies
    assert LinkVisit.objects.get().kind == "unknown"


def test_scanners_are_told_apart_and_a_post_is_refused(browser: Client) -> None:
    store = lut()
    message = message_for(store, ana(store), None, "reward.ready")
    address = path(counted.url(message, place="shop", destination="https://atelier-lut.example.com"))
    browser.head(address)
    browser.get(address, headers={"User-Agent": "Mozilla/5.0 (compatible; MimecastBot/1.0)"})
    assert browser.post(address).status_code == 405
    assert list(LinkVisit.objects.values_list("kind", flat=True)) == ["machine", "machine"]


def test_every_message_of_the_library_can_be_installed() -> None:
    store = lut()
    for name in content.names():
        assert content.install(store, name).versions.count() == 3
