"""Events of the merchant's own systems over the API, and people chosen by hand."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns.models import Enrolment
from campaigns.triggers import by_hand
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events
from stores.api_keys import create_api_key
from stores.models import AuditEvent, Event, Order
from tests.campaigns.flow_files import file, publish, send
from tests.factories import NOON, make_customer, make_order, make_store, make_user

pytestmark = pytest.mark.django_db
URL = "/api/v1/events/"


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


@pytest.fixture
def store():
    return make_store()


def tell(client, store, *, once="1", scopes=("events:write",), **data):
    _, secret = create_api_key(store, name="test", scopes=list(scopes))
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": once}
    answer = client.post(URL, json.dumps(data), content_type="application/json", headers=headers)
    while events.dispatch():
        pass
    return answer


def test_an_event_of_ones_own_starts_a_flow_once(client, store):
    publish(store, file(send(), trigger={"event": "custom.class_booked"}, exit_when=[]))
    order = make_order(store)
    said = {
        "name": "custom.class_booked",
        "customer": order.customer.email.upper(),
        "order": order.pk,
        "key": "b-17",
        "payload": {"seats": 2, "level": "first"},
        "at": "2026-11-20T11:30:00Z",
    }
    answer = tell(client, store, **said)
    assert (answer.status_code, answer.json()["key"]) == (201, "custom.class_booked:b-17")
    again = tell(client, store, once="2", **said)
    assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    entered = Enrolment.objects.get()
    assert (entered.customer, entered.order, entered.context["at"]) == (
        order.customer,
        order,
        "2026-11-20T11:30:00+00:00",
    )
    assert entered.context["payload"] == {"name": "custom.class_booked", "seats": 2, "level": "first"}


def test_its_payload_can_be_asked_about(client, store):
    two = [{"field": "seats", "op": "gte", "value": 2}]
    publish(store, file(send(), trigger={"event": "custom.class_booked", "payload": two}, exit_when=[]))
    who = make_customer(store)
    for key, seats in (("a", 1), ("b", 3)):
        tell(client, store, once=key, name="custom.class_booked", customer=who.email, key=key, payload={"seats": seats})
    assert Enrolment.objects.get().context["payload"]["seats"] == 3


def test_old_news_is_kept_and_starts_nothing(client, store):
    publish(store, file(send(), trigger={"event": "custom.x"}, exit_when=[]))
    at = (NOON - timedelta(days=31)).isoformat()
    assert tell(client, store, name="custom.x", customer=make_customer(store).email, key="1", at=at).status_code == 201
    assert (Event.objects.get().historic, Enrolment.objects.count()) == (True, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "order.paid"}, "name"),
        ({"name": "custom.No"}, "name"),
        ({"customer": "nobody@example.com"}, "customer"),
        ({"order": 1}, "order"),
        ({"key": ""}, "key"),
        ({"payload": {"price": 1.5}}, "payload.0"),
        ({"payload": {"a": {"b": 1}}}, "payload.0"),
        ({"payload": {"text": "x" * 5000}}, "payload.0"),
        ({"at": "2026-11-21T12:00:00Z"}, "at"),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_stored(client, store, change, field):
    said = {"name": "custom.x", "customer": make_customer(store).email, "key": "1"} | change
    answer = tell(client, store, **said)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith(field.partition(".")[0])
    assert not Event.objects.exists()


def test_a_key_is_for_one_person(client, store):
    first, second = make_customer(store), make_customer(store)
    tell(client, store, name="custom.x", customer=first.email, key="1")
    answer = tell(client, store, once="2", name="custom.x", customer=second.email, key="1")
    assert (answer.status_code, answer.json()["code"]) == (409, "event_conflict")
    assert Event.objects.get().customer == first


def test_a_key_without_the_scope_and_people_of_other_stores_are_refused(client, store):
    who = make_customer(store)
    other = make_store()
    assert tell(client, store, scopes=("events:read",), name="custom.x", customer=who.email, key="1").status_code == 403
    assert tell(client, other, name="custom.x", customer=who.email, key="1").status_code == 400
    foreign = make_order(other, make_customer(other, email=who.email))
    answer = tell(client, store, once="2", name="custom.x", customer=who.email, order=foreign.pk, key="1")
    assert answer.status_code == 400
    assert not Event.objects.exists()


def test_people_chosen_by_hand_enter_any_flow_that_is_on(store):
    flow = publish(store, file(send(), exit_when=[]))
    orders = [make_order(store) for _ in range(3)]
    make_order(make_store())
    assert by_hand.start_for(flow, Order.objects.all(), actor="test", batch="b1") == (3, 3)
    assert by_hand.start_for(flow, Order.objects.all(), actor="test", batch="b1") == (0, 3)
    assert {each.order for each in Enrolment.objects.all()} == set(orders)
    entered = Enrolment.objects.first()
    assert (entered.context["event"], entered.context["by_hand"], entered.due_at) == ("manual", {"by": "test"}, NOON)
    assert AuditEvent.objects.filter(action="flow.by_hand").count() == 2


def test_customers_by_hand_come_in_with_each_new_press_unless_the_flow_says_once(store):
    often = publish(store, file(send(), event="manual", exit_when=[]))
    once = publish(store, file(send(), event="manual", reentry="once", exit_when=[]), slug="once")
    make_customer(store)
    for batch in ("b1", "b2", "b2"):
        for flow in (often, once):
            by_hand.start_for(flow, store.customers.all(), actor="test", batch=batch)
    assert [Enrolment.objects.filter(flow=flow).count() for flow in (often, once)] == [2, 1]


def test_too_many_or_a_flow_that_is_off_takes_nobody_in(store, monkeypatch):
    monkeypatch.setattr(by_hand, "MOST", 1)
    flow = publish(store, file(send(), exit_when=[]))
    make_order(store)
    make_order(store)
    with pytest.raises(BusinessError) as many:
        by_hand.start_for(flow, Order.objects.all(), actor="test", batch="b")
    publish(store, flow.live.definition, state="off")
    flow.refresh_from_db()
    with pytest.raises(BusinessError) as off:
        by_hand.start_for(flow, Order.objects.all(), actor="test", batch="b")
    assert (many.value.code, off.value.code, Enrolment.objects.count()) == ("flow_many", "flow_off", 0)


@pytest.mark.parametrize("page", ["orders", "customers"])
def test_the_lists_of_orders_and_customers_start_a_flow_for_the_ticked(client, store, page):
    flow = publish(store, file(send(), exit_when=[]))
    publish(store, file(send(), exit_when=[]), slug="off", state="off")
    order = make_order(store)
    make_order(store)
    client.force_login(make_user(store))
    url = reverse(page, args=[store.slug])
    ticked = order.pk if page == "orders" else order.customer_id
    asked = client.post(url, {"action": "start_flow", "ids": [ticked]})
    text = asked.content.decode()
    assert (asked.status_code, 'value="test-flow"' in text, 'value="off"' in text) == (200, True, False)
    assert f'name="ids" value="{ticked}"' in text
    told = client.post(
        url, {"action": "start_flow", "ids": [ticked], "flow": flow.slug, "batch": "b1"}, follow=True
    ).content.decode()
    assert "1 of 1 chosen entered “Test flow”." in told
    assert Enrolment.objects.get().customer == order.customer


def test_who_may_not_publish_flows_may_not_start_them_by_hand(client, store):
    publish(store, file(send(), exit_when=[]))
    order = make_order(store)
    client.force_login(make_user(store, role="support"))
    url = reverse("orders", args=[store.slug])
    assert "start_flow" not in client.get(url).content.decode()
    assert client.post(url, {"action": "start_flow", "ids": [order.pk], "flow": "test-flow"}).status_code == 403
    assert not Enrolment.objects.exists()
