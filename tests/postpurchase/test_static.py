"""What browsers load: whole, light, and without a style that a strict policy would refuse."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

ROOT = Path(settings.BASE_DIR)
STATIC = ROOT / "postpurchase" / "static"
TEMPLATES = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("*/templates/**/*.html")]


def test_vendored_files_are_those_of_the_manifest():
    folder = STATIC / "vendor"
    listed = dict(reversed(line.split("  ")) for line in (folder / "MANIFEST.sha256").read_text().splitlines())
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    present.pop("MANIFEST.sha256")
    assert present == listed


def test_style_and_script_stay_light():
    # gzip is never smaller than brotli here, so these bounds hold for brotli too.
    css = len(gzip.compress((STATIC / "css" / "dashboard.css").read_bytes(), 9))
    htmx = Path(finders.find("django_htmx/htmx-2.min.js")).read_bytes()
    ours = (STATIC / "js" / "app.js").read_bytes()
    assert css <= 20_000
    assert len(gzip.compress(htmx, 9)) + len(gzip.compress(ours, 9)) <= 40_000


def test_style_sheets_use_logical_properties_alone():
    css = (STATIC / "css" / "dashboard.css").read_text()
    assert re.findall(r"(?<![\w-])(?:margin|padding|border)?-?(?:left|right)\s*:", css) == []
    assert re.findall(r"text-align:\s*(?:left|right)", css) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_hold_no_inline_style_handler_or_script(path):
    text = path.read_text()
    if path.name.endswith((".mjml.html",)) or "/mail/" in str(path) or "/emails/" in str(path):
        pytest.skip("mail is styled inline")
    assert re.findall(r'<[^>]*\s(?:style|on[a-z]+)="', text) == []
    assert re.findall(r"<script(?![^>]*\ssrc=)(?![^>]*application/json)[^>]*>", text) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_icons_that_templates_name_exist(path):
    known = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "vendor" / "icons.svg").read_text()))
    named = set(re.findall(r'{% icon "([^"]+)"', path.read_text())) | set(
        re.findall(r'\bicon="([a-z-]+)"', path.read_text())
    )
    assert named <= known
