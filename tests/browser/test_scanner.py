"""A scanner that runs the scripts of the pages: Chromium opens every link of every mail, again and again."""

import pytest

from tests.browser.conftest import Shop
from tests.campaigns.scanner import everything, letters

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_opening_every_link_of_every_mail_with_scripts_changes_nothing(live_server, chromium) -> None:
    store, links = letters()
    shop = Shop(live_server.url, store, None, chromium)  # type: ignore[arg-type]
    page = shop.page(signed_in=False)
    # Nothing but our own pages is fetched; what the links of the shop show is not ours.
    page.route("**/*", lambda route: route.continue_() if live_server.url in route.request.url else route.abort())
    before = everything()
    opened = 0
    for _ in range(3):
        for link in links:
            answer = page.goto(f"{live_server.url}{link}", wait_until="load") if not link.startswith("/c/") else None
            if link.startswith("/c/"):
                assert page.request.get(f"{live_server.url}{link}", max_redirects=0).status in {200, 302}
            else:
                assert answer is not None
                assert answer.status == 200, link
                # As a scanner that looks for what scripts add, presses nothing and waits for what they fetch.
                page.wait_for_load_state("networkidle")
                page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
            opened += 1
    after = everything()
    assert opened == 3 * len(links)
    assert len(links) >= 4
    assert {name for name in before if before[name] != after[name]} == set()
    page.context.close()
