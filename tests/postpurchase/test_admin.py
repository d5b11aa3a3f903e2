"""The operator's admin: everything opens, secrets stay where they are, and what others write is only looked at."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty import ledger
from loyalty.models import Entry
from reviews import asking, cases
from stores import audit, events, jobs
from stores.admin import ReadOnly
from stores.models import Coupon, Membership, Order, Product, Store, User
from tests.factories import NOON, make_customer, make_order, make_product, make_store, make_user

pytestmark = pytest.mark.django_db
OURS = {"stores", "loyalty", "reviews", "campaigns"}
SHOWN = list(admin.site._registry)
READ_ONLY = [model for model, one in admin.site._registry.items() if isinstance(one, ReadOnly)]
SECRETS = {"consumer_key": "ck_very-hidden", "consumer_secret": "cs_very-hidden", "email_url": "smtp://u:hush@mx"}


@pytest.fixture
def store() -> Store:
    """A shop with one row of what is cheap to make."""
    store = make_store(slug="lut", **SECRETS)
    customer = make_customer(store)
    order = make_order(store, customer, items=[(make_product(store), 1)], delivered_at=NOON)
    ledger.give(store, customer, points=100, key="gift", reason="Welcome")
    asking.ask(store, order)
    cases.open_case(order, kind="question", key="k1")
    Coupon.objects.create(store=store, customer=customer, code="LUT-1", amount=5)
    jobs.start(store, "backfill", key="backfill:1")
    events.record(store, events.ORDER_PAID, subject=order.pk, at=NOON, order=order)
    audit.record(store, "store.connect", actor="operator")
    return store


@pytest.fixture
def operator(store: Store) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "pass-word-1"))
    return client


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", SHOWN, ids=lambda model: model._meta.label)
def test_the_operator_opens_each_list_and_a_row_of_it(model: type[Model], operator: Client) -> None:
    assert operator.get(address(model, "changelist")).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        page = operator.get(address(model, "change", row.pk))
        assert page.status_code == 200
        for secret in SECRETS.values():
            assert secret not in page.content.decode()


def test_the_main_models_are_there_and_only_three_can_be_edited() -> None:
    ours = {model for model in SHOWN if model._meta.app_label in OURS}
    assert ours - set(READ_ONLY) == {Store, Membership, User}
    assert {"Order", "Entry", "Message", "Enrolment", "Review", "Case", "Intent", "Job", "Event", "AuditEvent"} <= {
        model.__name__ for model in READ_ONLY
    }


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model._meta.label)
def test_what_others_write_cannot_be_added(model: type[Model], operator: Client) -> None:
    assert operator.get(address(model, "add")).status_code == 403
    assert operator.post(address(model, "add"), {}).status_code == 403


def test_a_ledger_entry_is_neither_changed_nor_deleted(operator: Client) -> None:
    entry = Entry.objects.get()
    assert operator.post(address(Entry, "change", entry.pk), {"points": "999"}).status_code == 403
    assert operator.post(address(Entry, "delete", entry.pk), {"post": "yes"}).status_code == 403
    operator.post(
        address(Entry, "changelist"), {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"}
    )
    assert [(one.pk, one.points) for one in Entry.objects.all()] == [(entry.pk, 100)]
    assert not LogEntry.objects.exists()


def test_a_shops_secrets_survive_an_edit_of_its_page_unseen(store: Store, operator: Client) -> None:
    page = operator.get(address(Store, "change", store.pk))
    form = page.context["adminform"].form
    assert not set(SECRETS) & {*form.fields, *page.context["adminform"].readonly_fields}
    given = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    answer = operator.post(address(Store, "change", store.pk), given | {"name": "Atelier Lut"})
    assert answer.status_code == 302
    store.refresh_from_db()
    assert store.name == "Atelier Lut"
    assert {name: getattr(store, name) for name in SECRETS} == SECRETS


def test_a_shop_with_its_history_is_not_deleted_here(store: Store, operator: Client) -> None:
    assert operator.post(address(Store, "delete", store.pk), {"post": "yes"}).status_code == 403
    assert Store.objects.filter(pk=store.pk).exists()


def test_the_operator_makes_a_person_and_gives_a_role(store: Store, operator: Client) -> None:
    word = "a-long-pass-word-7"
    operator.post(
        address(User, "add"),
        {"email": "ina@example.com", "name": "Ina", "usable_password": "true", "password1": word, "password2": word},
    )
    person = User.objects.get(email="ina@example.com")
    assert person.check_password(word)
    operator.post(address(Membership, "add"), {"user": person.pk, "store": store.pk, "role": "support"})
    assert Membership.objects.get(user=person).role == "support"


def test_the_ledger_goes_out_as_a_file(operator: Client) -> None:
    page = operator.get(address(Entry, "export"))
    assert page.status_code == 200
    sent = operator.post(
        address(Entry, "export"),
        {"format": "0", "resource": "", **{f"entryresource_{name}": "on" for name in ("at", "customer", "points")}},
    )
    assert sent["Content-Type"].startswith("text/csv")
    assert sent.content.decode().splitlines()[0] == "at,customer,points"
    assert ",100" in sent.content.decode().splitlines()[1]


def test_a_list_costs_the_same_for_one_row_and_for_ten(store: Store, operator: Client) -> None:
    def cost() -> list[int]:
        counted = []
        for model in (Order, Entry):
            with CaptureQueriesContext(connection) as seen:
                assert operator.get(address(model, "changelist")).status_code == 200
            counted.append(len(seen))
        return counted

    before = cost()
    for number in range(9):
        customer = make_customer(store)
        make_order(store, customer)
        ledger.give(store, customer, points=5, key=f"more {number}", reason="Welcome")
    assert cost() == before


def test_what_has_no_table_form_is_not_exported(operator: Client) -> None:
    assert operator.get(address(Product, "export")).status_code == 403


def test_a_member_of_a_shop_has_no_admin(store: Store) -> None:
    client = Client()
    client.force_login(make_user(store))
    assert client.get(address(Entry, "changelist")).status_code == 302
