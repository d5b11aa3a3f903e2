"""Deliveries as people see them: kept encrypted and for a while, masked by role, read again on demand."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from postpurchase import clock
from postpurchase.due import State
from stores import housekeeping, inbox
from stores.models import AuditEvent, Delivery, Store, SyncTask
from stores.privacy import erase_from_mirror
from stores.views.deliveries import MASK, masked
from tests.factories import make_customer, make_order, make_store, make_user
from tests.stores.test_webhooks import endpoint, send

pytestmark = pytest.mark.django_db
BODY = {"id": 15, "status": "processing", "order_key": "wc_order_abc", "billing": {"email": "ana@example.com"}}


def delivered(store: Store, body: object = BODY, *, topic: str = "order.updated") -> Delivery:
    to = store.webhooks.filter(topic=topic).first() or endpoint(store, topic)
    assert send(to, json.dumps(body).encode()).status_code == 200
    inbox.run_due()
    return Delivery.objects.latest("pk")


def shown(store: Store, role: str, one: Delivery) -> str:
    client = Client()
    client.force_login(make_user(store, role=role))
    return client.get(f"/app/{store.slug}/settings/system/deliveries/{one.pk}/").content.decode()


def test_a_body_is_encrypted_in_the_database() -> None:
    delivered(make_store())
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM stores_delivery")
        (kept,) = cursor.fetchone()
    assert "ana@example.com" not in kept
    assert json.loads(Delivery.objects.get().body) == BODY


def test_personal_data_is_shown_by_role_and_secrets_to_nobody() -> None:
    store = make_store(slug="lut")
    one = delivered(store)
    owner, viewer = shown(store, "owner", one), shown(store, "viewer", one)
    assert "ana@example.com" in owner
    assert "ana@example.com" not in viewer
    for page in (owner, viewer):
        assert "processing" in page
        assert "wc_order_abc" not in page
        assert MASK in page


def test_what_cannot_be_parsed_is_hidden_from_those_who_may_not_see_persons() -> None:
    store = make_store(slug="lut")
    assert send(endpoint(store), b"<p>ana@example.com</p>").status_code == 200
    one = Delivery.objects.get()
    assert "ana@example.com" in shown(store, "owner", one)
    assert "ana@example.com" not in shown(store, "viewer", one)


def test_masking_reaches_into_lists_and_keeps_the_rest() -> None:
    body = {"id": 1, "line_items": [{"name": "Mug", "token": "t"}], "shipping": {"city": "Iași"}}
    assert masked(body, personal=False) == {"id": 1, "line_items": [{"name": "Mug", "token": MASK}], "shipping": MASK}
    assert masked(body, personal=True)["shipping"] == {"city": "Iași"}


def test_reading_again_asks_for_the_object_again_and_is_noted() -> None:
    store = make_store(slug="lut")
    one = delivered(store)
    SyncTask.objects.all().delete()
    client = Client()
    client.force_login(make_user(store))
    client.post(f"/app/lut/settings/system/deliveries/{one.pk}/replay/")
    one.refresh_from_db()
    assert (one.state, one.outcome) == (State.DUE, "")
    assert AuditEvent.objects.get().action == "delivery.replay"
    inbox.run_due()
    assert SyncTask.objects.get().key == "order:15"


def test_the_command_reads_again_what_failed_or_one_or_all() -> None:
    store = make_store(slug="lut", state=Store.State.CONNECTED)
    one, other = delivered(store), delivered(store, {"id": 16})
    Delivery.objects.filter(pk=other.pk).update(state=State.DEAD)

    def told(*arguments: str) -> str:
        out = StringIO()
        call_command("replay", "--store", "lut", *arguments, stdout=out)
        return out.getvalue().strip()

    assert told("--failed") == "lut: 1 deliveries are read again."
    assert told("--id", str(one.pk)) == "lut: 1 deliveries are read again."
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.DUE}
    inbox.run_due()
    assert told() == "lut: 2 deliveries are read again."
    with pytest.raises(CommandError, match="Nothing was changed"):
        told("--id", "0")


def test_a_delivery_of_another_store_is_not_read_again() -> None:
    theirs = delivered(make_store(slug="theirs"))
    mine = make_store(slug="mine")
    client = Client()
    client.force_login(make_user(mine))
    assert client.get(f"/app/mine/settings/system/deliveries/{theirs.pk}/").status_code == 404
    assert client.post(f"/app/mine/settings/system/deliveries/{theirs.pk}/replay/").status_code == 404
    theirs.refresh_from_db()
    assert theirs.state == State.DONE


def test_bodies_are_kept_for_fourteen_days() -> None:
    store = make_store()
    old, young = delivered(store), delivered(store, {"id": 16})
    Delivery.objects.filter(pk=old.pk).update(received_at=clock.now() - timedelta(days=14, minutes=1))
    housekeeping.tidy()
    assert list(Delivery.objects.values_list("pk", flat=True)) == [young.pk]


def test_forgetting_a_person_forgets_what_was_delivered_of_them() -> None:
    store = make_store()
    ana = make_customer(store, woo_id=7)
    order = make_order(store, ana)
    other = make_order(store, make_customer(store))
    delivered(store, {"id": order.woo_id})
    delivered(store, {"id": 7}, topic="customer.updated")
    kept = delivered(store, {"id": other.woo_id})
    erase_from_mirror(ana)
    assert list(Delivery.objects.values_list("pk", flat=True)) == [kept.pk]
