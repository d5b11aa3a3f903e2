"""The lint of style sheets, and our sheets under it."""

import importlib.util

import pytest
from django.conf import settings

_spec = importlib.util.spec_from_file_location("css_lint", settings.BASE_DIR / ".ci" / "css_lint.py")
css_lint = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(css_lint)


@pytest.mark.parametrize(
    "line",
    [
        "margin-left: 1px",
        "a { padding-right:0 }",
        "border-left-color: red",
        "border-top-left-radius: 2px",
        "left: 0",
        "text-align: right",
        "float: left",
    ],
)
def test_physical_directions_are_found(line):
    assert css_lint.problems(f"\n{line}") == [(2, line)]


@pytest.mark.parametrize(
    "line",
    [
        "margin-inline-start: 1px",
        "inset-inline-start: 0",
        "text-align: start",
        "/* left: 0 */",
        "--x-left: 1px",
        ".left { }",
    ],
)
def test_logical_directions_comments_and_names_pass(line):
    assert css_lint.problems(line) == []


def test_our_sheets_pass(capsys):
    assert css_lint.main(str(settings.BASE_DIR / "postpurchase" / "static")) == 0, capsys.readouterr().out
