"""The page of keys for machines."""

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from postpurchase import clock
from stores.api_keys import SCOPES, create_api_key, read_api_key
from stores.models import ApiKey, AuditEvent, Store
from tests.factories import NOON, make_store, make_user

pytestmark = pytest.mark.django_db
PAGE = "/app/lut/settings/developers/"


@pytest.fixture
def store() -> Store:
    return make_store(slug="lut")


@pytest.fixture
def owner(store: Store) -> Client:
    client = Client()
    client.force_login(make_user(store, email="mara@example.com"))
    return client


def found_nowhere_in_plain(session: Session) -> bool:
    return not re.search(r"pp_[0-9a-f]+_", str(session.get_decoded()))


def test_the_secret_stands_once_on_the_page_and_works(store: Store, owner: Client) -> None:
    with clock.frozen(NOON):
        made = owner.post(PAGE, {"name": "till", "scopes": ["orders:read", "ledger:write"], "days": "30"})
        assert (made.status_code, made["Location"], made["Cache-Control"]) == (302, PAGE, "no-store, private")
        assert found_nowhere_in_plain(Session.objects.get())
        answer = owner.get(PAGE)
        found = re.search(r"pp_[0-9a-f]+_[\w-]{20,}", answer.content.decode())
        assert found
        key = read_api_key(found.group())
    assert key is not None
    assert (key.store, key.name, key.scopes, key.expires_at) == (
        store,
        "till",
        ["ledger:write", "orders:read"],
        NOON + timedelta(days=30),
    )
    assert answer["Cache-Control"] == "no-store, private"
    again = owner.get(PAGE).content.decode()
    assert found.group() not in again
    assert f"pp_{key.prefix}_…" in again
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.target, event.diff) == (
        "api_key.create",
        "mara@example.com",
        key.prefix,
        {"scopes": key.scopes},
    )


def test_reloading_the_page_after_making_a_key_makes_no_other(store: Store, owner: Client) -> None:
    given = {"name": "till", "scopes": ["orders:read"], "days": "0"}
    assert owner.post(PAGE, given, follow=True).redirect_chain == [(PAGE, 302)]
    owner.get(PAGE)
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("minutes", [0, 6])
def test_the_secret_is_shown_to_nobody_else_and_not_after_a_while(store: Store, owner: Client, minutes: int) -> None:
    owner.post(PAGE, {"name": "till", "scopes": ["orders:read"], "days": "0"})
    other = Client()
    other.force_login(make_user(store))
    with clock.shifted(timedelta(minutes=minutes)):
        assert b"Copy it now" not in other.get(PAGE).content
        assert (b"Copy it now" in owner.get(PAGE).content) == (minutes == 0)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "", "scopes": ["orders:read"], "days": "0"},
        {"name": "till", "days": "0"},
        {"name": "till", "scopes": ["everything"], "days": "0"},
        {"name": "till", "scopes": ["orders:read"], "days": "7"},
    ],
)
def test_a_form_that_is_not_right_makes_no_key(owner: Client, given: dict[str, object]) -> None:
    answer = owner.post(PAGE, given)
    assert "Not saved" in answer.content.decode()
    assert (ApiKey.objects.count(), AuditEvent.objects.count()) == (0, 0)


def test_the_page_lists_keys_of_this_store_alone_and_offers_every_scope(store: Store, owner: Client) -> None:
    used, _ = create_api_key(store, name="accounting", scopes=["orders:read"])
    ApiKey.objects.filter(pk=used.pk).update(last_used_at=clock.now() - timedelta(hours=3))
    create_api_key(make_store(), name="foreign", scopes=["orders:read"])
    page = owner.get(PAGE).content.decode()
    assert "accounting" in page
    assert "foreign" not in page
    assert "3 h ago" in page
    assert set(re.findall(r'name="scopes" value="([\w:]+)"', page)) == SCOPES
    assert 'href="/api/docs/"' in page


def test_a_revoked_key_is_refused_at_once_and_written_down_once(store: Store, owner: Client) -> None:
    key, text = create_api_key(store, name="till", scopes=["orders:read"])
    for _ in range(2):
        assert owner.post(f"{PAGE}{key.pk}/revoke/").status_code == 302
    assert read_api_key(text) is None
    assert [event.action for event in AuditEvent.objects.all()] == ["api_key.revoke"]
    assert "Revoked" in owner.get(PAGE).content.decode()


def test_a_key_of_another_store_is_not_found_and_goes_on_working(owner: Client) -> None:
    key, text = create_api_key(make_store(), name="theirs", scopes=["orders:read"])
    assert owner.post(f"{PAGE}{key.pk}/revoke/").status_code == 404
    assert owner.get(f"{PAGE}{key.pk}/revoke/").status_code == 405
    assert read_api_key(text) == key


def test_only_owners_see_it(store: Store) -> None:
    client = Client()
    client.force_login(make_user(store, role="manager"))
    assert client.get(PAGE).status_code == 403
    assert "Developers" not in client.get("/app/lut/").content.decode()
