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
            assert "Who tells the customer about…" in text
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


def signed_in(store: Store) -> Browser:
    client = Browser()
    client.force_login(make_user(store))
    return client


def test_a_choice_for_each_row_is_kept_and_suggested_before() -> None:
    store = make_store(
        capabilities={"others": {"mails": {"customer_processing_order": True}, "features": [], "plugins": []}}
    )
    client, address = signed_in(store), f"/app/{store.slug}/settings/overlap/"
    assert {line.topic: line.suggested for line in overlap.table(store)} == {
        "received": "theirs",
        "shipped": "theirs",
        "delivered": "ours",
        "review": "ours",
        "cart": "ours",
        "points": "ours",
        "back": "ours",
    }
    assert client.get(address).content.decode().count(">Suggested<") == 7
    assert client.post(address, {"received": "theirs", "review": "ours"})["Location"] == address
    store.refresh_from_db()
    assert store.writers == {"received": "theirs", "review": "ours"}
    assert store.audit_events.get(action="overlap.choose").diff == {"received": ["", "theirs"], "review": ["", "ours"]}
    assert client.get(address).content.decode().count(">Suggested<") == 5
    client.post(address, {"received": "theirs", "review": "maybe"})
    store.refresh_from_db()
    assert store.writers == {"received": "theirs", "review": "ours"}
    client.post(address, {"received": "theirs", "review": "ours"})
    assert store.audit_events.filter(action="overlap.choose").count() == 1


def test_what_is_left_to_the_shop_has_its_reason() -> None:
    store = make_store(writers={"received": "theirs", "review": "theirs", "shipped": "ours"})
    store.capabilities = {"others": {"mails": {}, "features": [], "plugins": ["Customer Reviews for WooCommerce"]}}
    assert overlap.left_to(store, "received") == "WooCommerce sends this one"
    assert overlap.left_to(store, "review") == "Customer Reviews for WooCommerce sends this one"
    assert overlap.left_to(store, "shipped") == ""
    assert overlap.left_to(store, "points") == ""


def test_theirs_is_switched_off_after_a_confirm_and_looked_at_again() -> None:
    with running(orders=1) as sandbox:
        store = join(sandbox)
        client, address = signed_in(store), f"/app/{store.slug}/settings/overlap/"
        client.post(address, {"received": "ours"})
        page = client.get(address).content.decode()
        assert "Theirs still goes out." in page
        page = client.post(address, {"off": "received"}).content.decode()
        assert "customer_processing_order" in page
        assert "No flow of ours writes about this yet" in page
        assert sandbox.store.storage.option("mails") is None
        client.post(address, {"off": "received", "confirmed": "1"})
        assert sandbox.store.storage.option("mails") == {
            "customer_processing_order": "no",
            "customer_on_hold_order": "no",
        }
        store.refresh_from_db()
        assert said(store)["received"] == "no"
        assert "Theirs still goes out." not in client.get(address).content.decode()
        assert store.audit_events.get(action="overlap.off").target == "received"


def test_a_shop_that_does_not_let_us_names_the_place_in_wordpress() -> None:
    with running(orders=1) as sandbox:
        store = join(sandbox)
        client, address = signed_in(store), f"/app/{store.slug}/settings/overlap/"
        sandbox.fault(
            "status", method="PUT", path="settings/email_customer_processing_order/enabled", times=0, status=403
        )
        page = client.post(address, {"off": "received", "confirmed": "1"}, follow=True).content.decode()
        assert "Switch it off there: WooCommerce &gt; Settings &gt; Emails &gt; Processing order." in page
        store.refresh_from_db()
        assert said(store)["received"] == "yes"
        assert not store.audit_events.filter(action="overlap.off").exists()
