"""Flows, Outbox, one message, timelines: what a merchant sees and may do."""

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns import definitions, library, outbox, pages, timeline
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import Enrolment, Message
from campaigns.views.flows import rows
from postpurchase import clock
from stores import events
from stores.models import AuditEvent, Store
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_product, make_store, make_user

pytestmark = pytest.mark.django_db

BRANCH = {
    "uid": "check",
    "kind": "branch",
    "condition": {"field": "order.total", "op": "gt", "value": 100},
    "then": [send("big", title="For big orders")],
    "else": [send("small", title="For small orders")],
}


@pytest.fixture(autouse=True)
def _mail_leaves(monkeypatch):
    clock.freeze(NOON)
    monkeypatch.setattr(email, "send", lambda message, rendered: Handed(True, provider_id="p-1"))


@pytest.fixture
def shop(client):
    store = make_store(language="en")
    client.force_login(make_user(store))
    return store


def page(client, store, name, **kwargs):
    return client.get(reverse(name, kwargs={"store": store.slug} | kwargs))


def act(client, store, name, data=None, **kwargs):
    return client.post(reverse(name, kwargs={"store": store.slug} | kwargs), data or {})


def test_the_flow_list_tells_who_enters_and_how_many(client, shop):
    publish(shop, file(send(), wait(days=3), send("later")))
    happen(make_order(shop))
    run()
    outbox.run_due()
    html = page(client, shop, "flows").content.decode()
    assert "When an order is paid" in html
    assert "1 flow" in html
    assert f'action="/app/{shop.slug}/flows/test-flow/set/off/"' in html
    listed = rows(shop).get()
    assert (listed.active, listed.sent, listed.problems) == (1, 1, 0)


def test_a_flow_is_switched_from_its_row_and_audited(client, shop):
    flow = publish(shop, file(send()))
    answer = act(client, shop, "flow_state", flow=flow.slug, state="off")
    assert answer.status_code == 302
    flow.refresh_from_db()
    assert flow.state == "off"
    assert AuditEvent.objects.filter(action="flow.state").latest("pk").diff == {"from": "on", "to": "off"}
    assert client.get(reverse("flow_state", args=[shop.slug, flow.slug, "on"])).status_code == 405
    act(client, shop, "flow_state", flow=flow.slug, state="nonsense")
    flow.refresh_from_db()
    assert flow.state == "off"


def test_a_flow_reads_as_sentences_with_its_numbers(client, shop):
    flow = publish(shop, file(wait(days=13, since="event", between=["10:00", "18:00"]), BRANCH))
    for total in ("150", "50"):
        happen(make_order(shop, total=total))
    run()
    html = page(client, shop, "flow", flow=flow.slug).content.decode()
    assert "Wait until 13 days after the start, then between 10:00 and 18:00" in html
    assert "Check: the order&#x27;s total is more than 100?" in html
    assert "Send “For big orders” by email, in the customer’s language" in html
    assert "2a · Email" in html
    assert "2b · Email" in html
    assert "<dt>waiting now</dt><dd>2</dd>" in html
    assert "Leave when" in html
    clock.advance(timedelta(days=13))
    run()
    outbox.run_due()
    html = page(client, shop, "flow", flow=flow.slug).content.decode()
    assert "<dt>passed</dt><dd>2</dd>" in html
    assert "<dt>yes</dt><dd>1</dd>" in html
    assert html.count("<dt>sent</dt><dd>1</dd>") == 2


def test_why_messages_were_not_sent_stands_beside_the_flow(client, shop):
    flow = publish(shop, file(send()))
    order = make_order(shop)
    happen(order)
    run()
    type(order).objects.update(status="cancelled")
    outbox.run_due()
    assert "<dt>order cancelled</dt><dd>1</dd>" in page(client, shop, "flow", flow=flow.slug).content.decode()


def test_the_flow_file_can_be_taken_along(client, shop):
    flow = publish(shop, file(send()))
    answer = page(client, shop, "flow_file", flow=flow.slug)
    assert answer["Content-Disposition"] == 'attachment; filename="test-flow.yaml"'
    assert answer.content.decode().startswith("format: 1\nname: Test flow\n")


