"""The import of a file on its pages, as a browser without scripts does it."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from stores import jobs
from stores.elsewhere import importing
from stores.models import Job, Order, OrderFile, Store
from tests.factories import make_order, make_store, make_user

pytestmark = pytest.mark.django_db

FILE = (
    "Bestellung;Datum;Summe;E-Mail\n"
    "A-1;20.11.2026 10:00;1.119,00;ana@example.com\n"
    "A-2;20.11.2026;zwei;ion@example.com\n"
)


@pytest.fixture(autouse=True)
def _place(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}


def person(store: Store, role: str = "owner") -> Client:
    client = Client()
    client.force_login(make_user(store, role=role))
    return client


def uploaded(client: Client, store: Store, content: str = FILE, **more: Any) -> Any:
    data = {"channel": "market", "contact": "order_only", "file": SimpleUploadedFile("m.csv", content.encode())}
    return client.post(f"/app/{store.slug}/orders/import/", data | more)


def chosen(source: OrderFile, **more: Any) -> dict[str, Any]:
    return {
        "external_id": "0",
        "created_at": "1",
        "total": "2",
        "email": "3",
        "decimal": ",",
        "day_first": "1",
        "usual_currency": "EUR",
    } | more


def test_upload_map_try_and_import() -> None:
    store = make_store()
    client = person(store)
    assert "Import orders" in client.get(f"/app/{store.slug}/orders/").content.decode()
    answer = uploaded(client, store)
    source = OrderFile.objects.get()
    address = f"/app/{store.slug}/orders/import/{source.pk}/"
    assert answer["Location"] == address
    page = client.get(address).content.decode()
    assert "Such as: ana@example.com · ion@example.com" in page
    assert 'value="import"' not in page
    missing = client.post(address, chosen(source, email="", action="try")).content.decode()
    assert "Say which column holds: email." in missing
    assert client.post(address, chosen(source, action="try"))["Location"] == address
    assert "It is being tried" in client.get(address).content.decode()
    jobs.run_due()
    page = client.get(address).content.decode()
    assert "“zwei” is no amount of money." in page
    assert 'value="import"' in page
    assert not Order.objects.exists()
    answer = client.post(address, chosen(source, action="import"))
    source.refresh_from_db()
    assert answer["Location"] == f"/app/{store.slug}/jobs/{source.job_id}/"
    jobs.run_due()
    order = Order.objects.get()
    assert (order.external_id, order.total, order.currency, order.channel) == ("A-1", 1119, "EUR", "market")
    assert "Done: 1 new, 0 changed, 0 as they were, 1 refused." in client.get(answer["Location"]).content.decode()
    assert "This file was imported." in client.get(address).content.decode()
    assert "zwei" in client.get(f"/app/{store.slug}/jobs/{source.job_id}/errors/").content.decode()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"file": SimpleUploadedFile("m.xlsx", b"PK\x03\x04")}, "Open it and save it as CSV"),
        ({"channel": "woocommerce"}, "is the shop itself"),
        ({"channel": "No name!"}, "Use small letters, digits, hyphens and underscores only."),
        ({"contact": "maybe"}, "Select a valid choice"),
    ],
)
def test_a_bad_upload_says_what_is_wrong_and_keeps_nothing(more: dict[str, Any], words: str) -> None:
    store = make_store()
    assert words in uploaded(person(store), store, **more).content.decode()
    assert not OrderFile.objects.exists()
    assert not store.channels.exists()


def test_the_file_of_another_store_is_not_there_and_who_may_not_connect_may_not_import() -> None:
    store, other = make_store(), make_store()
    uploaded(person(store), store)
    pk = OrderFile.objects.get().pk
    assert person(other).get(f"/app/{other.slug}/orders/import/{pk}/").status_code == 404
    assert person(other).get(f"/app/{store.slug}/orders/import/{pk}/").status_code == 404
    assert person(store, "support").get(f"/app/{store.slug}/orders/import/").status_code == 403


def test_the_list_and_the_page_of_an_order_say_its_channel() -> None:
    store = make_store()
    client = person(store)
    store.channels.create(name="market")
    order = make_order(store, woo_id=None, channel="market", external_id="M-7", contact="order_only", number="M7")
    make_order(store, number="W8")
    page = client.get(f"/app/{store.slug}/orders/?channel=market").content.decode()
    assert "#M7" in page
    assert "#W8" not in page
    page = client.get(f"/app/{store.slug}/orders/{order.pk}/").content.decode()
    assert "From market, where it is M-7." in page
    assert "Open in WooCommerce" not in page


def test_an_upload_without_a_policy_keeps_that_of_its_channel() -> None:
    store = make_store()
    client = person(store)
    uploaded(client, store, contact="all")
    assert store.channels.get().contact == "all"
    uploaded(client, store, contact="")
    assert store.channels.get().contact == "all"
    uploaded(client, store, channel="till", contact="")
    assert store.channels.get(name="till").contact == "order_only"
    page = client.get(f"/app/{store.slug}/orders/import/").content.decode()
    assert '<option value="" selected>As it is; about the order only for a new channel</option>' in page


@pytest.mark.parametrize(
    ("status", "words", "again"),
    [
        ("running", "This file is being imported.", False),
        ("paused", "The import of this file is paused.", False),
        ("failed", "broke off. What was imported stays.", False),
        ("cancelled", "was cancelled. What was imported before stays", True),
    ],
)
def test_the_page_of_a_file_says_how_its_import_stands(status: str, words: str, *, again: bool) -> None:
    store = make_store()
    client = person(store)
    uploaded(client, store)
    source = OrderFile.objects.get()
    address = f"/app/{store.slug}/orders/import/{source.pk}/"
    client.post(address, chosen(source, action="try"))
    jobs.run_due()
    client.post(address, chosen(source, action="import"))
    Job.objects.filter(kind=importing.KIND).update(status=status)
    page = client.get(address).content.decode()
    assert words in page
    assert "This file was imported." not in page
    assert ('value="import"' in page) is again


def test_a_cancelled_import_can_be_begun_again() -> None:
    store = make_store()
    client = person(store)
    uploaded(client, store)
    source = OrderFile.objects.get()
    address = f"/app/{store.slug}/orders/import/{source.pk}/"
    client.post(address, chosen(source, action="try"))
    jobs.run_due()
    client.post(address, chosen(source, action="import"))
    source.refresh_from_db()
    client.post(f"/app/{store.slug}/jobs/{source.job_id}/action/", {"action": "cancel"})
    jobs.run_due()
    assert not Order.objects.exists()
    client.post(address, chosen(source, action="import"))
    jobs.run_due()
    assert Order.objects.get().external_id == "A-1"
    assert "This file was imported." in client.get(address).content.decode()
