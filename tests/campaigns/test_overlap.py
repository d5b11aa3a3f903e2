"""What a person left to the shop: flows leave it out, with the reason; the table says which flows write about what."""

import pytest

from campaigns import outbox, overlap
from campaigns.models import Message
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


@pytest.mark.parametrize(
    ("template", "purpose", "topic"),
    [
        ("R01.thank_you", "order", "received"),
        ("R02.shipped", "order", "shipped"),
        ("R02.delivered", "order", "delivered"),
        ("R06.request", "review", "review"),
        ("my-own", "review", "review"),
        ("R20.expiring", "loyalty", "points"),
        ("R15.win_back", "marketing", "back"),
        ("my-own", "order", ""),
    ],
)
def test_the_topic_of_a_text(template, purpose, topic):
    assert overlap.topic(template, purpose) == topic


@pytest.mark.parametrize(("choice", "skipped"), [("theirs", True), ("ours", False), ("", False)])
def test_a_message_that_was_left_to_the_shop_is_skipped_with_the_reason(choice, skipped):
    store = make_store(writers={"received": choice} if choice else {})
    publish(store, file(send()))
    happen(make_order(store))
    run()
    outbox.run_due()
    message = Message.objects.get()
    assert (message.status == "skipped") is skipped
    assert (message.reason == "WooCommerce sends this one") is skipped


def test_the_table_names_the_flows_that_are_on():
    store = make_store()
    publish(store, file(send(), name="Thanks"))
    publish(store, file(send(), name="Idle"), state="off", slug="idle")
    assert overlap.writers(store) == {"received": ["Thanks"]}
