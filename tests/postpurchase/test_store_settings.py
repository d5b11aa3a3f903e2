"""The settings page: each part saves alone, bad input is told and loses nothing, secrets are never shown."""

import re
from datetime import time

import pytest
from django.core import mail
from django.test import Client

from campaigns.models import SendingRules
from reviews.models import ReviewSettings
from stores.models import AuditEvent, Store
from tests.factories import make_store, make_user

pytestmark = pytest.mark.django_db

SENDING = {
    "section": "sending",
    "mail_from": "hello@lut.example.com",
    "postal_address": "Strada Olarilor 14\nCluj-Napoca",
    "phone": "+40 264 000 000",
    "hours": "9 to 17",
}


@pytest.fixture
def store():
    return make_store(reach_us={"social": ["https://x.example.com"], "chat": "https://old.example.com"})


@pytest.fixture
def send(client, store):
    client.force_login(make_user(store))

    def post(**data):
        return client.post(f"/app/{store.slug}/settings/", data)

    return post


def test_the_sender_is_saved_and_what_the_page_does_not_know_is_kept(send, store):
    assert send(**SENDING).status_code == 302
    store.refresh_from_db()
    assert (store.mail_from, store.postal_address.splitlines()[0]) == ("hello@lut.example.com", "Strada Olarilor 14")
    assert store.reach_us == {"social": ["https://x.example.com"], "phone": "+40 264 000 000", "hours": "9 to 17"}
    assert AuditEvent.objects.get().action == "settings.sending"


def test_a_mail_account_is_kept_secret_kept_when_left_empty_and_removed_by_a_dash(send, store, client):
    account = "smtp+tls://lut:s3cret@mail.example.com:587"
    send(**SENDING, email_url=account)
    store.refresh_from_db()
    assert store.email_url == account
    assert "s3cret" not in str(AuditEvent.objects.get().diff)
    assert "s3cret" not in client.get(f"/app/{store.slug}/settings/").content.decode()
    send(**SENDING)
    store.refresh_from_db()
    assert store.email_url == account
    send(**SENDING, email_url="-")
    store.refresh_from_db()
    assert store.email_url == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (SENDING | {"mail_from": "a@b"}, "Mails come from"),
        (SENDING | {"postal_address": ""}, "Postal address"),
        (SENDING | {"email_url": "gopher://x"}, "not understood"),
        ({"section": "brand", "accent": "#FFEE88"}, "nearest colour that can"),
        ({"section": "brand", "accent": "red"}, "six digits"),
        ({"section": "shop", "handling_days": "2", "days": "Courier: fast"}, "is not like"),
        ({"section": "shop", "handling_days": "2", "days": "Courier: 5-3"}, "is not like"),
        ({"section": "consent", "countries": "Romania"}, "two letters"),
        ({"section": "store", "name": "", "language": "ro"}, "Name"),
        ({"section": "reviews", "hours": "-4"}, "hours"),
    ],
)
def test_bad_input_is_told_where_it_was_typed_and_nothing_is_saved(send, store, data, said):
    before = Store.objects.values().get()
    answer = send(**data)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Store.objects.values().get() == before
    assert not AuditEvent.objects.exists()


def test_every_other_part_saves_what_it_shows(send, store):
    for data in (
        {"section": "brand", "accent": "#8a3f24", "logo_url": ""},
        {"section": "shop", "handling_days": "1", "days": "Courier: 1-3\n\nEasybox = 2 to 4", "opt_in_meta_key": "_ok"},
        {"section": "consent", "countries": "ro, de"},
        {"section": "store", "name": "Lut", "language": "ro", "country": "ro"},
        {"section": "reviews", "hours": ""},
    ):
        assert send(**data).status_code == 302, data
    store.refresh_from_db()
    assert (store.accent, store.opt_in_meta_key, store.name, store.country) == ("#8A3F24", "_ok", "Lut", "RO")
    assert store.delivery_days == {"Courier": {"min": 1, "max": 3}, "Easybox": {"min": 2, "max": 4}}
    assert store.soft_opt_in_countries == ["DE", "RO"]
    assert ReviewSettings.objects.get().auto_publish_hours is None


def test_a_test_mail_goes_to_the_person_who_asks(send, store):
    send(section="test")
    (sent,) = mail.outbox
    assert sent.to == [store.members.get().email]
    assert store.mail_from in sent.from_email


def test_each_part_is_sent_under_its_own_name(client, store):
    client.force_login(make_user(store))
    text = client.get(f"/app/{store.slug}/settings/").content.decode()
    names = re.findall(r'name="section" value="([a-z]+)"', text)
    assert names == ["test", "sending", "rules", "brand", "store", "shop", "freshness", "consent", "reviews"]


def test_only_those_who_may_connect_the_store_may_set_it(client, store):
    client.force_login(make_user(store, role="marketer"))
    assert client.post(f"/app/{store.slug}/settings/", SENDING).status_code == 403
    client.force_login(make_user())
    assert client.post(f"/app/{store.slug}/settings/", SENDING).status_code == 404
    assert not AuditEvent.objects.exists()


def test_caps_and_hours_are_set_and_wrong_hours_are_refused(client: Client) -> None:
    store = make_store()
    client.force_login(make_user(store))
    given = {
        "section": "rules",
        "marketing_per_week": "3",
        "marketing_per_day": "1",
        "ask_gap_hours": "96",
        "day_from": "09:00",
        "day_to": "18:30",
        "loud_from": "10:00",
        "loud_to": "18:00",
        "catch_up_per_minute": "20",
    }
    address = f"/app/{store.slug}/settings/"
    refused = client.post(address, given | {"day_to": "08:00"})
    assert refused.status_code == 422
    assert "The hours must begin before they end" in refused.content.decode()
    assert not SendingRules.objects.exists()
    assert client.post(address, given).status_code == 302
    rules = SendingRules.objects.get(store=store)
    assert (rules.marketing_per_week, rules.ask_gap_hours, rules.day_to, rules.catch_up_per_minute) == (
        3,
        96,
        time(18, 30),
        20,
    )
    assert AuditEvent.objects.filter(store=store, action="settings.rules").count() == 1
    assert 'value="18:30"' in client.get(address).content.decode()
