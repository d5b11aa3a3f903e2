"""The catalogues of what shoppers read: which files hold their words, and how the compiled form is made.

The dashboard speaks English; shopper pages and mail speak every language of LANGUAGES.
"""

import io
import subprocess
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

from postpurchase import clock

SOURCES = (
    "templates/public/**/*.html",
    "stores/public.py",
    "campaigns/blocks/asking.py",
    "campaigns/blocks/order.py",
    "campaigns/blocks/words.py",
    "campaigns/context.py",
    "campaigns/layout.py",
    "campaigns/preferences.py",
    "campaigns/shopping.py",
    "campaigns/views/shopper.py",
    "reviews/asking.py",
    "reviews/cases.py",
    "reviews/forms.py",
    "reviews/models/cases.py",
    "reviews/photos.py",
    "reviews/submission.py",
    "reviews/views/shopper.py",
    "loyalty/earning.py",
    "loyalty/ledger.py",
    "loyalty/rewards.py",
    "loyalty/views/public.py",
)
_KEYWORDS = [
    "gettext:1",
    "gettext_lazy:1",
    "gettext_noop:1",
    "_:1",
    "ngettext:1,2",
    "ngettext_lazy:1,2",
    "pgettext:1c,2",
    "pgettext_lazy:1c,2",
    "npgettext:1c,2,3",
]
_HEADER = {b"charset=CHARSET": b"charset=UTF-8", b"nplurals=INTEGER; plural=EXPRESSION": b"nplurals=2; plural=(n != 1)"}


def languages() -> list[str]:
    """The languages with a catalogue: all but English, in which the words are written."""
    return [code for code, _name in settings.LANGUAGES if code != "en"]


def po_path(language: str) -> Path:
    """The catalogue that people edit; the compiled one stands beside it."""
    return Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES" / "django.po"


def extract() -> Catalog:
    """All words of the shopper's files, by gettext's own extractor; OSError when gettext is not installed."""
    root = Path(settings.BASE_DIR)
    found = sorted({path for pattern in SOURCES for path in root.glob(pattern)})
    with tempfile.TemporaryDirectory() as place:
        names = []
        for path in found:
            name = str(path.relative_to(root))
            text = path.read_text(encoding="utf-8")
            copy = Path(place) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(templatize(text, origin=name) if path.suffix == ".html" else text, encoding="utf-8")
            names.append(name)
        command = ["xgettext", "--language=Python", "--from-code=UTF-8", "--keyword", "--no-location", "--output=-"]
        command += [f"--keyword={keyword}" for keyword in _KEYWORDS]
        output = subprocess.run([*command, *names], cwd=place, check=True, capture_output=True).stdout
    for placeholder, value in _HEADER.items():
        output = output.replace(placeholder, value)
    return read_po(io.BytesIO(output))


def read(language: str) -> Catalog:
    """The catalogue of a language, empty when there is none yet."""
    path = po_path(language)
    if not path.exists():
        return Catalog(
            locale=language,
            project=settings.SITE_NAME,
            version=settings.VERSION,
            header_comment="# What shoppers read.",
            msgid_bugs_address="see README",
            last_translator="the contributors",
            revision_date=clock.now(),
            fuzzy=False,
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)


def compiled(language: str) -> bytes:
    """The compiled form of the catalogue as it is edited now."""
    out = io.BytesIO()
    write_mo(out, read(language))
    return out.getvalue()


def update(language: str, template: Catalog) -> list[str]:
    """Bring a catalogue to the words of today, write both forms; the words that wait for a translation."""
    catalog = read(language)
    # The time of writing would make every run a change.
    template.creation_date = catalog.creation_date
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path = po_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, sort_output=True, width=110, omit_header=False)
    path.with_suffix(".mo").write_bytes(compiled(language))
    return waiting(language)


def waiting(language: str) -> list[str]:
    """Words of the catalogue without a translation."""
    return [
        str(entry.id)
        for entry in read(language)
        if entry.id and not (all(entry.string) if isinstance(entry.string, list | tuple) else entry.string)
    ]
