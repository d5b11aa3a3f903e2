"""Tables as files: CSV and XLSX, in a stream, with cells that no spreadsheet runs as a formula."""

import csv
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from openpyxl import Workbook

from postpurchase.errors import BusinessError

FORMATS = ("csv", "xlsx")
Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def safe_cell(value: Any) -> Any:
    """What a spreadsheet shows and never runs: text that begins like a formula gets an apostrophe before it.

    Times become ISO 8601 with their zone; amounts keep all their digits; None is empty.
    """
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool | int | Decimal):
        return value
    text = _CONTROL.sub("", str(value))
    if text[:1] in {"=", "+", "-", "@", "\t", "\r", "\n"} and not _NUMBER.match(text):
        return f"'{text}"
    return text


class _Echo:
    def write(self, line: str) -> str:
        return line


def _csv_lines(table: Table) -> Iterator[str]:
    header, rows = table
    writer = csv.writer(_Echo())
    # Spreadsheets read a CSV file as UTF-8 only when it begins with this mark.
    yield "\ufeff"
    yield writer.writerow([safe_cell(name) for name in header])
    for row in rows:
        yield writer.writerow([safe_cell(value) for value in row])


def answer(name: str, table: Table, kind: str) -> HttpResponse | StreamingHttpResponse | FileResponse:
    """A download of the table as `name.csv` or `name.xlsx`; BusinessError for another kind."""
    if kind == "csv":
        lines = StreamingHttpResponse(_csv_lines(table), content_type="text/csv; charset=utf-8")
        lines["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        return lines
    if kind == "xlsx":
        book = Workbook(write_only=True)
        sheet = book.create_sheet(name[:31])
        header, rows = table
        sheet.append([safe_cell(title) for title in header])
        for row in rows:
            sheet.append([safe_cell(value) for value in row])
        kept = tempfile.TemporaryFile()  # noqa: SIM115  closed by the response
        book.save(kept)
        kept.seek(0)
        return FileResponse(kept, as_attachment=True, filename=f"{name}.xlsx")
    raise BusinessError(f"There is no export of the kind {kind!r}. Nothing was made. Use CSV or XLSX.", "export_kind")


def of_resource(resource: Any) -> Callable[[QuerySet[Any]], Table]:
    """The exporter of an import-export resource class, for `Listing.export`: its columns, row by row."""

    def export(queryset: QuerySet[Any]) -> Table:
        made = resource()
        return made.get_export_headers(), (made.export_resource(row) for row in queryset.iterator(chunk_size=2000))

    return export
