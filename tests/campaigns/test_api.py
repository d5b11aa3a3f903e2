"""Flows, messages and sending for machines: the key's own store, its scopes, each POST once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from campaigns import flows, outbox
from campaigns.models import Flow, Message
from postpurchase import clock
from stores import api_keys
from stores.models import AuditEvent
from tests.campaigns.flow_files import file, publish, send
from tests.campaigns.letter_box import fresh, planned
from tests.factories import NOON, make_store

pytestmark = pytest.mark.django_db
ALL = ("flows:read", "flows:write", "messages:read", "messages:write")


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def key(store, *scopes):
    _row, secret = api_keys.create_api_key(store, name="test", scopes=list(scopes or ALL))
    return {"Authorization": f"Bearer {secret}"}


def get(path, headers):
    return Client().get(f"/api/v1/{path}", headers=headers)


def post_to(path, headers, body=None, *, once="once"):
    return Client().post(f"/api/v1/{path}", body or {}, "application/json", headers=headers | {"Idempotency-Key": once})


def test_a_key_sees_the_flows_and_messages_of_its_own_store_only(post):
    message = planned()
    mine, foreign = key(message.store), key(make_store())
    [flow] = get("flows/", mine).json()["results"]
    assert (flow["slug"], flow["state"], flow["version"]) == ("test-flow", "on", 1)
    [row] = get("messages/?status=planned", mine).json()["results"]
    assert (row["id"], row["template"], row["trace"]) == (message.pk, "R01.thank_you", [])
    assert get("flows/", foreign).json()["results"] == get("messages/", foreign).json()["results"] == []
    for path in (f"messages/{message.pk}/", f"flows/{message.flow_id}/", f"flows/{message.flow_id}/export/"):
        assert get(path, foreign).status_code == 404
    for path in (f"messages/{message.pk}/cancel/", f"flows/{message.flow_id}/state/"):
        assert post_to(path, foreign, {"state": "off"}).status_code == 404
    assert fresh(message).status == "planned"


def test_a_message_is_approved_cancelled_or_retried_once(post):
    message = planned(state="review")
    outbox.run_due()
    headers = key(message.store)
    said = post_to(f"messages/{message.pk}/approve/", headers)
    assert (said.status_code, said.json()["status"]) == (200, "planned")
    assert post_to(f"messages/{message.pk}/approve/", headers).json() == said.json()
    assert AuditEvent.objects.filter(action="message.approve").count() == 1
    outbox.run_due()
    assert fresh(message).status == "accepted"
    assert fresh(message).trace[-1][0] is True
    refused = post_to(f"messages/{message.pk}/cancel/", headers, once="two")
    assert (refused.status_code, refused.json()["code"]) == (409, "message_moved_on")
    assert fresh(message).status == "accepted"
    Message.objects.update(status="failed", state="dead")
    assert post_to(f"messages/{message.pk}/retry/", headers, once="three").json()["status"] == "planned"
    assert post_to(f"messages/{message.pk}/cancel/", headers, once="four").json()["status"] == "cancelled"


def test_a_key_without_the_scope_or_without_an_idempotency_key_changes_nothing(post):
    message = planned()
    read = key(message.store, "messages:read", "flows:read")
    for path in (f"messages/{message.pk}/cancel/", "sending/pause/", f"flows/{message.flow_id}/state/"):
        assert post_to(path, read, {"state": "off"}).status_code == 403
    bare = Client().post(f"/api/v1/messages/{message.pk}/cancel/", {}, "application/json", headers=key(message.store))
    assert (bare.status_code, bare.json()["code"]) == (400, "idempotency_needed")
    message.store.refresh_from_db()
    assert (fresh(message).status, message.store.sending_paused) == ("planned", False)


def test_a_flow_goes_out_and_in_as_the_same_file():
    store, other = make_store(), make_store()
    flow = publish(store, file(send()))
    out = get(f"flows/{flow.pk}/export/", key(store)).json()
    said = post_to("flows/import/", key(other), out)
    assert (said.status_code, said.json()["state"], said.json()["version"]) == (201, "off", 1)
    taken = Flow.objects.get(store=other)
    assert taken.live.definition == flow.live.definition
    assert flows.export_file(taken) == out["file"]
    on = post_to(f"flows/{taken.pk}/state/", key(other), {"state": "review"}, once="two")
    assert on.json()["state"] == "review"


def test_a_flow_file_with_faults_is_refused_with_all_of_them():
    store = make_store()
    said = post_to("flows/import/", key(store), {"file": "format: 9\nname: ''\nsteps: []\n"})
    assert said.status_code == 409
    assert "format" in said.json()["detail"]
    assert "name" in said.json()["detail"]
    assert not Flow.objects.exists()


def test_sending_is_paused_and_resumed(post):
    message = planned()
    headers = key(message.store)
    assert post_to("sending/pause/", headers).json() == {"paused": True}
    outbox.run_due()
    assert fresh(message).reason == "all sending is paused"
    assert post_to("sending/resume/", headers, once="two").json() == {"paused": False}
    outbox.run_due()
    assert fresh(message).status == "accepted"


def test_a_test_goes_to_the_named_address_once_and_counts_nowhere(mailoutbox):
    store = make_store()
    headers = key(store)
    body = {"message": "R01.thank_you", "to": "me@example.com"}
    said = post_to("sending/test/", headers, body)
    assert (said.status_code, said.json()["to"]) == (200, "me@example.com")
    assert post_to("sending/test/", headers, body).json() == said.json()
    assert [mail.to for mail in mailoutbox] == [["me@example.com"]]
    assert not Message.objects.exists()


def test_flows_travel_by_the_command_line_too(tmp_path, mailoutbox):
    store, other = make_store(), make_store()
    publish(store, file(send()))
    path, out = tmp_path / "flow.yaml", StringIO()
    call_command("flow", "--store", store.slug, "export", "test-flow", "--file", str(path), stdout=out)
    call_command("flow", "--store", other.slug, "import", str(path), "--slug", "copy", stdout=out)
    call_command("flow", "--store", other.slug, "state", "copy", "review", stdout=out)
    taken = Flow.objects.get(store=other)
    assert (taken.slug, taken.state) == ("copy", "review")
    assert taken.live.definition == Flow.objects.get(store=store).live.definition
    with pytest.raises(CommandError, match="There is no flow 'nothing'"):
        call_command("flow", "--store", store.slug, "export", "nothing")
    path.write_text("format: 9")
    with pytest.raises(CommandError, match="format"):
        call_command("flow", "--store", other.slug, "import", str(path))
    call_command("send_test", "R01.thank_you", "--to", "me@example.com", "--store", store.slug, stdout=out)
    assert [mail.to for mail in mailoutbox] == [["me@example.com"]]
    assert "Sent to me@example.com" in out.getvalue()
