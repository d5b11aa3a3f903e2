"""A headless Chromium and a signed-in owner of a filled store, shared by the browser tests."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from stores.models import Store, User
from tests.factories import make_user
from tests.filled import filled_store

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# Playwright runs an event loop in this thread; Django would refuse the tests' own queries beside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests: the system's own, else the one that playwright installed."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Shop:
    """A filled store, its owner, and pages opened as that person. `said` is what the consoles complained about."""

    url: str
    store: Store
    owner: User
    chromium: Browser
    said: list[str] = field(default_factory=list)

    def page(self, *, width: int = 1280, theme: str = "light", signed_in: bool = True, **options: Any) -> Page:
        context = self.chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, base_url=self.url, **options
        )
        if signed_in:
            client = Client()
            client.force_login(self.owner)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie.value, "url": self.url}])
        page = context.new_page()
        page.on("console", lambda said: self.said.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        return page


@pytest.fixture
def shop(live_server: Any, chromium: Browser) -> Iterator[Shop]:
    """A store with 60 orders behind a real web server."""
    owner = make_user(email="owner@example.com", name="Ioana Pop", is_superuser=True)
    made = Shop(live_server.url, filled_store(orders=60, slug="lut", owner=owner), owner, chromium)
    yield made
    for context in chromium.contexts:
        context.close()


@pytest.fixture
def axe() -> Callable[[Page], list[str]]:
    """Serious and critical findings of axe-core on a page, each with the element that it is about."""

    def run(page: Page) -> list[str]:
        # By evaluation, because the policy of the pages rightly refuses an injected script.
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]

    return run
