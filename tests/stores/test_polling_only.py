"""A store without webhooks by choice: none are made, those that stood are taken out, and nothing is called a fault."""

from typing import Any

import pytest
from django.test import Client as Browser

from postpurchase import clock
from stores import doctor, hooks
from stores.models import Store, SyncTask, WebhookEndpoint
from stores.sandbox.server import Sandbox
from stores.sync import figures
from tests.factories import make_user
from tests.stores.shop import asked, joined, running

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ours(settings: Any) -> None:
    settings.PUBLIC_URL = "https://ours.example.com"


def in_shop(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.store.storage.bodies("kind = ?", ("webhook",), order="id")


def looked(store: Store) -> Any:
    hooks.arm(store)
    return hooks.ensure_webhooks(SyncTask.objects.select_related("store").get(store=store, key=hooks.KEY))


def webhooks_check(store: Store) -> tuple[bool, str]:
    return next((one.ok, one.sentence) for one in doctor.store_checks(store) if one.name == "Webhooks")


def test_no_webhook_is_made_and_its_absence_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox, polling_only=True)
        assert looked(store) == hooks.NEVER_MIND
        assert in_shop(sandbox) == []
        assert asked(sandbox, "/webhooks") == []
        ok, sentence = webhooks_check(store)
        assert ok
        assert sentence.startswith(
            "Off, as you chose. Orders are asked for every 5 minutes, so a change is seen within 6;"
        )
        assert figures.of(store)["webhooks"]["state"] == "polling_only"
        Store.objects.filter(pk=store.pk).update(capabilities={"webhooks": False})
        store.refresh_from_db()
        assert webhooks_check(store)[0]


def test_choosing_it_takes_ours_out_of_the_shop_and_leaves_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox)
        looked(store)
        assert len(in_shop(sandbox)) == len(hooks.TOPICS)
        from stores.woo.client import client_for

        client_for(store).post(
            "webhooks",
            {"name": "Other", "topic": "order.created", "delivery_url": "https://other.example.com/", "secret": "s"},
        )
        client = Browser()
        client.force_login(make_user(store))
        answer = client.post(f"/app/{store.slug}/settings/", {"section": "freshness", "polling_only": "on"})
        assert answer.status_code == 302
        store.refresh_from_db()
        assert store.polling_only
        assert SyncTask.objects.get(store=store, key=hooks.KEY).due_at <= clock.now()
        hooks.ensure_webhooks(SyncTask.objects.select_related("store").get(store=store, key=hooks.KEY))
        assert [hook["name"] for hook in in_shop(sandbox)] == ["Other"]
        assert set(WebhookEndpoint.objects.values_list("state", "woo_id")) == {("off", None)}
        assert store.audit_events.filter(action="settings.freshness").exists()
        # Asked once: the next looks leave the shop alone.
        before = len(asked(sandbox, "/webhooks"))
        hooks.ensure_webhooks(SyncTask.objects.select_related("store").get(store=store, key=hooks.KEY))
        assert len(asked(sandbox, "/webhooks")) == before


def test_having_them_again_makes_all_and_counts_none_as_lost() -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox)
        looked(store)
        hooks.choose(store, polling_only=True)
        looked(store)
        hooks.choose(store, polling_only=False)
        assert looked(store) == hooks.EVERY
        assert len(in_shop(sandbox)) == len(hooks.TOPICS)
        assert hooks.last_loss(store) is None
        assert set(WebhookEndpoint.objects.values_list("state", flat=True)) == {"active"}


def test_keys_that_may_only_read_are_no_hindrance() -> None:
    with running(orders=1) as sandbox, clock.frozen(sandbox.clock.now()):
        store = joined(sandbox, can_write=False, polling_only=True)
        assert looked(store) == hooks.NEVER_MIND
        assert webhooks_check(store)[0]
