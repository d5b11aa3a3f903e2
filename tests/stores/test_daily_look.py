"""What the daily look says anew: warnings that are over go, a changed time zone is told; and the answer "another shop"."""

from typing import Any

import pytest
from django.test import Client as Browser

from postpurchase import clock
from stores import abilities, connect, registries
from stores.models import Order, Reconciliation, Store
from stores.sync import checks, reconcile
from stores.sync.reconcile import identity
from tests.factories import make_user
from tests.faults.test_poll_faults import run
from tests.stores.shop import joined, place, running

pytestmark = pytest.mark.django_db


def shop_line(store: Store) -> tuple[bool, str]:
    store.refresh_from_db()
    return next((one.ok, one.sentence) for one in checks.checks(store))


def test_the_warning_about_notices_goes_when_the_look_sees_none_and_stays_while_it_does() -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox)
        sandbox.fault("prefix", path="/wp-json", times=0, body="<b>Notice</b>: x in y.php\n")
        run(store)
        assert not shop_line(store)[0]
        assert abilities.look(store) is None
        assert not shop_line(store)[0]
        sandbox.clear_faults()
        assert abilities.look(store) is None
        assert shop_line(store) == (True, "The shop answers.")
        run(store)
        assert shop_line(store)[0]


def test_the_warning_about_a_cache_goes_with_the_look_and_comes_back_with_the_next_stale_answer() -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox)
        run(store)
        sandbox.fault("cached", path="/orders", times=0, seconds=600)
        run(store)
        sandbox.advance(minutes=5)
        run(store)
        assert "cache" in shop_line(store)[1]
        abilities.look(store)
        assert shop_line(store)[0]
        # Signed as over plain http no two addresses are the same; a cache only matters where they are not signed.
        Store.objects.filter(pk=store.pk).update(auth_mode="basic")
        body = place(sandbox, 3)
        for _poll in range(3):
            run(store)
            sandbox.advance(minutes=5)
        assert "cache" in shop_line(store)[1]
        assert Order.objects.filter(woo_id=body["id"]).exists()
        sandbox.clear_faults()
        abilities.look(store)
        sandbox.advance(minutes=5)
        run(store)
        assert shop_line(store)[0]


def test_a_changed_time_zone_is_told_to_every_app_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(registries, "_zone_changes", [lambda store, before, now: told.append((before, now))])
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox, zone="Europe/Berlin")
        abilities.look(store)
        assert told == [("Europe/Berlin", sandbox.clock.zone_name)]
        abilities.look(store)
        Store.objects.filter(pk=store.pk).update(zone="Asia/Jakarta")
        store.refresh_from_db()
        connect.connect(sandbox.url, key=sandbox.key, secret=sandbox.secret, store=store)
        assert told[1:] == [("Asia/Jakarta", sandbox.clock.zone_name)]


def owner(store: Store) -> Browser:
    client = Browser()
    client.force_login(make_user(store))
    return client


def test_another_shop_is_followed_by_connecting_where_the_shop_is_now() -> None:
    with running(orders=3) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox)
        run(store)
        asks = identity.ask(store, "These are other orders.")
        client = owner(store)
        address = f"/app/{store.slug}/settings/system/reconciliations/{asks.pk}/"
        assert "It is another one: connect where mine is" in client.get(address).content.decode()
        answer = client.post(address, {"answer": "other"}, follow=True)
        assert answer.redirect_chain == [(f"/app/{store.slug}/connect/", 302)]
        page = answer.content.decode()
        assert "Nothing more is read from that address" in page
        assert "These are other orders." in page
        assert "as a store of its own" in page
        store.refresh_from_db()
        assert store.state == Store.State.DOUBT
        before = Order.objects.count()
        connect.connect(sandbox.url, key=sandbox.key, secret=sandbox.secret, store=store)
        store.refresh_from_db()
        assert (store.state, Order.objects.count()) == (Store.State.CONNECTED, before)
        assert "as a store of its own" not in client.get(f"/app/{store.slug}/connect/").content.decode()


def test_connecting_answers_the_question_whether_it_is_the_shop() -> None:
    with running(orders=3) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox)
        run(store)
        asks = identity.ask(store, "These are other orders.")
        connect.connect(sandbox.url, key=sandbox.key, secret=sandbox.secret, store=store)
        asks.refresh_from_db()
        assert (asks.status, asks.answer) == (Reconciliation.Status.ANSWERED, "connected")
        assert not list(reconcile.report.open_questions(store))
