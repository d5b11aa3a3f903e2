"""Preview, dry run, why: pages, command line and the letters as a person would get them."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import library
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import Consent, DryRun, Enrolment, Flow, FlowVersion, Message
from campaigns.simulation import choosing, explaining, kept
from postpurchase import clock
from reviews.models import ReviewRequest
from stores import events
from stores.models import Event
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_customer, make_order, make_product, make_store, make_user

pytestmark = pytest.mark.django_db

LARGE = {
    "all": [
        {"field": "order.total", "op": "gt", "value": 50},
        {"field": "order.payment_method", "op": "is", "value": "card"},
    ]
}
_WRITES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture(autouse=True)
def _mail_leaves(monkeypatch):
    clock.freeze(NOON)
    monkeypatch.setattr(email, "send", lambda message, rendered: Handed(True, provider_id="p"))


@pytest.fixture
def shop(client):
    store = make_store(language="en")
    client.force_login(make_user(store))
    return store


@pytest.fixture
def flow(shop):
    trigger = {"event": "order.paid", "where": LARGE}
    return publish(shop, file(wait(days=3), send(title="How is it?"), trigger=trigger, klass="S"), state="off")


def bought(store, *, days=2, name="Ana", **fields):
    at = NOON - timedelta(days=days)
    customer = make_customer(store, first_name=name, last_name="Pop")
    order = make_order(store, customer, created_gmt=at, paid_gmt=at, **fields)
    happen(order, at=at)
    return order


def page(client, name, flow, **query):
    return client.get(reverse(name, args=[flow.store.slug, flow.slug]), query)


def test_a_person_is_told_with_conditions_way_dates_and_letter(client, flow):
    bought(flow.store, total=120)
    html = page(client, "flow_preview", flow).content.decode()
    assert "Ana Pop" in html
    assert "Enters the flow." in html
    assert "total is more than 50 (it was 120)" in html
    assert "How is it?" in html
    assert f"/flows/{flow.slug}/preview/letters/mail/?at=" in html


def test_who_nearly_matches_is_listed_with_what_stood_against_it(client, flow):
    near = bought(flow.store, total=40, name="Nearly")
    bought(flow.store, total=40, name="Not", payment_method="cod")
    match, nearly = choosing.candidates(kept.asked_of(flow))
    assert (match, [told.subject.customer.first_name for told in nearly]) == ([], ["Nearly"])
    html = page(client, "flow_preview", flow, order=near.pk).content.decode()
    assert "total is more than 50: no, it was 40" in html
    assert "Does not enter" in html


def test_looking_at_a_preview_and_its_letters_writes_nothing(client, flow):
    order = bought(flow.store, total=120)
    before = (Consent.objects.count(), Event.objects.count(), Message.objects.count(), Enrolment.objects.count())
    with CaptureQueriesContext(connection) as seen:
        page(client, "flow_preview", flow)
        page(client, "flow_why", flow, customer=order.customer_id)
    assert [query["sql"] for query in seen if query["sql"].lstrip().startswith(_WRITES)] == []
    letter = reverse("flow_letter", args=[flow.store.slug, flow.slug, "mail"])
    answer = client.get(letter, {"order": order.pk})
    assert answer.status_code == 200
    assert "Ana" in answer.content.decode()
    after = (Consent.objects.count(), Event.objects.count(), Message.objects.count(), Enrolment.objects.count())
    assert after == before


def test_a_letter_has_no_live_links_and_can_be_seen_dark_without_pictures_and_as_text(client, flow):
    order = bought(flow.store, total=120)
    letter = reverse("flow_letter", args=[flow.store.slug, flow.slug, "mail"])
    light = client.get(letter, {"order": order.pk})
    assert 'href="http' not in light.content.decode()
    off = client.get(letter, {"order": order.pk, "look": "images-off"})
    assert "img-src 'none'" in off["Content-Security-Policy"]
    dark = client.get(letter, {"order": order.pk, "look": "dark"}).content.decode()
    assert dark != light.content.decode()
    assert client.get(letter, {"order": order.pk, "look": "text"})["Content-Type"].startswith("text/plain")


def test_a_review_request_is_shown_with_a_review_page_that_is_not_kept(client, shop):
    product = make_product(shop)
    order = bought(shop, items=[(product, 1)], delivered_at=NOON - timedelta(days=2), status="completed")
    happen(order, events.ORDER_DELIVERED, at=NOON - timedelta(days=2))
    flow = library.install(shop, "R06")
    answer = client.get(reverse("flow_letter", args=[shop.slug, flow.slug, "request"]), {"order": order.pk})
    assert product.name in answer.content.decode()
    assert not ReviewRequest.objects.exists()


def test_it_works_for_a_draft_that_was_never_published(client, shop):
    data = file(send(title="From a draft"))
    flow = Flow.objects.create(store=shop, slug="new", name="New", klass="T", draft=data)
    bought(shop)
    html = page(client, "flow_preview", flow).content.decode()
    assert "From a draft" in html
    assert not FlowVersion.objects.exists()
    client.post(reverse("flow_simulate", args=[shop.slug, flow.slug]), {"days": "90", "draft": "1"})
    assert (DryRun.objects.get().draft, DryRun.objects.get().result["entered"]) == (True, 1)


def test_a_draft_with_faults_says_what_is_wrong(client, shop):
    flow = Flow.objects.create(store=shop, slug="new", name="New", klass="T", draft={"format": 1, "name": "New"})
    html = page(client, "flow_preview", flow).content.decode()
    assert "This cannot be previewed yet." in html


def test_to_whom_it_has_not_happened_is_shown_as_if(client, flow):
    customer = make_customer(flow.store, first_name="Never")
    html = page(client, "flow_preview", flow, customer=customer.pk).content.decode()
    assert "This is as if it did now." in html


def test_a_person_of_another_store_is_not_found(client, flow):
    other = make_order(make_store())
    assert page(client, "flow_preview", flow, order=other.pk).status_code == 404
    assert page(client, "flow_preview", flow, customer=other.customer_id).status_code == 404
    assert page(client, "flow_why", flow, customer=other.customer_id).status_code == 404
    assert page(client, "flow_preview", flow, key="order.paid:1", at="2026-01-01T00:00:00").status_code == 404


def test_the_numbers_come_with_what_they_are_a_part_of_and_a_table(client, flow):
    bought(flow.store, total=120, days=30)
    bought(flow.store, total=40, days=30)
    answer = client.post(reverse("flow_simulate", args=[flow.store.slug, flow.slug]), {"days": "90"})
    assert answer["Location"].endswith("#happened")
    html = page(client, "flow_preview", flow).content.decode()
    assert "1 of 2, 50.0%" in html
    assert "the conditions of entering did not hold" in html
    assert "Messages sent by week, each message in a column" in html
    assert "too early to say who buys again" in html
    assert "nobody knows beforehand what a message changes" in html


def test_a_changed_flow_asks_for_a_new_run(client, flow):
    client.post(reverse("flow_simulate", args=[flow.store.slug, flow.slug]), {"days": "30"})
    publish(flow.store, file(send(), send("other")), state="off")
    html = page(client, "flow_preview", flow).content.decode()
    assert "The flow has changed since the last dry run." in html


def test_why_not_names_the_condition_and_what_was_seen(client, flow):
    Flow.objects.filter(pk=flow.pk).update(state="on", created_at=NOON - timedelta(days=60))
    order = bought(flow.store, total=40)
    html = page(client, "flow_why", flow, customer=order.customer_id).content.decode()
    assert "Does not enter because: the order&#x27;s total is more than 50: no, it was 40." in html


def test_why_not_says_that_the_flow_was_off(client, flow):
    order = bought(flow.store, total=120)
    Flow.objects.filter(pk=flow.pk).update(created_at=NOON - timedelta(days=60))
    html = page(client, "flow_why", flow, customer=order.customer_id).content.decode()
    assert "Did not enter: the flow was off." in html


def test_why_not_says_that_history_starts_nothing(client, flow):
    order = make_order(flow.store, historic=True)
    happen(order, at=NOON - timedelta(days=3), historic=True)
    html = page(client, "flow_why", flow, customer=order.customer_id).content.decode()
    assert "history starts nothing" in html


def test_why_she_got_it_shows_the_messages_and_what_was_looked_at(client, shop):
    flow = publish(shop, file(send(title="Thanks")))
    order = make_order(shop)
    happen(order)
    run()
    html = page(client, "flow_why", flow, customer=order.customer_id).content.decode()
    assert "Entered and went to the end." in html
    assert "Thanks" in html


def test_why_for_somebody_to_whom_nothing_happened(client, flow):
    customer = make_customer(flow.store)
    html = page(client, "flow_why", flow, customer=customer.pk).content.decode()
    assert "Nothing that starts this flow happened to this person in the last 90 days." in html


def test_the_search_finds_people_by_number_address_and_name(shop):
    order = bought(shop, name="Zoe")
    found = [order.customer_id]
    assert [(one.pk, had) for one, had in choosing.search(shop, f"#{order.number}")] == [(found[0], order)]
    assert [one.pk for one, _had in choosing.search(shop, "zoe pop")] == found
    assert [one.pk for one, _had in choosing.search(shop, order.customer.email.upper())] == found
    assert choosing.search(shop, " ") == []


def test_the_command_line_tells_the_same_and_ends_with_the_right_code(flow):
    bought(flow.store, total=120, days=30)
    said = StringIO()
    call_command("simulate", flow.slug, store=flow.store.slug, stdout=said)
    assert "entered                          1 of 1  100.0%" in said.getvalue()
    told = StringIO()
    call_command("simulate", store=flow.store.slug, all=True, json=True, stdout=told)
    assert json.loads(told.getvalue())[flow.slug]["entered"] == 1
    for wrong in ([], ["nobody"]):
        with pytest.raises(CommandError) as refused:
            call_command("simulate", *wrong, store=flow.store.slug)
        assert refused.value.returncode == 2
    with pytest.raises(CommandError) as refused:
        call_command("simulate", flow.slug, store=flow.store.slug, days=0)
    assert refused.value.returncode == 2


def test_a_flow_that_cannot_be_run_does_not_hold_up_the_others(flow):
    Flow.objects.create(store=flow.store, slug="empty", name="Empty", klass="T")
    with pytest.raises(CommandError) as refused:
        call_command("simulate", store=flow.store.slug, all=True, stdout=StringIO(), stderr=StringIO())
    assert refused.value.returncode == 1
    assert DryRun.objects.get().flow == flow


def test_the_reach_of_the_library_is_counted_once_a_day_as_a_job(shop):
    from stores import jobs
    from stores.models import Job

    bought(shop)
    type(shop).objects.filter(pk=shop.pk).update(backfilled_at=NOON)
    assert kept.count_reach_when_old() == 1
    assert kept.count_reach_when_old() == 0
    assert jobs.run_one(Job.objects.get().pk, 60)
    rows = {row.recipe: row.result["people"] for row in DryRun.objects.all()}
    assert (set(rows), rows["R01"]) == (set(library.FILES), 1)
    assert kept.count_reach_when_old() == 0
    clock.freeze(NOON + timedelta(hours=25))
    assert kept.count_reach_when_old() == 1


def test_each_condition_is_told_with_what_was_seen(flow):
    order = bought(flow.store, total=120)
    told = explaining.person(kept.asked_of(flow), choosing.of_customer(kept.asked_of(flow), order.customer))[0]
    assert [(check.passed, check.seen) for check in told.checks] == [(True, "it was 120"), (True, "it was card")]
    assert next(stage.words for stage in told.stages) == "Enters the flow"


def test_the_answer_is_reached_from_the_customers_page(client, flow):
    order = bought(flow.store, total=40)
    html = client.get(reverse("customer", args=[flow.store.slug, order.customer_id])).content.decode()
    assert f"/flows/{flow.slug}/why/?customer={order.customer_id}" in html
