"""The catalogues of what shoppers read."""

import re

import pytest
from django.utils import translation
from django.utils.translation import gettext, ngettext

from postpurchase import translations

LANGUAGES = translations.languages()
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_that_of_the_edited_one(language: str) -> None:
    stored = translations.po_path(language).with_suffix(".mo").read_bytes()
    assert stored == translations.compiled(language), "run `manage.py messages`"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_waits_for_a_translation(language: str) -> None:
    assert translations.waiting(language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_placeholders_of_its_text(language: str) -> None:
    for entry in translations.read(language):
        if not entry.id:
            continue
        sources = entry.id if isinstance(entry.id, list | tuple) else [entry.id]
        strings = entry.string if isinstance(entry.string, list | tuple) else [entry.string]
        for string in strings:
            assert set(PLACEHOLDER.findall(string)) == set(PLACEHOLDER.findall(sources[-1])), sources[0]


@pytest.mark.parametrize(
    ("n", "words"), [(1, "1 produs"), (2, "2 produse"), (19, "19 produse"), (20, "20 de produse"), (101, "101 produse")]
)
def test_romanian_has_three_plurals(n: int, words: str) -> None:
    with translation.override("ro"):
        assert ngettext("%(n)d item", "%(n)d items", n) % {"n": n} == words


def test_romanian_is_polite_and_uses_its_own_letters() -> None:
    with translation.override("ro"):
        assert gettext("Stop all marketing messages") == "Opriți toate mesajele promoționale"
    for entry in translations.read("ro"):
        assert not set("şţŞŢ") & set(str(entry.string)), "cedilla letters; Romanian has a comma below"


def test_indonesian_speaks_to_anda() -> None:
    with translation.override("id"):
        assert gettext("About you") == "Tentang Anda"
        assert ngettext("%(n)d item", "%(n)d items", 3) % {"n": 3} == "3 barang"
