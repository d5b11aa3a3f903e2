"""/healthz and /readyz."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from postpurchase import clock, health, queue
from stores.models import SyncTask
from tests.factories import NOON, make_store


@pytest.fixture
def beating():
    with clock.frozen(NOON):
        queue.beat("tick")
        yield


@pytest.mark.django_db
def test_a_living_process_with_its_database_is_healthy_for_anybody(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_without_a_database_it_is_down(client, monkeypatch):
    def refuse():
        raise OperationalError("password=secret")

    monkeypatch.setattr(connection, "cursor", refuse)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert b"secret" not in answer.content


@pytest.mark.django_db
def test_a_ticking_worker_makes_it_ready(client, beating):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "problems": [], "tick_age_seconds": 0, "oldest_due_seconds": 0}


@pytest.mark.django_db
def test_no_tick_yet_and_a_stale_tick_are_not_ready(client, beating):
    clock.freeze(NOON + health.TICK_STALE + timedelta(seconds=1))
    stale = client.get("/readyz")
    assert (stale.status_code, stale.json()["problems"]) == (503, ["the worker does not tick"])
    queue._heartbeats().all().delete()
    assert client.get("/readyz").json()["tick_age_seconds"] is None


@pytest.mark.django_db
def test_work_that_waits_too_long_is_not_ready(client, beating):
    SyncTask.objects.create(
        store=make_store(), entity="order", key="a", due_at=NOON - health.LAG_BAD - timedelta(seconds=1)
    )
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["work has waited too long"]
    assert answer.json()["oldest_due_seconds"] == 901


@pytest.mark.django_db
def test_missing_migrations_are_not_ready(client, monkeypatch, beating):
    monkeypatch.setattr(health, "_migrated", False)
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda self, targets: ["one"])
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["migrations are missing"])


@pytest.mark.django_db
def test_both_answer_over_plain_http_behind_a_load_balancer(client, settings, beating):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/accounts/login/").status_code == 301
