"""The documents keep up with the code."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR


def packages(name: str) -> set[str]:
    lines = (ROOT / name).read_text().splitlines()
    return {re.split(r"[\[=<>~! ]", line)[0].lower() for line in lines if line and line[0].isalpha()}


@pytest.mark.parametrize("name", ["requirements.in", "requirements-dev.in"])
def test_every_direct_dependency_has_its_reason(name):
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    named = set(re.findall(r"[a-z0-9][a-z0-9-]+", text))
    assert packages(name) - named == set()


def test_every_setting_of_the_environment_is_described():
    code = (ROOT / "postpurchase" / "settings.py").read_text()
    read = set(re.findall(r'(?:env\.\w+|_required|_list|_bool|environ\.get)\(\s*"([A-Z_]+)"', code))
    assert {"SECRET_KEY", "FIELD_KEYS", "DEBUG", "DATABASE_URL", "PUBLIC_URL"} <= read
    described = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "operator.md").read_text()))
    assert read - described == set()


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_between_documents_lead_somewhere(path):
    document = ROOT / path
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_commands_of_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z]+)", text)) - {"and"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make test" in text
    assert "make --no-print-directory test" in (ROOT / ".ci" / "run").read_text()
