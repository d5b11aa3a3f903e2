"""The pages of write-backs: the list, one of them with the choices, and the two wishes on an order's page."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from postpurchase import clock, due
from stores import doctor, registries, write_backs
from stores.models import AuditEvent, Intent, Order, Store
from tests.factories import NOON, make_order, make_store, make_user

pytestmark = pytest.mark.django_db
LIST = "/app/lut/settings/system/write-backs/"


@pytest.fixture
def store() -> Store:
    clock.freeze(NOON)
    return make_store(slug="lut")


@pytest.fixture
def order(store: Store) -> Order:
    return make_order(store, number="1001")


def client(store: Store, role: str = "owner") -> Client:
    found = Client()
    found.force_login(make_user(store, role=role))
    return found


def wish(order: Order, status: str = "attention", **fields: object) -> Intent:
    intent = write_backs.set_status(order, "completed", key=f"k{Intent.objects.count()}", by="mara")
    given = {"status": status, "state": due.State.DONE, "error": "The order was moved on.", "finished_at": NOON}
    Intent.objects.filter(pk=intent.pk).update(**(given | fields))
    intent.refresh_from_db()
    return intent


def test_the_list_tells_what_where_and_why(store, order):
    wish(order)
    page = client(store).get(LIST).content.decode()
    for words in ("Order state", "#1001", "Needs you", "The order was moved on."):
        assert words in page
    assert "Nothing matches" in client(store).get(f"{LIST}?view=failed").content.decode()


def test_the_list_asks_the_database_as_often_for_30_as_for_3(store, order):
    for _ in range(3):
        wish(order)
    owner = client(store)
    owner.get(LIST)
    before = counted(owner)
    for _ in range(27):
        wish(order)
    assert counted(owner) == before


def counted(owner: Client) -> int:
    with CaptureQueriesContext(connection) as queries:
        owner.get(LIST)
    return len(queries)


@pytest.mark.parametrize(
    ("choice", "status", "state"),
    [("again", "planned", "due"), ("accept", "confirmed", "done"), ("give_up", "failed", "done")],
)
def test_a_person_chooses(choice, status, state, store, order):
    intent = wish(order)
    page = client(store).get(f"{LIST}{intent.pk}/").content.decode()
    assert re.findall(r'name="choice" value="(\w+)"', page) == ["again", "accept", "give_up"]
    answer = client(store).post(f"{LIST}{intent.pk}/choose/", {"choice": choice})
    assert answer.status_code == 302
    intent.refresh_from_db()
    assert (intent.status, intent.state) == (status, state)
    assert AuditEvent.objects.filter(action=f"write_back.{choice}").count() == 1


def test_what_is_settled_offers_nothing_and_a_late_choice_changes_nothing(store, order):
    intent = wish(order, status="confirmed", error="")
    assert 'name="choice"' not in client(store).get(f"{LIST}{intent.pk}/").content.decode()
    for choice in ("again", "give_up", "nonsense", ""):
        client(store).post(f"{LIST}{intent.pk}/choose/", {"choice": choice})
    intent.refresh_from_db()
    assert (intent.status, intent.state) == ("confirmed", "done")


def test_who_may_only_look_cannot_choose(store, order):
    intent = wish(order)
    viewer = client(store, "viewer")
    page = viewer.get(f"{LIST}{intent.pk}/")
    assert (page.status_code, b'name="choice"' in page.content) == (200, False)
    assert viewer.post(f"{LIST}{intent.pk}/choose/", {"choice": "again"}).status_code == 403
    intent.refresh_from_db()
    assert intent.status == "attention"


def test_home_and_system_tell_how_many_wait(store, order):
    assert not [need for need in registries.needs(store) if "write-back" in need.title]
    wish(order)
    (need,) = [need for need in registries.needs(store) if "write-back" in need.title]
    assert (need.title, need.url) == ("1 write-back needs you", f"{LIST}?view=attention")
    (check,) = [check for check in doctor.store_checks(store) if check.name == "Write-backs"]
    assert (check.ok, check.level) == (False, "warn")


def test_a_store_with_its_coupons_off_is_told_so_before_anything_is_sent(store):
    assert not [check for check in doctor.store_checks(store) if check.name == "Coupons"]
    store.capabilities = {"coupons_on": False}
    (check,) = [check for check in doctor.store_checks(store) if check.name == "Coupons"]
    assert (check.ok, check.level) == (False, "warn")


def press(page: str) -> str:
    found = re.search(r'name="press" value="(\w+)"', page)
    assert found
    return found[1]


def test_a_note_is_asked_for_once_however_often_the_button_is_pressed(store, order):
    owner = client(store)
    given = {"press": press(owner.get(f"/app/lut/orders/{order.pk}/").content.decode()), "note": "Called <b>Ana</b>"}
    for _ in range(2):
        assert owner.post(f"/app/lut/orders/{order.pk}/note/", given).status_code == 302
    intent = Intent.objects.get()
    assert (intent.kind, intent.params) == ("order.note", {"text": "Called <b>Ana</b>", "to_customer": False})
    assert "Note in the store" in owner.get(f"/app/lut/orders/{order.pk}/").content.decode()


def test_the_words_of_a_note_are_for_those_who_may_see_people(store, order):
    intent = write_backs.add_note(order, "Ana called", key="k", by="mara")
    assert "Ana called" in client(store).get(f"{LIST}{intent.pk}/").content.decode()
    for address in (f"{LIST}{intent.pk}/", f"/app/lut/orders/{order.pk}/"):
        assert "Ana called" not in client(store, "viewer").get(address).content.decode()


def test_a_state_is_asked_for_from_the_orders_page(store, order):
    owner = client(store)
    page = owner.get(f"/app/lut/orders/{order.pk}/").content.decode()
    assert '<option value="completed">' in page
    assert '<option value="processing">' not in page
    owner.post(f"/app/lut/orders/{order.pk}/status/", {"press": press(page), "status": "completed"})
    assert Intent.objects.get().params == {"status": "completed", "seen": "processing"}


def test_an_order_that_is_not_in_the_shop_and_a_viewer_get_no_forms(store, order):
    elsewhere = make_order(store, woo_id=None, channel="till", external_id="7")
    for found, role in ((elsewhere, "owner"), (order, "viewer")):
        page = client(store, role).get(f"/app/lut/orders/{found.pk}/").content.decode()
        assert 'name="press"' not in page
    client(store).post(f"/app/lut/orders/{elsewhere.pk}/note/", {"press": "x", "note": "x"})
    assert not Intent.objects.exists()