def test_pausing_all_sending_asks_first_and_is_shown(client, shop):
    assert "Pause all sending?" in page(client, shop, "sending").content.decode()
    assert Store.objects.get(pk=shop.pk).sending_paused is False
    act(client, shop, "sending")
    assert Store.objects.get(pk=shop.pk).sending_paused is True
    assert "All sending is paused." in page(client, shop, "outbox").content.decode()
    act(client, shop, "sending")
    assert Store.objects.get(pk=shop.pk).sending_paused is False


def sent(shop, **order):
    publish(shop, file(send(title="Thank you")))
    happen(make_order(shop, language="en", **order))
    run()
    outbox.run_due()
    return Message.objects.latest("pk")


def test_the_outbox_gives_the_reason_beside_each_message_not_sent(client, shop):
    publish(shop, file(send(title="Thank you")))
    order = make_order(shop)
    happen(order)
    run()
    type(order).objects.update(status="cancelled")
    outbox.run_due()
    html = page(client, shop, "outbox").content.decode()
    assert "order cancelled" in html
    assert "Why was this not sent?" in html
    assert client.get(f"/app/{shop.slug}/outbox/?view=sent").content.decode().count("<tr>") == 0
    assert "order cancelled" in client.get(f"/app/{shop.slug}/outbox/?view=skipped").content.decode()


def test_bulk_approval_sends_those_that_were_ticked(client, shop):
    publish(shop, file(send()), state="review")
    for _ in range(3):
        happen(make_order(shop))
    run()
    outbox.run_due()
    assert pages.waiting_for_approval(shop) == 3
    first, second, third = Message.objects.order_by("pk")
    assert f'action="/app/{shop.slug}/outbox/{first.pk}/do/approve/"' in page(client, shop, "outbox").content.decode()
    answer = act(client, shop, "outbox", {"action": "approve", "ids": [first.pk, second.pk]})
    assert answer.status_code == 302
    outbox.run_due()
    assert [Message.objects.get(pk=each.pk).status for each in (first, second, third)] == [
        "accepted",
        "accepted",
        "approval",
    ]
    act(client, shop, "outbox", {"action": "cancel", "all": "1"})
    assert Message.objects.get(pk=third.pk).status == "approval"
    act(client, shop, "outbox", {"action": "cancel", "all": "1", "confirmed": "1"})
    assert sorted(Message.objects.values_list("status", flat=True)) == ["accepted", "accepted", "cancelled"]


def test_the_outbox_takes_the_same_number_of_queries_for_one_row_and_many(client, shop, django_assert_max_num_queries):
    publish(shop, file(send()))
    for _ in range(30):
        happen(make_order(shop))
    run()
    with django_assert_max_num_queries(20):
        page(client, shop, "outbox")


def test_a_message_shows_letter_headers_answer_and_what_was_looked_at(client, shop):
    message = sent(shop)
    html = page(client, shop, "message", pk=message.pk).content.decode()
    assert message.message_id.strip("<>") in html
    assert "p-1" in html
    assert message.customer.email in html
    assert "Address" in html
    assert f'src="/app/{shop.slug}/outbox/{message.pk}/html/?look=light"' in html
    text = client.get(f"/app/{shop.slug}/outbox/{message.pk}/?look=text").content.decode()
    assert '<pre class="mail-text" tabindex="0">' in text


def test_the_letter_can_do_nothing_but_be_looked_at(client, shop):
    message = sent(shop)
    Message.objects.update(html="<script>alert(1)</script><style>@media (prefers-color-scheme:dark){b{}}</style>")
    light = page(client, shop, "message_html", pk=message.pk)
    assert "sandbox allow-popups" in light["Content-Security-Policy"]
    assert "script-src" not in light["Content-Security-Policy"]
    assert "default-src 'none'" in light["Content-Security-Policy"]
    assert light["X-Frame-Options"] == "SAMEORIGIN"
    assert "@media not all{" in light.content.decode()
    dark = client.get(f"/app/{shop.slug}/outbox/{message.pk}/html/?look=dark").content.decode()
    assert "@media all{" in dark


@pytest.mark.parametrize(("role", "status"), [("owner", 302), ("support", 302), ("viewer", 403)])
def test_who_may_act_on_messages(client, role, status):
    store = make_store()
    client.force_login(make_user(store, role=role))
    publish(store, file(send()))
    happen(make_order(store))
    run()
    message = Message.objects.get()
    assert act(client, store, "message_do", pk=message.pk, action="cancel").status_code == status
    message.refresh_from_db()
    assert message.status == ("cancelled" if status == 302 else "planned")


