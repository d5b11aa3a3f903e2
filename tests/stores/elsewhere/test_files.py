"""Files of orders: however they are written, tried first, imported once, resumed where they stopped."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import jobs
from stores.elsewhere import files, importing
from stores.models import Channel, Customer, Event, Job, Order, OrderFile, Store
from tests.factories import NOON, make_store

pytestmark = pytest.mark.django_db

HEADER = "Order ID,Order date,Total,Email,SKU,Qty,Item total\n"
ROWS = (
    "A-1,2026-11-20 10:00,119.00,ana@example.com,MUG,1,60.00\n"
    "A-1,2026-11-20 10:00,119.00,ana@example.com,CUP,2,40.00\n"
    "A-2,2026-11-20 11:00,30.00,ion@example.com,CUP,1,30.00\n"
)


@pytest.fixture(autouse=True)
def _place(settings: Any, tmp_path: Path) -> None:
    clock.freeze(NOON)
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}


def kept(store: Store, content: str | bytes, name: str = "orders.csv") -> OrderFile:
    channel = Channel.objects.get_or_create(store=store, name="market", defaults={"contact": "all"})[0]
    raw = content.encode() if isinstance(content, str) else content
    # In pieces of an odd size, so that letters and line ends are cut in two.
    return files.keep(store, channel, name, [raw[at : at + 7] for at in range(0, len(raw), 7)])


def imported(source: OrderFile, *, dry: bool = False) -> Job:
    job = importing.start(source, dry=dry)
    while jobs.run_one(job.pk, 60):
        job.refresh_from_db()
        if job.status == Job.Status.DONE:
            break
    return job


def counts(job: Job) -> tuple[int, ...]:
    return tuple(job.result[name] for name in ("new", "changed", "unchanged", "refused"))


def test_a_file_is_imported_with_its_lines_and_again_changes_nothing() -> None:
    store = make_store()
    assert counts(imported(kept(store, HEADER + ROWS))) == (2, 0, 0, 0)
    order = Order.objects.get(external_id="A-1")
    assert [(line.sku, line.quantity, line.total) for line in order.lines.order_by("woo_id")] == [
        ("MUG", Decimal("1"), Decimal("60")),
        ("CUP", Decimal("2"), Decimal("40")),
    ]
    before = (list(Order.objects.values()), list(Customer.objects.values()), Event.objects.count())
    assert counts(imported(kept(store, HEADER + ROWS))) == (0, 0, 2, 0)
    assert before == (list(Order.objects.values()), list(Customer.objects.values()), Event.objects.count())


def test_the_contents_are_deleted_after_the_import() -> None:
    source = kept(make_store(), HEADER + ROWS)
    path = Path(source.file.path)
    imported(source)
    assert not path.exists()
    assert not list(path.parent.iterdir())
    with pytest.raises(BusinessError, match="Upload the file again"):
        importing.start(OrderFile.objects.get(), dry=False)


def test_contents_that_nobody_imports_are_deleted_after_a_week() -> None:
    path = Path(kept(make_store(), HEADER + ROWS).file.path)
    assert (importing.tidy(), path.exists()) == (0, True)
    clock.freeze(NOON + importing.KEPT * 1.01)
    assert (importing.tidy(), path.exists()) == (1, False)


def test_a_trial_tells_what_would_be_and_changes_nothing() -> None:
    store = make_store()
    imported(kept(store, HEADER + ROWS))
    source = kept(store, HEADER + ROWS.replace("30.00", "35.00") + "A-3,soon,1,x@example.com,,,\n")
    job = imported(source, dry=True)
    assert counts(job) == (0, 1, 1, 1)
    assert importing.refused(source, job) == [
        {"row": 5, "id": "A-3", "what": "created_at: “soon” is no date that can be read. Write 2026-11-20 14:05."}
    ]
    assert Order.objects.get(external_id="A-2").total == Decimal("30")
    assert counts(imported(source)) == (0, 1, 1, 1)
    assert Order.objects.get(external_id="A-2").total == Decimal("35")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_line_ends(encoding: str, separator: str, end: str) -> None:
    text = 'Order ID,Order date,Total,Email,First name\nA-1,20.11.2026 10:00,"1.234,50",ana@example.com,Zoë\n'
    text = text.replace('"1.234,50"', "\0").replace(",", separator).replace("\0", '"1.234,50"').replace("\n", end)
    imported(kept(make_store(), text.encode(encoding)))
    assert Order.objects.get().total == Decimal("1234.50")
    assert Customer.objects.get().first_name == "Zoë"


def test_c70_cells_that_look_like_formulas_stay_text_and_come_back_as_they_were() -> None:
    store = make_store()
    head = "Order ID,Order date,Total,Email,First name,Last name\n"
    imported(kept(store, head + '"=""007""",2026-11-20,10,=ana@example.com,"\'=HYPERLINK(1)",\'@x\n'))
    order = Order.objects.get()
    assert (order.external_id, order.email) == ("007", "=ana@example.com")
    assert Customer.objects.get().name == "=HYPERLINK(1) @x"
    assert counts(imported(kept(store, head + "007,2026-11-20,10,'=ana@example.com,=HYPERLINK(1),@x\n"))) == (
        0,
        0,
        1,
        0,
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b" \n\n", "file_empty"),
        (b"PK\x03\x04...", "file_no_csv"),
        (b"\xd0\xcf\x11\xe0...", "file_no_csv"),
        (b"a,b,c\n\x00\x01\x02", "file_no_csv"),
        (b"only one column\n1\n", "file_no_header"),
        (b"a,b,c\n", "file_no_rows"),
        (b'a,b,c\n1,2,"' + b"x" * 200_000, "file_broken"),
    ],
)
def test_what_is_no_table_is_refused_and_not_kept(content: bytes, code: str) -> None:
    with pytest.raises(BusinessError) as refused:
        kept(make_store(), content)
    assert refused.value.code == code
    assert not OrderFile.objects.exists()


