"""Parcels that the shop keeps itself come first, by webhook and by poll, where the shop has that feature."""

from datetime import timedelta

import pytest

from postpurchase import clock
from stores.models import Shipment
from stores.sync import tasks
from stores.woo.probe import Probe
from tests.stores.shop import NOON, asked, joined, place, running

pytestmark = pytest.mark.django_db


def fulfilment(number, *, delivered=""):
    meta = {
        "_tracking_number": number,
        "_shipment_provider": "fan-courier",
        "_tracking_url": f"https://carrier.example.com/{number}",
        "_date_fulfilled": "2026-11-20T15:00:00",
        "_date_delivered": delivered,
    }
    rows = [{"id": place, "key": key, "value": value} for place, (key, value) in enumerate(meta.items(), 1)]
    return {"id": 900, "status": "fulfilled", "is_fulfilled": True, "date_deleted": None, "meta_data": rows}


def can(sandbox):
    probe = Probe(sandbox.url, key=sandbox.key, secret=sandbox.secret)
    assert [step.text for step in probe.steps() if step.state == "bad"] == []
    return probe.found.capabilities["fulfilments"]


@pytest.mark.parametrize("on", [True, False])
def test_the_probe_finds_out_by_trying(on):
    with running(orders=1, fulfilments=on) as sandbox:
        assert can(sandbox) is on


def test_a_parcel_that_the_shop_keeps_is_mirrored_and_its_delivery_told():
    with running(fulfilments=True) as sandbox, clock.frozen(NOON):
        order = place(sandbox)
        store = joined(sandbox, capabilities={"fulfilments": True, "modified_after:order": True})
        sandbox.put("fulfilment", fulfilment("RO123"), parent=order["id"])
        tasks.arm(store, [("order", order["id"])])
        tasks.run_due()
        parcel = Shipment.objects.get()
        assert (parcel.number, parcel.source, parcel.state) == ("RO123", "fulfilment", "shipped")
        sandbox.put("fulfilment", fulfilment("RO123", delivered="2026-11-21T09:00:00"), parent=order["id"])
        clock.advance(timedelta(minutes=1))
        tasks.arm(store, [("order", order["id"])])
        tasks.run_due()
        parcel.refresh_from_db()
        assert parcel.state == "delivered"
        assert parcel.order.events.filter(name="order.delivered").count() == 1


def test_the_poll_brings_the_same_parcels():
    with running(fulfilments=True) as sandbox, clock.frozen(NOON):
        store = joined(sandbox, capabilities={"fulfilments": True, "modified_after:order": True})
        first = place(sandbox)
        tasks.arm_polls(store, ["order"])
        tasks.run_due()
        sandbox.advance(minutes=1)
        order = place(sandbox, 1)
        sandbox.put("fulfilment", fulfilment("RO124"), parent=order["id"])
        clock.advance(timedelta(hours=1))
        tasks.run_due()
        assert Shipment.objects.filter(order__woo_id=order["id"]).values_list("number", flat=True).get() == "RO124"
        assert first["id"] != order["id"]


def test_without_the_feature_nothing_more_is_asked():
    with running() as sandbox, clock.frozen(NOON):
        order = place(sandbox)
        store = joined(sandbox)
        tasks.arm(store, [("order", order["id"])])
        tasks.run_due()
        assert asked(sandbox, "fulfillments") == []
