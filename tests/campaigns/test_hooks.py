"""Calls of a merchant's addresses: signed, the same at every try, repeated, seen, and never into our own network."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import flows, hooks, housekeeping
from campaigns.models import HookDelivery, HookSecret, StepRun
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores.models import AuditEvent
from tests.campaigns.flow_files import file, happen, publish, run
from tests.factories import NOON, make_order, make_product, make_store, make_user
from tests.stores.fake_shop import serve

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


@pytest.fixture
def taker():
    with serve() as shop:
        shop.will((200, {}, b"thanks"))
        yield shop


def _planned(url, store=None, **extra):
    store = store or make_store()
    publish(store, file({"uid": "call", "kind": "call_webhook", "url": url, "label": "till"} | extra, exit_when=[]))
    order = make_order(store, items=[(make_product(store), 2)])
    happen(order)
    run()
    return HookDelivery.objects.get()


def _header(asked, name):
    return {key.lower(): value for key, value in asked.headers.items()}[name]


def test_a_call_tells_what_happened_and_can_be_proven(taker):
    row = _planned(f"{taker.url}/hook")
    assert taker.asked == []
    assert hooks.run_due() == 1
    [asked] = taker.asked
    told = json.loads(asked.body)
    assert (asked.method, asked.path) == ("POST", "/hook")
    assert (told["type"], told["label"], told["flow"], told["step"]) == ("flow.step", "till", "test-flow", "call")
    assert (told["customer"]["email"], told["order"]["number"]) == (row.customer.email, row.order.number)
    assert told["order"]["lines"][0]["quantity"] == "2.0000"
    assert told["event"]["name"] == "order.paid"
    stamp, sign = _header(asked, "x-postpurchase-signature").split(",")
    seconds = stamp.removeprefix("t=")
    secret = HookSecret.objects.get().secret
    expected = hmac.new(secret.encode(), f"{seconds}.".encode() + asked.body, hashlib.sha256).hexdigest()
    assert sign == f"v1={expected}"
    row.refresh_from_db()
    assert (row.state, row.status_code) == ("done", 200)
    assert row.calls[0]["answer"] == "thanks"
    assert hooks.run_due() == 0


def test_what_is_not_taken_is_tried_again_with_the_same_content(taker):
    row = _planned(f"{taker.url}/hook")
    taker.will((500, {}, b"no"), (429, {"Retry-After": "600"}, b""), (204, {}, b""))
    hooks.run_due()
    row.refresh_from_db()
    assert (row.state, row.due_at, row.error) == ("due", NOON + timedelta(minutes=1), "The address answers 500.")
    type(row.order).objects.update(total=1)
    clock.advance(timedelta(minutes=1))
    hooks.run_due()
    row.refresh_from_db()
    assert row.due_at == NOON + timedelta(minutes=11)
    clock.advance(timedelta(minutes=10))
    hooks.run_due()
    row.refresh_from_db()
    assert (row.state, [call["status"] for call in row.calls]) == ("done", [500, 429, 204])
    assert len({asked.body for asked in taker.asked}) == 1
    assert len({_header(asked, "x-postpurchase-delivery") for asked in taker.asked}) == 1


def test_an_address_that_never_takes_it_is_given_up_after_days(taker):
    row = _planned(f"{taker.url}/hook")
    taker.will((500, {}, b""))
    for _ in range(HookDelivery.MAX_ATTEMPTS):
        hooks.run_due()
        clock.advance(timedelta(days=1))
    row.refresh_from_db()
    assert (row.state, len(row.calls)) == ("dead", HookDelivery.MAX_ATTEMPTS)


def test_410_says_never_again(taker):
    row = _planned(f"{taker.url}/hook")
    taker.will((410, {}, b""))
    hooks.run_due()
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("dead", "gone")


def test_a_host_that_does_not_answer_holds_up_no_other(taker):
    store = make_store()
    _planned("http://127.0.0.1:1/hook", store)
    publish(
        store,
        file({"uid": "call", "kind": "call_webhook", "url": f"{taker.url.replace('127.0.0.1', 'localhost')}/hook"}),
        slug="b",
    )
    happen(make_order(store))
    run()
    hooks.run_due()
    assert len(taker.asked) == 1
    assert {row.state for row in HookDelivery.objects.filter(host="127.0.0.1")} == {"due"}


def test_an_address_in_our_own_network_is_not_called(settings, taker):
    row = _planned(f"{taker.url}/hook")
    settings.ALLOWED_PRIVATE_HOSTS = []
    HookDelivery.objects.update(url=f"https://127.0.0.1:{taker.url.rpartition(':')[2]}/hook")
    hooks.run_due()
    row.refresh_from_db()
    assert taker.asked == []
    assert (row.state, row.calls[0]["error"]) == ("due", "There is no answer at this address.")


def test_a_step_calls_once_and_a_paused_store_not_at_all(taker):
    store = make_store()
    row = _planned(f"{taker.url}/hook", store)
    StepRun.objects.all().delete()
    row.enrolment.status, row.enrolment.state, row.enrolment.step = "active", "due", "call"
    row.enrolment.save()
    run()
    assert HookDelivery.objects.count() == 1
    assert StepRun.objects.get().reason == "it was called already"
    flows.pause_sending(store, actor="test")
    assert hooks.run_due() == 0
    flows.resume_sending(store, actor="test")
    assert hooks.run_due() == 1


def test_a_new_secret_is_used_beside_the_earlier_for_a_week():
    store = make_store()
    before = hooks.secret_of(store).secret
    now = hooks.renew_secret(store, actor="test").secret
    assert now != before
    both = hooks.signature(store, b"{}", at=NOON)
    assert both.count("v1=") == 2
    assert hooks.signature(store, b"{}", at=NOON + timedelta(days=8)).count("v1=") == 1
    assert AuditEvent.objects.filter(action="hook.secret").count() == 1


def test_erasing_a_person_takes_what_was_told_and_stops_what_was_not(taker):
    row = _planned(f"{taker.url}/hook")
    hooks.run_due()
    happen(make_order(row.store, row.customer))
    run()
    hooks.forget(row.customer)
    assert [(one.state, one.body, one.calls) for one in HookDelivery.objects.order_by("pk")] == [
        ("done", "", []),
        ("dead", "", []),
    ]
    assert hooks.run_due() == 0


def test_old_calls_keep_no_content(taker):
    row = _planned(f"{taker.url}/hook")
    hooks.run_due()
    assert hooks.tidy() == 0
    clock.advance(timedelta(days=31))
    assert hooks.tidy() == 1
    row.refresh_from_db()
    assert (row.body, row.state) == ("", "done")
    assert housekeeping.tidy() == 0


def test_a_call_is_seen_in_full_and_sent_again_by_who_may(taker):
    row = _planned(f"{taker.url}/hook")
    taker.will((410, {}, b"<b>gone</b>"), (200, {}, b""))
    hooks.run_due()
    client = Client()
    client.force_login(make_user(row.store))
    page = client.get(reverse("hook_delivery", args=[row.store.slug, row.pk])).content.decode()
    assert row.customer.email in page
    assert "&lt;b&gt;gone&lt;/b&gt;" in page
    assert "till" in client.get(reverse("hook_deliveries", args=[row.store.slug])).content.decode()
    client.post(reverse("hook_again", args=[row.store.slug, row.pk]))
    hooks.run_due()
    row.refresh_from_db()
    assert (row.state, row.status_code) == ("done", 200)
    viewer = Client()
    viewer.force_login(make_user(row.store, role="viewer"))
    seen = viewer.get(reverse("hook_delivery", args=[row.store.slug, row.pk]))
    assert seen.status_code == 403 or row.customer.email not in seen.content.decode()


def test_what_waits_is_not_sent_again_by_hand(taker):
    row = _planned(f"{taker.url}/hook")
    with pytest.raises(BusinessError) as refusal:
        hooks.send_again(row.store, row, actor="test")
    assert refusal.value.code == "hook_busy"
    assert not AuditEvent.objects.filter(action="hook.send_again").exists()
