"""Running a flow over past data: whom it would take in, once, newest first, no faster than it was told."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Enrolment, Message
from campaigns.triggers import past
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events, jobs
from stores.models import AuditEvent, Job
from tests.campaigns.flow_files import file, publish, run, send
from tests.factories import NOON, make_customer, make_order, make_store, make_user

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def bought(store, days, customer=None, **fields):
    at = NOON - days * DAY
    order = make_order(store, customer, created_gmt=at, historic=True, **fields)
    events.record(store, events.ORDER_PAID, subject=order.pk, at=at, order=order, historic=True)
    while events.dispatch():
        pass
    return order


def work(job):
    jobs.run_one(job.pk, 5.0)
    job.refresh_from_db()
    return job


def flow_of(store, state="on", **extra):
    return publish(store, file(send(), exit_when=[], **extra), state=state)


def test_a_preview_counts_people_with_reasons_and_writes_nothing():
    store = make_store()
    where = {"field": "order.payment_method", "op": "is", "value": "cod"}
    flow = flow_of(store, "off", trigger={"event": "order.paid", "where": where})
    bought(store, 3, payment_method="cod")
    bought(store, 5)
    bought(store, 40, payment_method="cod")
    found = past.preview(flow, days=30)
    assert (found.people, found.enter, found.about) == (2, 1, False)
    assert found.reasons == {"the flow's condition does not hold": 1}
    assert found.sentence() == "1 of 2 people of the last 30 days would enter."
    assert [one.enters for one in found.shown] == [True, False]
    assert not Enrolment.objects.exists()
    assert not Job.objects.exists()


def test_of_many_people_the_number_is_reckoned_from_a_part(monkeypatch):
    monkeypatch.setattr(past, "COUNTED", 4)
    monkeypatch.setattr(past, "SAMPLE", 3)
    store = make_store()
    flow = flow_of(store)
    for n in range(6):
        bought(store, n + 1)
    found = past.preview(flow, days=30)
    assert (found.people, found.enter, found.about) == (6, 6, True)
    assert found.sentence() == "about 6 of 6 people of the last 30 days would enter."


def test_switching_on_is_from_now_on_unless_the_past_is_asked_for():
    store = make_store()
    flow = flow_of(store, "off")
    order = bought(store, 3)
    owner = make_user(store)
    assert past.switch_on(flow, "on", actor=owner) is None
    assert not Enrolment.objects.exists()
    job = past.switch_on(flow, "on", actor=owner, days=30)
    assert (job.kind, job.started_by) == ("flow_past", owner)
    work(job)
    entered = Enrolment.objects.get()
    assert (entered.order, entered.due_at) == (order, NOON)
    assert entered.context["past"] == {"job": job.pk, "days": 30}
    assert entered.context["at"] == (NOON - 3 * DAY).isoformat()
    assert (job.status, job.result["sentence"]) == ("done", "1 of 1 person entered “Test flow”.")
    assert past.entered_by(job) == 1
    assert AuditEvent.objects.filter(action="flow.past").count() == 1
    # What is due begins now and is not late.
    run()
    assert Message.objects.get().planned_for == NOON


def test_each_person_comes_in_once_for_the_newest_and_who_is_in_stays_out():
    store = make_store()
    flow = flow_of(store)
    who = make_customer(store)
    bought(store, 9, who)
    newest = bought(store, 2, who)
    job = work(past.start(flow, days=30, actor="test"))
    assert Enrolment.objects.get().order == newest
    again = work(past.start(flow, days=31, actor="test"))
    assert (again.pk != job.pk, Enrolment.objects.count()) == (True, 1)
    assert again.result["sentence"] == "0 of 1 person entered “Test flow”."


def test_no_more_people_an_hour_than_told_and_gently_for_two_days(monkeypatch):
    monkeypatch.setattr(past, "WARM_UP", 2)
    store = make_store()
    flow = flow_of(store)
    for n in range(9):
        bought(store, n + 1)
    job = past.start(flow, days=30, actor="test", per_hour=5)
    counts = []
    for hours in (0, 0.5, 1, 1.9, 48, 48.5, 49):
        clock.freeze(NOON + hours * HOUR)
        work(job)
        counts.append(Enrolment.objects.count())
    assert counts == [2, 2, 4, 4, 9, 9, 9]
    assert job.status == "done"


def test_without_warm_up_the_full_number_comes_in_at_once_and_the_job_waits_for_the_hour():
    store = make_store()
    flow = flow_of(store)
    for n in range(3):
        bought(store, n + 1)
    job = work(past.start(flow, days=30, actor="test", per_hour=2, warm_up=False))
    assert (Enrolment.objects.count(), job.status, job.due_at) == (2, "running", NOON + HOUR)
    assert job.error == "This hour’s number of people is reached."
    # The oldest came first; the place is kept.
    assert job.cursor["looked"] == 2


def test_a_job_can_be_paused_resumed_and_cancelled():
    store = make_store()
    flow = flow_of(store)
    for n in range(4):
        bought(store, n + 1)
    job = work(past.start(flow, days=30, actor="test", per_hour=1, warm_up=False))
    assert past.start(flow, days=30, actor="test").pk == job.pk
    jobs.pause(job)
    clock.advance(HOUR)
    work(job)
    assert Enrolment.objects.count() == 1
    jobs.resume(job)
    work(job)
    assert Enrolment.objects.count() == 2
    jobs.cancel(job)
    clock.advance(HOUR)
    work(job)
    assert Enrolment.objects.count() == 2


def test_a_flow_that_is_switched_off_takes_nobody_in_until_it_is_on_again():
    store = make_store()
    flow = flow_of(store)
    bought(store, 1)
    job = past.start(flow, days=30, actor="test")
    publish(store, flow.live.definition, state="off")
    work(job)
    assert (Enrolment.objects.count(), job.status, job.error) == (0, "running", "The flow is off.")
    publish(store, flow.live.definition, state="on")
    clock.advance(HOUR)
    work(job)
    assert (Enrolment.objects.count(), job.status) == (1, "done")


def test_what_time_brings_has_a_past_too():
    store = make_store()
    flow = flow_of(store, trigger={"event": "time.win_back", "days": 60}, klass="M")
    silent = make_order(store, created_gmt=NOON - 70 * DAY, counted=True)
    make_order(store, created_gmt=NOON - 40 * DAY, counted=True)
    work(past.start(flow, days=30, actor="test"))
    assert Enrolment.objects.get().customer == silent.customer


@pytest.mark.parametrize(
    ("days", "per_hour", "state", "code"),
    [(0, 10, "on", "past_days"), (366, 10, "on", "past_days"), (30, 0, "on", "past_rate"), (30, 10, "off", "flow_off")],
)
def test_what_cannot_be_is_refused_and_nothing_begins(days, per_hour, state, code):
    flow = flow_of(make_store(), state)
    with pytest.raises(BusinessError) as refused:
        past.start(flow, days=days, actor="test", per_hour=per_hour)
    assert refused.value.code == code
    assert not Job.objects.exists()


def test_the_command_shows_and_begins_only_when_told():
    store = make_store()
    flow_of(store)
    order = bought(store, 3)
    out = StringIO()
    call_command("flow_past", "test-flow", store=store.slug, days=30, stdout=out)
    assert "1 of 1 person of the last 30 days would enter." in out.getvalue()
    assert f"customer {order.customer_id}, order {order.pk}: would enter" in out.getvalue()
    assert order.email not in out.getvalue()
    assert not Job.objects.exists()
    call_command("flow_past", "test-flow", store=store.slug, days=30, start=True, stdout=out)
    assert Job.objects.get().params["days"] == 30
    with pytest.raises(CommandError):
        call_command("flow_past", "nothing", store=store.slug, days=30)


def test_the_page_that_switches_a_flow_on_counts_the_past_and_takes_it_in_only_when_asked(client):
    from django.urls import reverse

    store = make_store()
    flow = flow_of(store, "off")
    bought(store, 3)
    bought(store, 40)
    client.force_login(make_user(store))
    url = reverse("flow_on", args=[store.slug, flow.slug])
    assert "1 of 1 person of the last 30 days would enter." in client.get(url).content.decode()
    form = {"state": "on", "whom": "past", "days": "60", "per_hour": "50"}
    counted = client.post(url, form | {"count": "1"}).content.decode()
    assert "2 of 2 people of the last 60 days would enter." in counted
    flow.refresh_from_db()
    assert (flow.state, Job.objects.count()) == ("off", 0)
    for wrong in ({"days": ""}, {"days": "999"}, {"per_hour": "x"}):
        assert client.post(url, form | wrong).status_code == 409
    flow.refresh_from_db()
    assert (flow.state, Job.objects.count()) == ("off", 0)
    answer = client.post(url, form)
    job = Job.objects.get()
    assert answer.url == reverse("job", args=[store.slug, job.pk])
    assert (job.params["days"], job.params["per_hour"]) == (60, 50)
    publish(store, flow.live.definition, state="off")
    client.post(url, {"state": "on", "whom": "", "days": "60"})
    assert Job.objects.count() == 1


def test_with_very_many_orders_the_page_counts_on_a_button(client, monkeypatch):
    from django.urls import reverse

    from campaigns.views import flow_on

    monkeypatch.setattr(flow_on, "COUNTED_AT_ONCE", 0)
    store = make_store()
    flow = flow_of(store, "off")
    bought(store, 3)
    client.force_login(make_user(store))
    url = reverse("flow_on", args=[store.slug, flow.slug])
    assert "would enter" not in client.get(url).content.decode()
    assert "1 of 1 person" in client.post(url, {"count": "1", "days": "30"}).content.decode()
