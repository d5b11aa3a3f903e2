"""The store health page, its address in the API and `doctor`: the same figures, and cause and remedy for what is red."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from campaigns.models import Message
from postpurchase import clock
from stores import api_keys, housekeeping
from stores.models import Quarantined, RequestHour, Store, SyncTask, WebhookEndpoint
from stores.sync import figures, tasks
from stores.woo import counts
from tests.factories import NOON, make_customer, make_store, make_user
from tests.stores.shop import joined, running

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> None:
    clock.freeze(NOON)
    counts.flush()


def page(store: Store) -> str:
    client = Client()
    client.force_login(make_user(store, role="owner"))
    return client.get(f"/app/{store.slug}/settings/system/").content.decode()


def told(store: Store) -> dict[str, Any]:
    _key, secret = api_keys.create_api_key(store, name="monitor", scopes=["health:read"])
    answer = Client().get("/api/v1/health/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    return dict(answer.json())


def test_requests_are_counted_by_class_in_one_row_of_the_hour() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        tasks.arm_polls(store)
        sandbox.fault("status", status=429, headers={"Retry-After": "60"}, path="/customers")
        before = len(sandbox.requests)
        tasks.run_due(10)
        [row] = RequestHour.objects.filter(store=store)
        assert row.hour == NOON.replace(minute=0)
        assert row.requests == len(sandbox.requests) - before
        assert (row.told_to_wait, row.told_seconds, row.blocked, row.refused) == (1, 60, 0, 0)
        assert row.transient == 0


def test_counts_of_a_store_that_was_deleted_meanwhile_hold_nothing_up() -> None:
    store, gone = make_store(), make_store()
    for one in (gone, store):
        counts.add(one.pk, None)
    gone.delete()
    counts.flush()
    assert [(row.store_id, row.requests) for row in RequestHour.objects.all()] == [(store.pk, 1)]


def test_counts_of_a_day_are_summed_and_old_ones_leave() -> None:
    store, other = make_store(), make_store()
    for hours in (0, 1, 23, 25, 24 * 9):
        RequestHour.objects.create(store=store, hour=NOON - timedelta(hours=hours), requests=10, transient=1)
    RequestHour.objects.create(store=other, hour=NOON, requests=7)
    day = figures.of(store)["last_24_hours"]
    assert (day["requests"], day["failed"]["transient"]) == (30, 3)
    housekeeping.tidy()
    assert RequestHour.objects.filter(store=store).count() == 4


def test_the_health_address_and_doctor_tell_the_figures_of_the_page() -> None:
    store = make_store(slug="lut", backfilled_at=NOON, complete_since=NOON - timedelta(days=900))
    Quarantined.objects.create(store=store, entity="order", woo_id=7, reason="no date")
    RequestHour.objects.create(store=store, hour=NOON, requests=1234, told_to_wait=2, told_seconds=90)
    got = told(store)
    assert (got["last_24_hours"]["requests"], got["could_not_be_read"], got["webhooks"]["state"]) == (1234, 1, "off")
    assert got["drift"] is None
    assert {"name", "ok", "sentence", "fix"} <= set(got["checks"][0])
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--json", stdout=out)
    [reported] = [one for one in json.loads(out.getvalue())["stores"] if one["store"] == "lut"]
    assert reported["figures"]["last_24_hours"] == got["last_24_hours"]
    html = page(store)
    assert "1,234" in html
    assert "Asked us to wait" in html


def test_a_key_sees_the_figures_of_its_own_store_only() -> None:
    store, other = make_store(), make_store()
    RequestHour.objects.create(store=other, hour=NOON, requests=99)
    assert told(store)["last_24_hours"]["requests"] == 0


def test_messages_that_did_not_go_out_are_counted_by_reason() -> None:
    store = make_store(slug="lut")
    person = make_customer(store)
    for number, (status, reason) in enumerate([("skipped", "order cancelled")] * 2 + [("unknown", "")]):
        Message.objects.create(
            store=store,
            customer=person,
            klass="S",
            purpose="review",
            template="x",
            status=status,
            reason=reason,
            key=f"k{number}",
            planned_for=NOON,
            useful_until=NOON,
        )
    assert [(one["name"], one["reason"], one["number"]) for one in told(store)["messages"]] == [
        ("skipped", "order cancelled", 2),
        ("unknown", "", 1),
    ]
    assert "order cancelled" in page(store)


def test_a_red_shop_has_cause_remedy_next_try_and_a_text_for_the_host() -> None:
    store = make_store(slug="lut", state=Store.State.UNREACHABLE, state_reason="A firewall answers for the shop.")
    SyncTask.objects.create(store=store, key="probe", entity="probe", due_at=NOON + timedelta(minutes=5))
    html = page(store)
    assert "A firewall answers for the shop." in html
    assert "It is tried again by itself." in html
    assert "Postpurchase/" in html
    assert store.consumer_secret not in html
    assert store.consumer_key not in html
    assert told(store)["next_probe_at"] is not None


@pytest.mark.parametrize(("heard", "state"), [(timedelta(minutes=5), "healthy"), (timedelta(hours=5), "late")])
def test_webhooks_are_late_when_polls_bring_orders_that_no_webhook_told(heard: timedelta, state: str) -> None:
    from tests.factories import make_order

    store = make_store(hooked_at=NOON - heard)
    make_order(store, created_gmt=NOON - timedelta(minutes=30))
    WebhookEndpoint.objects.create(store=store, topic="order.updated", secret="x")
    assert figures.of(store)["webhooks"]["state"] == state


def test_an_unreadable_object_says_what_to_do_and_where_it_is() -> None:
    store = make_store(slug="lut")
    Quarantined.objects.create(store=store, entity="order", woo_id=7, reason="no date")
    html = page(store)
    assert "Mend it in the shop" in html
    assert "See them" in html
