"""Mails as they were looked at and found good. After a wanted change: GOLDEN=write pytest tests/campaigns/test_golden.py."""

import os
import re
from pathlib import Path

import pytest

from postpurchase import clock
from tests.campaigns.mails import ana, lut, mail, pots
from tests.factories import NOON

pytestmark = pytest.mark.django_db
PLACE = Path(__file__).parent / "golden"
LINK = re.compile(r"http://testserver/([a-z])/[\w-]+/")
LINE = re.compile(r"(#i|[?&](?:amp;)?i=)\d+")


def still(text: str) -> str:
    """Without what differs from run to run: tokens and row ids."""
    return LINE.sub(r"\1N", LINK.sub(r"http://testserver/\1/TOKEN/", text))


def compare(name: str, found: str) -> None:
    path = PLACE / name
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "ro", "id"])
@pytest.mark.parametrize("name", ["R01.thank_you", "R06.review_request"])
def test_a_mail_is_as_it_was(name: str, language: str) -> None:
    store = lut()
    customer = ana(store)
    with clock.frozen(NOON):
        rendered = mail(store, customer, pots(store, customer), name, language)
    head = f"Subject: {rendered.subject}\nPreheader: {rendered.preheader}\n\n"
    compare(f"{name}.{language}.txt", still(head + rendered.text))
    compare(f"{name}.{language}.html", still(rendered.html).replace("><", ">\n<") + "\n")
