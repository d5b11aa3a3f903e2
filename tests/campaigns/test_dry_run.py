"""The dry run: it says what the running flow does over the same clock, writes nothing, and says it twice the same."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import definitions, flows
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import DryRun
from campaigns.simulation import kept, running, telling
from campaigns.simulation.report import Report
from campaigns.simulation.running import Asked
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events, jobs
from tests.campaigns.flow_files import file, happen, publish, send, wait
from tests.campaigns.lives import Life, foretold, really
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db

# Over the end of summer time.
AUTUMN = datetime(2026, 10, 5, 6, 0, tzinfo=UTC)
_WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture(autouse=True)
def _mail_leaves(monkeypatch):
    clock.freeze(NOON)
    monkeypatch.setattr(email, "send", lambda message, rendered: Handed(True, provider_id="p"))


def asked_of(flow, *, since, until):
    return Asked(flow.store, flow, definitions.parse(flow.live.definition), since, until, flow.live)


def courses_of(asked):
    with running.spooled(asked) as spool:
        return [one for _world, found in running.run(asked, spool.people()) for own in found.values() for one in own]


@pytest.mark.parametrize("seed", range(16))
def test_it_says_what_the_running_flow_did(seed):
    life = Life(random.Random(seed), AUTUMN)
    end = life.live()
    asked = asked_of(life.flow, since=AUTUMN, until=end)
    assert foretold(courses_of(asked)) == really(life.store)


def test_it_writes_nothing_and_says_the_same_twice():
    life = Life(random.Random(3), AUTUMN)
    end = life.live()
    asked = asked_of(life.flow, since=AUTUMN, until=end)
    with CaptureQueriesContext(connection) as seen:
        first = running.dry_run(asked)
        second = running.dry_run(asked)
    assert [query["sql"] for query in seen if query["sql"].lstrip().upper().startswith(_WRITES)] == []
    assert first.as_json() == second.as_json()
    assert Report.from_json(first.as_json()).as_json() == first.as_json()


def test_history_that_was_only_read_is_run_as_if_it_happened_then():
    store = make_store()
    where = {"field": "order.historic", "op": "is", "value": False}
    flow = publish(store, file(send(), trigger={"event": "order.paid", "where": where}), state="off")
    order = make_order(store, historic=True, created_gmt=NOON - timedelta(days=30), paid_gmt=NOON - timedelta(days=30))
    happen(order, at=NOON - timedelta(days=30), historic=True)
    report = running.dry_run(asked_of(flow, since=NOON - timedelta(days=90), until=NOON))
    assert (report.found, report.entered, report.sent) == (1, 1, 1)


def test_who_does_not_enter_is_counted_by_reason():
    store = make_store()
    where = {"field": "order.total", "op": "gt", "value": 100}
    flow = publish(store, file(send(), trigger={"event": "order.paid", "where": where}, reentry="once"), state="off")
    customer = make_customer(store)
    for total in (50, 150, 160):
        happen(make_order(store, customer, total=total), at=NOON - timedelta(days=1))
    report = running.dry_run(asked_of(flow, since=NOON - timedelta(days=90), until=NOON))
    assert (report.found, report.entered, report.people) == (3, 1, 1)
    assert dict(report.not_entered) == {
        "the flow's condition does not hold": 1,
        "is in the flow already": 1,
    }


def test_a_refund_after_the_mail_was_due_does_not_reach_back():
    store = make_store()
    flow = publish(store, file(wait(days=2), send()), state="off")
    paid = NOON - timedelta(days=20)
    order = make_order(
        store, created_gmt=paid, paid_gmt=paid, status="refunded", total=100, refunded=100, counted=False
    )
    order.refund_rows.create(store=store, amount=100, created_gmt=NOON - timedelta(days=10), woo_id=1)
    happen(order, at=paid)
    report = running.dry_run(asked_of(flow, since=NOON - timedelta(days=90), until=NOON))
    assert (report.sent, dict(report.left)) == (1, {})


def test_the_baseline_counts_who_bought_again_within_sixty_days_with_no_message():
    store = make_store()
    flow = publish(store, file(send(), event="order.paid"), state="off")

    def bought(customer, days):
        at = NOON - timedelta(days=days)
        order = make_order(store, customer, created_gmt=at, paid_gmt=at)
        events.record(store, events.ORDER_PAID, subject=order.pk, at=at, order=order, historic=True)

    again, late, once, recent = (make_customer(store) for _ in range(4))
    bought(again, 80)
    bought(again, 25)
    bought(late, 80)
    bought(late, 10)
    bought(once, 70)
    bought(recent, 50)
    bought(recent, 40)
    report = running.dry_run(asked_of(flow, since=NOON - timedelta(days=90), until=NOON))
    assert (report.watched, report.again, report.people) == (3, 1, 4)
    assert "1 of the 3 people who entered at least 60 days before the end" in telling.baseline(report)
    assert "33.3%" in telling.baseline(report)


def test_weeks_begin_on_monday_in_the_shops_zone():
    store = make_store()
    flow = publish(store, file(send()), state="off")
    # Sunday 22:30 in UTC is Monday in Bucharest.
    sunday = datetime(2026, 11, 15, 22, 30, tzinfo=UTC)
    order = make_order(store, created_gmt=sunday, paid_gmt=sunday)
    happen(order, at=sunday)
    report = running.dry_run(asked_of(flow, since=NOON - timedelta(days=90), until=NOON))
    assert dict(report.steps["mail"].weeks) == {"2026-11-16": 1}


def test_a_job_in_small_slices_ends_with_the_same_numbers(monkeypatch):
    store = make_store()
    flow = publish(store, file(send()), state="off")
    for _ in range(7):
        happen(make_order(store), at=NOON - timedelta(days=3))
    direct = running.dry_run(kept.asked_of(flow))
    monkeypatch.setattr(kept, "LONG", 3)
    monkeypatch.setattr(running, "BATCH", 2)
    result = kept.start(flow)
    assert result.job is not None
    slices = 0
    while jobs.run_one(result.job.pk, 0):
        slices += 1
    result.job.refresh_from_db()
    assert (result.job.status, slices, result.job.done) == ("done", 4, 7)
    assert Report.from_json(DryRun.objects.get().result).as_json() == direct.as_json()
    assert "7 of 7 would have entered" in result.job.result["sentence"]


def test_a_flow_changed_while_its_job_runs_is_not_told_as_it_was(monkeypatch):
    store = make_store()
    flow = publish(store, file(send()), state="off")
    happen(make_order(store), at=NOON - timedelta(days=3))
    monkeypatch.setattr(kept, "LONG", 0)
    job = kept.start(flow).job
    flows.publish(store, file(send(), send("other")), actor="test", slug=flow.slug)
    jobs.run_one(job.pk, 5)
    job.refresh_from_db()
    assert "The flow was changed meanwhile" in job.error
    assert not DryRun.objects.exists()


@pytest.mark.parametrize("days", [0, 731])
def test_a_senseless_span_is_refused(days):
    flow = publish(make_store(), file(send()))
    with pytest.raises(BusinessError) as refusal:
        kept.start(flow, days=days)
    assert refusal.value.code == "dry_run_days"
    assert not DryRun.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_orders():
    store = make_store()
    flow = publish(store, file(wait(days=1), send()), state="off")

    def run(orders):
        for _ in range(orders):
            happen(make_order(store), at=NOON - timedelta(days=3))
        with CaptureQueriesContext(connection) as seen:
            running.dry_run(asked_of(flow, since=NOON - timedelta(days=90), until=NOON))
        return len(seen)

    run(1)
    assert run(3) == run(20)
