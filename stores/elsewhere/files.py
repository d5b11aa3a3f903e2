"""Files of orders: taken in whatever encoding and separator, read as a stream from any place in them.

django-import-export holds a whole file in memory and cannot go on in the middle, so it serves the exports only.
"""

import codecs
import csv
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from django.core.files import File
from django.utils.translation import gettext as _

from postpurchase.errors import BusinessError
from stores.elsewhere.fields import LINE, Style
from stores.models import Channel, OrderFile, Store, User

SEPARATORS = ",;\t|"
MOST_COLUMNS = 300
SAMPLE = 50
_PIECE = 1 << 16
_FORMULA = "=+-@\t\r\n"
# Names of columns as marketplaces, tills and our own exports write them, without signs and in small letters.
_SYNONYMS = {
    "external_id": "externalid orderid ordernumber orderno orderref reference id amazonorderid receipt receiptno order",
    "created_at": "createdat created orderedat orderdate date purchasedate saledate datetime createdgmt time",
    "total": "total ordertotal amount grandtotal totalprice sum totalamount",
    "email": "email emailaddress customeremail buyeremail mail customer billingemail",
    "phone": "phone phonenumber mobile telephone tel buyerphone buyerphonenumber customerphone billingphone",
    "number": "number displaynumber invoice invoicenumber",
    "status": "status orderstatus state financialstatus",
    "currency": "currency currencycode",
    "tax": "tax taxes vat totaltax",
    "shipping": "shipping shippingcost shippingtotal postage delivery shippingprice",
    "discount": "discount discounts discounttotal discountamount",
    "refunded": "refunded refund refundedamount amountrefunded",
    "paid_at": "paidat paid paymentdate paidgmt paymentsdate",
    "delivered_at": "deliveredat delivered deliverydate",
    "first_name": "firstname givenname billingfirstname",
    "last_name": "lastname surname familyname billinglastname",
    "country": "country countrycode shipcountry shippingcountry billingcountry",
    "region": "region county province shipstate shippingprovince",
    "city": "city town shipcity shippingcity billingcity",
    "language": "language locale lang",
    "payment_method": "paymentmethod payment paidwith",
    "shipping_method": "shippingmethod shippedwith carrier",
    "line_sku": "linesku sku itemsku lineitemsku productsku",
    "line_name": "linename item itemname product productname lineitemname title",
    "line_quantity": "linequantity quantity qty itemquantity lineitemquantity quantitypurchased",
    "line_total": "linetotal itemtotal lineitemtotal itemprice",
}
_FIELD_OF = {word: name for name, words in _SYNONYMS.items() for word in words.split()}


@dataclass
class Told:
    """One order of a file: the number of its first row, its values, and where the next order begins."""

    row: int
    values: dict[str, Any]
    cells: list[str]
    rows: int = 1
    ends: int = 0
    wide: int = 0
    lines: list[dict[str, str]] = field(default_factory=list)


def keep(store: Store, channel: Channel, name: str, pieces: Iterable[bytes], *, user: User | None = None) -> OrderFile:
    """Keep a file of orders as UTF-8, with how it is laid out and how it will probably have to be read.

    BusinessError when it is no table of text, has no rows or no header.
    """
    with tempfile.TemporaryFile() as raw, tempfile.TemporaryFile() as plain:
        for piece in pieces:
            raw.write(piece)
        encoding = _encoding(raw)
        _transcode(raw, plain, encoding)
        layout = _layout(plain)
        layout["encoding"] = encoding
        plain.seek(0)
        kept = OrderFile(store=store, channel=channel, name=Path(name).name[:200] or "orders.csv", uploaded_by=user)
        kept.layout = layout
        kept.mapping = guess(layout, channel.mapping)
        kept.file.save(f"{uuid4().hex}.csv", File(plain), save=False)
        kept.save()
    return kept


def _refuse(what: str, code: str) -> BusinessError:
    return BusinessError(what + " " + _("Nothing was stored."), code)


