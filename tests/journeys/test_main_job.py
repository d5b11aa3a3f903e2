"""The whole main job, station by station: what `manage.py demo --check` proves for a person proves it here for the code."""

from datetime import timedelta

import pytest

from postpurchase import clock
from postpurchase.demo.check import Check


@pytest.mark.django_db(transaction=True)
def test_a_purchase_travels_from_the_store_to_the_numbers():
    # Begun in the evening: what may only be sent by day has to wait, whatever the hour is here.
    clock.advance(timedelta(hours=(20 - clock.now().hour) % 24))
    seen = []
    assert Check(seen.append).run(), seen[-1]
    assert [station.name for station in seen] == [
        "connected",
        "orders mirrored",
        "webhooks and events",
        "thank-you mails",
        "delivered",
        "review request",
        "review published",
        "points",
        "coupon live in the store",
        "coupon used",
        "refund takes points back",
        "numbers",
        "ledger audit",
    ]
    assert all(station.ok for station in seen)