def test_a_file_that_is_not_mapped_far_enough_says_what_is_missing() -> None:
    source = kept(make_store(), "foo,bar,email\n1,2,3\n")
    with pytest.raises(BusinessError, match="external_id, created_at, total"):
        importing.start(source, dry=True)


def test_the_channel_remembers_how_its_last_file_was_read() -> None:
    store = make_store()
    source = kept(store, 'foo,bar,baz,who\nA-1,2026-11-20,"1,234",ana@example.com\n')
    source.mapping = {
        "columns": {"external_id": "foo", "created_at": "bar", "total": "baz", "email": "who"},
        "decimal": ",",
        "day_first": False,
        "currency": "EUR",
    }
    imported(source)
    assert (Order.objects.get().total, Order.objects.get().currency) == (Decimal("1.234"), "EUR")
    assert kept(store, "baz,foo,bar,who\n5,A-2,2026-11-20,ana@example.com\n").mapping == source.mapping


def test_rows_of_one_order_that_stand_apart_are_refused_with_their_number() -> None:
    a_1, other, a_2 = ROWS.splitlines(keepends=True)
    source = kept(make_store(), HEADER + a_1 + a_2 + other)
    job = imported(source)
    assert counts(job) == (2, 0, 0, 1)
    assert [(one["row"], one["id"]) for one in importing.refused(source, job)] == [(4, "A-1")]


def test_the_file_of_what_was_refused_has_each_row_with_its_reason() -> None:
    job = imported(
        kept(make_store(), HEADER + ROWS + "A-3,2026-11-20,=1+1,x@example.com,,,\nA-4,2026-11-20,1,x@e.com,,,,9\n")
    )
    lines = Path(job.error_file.path).read_text().splitlines()
    assert lines == [
        "Row,What is wrong,Order ID,Order date,Total,Email,SKU,Qty,Item total",
        "5,total: “=1+1” is no amount of money.,A-3,2026-11-20,'=1+1,x@example.com,,,",
        "6,The row has 1 cells more than the header. Text with separators in it needs quotation marks.,"
        "A-4,2026-11-20,1,x@e.com,,,,9",
    ]


def test_an_import_that_is_cut_off_goes_on_where_it_was_and_refuses_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    rows = "".join(f"B-{n},2026-11-20 10:00,{'x' if n % 3 == 0 else n},p{n}@example.com,,,\n" for n in range(1, 11))
    job = importing.start(kept(make_store(), HEADER + rows), dry=False)
    slices = 0
    while job.status != Job.Status.DONE:
        # Time for one batch. A slice that dies after its rows leaves a longer error file.
        Job.objects.filter(pk=job.pk).update(state="due", due_at=NOON)
        budget = iter([0.0, 0.0, 0.0, 100.0])
        with monkeypatch.context() as patch:
            patch.setattr(clock, "monotonic", lambda budget=budget: next(budget, 100.0))
            jobs.run_one(job.pk, 1.0)
        job.refresh_from_db()
        if job.error_file:
            with Path(job.error_file.path).open("ab") as handle:
                handle.write(b"half a row of a slice that died" if job.status != Job.Status.DONE else b"")
        slices += 1
        assert slices < 30
    assert counts(job) == (7, 0, 0, 3)
    assert slices > 3
    assert [line.split(",")[0] for line in Path(job.error_file.path).read_text().splitlines()] == [
        "Row",
        "4",
        "7",
        "10",
    ]


def test_the_command_imports_tries_and_names_what_was_refused(tmp_path: Path, capsys: Any) -> None:
    store = make_store()
    path = tmp_path / "till.csv"
    path.write_text(HEADER + ROWS)
    call_command("import_orders", str(path), "--store", store.slug, "--channel", "till", "--dry-run")
    assert "So it would be: 2 new, 0 changed, 0 as they were, 0 refused." in capsys.readouterr().out
    assert not Order.objects.exists()
    call_command("import_orders", str(path), "--store", store.slug, "--channel", "till")
    assert "Done: 2 new" in capsys.readouterr().out
    assert set(Order.objects.values_list("channel", "contact")) == {("till", "order_only")}
    path.write_text(HEADER + "A-9,soon,1,x@example.com,,,\n")
    with pytest.raises(CommandError, match="1 refused") as refused:
        call_command("import_orders", str(path), "--store", store.slug, "--channel", "till")
    assert refused.value.returncode == 1
    assert "row 2  A-9  created_at: “soon” is no date" in capsys.readouterr().out


@pytest.mark.parametrize("channel", ["woocommerce", "Not a name!", ""])
def test_the_command_refuses_a_channel_that_cannot_be_one(tmp_path: Path, channel: str) -> None:
    path = tmp_path / "till.csv"
    path.write_text(HEADER + ROWS)
    with pytest.raises(CommandError) as refused:
        call_command("import_orders", str(path), "--store", make_store().slug, "--channel", channel)
    assert refused.value.returncode == 2
    assert not Channel.objects.exists()
