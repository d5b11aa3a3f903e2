"""Who else writes to the customer: what the shop says is shown, what it does not say is unknown and never a no."""

from typing import Any

import pytest
from django.test import Client as Browser

from stores import connect, overlap
from stores.models import Store
from stores.sandbox.server import Sandbox
from tests.factories import make_store, make_user
from tests.stores.shop import running

pytestmark = pytest.mark.django_db


def join(sandbox: Sandbox, **given: Any) -> Store:
    return connect.connect(sandbox.url, key=sandbox.key, secret=sandbox.secret, **given)


def said(store: Store) -> dict[str, str]:
    return {line.topic: line.woo for line in overlap.table(store)}


def test_what_the_shop_sends_itself_is_read_from_its_settings() -> None:
    with running(orders=1) as sandbox:
        sandbox.store.storage.option("mails", {"customer_processing_order": "no", "customer_on_hold_order": "no"})
        store = join(sandbox)
        assert said(store) == {
            "received": "no",
            "shipped": "yes",
            "delivered": "no",
            "review": "no",
            "cart": "no",
            "points": "no",
            "back": "no",
        }


def test_the_shops_own_review_request_and_cart_mail_are_seen_when_they_are_on() -> None:
    with running(orders=1) as sandbox:
        sandbox.store.storage.option("features", ["customer_review_request", "abandoned_cart_recovery"])
        sandbox.store.storage.option("mails", {"customer_review_request": "yes"})
        found = said(join(sandbox))
        assert (found["review"], found["cart"]) == ("yes", "yes")


def test_a_mail_about_parcels_counts_only_with_its_feature() -> None:
    mails = {"customer_completed_order": "no", "customer_fulfillment_created": "yes"}
    for kept, answer in ((False, "no"), (True, "yes")):
        with running(orders=1, fulfilments=kept) as sandbox:
            sandbox.store.storage.option("mails", mails)
            assert said(join(sandbox))["shipped"] == answer


def test_what_the_shop_does_not_say_is_unknown() -> None:
    with running(orders=1) as sandbox:
        sandbox.fault("status", path="/system_status", times=0, status=403, body='{"code": "rest_forbidden"}')
        sandbox.fault("status", path="/settings/email_", times=0, status=404, body='{"code": "rest_no_route"}')
        store = join(sandbox)
        assert {topic: woo for topic, woo in said(store).items() if woo != "no"} == dict.fromkeys(
            ("received", "shipped", "review", "cart"), "unknown"
        )
        assert {line.plugins is None for line in overlap.table(store)} == {True}


def test_plugins_that_may_write_are_named() -> None:
    with running(orders=1) as sandbox:
        lines = {line.topic: line.plugins for line in overlap.table(join(sandbox))}
        assert lines["shipped"] == ["WooCommerce Shipment Tracking"]
        assert lines["review"] == []


@pytest.mark.parametrize("others", [None, [], "x", {"plugins": "x", "features": None, "mails": {}}])
def test_a_store_that_was_never_looked_at_is_all_unknown(others: Any) -> None:
    found = said(make_store(capabilities={"others": others}))
    assert found["review"] == found["received"] == "unknown"


def test_the_result_page_shows_the_table_and_what_the_store_can_do() -> None:
    with running(orders=1) as sandbox:
        store = join(sandbox)
        browser = Browser()
        browser.force_login(make_user(store))
        for page in ("connect/result/", "connect/"):
            text = browser.get(f"/app/{store.slug}/{page}").content.decode()
            assert "Who else writes to your customers" in text
            assert "WooCommerce Shipment Tracking" in text
            assert "Sends it now" in text
            assert "Lists all refunds at once" in text
        before = store.probed_at
        answer = browser.post(f"/app/{store.slug}/connect/", {"way": "look"}, follow=True)
        assert "The store was looked at again." in answer.content.decode()
        store.refresh_from_db()
        assert store.probed_at != before
        sandbox.fault("status", path="/wp-json", times=0, status=403)
        answer = browser.post(f"/app/{store.slug}/connect/", {"way": "look"}, follow=True)
        assert "What was known is kept." in answer.content.decode()
