"""Deliveries while the database is away (C44): put aside in files, never answered as kept without being durable."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from postpurchase import clock
from stores import doctor, inbox, spool
from stores.models import Delivery, SyncTask
from stores.views import webhooks
from tests.factories import make_store
from tests.stores.test_webhooks import endpoint, send, sign

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.VAR_DIR = tmp_path
    webhooks._known.clear()
    yield
    webhooks._known.clear()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The database is away; calling what this gives brings it back."""

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr("stores.inbox.fast.upsert", locked)
        patched.setattr("stores.inbox.endpoint_of", locked)
        yield patched.undo


def test_c44_a_delivery_is_put_aside_and_comes_in_when_the_database_is_back(away: Any) -> None:
    to = endpoint(make_store())
    at = clock.now()
    assert send(to, {"id": 15, "email": "ana@example.com"}).status_code == 200
    assert (Delivery.objects.count(), spool.waiting()) == (0, 1)
    kept = b"".join(path.read_bytes() for path in spool.folder().iterdir())
    assert b"ana@example.com" not in kept
    assert to.token.encode() not in kept
    assert spool.take_in() == 0
    assert spool.waiting() == 1
    away()
    assert spool.take_in() == 1
    row = Delivery.objects.get()
    assert (row.body, row.topic, spool.waiting()) == (b'{"id": 15, "email": "ana@example.com"}', "order.updated", 0)
    assert row.received_at >= at
    inbox.run_due()
    assert SyncTask.objects.get().key == "order:15"


def test_c44_the_same_delivery_before_and_after_is_one(away: Any) -> None:
    to = endpoint(make_store())
    for _time in range(3):
        assert send(to, {"id": 15}).status_code == 200
    assert spool.waiting() == 3
    away()
    assert send(to, {"id": 15}).status_code == 200
    assert spool.take_in() == 3
    assert Delivery.objects.count() == 1


def test_c44_dying_between_row_and_file_takes_it_in_twice_as_one(away: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    send(endpoint(make_store()), {"id": 15})
    away()

    def die(place: str) -> None:
        raise KeyboardInterrupt(place)

    with monkeypatch.context() as patched:
        patched.setattr("postpurchase.killpoints.reach", die)
        with pytest.raises(KeyboardInterrupt):
            spool.take_in()
    assert (Delivery.objects.count(), spool.waiting()) == (1, 1)
    assert spool.take_in() == 1
    assert (Delivery.objects.count(), spool.waiting()) == (1, 0)


def test_c44_a_full_disk_is_said_as_not_kept(away: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert send(endpoint(make_store()), {"id": 15}).status_code == 503
    assert spool.waiting() == 0


def test_a_full_spool_is_said_as_not_kept(away: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_FILES", 2)
    to = endpoint(make_store())
    assert [send(to, {"id": n}).status_code for n in (1, 2, 3)] == [200, 200, 503]


def test_what_a_stranger_sent_meanwhile_is_thrown_away_and_cannot_fill_the_spool(
    away: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MAX_UNCHECKED", 2)
    to = endpoint(make_store())
    assert [send(to, {"id": n}, signature="wrong").status_code for n in (1, 2, 3)] == [200, 200, 503]
    away()
    assert spool.take_in() == 2
    to.refresh_from_db()
    assert (Delivery.objects.count(), to.refused, spool.waiting()) == (0, 2, 0)


def test_a_remembered_endpoint_refuses_a_wrong_signature_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    to = endpoint(make_store())
    assert send(to, {"id": 1}).status_code == 200

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("stores.inbox.fast.upsert", locked)
    monkeypatch.setattr("stores.inbox.refuse", locked)
    assert send(to, {"id": 2}, signature=sign(b"other")).status_code == 401
    assert send(to, {"id": 2}).status_code == 200
    assert [path.suffix for path in spool.folder().iterdir()] == [".checked"]


def test_a_file_that_no_key_fits_is_kept_out_of_the_way(away: Any) -> None:
    send(endpoint(make_store()), {"id": 15})
    (path,) = spool.folder().iterdir()
    path.write_bytes(b"not a token")
    away()
    assert spool.take_in() == 0
    assert [one.suffix for one in spool.folder().iterdir()] == [".unreadable"]
    (check,) = [check for check in doctor.installation() if check.name == "spool"]
    assert check.ok is False
    assert "1 webhook deliveries" in check.sentence