def _encoding(raw: IO[bytes]) -> str:
    raw.seek(0)
    head = raw.read(_PIECE)
    if not head.strip():
        raise _refuse(_("The file is empty."), "file_empty")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _refuse(_("This is a spreadsheet. Open it and save it as CSV, then upload that."), "file_no_csv")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\x00" in head:
        raise _refuse(_("This is no text. Upload a CSV file."), "file_no_csv")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        piece = head
        while piece:
            decoder.decode(piece)
            piece = raw.read(_PIECE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _transcode(raw: IO[bytes], plain: IO[bytes], encoding: str) -> None:
    raw.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    held = ""
    while True:
        piece = raw.read(_PIECE)
        text = held + decoder.decode(piece, final=not piece)
        # A line end may be cut in two.
        held = "\r" if piece and text.endswith("\r") else ""
        text = text.removesuffix("\r") if held else text
        plain.write(text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").encode())
        if not piece:
            return


class _Lines:
    def __init__(self, handle: IO[bytes]) -> None:
        self.handle, self.place = handle, handle.tell()

    def __iter__(self) -> Iterator[str]:
        for line in self.handle:
            self.place += len(line)
            yield line.decode()


def records(handle: IO[bytes], separator: str, row: int) -> Iterator[tuple[int, list[str]]]:
    """Each record with the place in the file after it; `row` is the number of the first, for what is said of faults."""
    lines = _Lines(handle)
    reader = csv.reader(iter(lines), delimiter=separator)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _refuse(
                _("Row %(n)s cannot be read (%(why)s). Probably a quotation mark is opened and not closed.")
                % {"n": row, "why": error},
                "file_broken",
            ) from error
        yield lines.place, cells
        row += 1


def _layout(plain: IO[bytes]) -> dict[str, Any]:
    plain.seek(0)
    first = plain.readline().decode()
    separator = max(SEPARATORS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
    plain.seek(0)
    rows = records(plain, separator, 1)
    begins, header = next(rows)
    columns: list[str] = []
    for place, raw in enumerate(header, 1):
        name = clean(raw)[:100] or _("Column %(n)s") % {"n": place}
        columns.append(name if name not in columns else f"{name} ({place})")
    if not 3 <= len(columns) <= MOST_COLUMNS:
        raise _refuse(
            _("The first row has %(n)s columns. It has to name the columns, apart by comma, semicolon or tab.")
            % {"n": len(columns)},
            "file_no_header",
        )
    sample: list[list[str]] = []
    count = 0
    for _place, cells in rows:
        if any(cells):
            count += 1
            if len(sample) < SAMPLE:
                sample.append([clean(cell)[:80] for cell in cells[: len(columns)]])
    if not count:
        raise _refuse(_("There is no row below the names of the columns."), "file_no_rows")
    return {"separator": separator, "columns": columns, "rows": count, "begins": begins, "sample": sample}


def clean(cell: str) -> str:
    """A cell as it was meant: what keeps spreadsheets from running or reshaping it (="007", '=x) is taken off again."""
    cell = cell.strip()
    if len(cell) > 3 and cell.startswith('="') and cell.endswith('"') and '"' not in cell[2:-1]:
        return cell[2:-1].strip()
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in _FORMULA else cell


def guess(layout: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """How to read a file: as the channel's last one where the columns are there, else by their names and contents."""
    names: list[str] = layout["columns"]
    remembered = {field: name for field, name in before.get("columns", {}).items() if name in names}
    columns = dict(remembered)
    for name in names:
        found = _FIELD_OF.get(re.sub(r"[^a-z0-9]", "", name.lower()))
        if found and found not in columns and name not in columns.values():
            columns[found] = name
    if "external_id" not in columns and "number" in columns:
        columns["external_id"] = columns["number"]
    return {
        "columns": columns,
        "decimal": before["decimal"] if remembered else _decimal(layout, columns),
        "day_first": before["day_first"] if remembered else _day_first(layout, columns),
        "currency": before.get("currency", "") if remembered else "",
    }


def _sampled(layout: dict[str, Any], columns: dict[str, str], fields: Iterable[str]) -> Iterator[str]:
    places = [layout["columns"].index(columns[name]) for name in fields if name in columns]
    return (row[place] for row in layout["sample"] for place in places if place < len(row))


def _decimal(layout: dict[str, Any], columns: dict[str, str]) -> str:
    amounts = list(_sampled(layout, columns, ("total", "line_total", "tax", "shipping")))
    commas = sum(bool(re.search(r",\d{1,2}\D*$", raw)) for raw in amounts)
    points = sum(bool(re.search(r"\.\d{1,2}\D*$", raw)) for raw in amounts)
    return "," if commas > points else "."


def _day_first(layout: dict[str, Any], columns: dict[str, str]) -> bool:
    dates = [re.match(r"(\d{1,2})/(\d{1,2})/\d{4}", raw) for raw in _sampled(layout, columns, ("created_at",))]
    return not any(found and int(found[2]) > 12 for found in dates)


def style(mapping: dict[str, Any]) -> Style:
    return Style(mapping.get("decimal", "."), bool(mapping.get("day_first", True)), mapping.get("currency", ""))


def orders(source: OrderFile, handle: IO[bytes], *, place: int = 0, row: int = 1) -> Iterator[Told]:
    """The orders of a file from a place in it on, where row number `row` had ended. Rows of one order stand together."""
    layout = source.layout
    names = layout["columns"]
    at = {name: names.index(column) for name, column in source.mapping["columns"].items() if column in names}
    handle.seek(place or layout["begins"])
    current: Told | None = None
    for ends, cells in records(handle, layout["separator"], row + 1):
        row += 1
        if not any(cells):
            continue
        values = {name: clean(cells[spot]) if spot < len(cells) else "" for name, spot in at.items()}
        line = {LINE[name]: values.pop(name) for name in LINE if name in values}
        same = (
            current is not None and values.get("external_id") and values["external_id"] == current.values["external_id"]
        )
        if current is not None and same and line:
            current.rows += 1
        else:
            if current is not None:
                yield current
            current = Told(row, values, cells, wide=max(len(cells) - len(names), 0) if any(cells[len(names) :]) else 0)
        if any(line.values()):
            current.lines.append(line)
        current.ends = ends
    if current is not None:
        yield current
