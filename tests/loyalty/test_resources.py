"""Files in and out: exports are complete and safe, imports of points are repeatable and all or nothing."""

import pytest
from django.core.management import CommandError, call_command

from loyalty import ledger
from loyalty.models import Entry
from loyalty.resources import EntryResource
from postpurchase.errors import BusinessError
from stores.models import Order
from stores.resources import CustomerResource, OrderResource
from tests.factories import make_customer, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def store():
    store = make_store()
    make_customer(store, email="ana@example.com")
    return store


def write(tmp_path, *lines):
    file = tmp_path / "points.csv"
    file.write_text("\n".join(["email,points,reason,reference", *lines]))
    return file


def test_points_are_given_once_however_often_the_file_is_imported(store, tmp_path, capsys):
    file = write(tmp_path, "Ana@Example.com ,120,From the old programme,old-1")
    call_command("import_points", file, store=store.slug, dry_run=True)
    assert not Entry.objects.exists()
    call_command("import_points", file, store=store.slug)
    call_command("import_points", file, store=store.slug)
    assert Entry.objects.get().points == 120
    assert capsys.readouterr().out.splitlines() == [
        "1 would be given, 0 known already, 0 refused",
        "1 given, 0 known already, 0 refused",
        "0 given, 1 known already, 0 refused",
    ]


def test_a_file_with_bad_rows_gives_nothing_and_names_them(store, tmp_path, capsys):
    file = write(
        tmp_path, "ana@example.com,5,,a", "who@example.com,5,,b", "ana@example.com,-5,,c", "ana@example.com,5,,"
    )
    with pytest.raises(CommandError):
        call_command("import_points", file, store=store.slug)
    out = capsys.readouterr().out
    assert "row 2: No customer of this store has the address 'who@example.com'." in out
    assert "row 3: '-5' is not a number of points" in out
    assert "row 4: Each row needs a reference" in out
    assert not Entry.objects.exists()


def test_a_file_without_its_columns_is_refused(store, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("mail\nana@example.com\n")
    with pytest.raises(CommandError, match="lacks the columns email, points, reference"):
        call_command("import_points", file, store=store.slug)


def test_orders_customers_and_entries_are_exported_with_their_customer(store):
    order = make_order(store)
    ledger.give(store, order.customer, points=5, key="k", reason="Hello")
    row = OrderResource().export(store.orders.all()).dict[0]
    assert (row["number"], row["customer"], row["net"]) == (order.number, order.customer.email, "100.0000")
    assert len(CustomerResource().export(store.customers.all())) == 2
    assert EntryResource().export(Entry.objects.all()).dict[0]["customer"] == order.customer.email


def test_the_mirror_cannot_be_imported(store):
    with pytest.raises(BusinessError, match="come from the store"):
        OrderResource().import_data(None)
    assert not Order.objects.exists()
