"""The member's page and the merchant's pages."""

import re
from datetime import timedelta

import pytest

from loyalty import ledger, programs
from loyalty.models import Account, Entry, Redemption
from postpurchase import clock, links
from stores.models import Coupon, Customer
from tests.factories import make_customer, make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    store = make_store(language="en")
    programs.start(store, actor="test")
    return store


@pytest.fixture
def account(store):
    ledger.give(
        store, make_customer(store, email="ana@example.com", language="en"), points=250, key="k", reason="Welcome"
    )
    return Account.objects.get()


def page(account):
    return f"/l/{links.make('l', account.pk, version=account.link_version)}/"


def key_of(answer):
    return re.search(r'name="key" value="([^"]+)"', answer.content.decode())[1]


def test_the_page_shows_points_in_money_and_what_they_buy_and_changes_nothing(client, account):
    answer = client.get(page(account))
    text = answer.content.decode()
    assert "250 points, worth 12.50 lei" in text
    assert "Use 200 points for 10.00 lei off" in text
    assert not answer.cookies
    assert answer["Referrer-Policy"] == "no-referrer"
    assert (Entry.objects.count(), Redemption.objects.count()) == (1, 0)


def test_redeeming_takes_two_steps_and_a_double_press_redeems_once(client, account, store):
    reward = store.program.rewards.get()
    asked = client.post(page(account), {"reward": reward.pk})
    assert "Confirm and make the code" in asked.content.decode()
    assert Redemption.objects.count() == 0
    form = {"reward": reward.pk, "key": key_of(asked), "confirm": "1"}
    for _ in range(2):
        assert client.post(page(account), form).status_code == 302
    assert Redemption.objects.count() == 1
    account.refresh_from_db()
    assert account.usable == 50


def test_the_code_is_shown_only_once_it_is_live(client, account, store):
    reward = store.program.rewards.get()
    form = {"reward": reward.pk, "key": "a" * 32, "confirm": "1"}
    client.post(page(account), form)
    coupon = Coupon.objects.get()
    before = client.get(page(account)).content.decode()
    assert coupon.code not in before
    assert "The shop is making your code" in before
    Coupon.objects.update(state="live")
    Redemption.objects.update(status="ready")
    assert coupon.code in client.get(page(account)).content.decode()


def test_too_few_points_are_said_and_nothing_is_taken(client, account, store):
    reward = store.program.rewards.get()
    client.post(page(account), {"reward": reward.pk, "key": "a" * 32, "confirm": "1"})
    answer = client.post(page(account), {"reward": reward.pk, "key": "b" * 32, "confirm": "1"})
    assert answer.status_code == 409
    assert "There are 50 points to spend and this needs 200. Nothing was taken." in answer.content.decode()
    assert Redemption.objects.count() == 1


def test_hostile_posts_change_nothing(client, account, store):
    foreign = programs.start(make_store(), actor="test").rewards.get()
    for form in ({"reward": foreign.pk, "confirm": "1", "key": "a" * 32}, {"reward": "x"}, {"points": "999"}, {}):
        assert client.post(page(account), form).status_code == 200
    assert (Entry.objects.count(), Redemption.objects.count()) == (1, 0)


def test_foreign_altered_and_revoked_links_give_the_link_problem_page(client, account):
    good = links.make("l", account.pk)
    for token in (
        links.make("r", account.pk),
        good[:-1] + ("a" if good[-1] != "a" else "b"),
        links.make("l", 999),
        "x",
    ):
        assert client.get(f"/l/{token}/").status_code == 404
    Account.objects.update(link_version=2)
    assert client.get(f"/l/{good}/").status_code == 404


def test_an_overaged_link_offers_a_new_one(client, account):
    old = page(account)
    clock.advance(timedelta(days=32))
    answer = client.get(old)
    assert answer.status_code == 410
    assert "a•••@e" in answer.content.decode()


@pytest.mark.parametrize("language", ["ro", "id"])
def test_the_page_speaks_the_members_language(client, account, language):
    Customer.objects.update(language=language)
    answer = client.get(page(account))
    assert answer["Content-Language"] == language
    assert f'<html lang="{language}"' in answer.content.decode()


def test_the_merchant_sees_programme_members_and_ledger(client, store, account):
    client.force_login(make_user(store))
    for path, seen in [
        ("loyalty/", "12.50 lei"),
        ("loyalty/members/", "ana@example.com"),
        ("loyalty/ledger/", "Welcome"),
        (f"loyalty/members/{account.pk}/", "250 points to use"),
    ]:
        answer = client.get(f"/app/{store.slug}/{path}")
        assert answer.status_code == 200
        assert seen in answer.content.decode()


def test_a_store_without_a_programme_is_invited_to_start_one(client):
    store = make_store()
    client.force_login(make_user(store))
    assert "Start the programme" in client.get(f"/app/{store.slug}/loyalty/").content.decode()
    client.post(f"/app/{store.slug}/loyalty/save/", {"act": "start"})
    store.refresh_from_db()
    assert store.program.is_on


def test_a_correction_by_hand_is_written_once_and_bad_ones_are_told(client, store, account):
    client.force_login(make_user(store))
    path = f"/app/{store.slug}/loyalty/members/{account.pk}/adjust/"
    for form in ({"points": "ten", "note": "x"}, {"points": "-10"}, {"points": "-999", "note": "x"}):
        client.post(path, form | {"key": "k" * 20})
    assert Entry.objects.count() == 1
    for _ in range(2):
        client.post(path, {"points": "-50", "note": "typed twice", "key": "k" * 20})
    account.refresh_from_db()
    assert account.usable == 200


def test_a_viewer_cannot_correct_and_an_outsider_sees_nothing(client, store, account):
    path = f"/app/{store.slug}/loyalty/members/{account.pk}/adjust/"
    client.force_login(make_user(store, role="viewer"))
    assert client.post(path, {"points": "5", "note": "x"}).status_code == 403
    client.force_login(make_user())
    assert client.post(path, {"points": "5", "note": "x"}).status_code == 404
    assert Entry.objects.count() == 1
