"""Files that people open in spreadsheets."""

from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import load_workbook

from postpurchase import exporting
from postpurchase.errors import BusinessError


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-2+3", "@cmd", "\t=1", "\r=1"])
def test_text_that_begins_like_a_formula_gets_an_apostrophe(text):
    assert exporting.safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-5", "+3.50", "plain", "a=b", Decimal("-12.50"), 7])
def test_numbers_and_plain_text_stay_as_they_are(value):
    assert exporting.safe_cell(value) == value


def test_control_characters_are_left_out_so_that_they_hide_no_formula():
    assert exporting.safe_cell("\x00=1") == "'=1"


def test_times_are_iso_with_their_zone_and_nothing_is_empty():
    assert exporting.safe_cell(datetime(2026, 11, 20, 12, tzinfo=UTC)) == "2026-11-20T12:00:00+00:00"
    assert exporting.safe_cell(None) == ""


def test_an_xlsx_file_reads_back_with_the_same_cells():
    response = exporting.answer("orders", (["Order", "Total"], [["=1", Decimal("12.50")]]), "xlsx")
    sheet = load_workbook(BytesIO(b"".join(response.streaming_content))).active
    assert [[cell.value for cell in row] for row in sheet] == [["Order", "Total"], ["'=1", 12.5]]


def test_another_kind_is_refused():
    with pytest.raises(BusinessError) as refused:
        exporting.answer("orders", ([], []), "pdf")
    assert refused.value.code == "export_kind"
