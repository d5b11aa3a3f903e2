"""The invariants that hold after every fault: I1 to I8, each a function that asserts one of them.

`holds` runs them all. I1 is for a mirror that was reconciled; `reconciled` does that first.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.models import Count, F
from django.test import Client

from campaigns.models import Message
from loyalty import ledger
from loyalty.models import Account
from postpurchase import clock, due, queue
from stores import jobs
from stores.models import (
    Coupon,
    Customer,
    Job,
    Order,
    Product,
    Quarantined,
    Reconciliation,
    Refund,
    Store,
    StoreReview,
    WebhookEndpoint,
)
from stores.sandbox.server import Sandbox
from stores.sync import reconcile
from tests.factories import make_store, make_user
from tests.postpurchase.test_access import DASHBOARD, address, is_numbered

MINUTE = timedelta(minutes=1)
HIDDEN = {"trash", "checkout-draft", "auto-draft", "spam"}


def reconciled(store: Store, *, deep: bool = True) -> Reconciliation:
    """One reconciliation to its end, and the work that follows from it."""
    clock.advance(MINUTE)
    # The row as it is now: whether it is the same shop may have come into doubt.
    job = reconcile.start(Store.objects.get(pk=store.pk), deep=deep)
    for _ in range(400):
        Job.objects.filter(pk=job.pk, state="due").update(due_at=clock.now())
        if not jobs.run_one(job.pk, 60):
            break
    job.refresh_from_db()
    assert job.status == Job.Status.DONE, job.error
    for _ in range(2):
        clock.advance(MINUTE)
        queue.run_until_idle()
    return Reconciliation.objects.filter(store=store).latest("pk")


def bodies(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    """What the shop holds of a kind and shows in lists."""
    rows: list[dict[str, Any]] = sandbox.store.storage.bodies("kind = ?", (kind,), order="id")
    return [row for row in rows if row.get("status") not in HIDDEN]


def i1_mirror_equals_store(store: Store, sandbox: Sandbox) -> None:
    """Every entity of the mirror is as the shop has it."""
    live = {"store": store, "deleted_at": None}
    orders = Order.objects.filter(**live, channel="woocommerce").exclude(status__in=HIDDEN)
    assert {one.woo_id: (one.status, _money(one.total), _money(one.refunded), one.email.lower()) for one in orders} == {
        body["id"]: (
            body["status"],
            _money(body["total"]),
            _money(-sum((Decimal(one["total"]) for one in body["refunds"]), Decimal(0))),
            body["billing"]["email"].lower(),
        )
        for body in bodies(sandbox, "order")
    }
    there = {refund["id"] for body in bodies(sandbox, "order") for refund in body["refunds"]}
    here = Refund.objects.filter(store=store, deleted_at=None, order__in=orders)
    assert set(here.values_list("woo_id", flat=True)) == there
    for kind, parents in (("product", {"parent": None}), ("variation", {"kind": "variation"})):
        rows = Product.objects.filter(**live, **parents).exclude(status__in=HIDDEN)
        rows = rows.exclude(kind="variation") if kind == "product" else rows
        assert {(one.woo_id, one.status, _money(one.price)) for one in rows} == {
            (body["id"], body["status"], _money(body["price"])) for body in bodies(sandbox, kind)
        }
    reviews = StoreReview.objects.filter(**live).exclude(status__in=HIDDEN)
    assert {(one.woo_id, one.status, one.rating) for one in reviews} == {
        (body["id"], body["status"], body["rating"]) for body in bodies(sandbox, "review")
    }
    accounts = Customer.objects.filter(store=store, woo_id__isnull=False)
    known = {body["id"]: body["email"].lower() for body in bodies(sandbox, "customer")}
    here = set(accounts.values_list("woo_id", flat=True))
    # Editors and subscribers, who bought nothing, need not be here.
    buyers = {body["id"] for body in bodies(sandbox, "customer") if body.get("role", "customer") == "customer"}
    assert {one.woo_id: one.email_key for one in accounts} == {
        woo_id: email for woo_id, email in known.items() if woo_id in here | buyers
    }
    coupons = Coupon.objects.filter(store=store, woo_id__isnull=False).exclude(state=Coupon.State.GONE)
    assert {(one.woo_id, one.code) for one in coupons} == {
        (body["id"], body["code"]) for body in bodies(sandbox, "coupon")
    }


def _money(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value)).quantize(Decimal("0.0001"))


def i2_ledger_adds_up(store: Store) -> None:
    """Entries add up to balances and awards; nothing spent below zero."""
    assert ledger.check_balances(store) + ledger.check_awards(store) == []
    overdrawn = Account.objects.filter(store=store, usable__lt=0)
    assert not overdrawn.exists() or store.program.allow_negative


def i3_one_message_a_trigger(store: Store) -> None:
    """At most one message for each programme, person, trigger and step."""
    rows = Message.objects.filter(store=store, request=None)
    twice = rows.values("flow", "customer", "order", "step", "template").annotate(n=Count("pk")).filter(n__gt=1)
    assert list(twice) == []


def i4_one_coupon_a_reward(store: Store, sandbox: Sandbox) -> None:
    """At most one live coupon in the shop for each of ours."""
    marks = Counter(
        str(entry["value"])
        for body in bodies(sandbox, "coupon")
        if body["status"] == "publish"
        for entry in body["meta_data"]
        if entry["key"] == "_postpurchase_ref"
    )
    assert max(marks.values(), default=0) <= 1


def i5_stores_stay_apart() -> None:
    """No row of one store points at a row of another."""
    for model in apps.get_models():
        if not any(field.name == "store" for field in model._meta.concrete_fields):
            continue
        for field in model._meta.concrete_fields:
            target = field.related_model if isinstance(field, models.ForeignKey) else None
            if not isinstance(target, type) or target is Store:
                continue
            if not any(one.name == "store" for one in target._meta.concrete_fields):
                continue
            strangers = model._default_manager.filter(
                **{f"{field.name}__isnull": False, f"{field.name}__store__isnull": False}
            )
            strangers = strangers.exclude(**{f"{field.name}__store": F("store")})
            assert not strangers.exists(), f"{model.__name__}.{field.name}"


def i5_nothing_is_reachable_from_another_store(store: Store) -> None:
    """The owner of another store finds no object of this one, by whatever page with a number in its address."""
    stranger = make_store()
    client = Client()
    client.force_login(make_user(stranger))
    rows = (Order.objects, Customer.objects, Job.objects, Coupon.objects, Product.objects)
    numbers = {row.pk for model in rows if (row := model.filter(store=store).order_by("-pk").first())}
    for route in (route for route, _pattern in DASHBOARD if is_numbered(route)):
        for slug in (stranger.slug, store.slug):
            found = {client.get(address(route, slug, number)).status_code for number in numbers}
            assert found <= {404, 405}, route
    stranger.delete()


class _Said(logging.Handler):
    """Every line that any logger wrote since the last check, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


