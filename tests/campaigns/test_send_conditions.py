"""What a mail of a flow depends on when it goes out: its own condition, the item it is about, and how long it is of use."""

from datetime import timedelta

import pytest

from campaigns import outbox
from campaigns.models import Enrolment, Message
from campaigns.steps import build
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import NOON, make_order, make_product, make_store

pytestmark = pytest.mark.django_db

ONLY_LARGE = {"field": "order.total", "op": "gt", "value": 100}


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


@pytest.mark.parametrize(("total", "status"), [("150", "accepted"), ("50", "skipped")])
def test_the_condition_of_a_mail_is_judged_when_it_goes_out(post, total, status):
    store = make_store()
    publish(store, file(send(send_if=ONLY_LARGE)))
    order = make_order(store)
    happen(order)
    run()
    assert Message.objects.get().status == "planned"
    type(order).objects.update(total=total)
    outbox.run_due()
    message = Message.objects.get()
    assert message.status == status
    assert [passed for passed, rule, _seen in message.trace if rule == "Send only if"] == [status == "accepted"]


def test_a_mail_is_of_use_for_as_long_as_its_step_says():
    store = make_store()
    publish(store, file(send("short", useful_for="12 hours"), send("usual"), klass="M"))
    happen(make_order(store))
    run()
    until = dict(Message.objects.values_list("step", "useful_until"))
    assert until == {"short": NOON + timedelta(hours=12), "usual": NOON + timedelta(days=14)}


@pytest.mark.parametrize("text", ["soon", "0 days", "400 days", "-1 day", "3"])
def test_how_long_is_a_span_of_a_year_at_most(text):
    assert build("send_email", {"template": "x", "useful_for": text})[1] == [
        "useful_for is a time such as 12 hours or 3 days, at most 365 days."
    ]


@pytest.mark.parametrize(("wanted", "went"), [(2, "big"), (9, "small")])
def test_a_flow_about_an_item_asks_about_that_item(post, wanted, went):
    store = make_store()
    check = {
        "uid": "check",
        "kind": "branch",
        "condition": {"field": "line.quantity", "op": "is", "value": wanted},
        "then": [send("big", send_if={"field": "line.quantity", "op": "is", "value": wanted})],
        "else": [send("small", send_if={"field": "line.quantity", "op": "is", "value": 2})],
    }
    flow = publish(store, file(check))
    order = make_order(store, items=[(make_product(store), 5), (make_product(store), 2)])
    Enrolment.objects.create(
        store=store,
        flow=flow,
        version=flow.live,
        customer=order.customer,
        order=order,
        line=order.lines.get(quantity=2),
        step="check",
        key=f"{flow.pk}:line:1",
        context={"at": NOON.isoformat(), "payload": {}},
    )
    run()
    outbox.run_due()
    assert [(message.step, message.status) for message in Message.objects.all()] == [(went, "accepted")]
