"""Bad input through the whole way: from the shop over HTTP to every page, letter, file and answer."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from campaigns.models import Message
from loyalty import ledger, rewards
from loyalty.models import Account, Entry
from postpurchase import clock, due, links
from reviews import asking, moderation
from reviews.models import Review
from reviews.submission import Answer, submit
from stores import coupon_write_backs, coupons, intents
from stores.api_keys import create_api_key
from stores.models import AuditEvent, Coupon, Intent, Order, WebhookEndpoint
from stores.sandbox.server import Sandbox
from stores.woo.client import Client as Woo
from tests.factories import make_customer, make_user
from tests.faults.house import holds, open_house, settle
from tests.stores.sandbox.conftest import stock
from tests.stores.shop import place

pytestmark = pytest.mark.django_db(transaction=True)

EVIL = '<script>alert(1)</script>{{7*7}}"onload=x'
FORMULA = "=HYPERLINK(1)"
SCOPES = ["orders:read", "customers:read", "ledger:read", "reviews:read", "coupons:read"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=clock.now) as running:
        stock(running)
        yield running


def owner_of(store) -> Client:
    client = Client()
    client.force_login(make_user(store), backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def whole(answer) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode()


def test_a_name_with_markup_is_inert_wherever_it_comes_out(sandbox):
    store = open_house(sandbox)
    clock.advance(timedelta(minutes=1))
    name = {"first_name": EVIL, "last_name": FORMULA}
    place(sandbox, billing=name | {"email": "evil@example.com"}, email="evil@example.com")
    settle(store)
    order = Order.objects.get(store=store)
    assert order.customer.first_name == EVIL
    request = asking.ask(store, order)
    line = order.lines.get()
    review = submit(request, [Answer(line_id=line.woo_id, rating=4, title=EVIL, text=EVIL)])[0]
    account = ledger.open_account(order.customer)
    (letter,) = mail.outbox
    html = letter.alternatives[0][0]
    assert "&lt;script&gt;" in html
    assert "{{7*7}}" in html
    client = owner_of(store)
    base = f"/app/{store.slug}"
    pages = [
        f"{base}/orders/",
        f"{base}/orders/{order.pk}/",
        f"{base}/customers/",
        f"{base}/customers/{order.customer_id}/",
        f"{base}/reviews/",
        f"{base}/outbox/",
        f"{base}/loyalty/members/",
        f"{base}/loyalty/members/{account.pk}/",
        f"{base}/search/?q=script",
        links.url("r", request.pk, version=request.link_version).removeprefix("http://testserver"),
        links.url("l", account.pk, version=account.link_version).removeprefix("http://testserver"),
        links.url("p", order.customer_id).removeprefix("http://testserver"),
    ]
    shown = [html, *(whole(client.get(page)) for page in pages)]
    for where, text in zip(["letter", *pages], shown, strict=True):
        assert "<script>alert" not in text, where
        assert '"onload=x' not in text.replace("&quot;onload=x", ""), where
    _, secret = create_api_key(store, name="test", scopes=SCOPES)
    answer = client.get("/api/v1/customers/", headers={"Authorization": f"Bearer {secret}"})
    assert answer["Content-Type"].startswith("application/json")
    assert EVIL in str(answer.json()["results"][0])
    for page in ("orders", "customers", "reviews", "outbox", "loyalty/members", "loyalty/ledger", "coupons"):
        answer = client.get(f"{base}/{page}/?export=csv")
        assert answer.status_code == 200, page
        for cell in whole(answer).replace("\r\n", ",").split(","):
            assert not cell.strip('"').startswith(("=", "@", "\t")), (page, cell)
    moderation.publish(review, by="test")
    settle(store)
    review.refresh_from_db()
    there = sandbox.get("review", review.woo_id)
    assert "<script" not in there["review"]


def test_an_order_without_an_address_goes_the_whole_way_and_nobody_is_written_to(sandbox):
    store = open_house(sandbox)
    clock.advance(timedelta(minutes=1))
    body = place(sandbox)
    kept = sandbox.get("order", body["id"])
    kept["billing"]["email"] = ""
    kept["customer_id"] = 0
    sandbox.put("order", kept)
    sandbox.complete(body["id"])
    settle(store)
    settle(store)
    order = Order.objects.get(store=store)
    assert (order.email, order.customer) == ("", None)
    assert mail.outbox == []
    assert not Account.objects.exists()
    client = owner_of(store)
    for page in (f"orders/{order.pk}/", "orders/", "orders/?export=csv", "customers/", "insights/retention/", ""):
        assert client.get(f"/app/{store.slug}/{page}").status_code == 200, page
    sandbox.refund(body["id"])
    settle(store)
    holds(store, sandbox, [])


def test_two_tabs_correct_decide_and_redeem_once(sandbox):
    store = open_house(sandbox)
    customer = make_customer(store, email="tabs@example.com")
    ledger.give(store, customer, points=1000, key="gift", reason="Welcome")
    account = Account.objects.get()
    reward = store.program.rewards.get()
    one, two = owner_of(store), owner_of(store)
    form = {"points": "25", "note": "Sorry", "key": "k" * 32}
    for tab in (one, two, one):
        assert tab.post(f"/app/{store.slug}/loyalty/members/{account.pk}/adjust/", form).status_code == 302
    assert Entry.objects.filter(kind="adjusted").count() == 1
    page = links.url("l", account.pk, version=account.link_version).removeprefix("http://testserver")
    for tab in (Client(), Client()):
        assert tab.post(page, {"reward": reward.pk, "key": "r" * 32, "confirm": "1"}).status_code == 302
    account.refresh_from_db()
    assert account.usable == 1025 - reward.points
    assert Coupon.objects.filter(ours=True).count() == 1
    place(sandbox)
    settle(store)
    order = Order.objects.get(store=store)
    request = asking.ask(store, order)
    review = submit(request, [Answer(line_id=order.lines.get().woo_id, rating=5)])[0]
    form = {"revision": str(review.revision)}
    for tab in (one, two):
        tab.post(f"/app/{store.slug}/reviews/{review.pk}/publish/", form)
    assert Review.objects.get().state == "published"
    assert AuditEvent.objects.filter(action="review.publish").count() == 1
    assert Intent.objects.filter(kind__startswith="review").count() == 1


@pytest.mark.parametrize("points", ["²", "+-5", "--1", "1e3", "٣", "5\x00", "99999999999", ""])
def test_what_is_no_number_of_points_corrects_nothing(points, sandbox):
    store = open_house(sandbox)
    account = ledger.open_account(make_customer(store))
    form = {"points": points, "note": "x", "key": "k" * 32}
    answer = owner_of(store).post(f"/app/{store.slug}/loyalty/members/{account.pk}/adjust/", form, follow=True)
    assert answer.status_code == 200
    assert "Nothing was changed" in answer.content.decode()
    assert not Entry.objects.exists()


def test_a_sign_that_no_database_takes_breaks_no_page(sandbox):
    store = open_house(sandbox)
    account = ledger.open_account(make_customer(store))
    client = owner_of(store)
    lists = [
        "orders",
        "customers",
        "coupons",
        "reviews",
        "outbox",
        "flows",
        "cases",
        "loyalty/members",
        "loyalty/ledger",
    ]
    for page in [*(f"{one}/?q=%00x" for one in lists), "search/?q=%00x", "orders/?page=%00", "orders/?status=%00"]:
        assert client.get(f"/app/{store.slug}/{page}").status_code < 500, page
    page = links.url("l", account.pk, version=account.link_version).removeprefix("http://testserver")
    form = {"reward": store.program.rewards.get().pk, "key": "\x00" * 20, "confirm": "1"}
    assert client.post(page, form).status_code == 200
    note = {"points": "5", "note": "a\x00b", "key": "k" * 32}
    assert client.post(f"/app/{store.slug}/loyalty/members/{account.pk}/adjust/", note).status_code == 302


def test_links_in_letters_name_our_own_address_whatever_a_request_claims(sandbox):
    store = open_house(sandbox)
    client = owner_of(store)
    spoofed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"}
    clock.advance(timedelta(minutes=1))
    place(sandbox)
    settle(store)
    assert client.get(f"/app/{store.slug}/", headers=spoofed).status_code == 200
    (letter,) = mail.outbox
    assert "http://testserver/" in letter.body
    assert "evil.example" not in letter.body + letter.alternatives[0][0] + str(letter.message())
    # A host that is not ours gets nothing at all.
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_no_secret_is_in_logs_answers_or_the_database(sandbox, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    store = open_house(sandbox)
    hook = WebhookEndpoint.objects.create(store=store, topic="order.updated", secret="whsec-very-secret-1")
    _key, api_secret = create_api_key(store, name="test", scopes=SCOPES)
    clock.advance(timedelta(minutes=1))
    place(sandbox)
    coupons.issue(store, source="x:1", amount=Decimal(5))

    def breaks(*args, **kwargs):
        raise RuntimeError("forced")

    with monkeypatch.context() as broken:
        broken.setattr(Woo, "get", breaks)
        settle(store)
    with monkeypatch.context() as broken:
        broken.setattr("campaigns.channels.email.build", breaks)
        settle(store, later=timedelta(hours=1))
    client = owner_of(store)
    client.raise_request_exception = False
    pages = [client.get(f"/app/{store.slug}/{page}").content.decode() for page in ("orders/", "system/", "outbox/", "")]
    monkeypatch.setattr("stores.insights.retention.rates", breaks)
    broken_page = client.get(f"/app/{store.slug}/insights/retention/")
    assert broken_page.status_code == 500
    pages.append(broken_page.content.decode())
    assert "forced" in caplog.text
    secrets = [sandbox.key, sandbox.secret, hook.secret, api_secret, "ZGV2ZWxvcG1lbnQta2V5"]
    dump = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            dump += [f"{table}: {row}" for row in cursor.fetchall()]
    everything = {"log": [caplog.text], "pages": pages, "database": dump}
    for where, texts in everything.items():
        for text in texts:
            for secret in secrets:
                assert secret not in text, where


def test_an_answer_nobody_foresaw_holds_up_no_other_write_back_and_gives_the_points_back(sandbox, monkeypatch):
    store = open_house(sandbox)
    first = coupons.issue(store, source="a:1", amount=Decimal(5))
    second = coupons.issue(store, source="b:1", amount=Decimal(5))
    find = coupon_write_backs.CreateCoupon.find

    def odd(self, client, intent):
        if intent.subject_id == first.pk:
            raise KeyError("id")
        return find(self, client, intent)

    monkeypatch.setattr(coupon_write_backs.CreateCoupon, "find", odd)
    intents.run_due()
    second.refresh_from_db()
    assert second.state == "live"
    for _ in range(Intent.MAX_ATTEMPTS):
        clock.advance(timedelta(minutes=20))
        intents.run_due()
    first.refresh_from_db()
    assert (first.state, Intent.objects.get(subject_id=first.pk).status) == ("failed", "failed")
    assert not Message.objects.exists()


@pytest.mark.parametrize("points", ["NaN", "Infinity", "-1", "1e99", "0x10", "\x00", ""])
def test_what_is_no_rate_changes_no_rule(points, sandbox):
    store = open_house(sandbox)
    before = list(store.program.earn_rules.order_by("pk").values_list("kind", "points", "ended_at"))
    client = owner_of(store)
    for form in ({"order": points, "review": "31"}, {"order": "31", "review": points}):
        answer = client.post(f"/app/{store.slug}/loyalty/save/", {"act": "rules"} | form, follow=True)
        assert "Nothing was changed" in answer.content.decode()
    assert list(store.program.earn_rules.order_by("pk").values_list("kind", "points", "ended_at")) == before


def test_ticked_rows_that_cannot_exist_change_nothing(sandbox):
    store = open_house(sandbox)
    client = owner_of(store)
    for ids in ("9" * 30, "٣", "-1", "\x00", "1 OR 1=1"):
        assert client.get(f"/app/{store.slug}/orders/{ids}/".replace("\x00", "%00")).status_code == 404, ids
        answer = client.post(f"/app/{store.slug}/outbox/", {"action": "approve", "ids": ids, "confirmed": "1"})
        assert answer.status_code in {200, 302, 303}, ids


def test_a_write_back_whose_worker_died_too_often_gives_the_points_back(sandbox):
    store = open_house(sandbox)
    customer = make_customer(store)
    ledger.give(store, customer, points=1000, key="gift", reason="Welcome")
    account = Account.objects.get()
    redemption = rewards.redeem(account, reward=store.program.rewards.get(), key="press")
    for _ in range(Intent.MAX_ATTEMPTS):
        assert len(due.claim(Intent, limit=1, lease=intents.LEASE)) == 1
        clock.advance(timedelta(minutes=6))
        due.sweep(Intent)
    settle(store)
    account.refresh_from_db()
    redemption.refresh_from_db()
    assert (redemption.status, account.usable) == ("returned", 1000)
    assert Coupon.objects.get(ours=True).state == "failed"
