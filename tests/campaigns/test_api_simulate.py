"""A dry run over the API."""

from datetime import timedelta

import pytest
from django.test import Client

from campaigns.models import DryRun
from campaigns.simulation import kept
from postpurchase import clock
from stores import api_keys
from tests.campaigns.flow_files import file, happen, publish, send
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow():
    clock.freeze(NOON)
    store = make_store()
    made = publish(store, file(send()), state="off")
    happen(make_order(store), at=NOON - timedelta(days=3))
    return made


def post(flow, body, *, key="one"):
    _row, secret = api_keys.create_api_key(flow.store, name="test", scopes=["flows:write"])
    return Client().post(
        f"/api/v1/flows/{flow.pk}/simulate/",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": key},
    )


def test_a_small_store_is_answered_at_once(flow):
    answer = post(flow, {"days": 30})
    assert answer.status_code == 200
    assert (answer.json()["result"]["entered"], answer.json()["job"]) == (1, None)
    assert DryRun.objects.get().days == 30


def test_a_large_store_gets_a_job(flow, monkeypatch):
    monkeypatch.setattr(kept, "LONG", 0)
    answer = post(flow, {})
    assert answer.status_code == 202
    assert answer.json()["job"]["kind"] == "dry_run"


def test_a_senseless_span_is_refused(flow):
    assert post(flow, {"days": 0}).status_code == 400
    assert not DryRun.objects.exists()