SAID = _Said()
logging.getLogger().addHandler(SAID)


def secrets_of(store: Store) -> list[str]:
    """What must never stand anywhere in plain text: keys of the shop, secrets of webhooks, the mail account."""
    hooks = list(WebhookEndpoint.objects.filter(store=store).values_list("secret", flat=True))
    return [store.consumer_key, store.consumer_secret, store.email_url, *hooks]


def _plain(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)


def i6_no_secret_in_the_open(secrets: Iterable[str], *texts: str) -> None:
    """No key in plain text in a dump of the whole database, in what was logged since the last check, or in these texts."""
    wanted = [secret for secret in secrets if len(secret) >= 8]
    said, SAID.lines = SAID.lines, []
    for text in (*texts, *said):
        assert not [secret for secret in wanted if secret in text], text
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                line = " ".join(_plain(value) for value in row)
                assert not [secret for secret in wanted if secret in line], table


def i7_nothing_runs_for_nobody() -> None:
    """No work is held by a worker whose lease is over."""
    for model in due.all_models():
        held = model._default_manager.filter(state="running", lease_until__lt=clock.now())
        assert not held.exists(), model.__name__


def i8_what_failed_is_visible(store: Store) -> None:
    """Whatever was skipped or failed has a reason that a person can read."""
    assert not Quarantined.objects.filter(store=store, solved_at=None, reason="").exists()
    assert not Message.objects.filter(store=store, status__in=["failed", "unknown", "cancelled"], reason="").exists()
    for model in due.all_models():
        if any(field.name == "store" for field in model._meta.concrete_fields):
            dead = model._default_manager.filter(store=store, state__in=["dead", "held"], error="")
            assert not dead.exists(), model.__name__


def holds(store: Store, sandbox: Sandbox) -> None:
    """All of them, after a reconciliation."""
    i1_mirror_equals_store(store, sandbox)
    i2_ledger_adds_up(store)
    i3_one_message_a_trigger(store)
    i4_one_coupon_a_reward(store, sandbox)
    i5_stores_stay_apart()
    i5_nothing_is_reachable_from_another_store(store)
    i6_no_secret_in_the_open([sandbox.key, sandbox.secret, *secrets_of(Store.objects.get(pk=store.pk))])
    i7_nothing_runs_for_nobody()
    i8_what_failed_is_visible(store)