def test_another_stores_messages_and_flows_do_not_exist(client, shop):
    other = make_store()
    flow = publish(other, file(send()))
    happen(make_order(other))
    run()
    message = Message.objects.get()
    for name in ("message", "message_html"):
        assert page(client, shop, name, pk=message.pk).status_code == 404
        assert page(client, other, name, pk=message.pk).status_code == 404
    assert act(client, shop, "message_do", pk=message.pk, action="cancel").status_code == 404
    assert act(client, shop, "enrolment_do", pk=message.enrolment_id, action="stop").status_code == 404
    assert page(client, shop, "flow", flow=flow.slug).status_code == 404
    assert act(client, shop, "flow_state", flow=flow.slug, state="off").status_code == 404
    message.refresh_from_db()
    assert message.status == "planned"


def test_the_order_tells_what_was_sent_what_was_not_and_what_comes(client, shop):
    library.install(shop, "R06", state="on")
    publish(shop, file(send(title="Thank you")))
    order = make_order(shop, items=[(make_product(shop), 1)], status="completed", delivered_at=NOON)
    happen(order)
    happen(order, events.ORDER_DELIVERED)
    run()
    outbox.run_due()
    items = {item.title: item for item in timeline.of_order(order)}
    coming = items["How was your order?"]
    assert (coming.planned, coming.at) == (True, NOON + timedelta(days=13))
    assert [action.label for action in coming.actions] == ["Send now", "Cancel"]
    thanks = next(item for item in items.values() if not item.planned)
    assert thanks.badge == ("ok", "Sent")
    assert all(passed for passed, _, _ in thanks.trace)
    html = page(client, shop, "order", pk=order.pk).content.decode()
    assert "Coming up" in html
    stop = coming.actions[1].url
    assert f'action="{stop}"' in html
    assert "csrfmiddlewaretoken" in html.split(f'action="{stop}"')[1][:200]
    answer = client.post(stop, {"next": f"/app/{shop.slug}/orders/{order.pk}/"})
    assert answer["Location"] == f"/app/{shop.slug}/orders/{order.pk}/"
    left = Enrolment.objects.get(flow__recipe="R06")
    assert (left.status, left.state) == ("left", "done")
    assert not [item for item in timeline.of_order(order) if item.planned]


def test_a_page_of_another_site_is_no_way_back(client, shop):
    message = sent(shop)
    answer = act(client, shop, "message_do", {"next": "https://evil.example.com/"}, pk=message.pk, action="cancel")
    assert answer["Location"] == f"/app/{shop.slug}/outbox/{message.pk}/"


def test_what_waits_for_a_person_and_what_is_wrong_is_told(shop):
    assert list(pages.needs(shop)) == []
    assert all(check.ok for check in pages.checks(shop))
    publish(shop, file(send()), state="review")
    happen(make_order(shop))
    run()
    outbox.run_due()
    happen(make_order(shop))
    run()
    Message.objects.filter(status="planned").update(status="failed", state="dead")
    assert [need.title for need in pages.needs(shop)] == [
        "1 message waits for your approval",
        "1 message did not go out",
    ]
    assert [check.name for check in pages.checks(shop) if not check.ok] == ["Messages delivered to the provider"]
    happen(make_order(shop))
    clock.advance(timedelta(minutes=30))
    assert "Flows on time" in [check.name for check in pages.checks(shop) if not check.ok]


def test_a_flow_file_is_taken_in_switched_off_or_refused_with_all_its_faults(client, shop):
    text = definitions.dump(file(send(), name="Imported"))
    refused = act(client, shop, "flow_import", {"file": text.replace("R01.thank_you", "''")}).content.decode()
    assert "Step 1: Choose an email template." in refused
    assert "name: Imported" in refused
    assert not shop.flows.exists()
    answer = act(client, shop, "flow_import", {"file": text})
    assert answer["Location"] == f"/app/{shop.slug}/flows/imported/"
    assert (shop.flows.get().state, shop.flows.get().live.number) == ("off", 1)
    assert "Import a file" in page(client, shop, "flows").content.decode()
    assert "Import a file" not in page(client, shop, "outbox").content.decode()
