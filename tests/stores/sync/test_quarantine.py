"""What could not be read is kept with its reason and asked for again: after 1 hour, 6 hours, a day, then weekly."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from postpurchase import clock, due
from stores.models import Order, Quarantined, Store, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from tests.factories import make_user
from tests.stores.shop import asked, joined, place, running

pytestmark = pytest.mark.django_db


def run(store: Store, *polls: str) -> None:
    tasks.arm_polls(store, polls)
    SyncTask.objects.filter(store=store, key__in=[f"poll:{name}" for name in polls]).update(due_at=clock.now())
    while rows := due.claim(SyncTask, limit=1, lease=tasks.LEASE):
        rows[0].store.refresh_from_db()
        tasks._run(rows[0])


def broken_total(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.put("order", place(sandbox) | {"total": "a lot"})


def test_what_could_not_be_read_is_asked_for_again_by_plan() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        run(store, "order")
        body = broken_total(sandbox)
        run(store, "order")
        begun, held = clock.now(), store.quarantine.get()
        assert (held.woo_id, held.by_shop, held.solved_at) == (body["id"], False, None)
        assert "total" in held.reason
        path, hours = f"/orders/{body['id']}", []
        for hour in range(24 * 16):
            before = len(asked(sandbox, path))
            with clock.frozen(begun + timedelta(hours=hour, minutes=1)):
                run(store, "quarantine")
            if len(asked(sandbox, path)) > before:
                hours.append(hour)
        assert hours == [1, 7, 31, 31 + 168, 31 + 336]
        assert Order.objects.count() == 0


def test_what_reads_again_is_mirrored_and_solved() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        run(store, "order")
        body = broken_total(sandbox)
        run(store, "order")
        sandbox.put("order", body | {"total": "119.00"})
        with clock.shifted(timedelta(minutes=61)):
            run(store, "quarantine")
        assert store.quarantine.get().solved_at is not None
        assert Order.objects.get().woo_id == body["id"]


def test_what_is_gone_meanwhile_is_solved_too() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        run(store, "order")
        body = broken_total(sandbox)
        run(store, "order")
        sandbox.store.storage.execute("DELETE FROM objects WHERE kind = 'order' AND id = ?", (body["id"],))
        with clock.shifted(timedelta(minutes=61)):
            run(store, "quarantine")
        assert store.quarantine.get().solved_at is not None


def test_what_the_shop_itself_trips_over_costs_one_request_each_time_and_blames_nobody() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        bad = place(sandbox)["id"]
        Quarantined.objects.create(
            store=store, entity="order", woo_id=bad, reason="It broke.", by_shop=True, retry_at=clock.now()
        )
        sandbox.fault("break_on", path="/orders", times=0, ids=[bad])
        run(store, "quarantine")
        store.refresh_from_db()
        assert len(asked(sandbox, f"/orders/{bad}")) == 1
        assert (store.failures, store.quarantine.get().times) == (0, 2)
        sandbox.clear_faults()
        with clock.shifted(timedelta(hours=7)):
            run(store, "quarantine")
        assert store.quarantine.get().solved_at is not None
        assert Order.objects.get().woo_id == bad


def test_the_list_says_why_and_when_it_is_tried_again(client: Client) -> None:
    with running() as sandbox:
        store = joined(sandbox)
        run(store, "order")
        broken_total(sandbox)
        run(store, "order")
        client.force_login(make_user(store))
        page = client.get(reverse("quarantine", args=[store.slug])).content.decode()
        assert "total is no amount of money" in page
        assert "asked for again at" in page
