"""Faults of write-backs (C48, C50 to C53) and our own echo (C35a): once in the shop, the ledger right, text plain."""

import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from email.message import EmailMessage
from typing import Any

import pytest

from campaigns.models import Message
from loyalty import ledger, rewards
from loyalty.models import Account, Entry, Redemption
from postpurchase import clock, queue
from reviews import asking, moderation
from reviews.models import Review
from reviews.submission import submit
from stores import coupons, intents, write_backs
from stores.models import Coupon, Event, Intent, Order, Store
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from stores.woo.client import client_for
from tests.factories import make_customer, make_order, make_product
from tests.faults.house import Letters, holds, in_shop, mail_server, open_house, settle, worker
from tests.reviews.cast import answer
from tests.stores.sandbox.conftest import stock
from tests.stores.shop import place

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 120
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def post(settings) -> Iterator[tuple[Letters, int]]:
    with mail_server() as (letters, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield letters, port


@pytest.fixture(params=["hpos", "posts"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(flavour=request.param, clock=clock.now) as running:
        stock(running)
        yield running


def member(store: Store, number: int = 0) -> Account:
    customer = make_customer(store, email=f"member{number}@example.com")
    ledger.give(store, customer, points=1000, key=f"gift:{number}", reason="Welcome")
    return Account.objects.get(customer=customer)


def redeemed(store: Store, number: int = 0) -> Redemption:
    reward = store.program.rewards.get()
    return rewards.redeem(member(store, number), reward=reward, key=f"press:{number}")


def points_of(redemption: Redemption) -> int:
    return Account.objects.get(pk=redemption.account_id).usable


def later(**by: float) -> None:
    clock.advance(timedelta(**(by or {"minutes": 20})))
    queue.tick()
    queue.run_until_idle()


def posts(sandbox: Sandbox, path: str) -> int:
    return sum(one["method"] == "POST" and one["path"].endswith(path) for one in sandbox.requests)


def killed(port: int, name: str) -> None:
    process = worker(mail_port=port, kill_at=name)
    said, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == -signal.SIGKILL, f"it was not killed at {name}: {said}"


def words(letter: EmailMessage) -> str:
    body = letter.get_body(("plain",))
    return str(body.get_content()) if body else ""


def test_c48_dropped_after_commit_then_504_then_killed_leaves_one_coupon_and_one_letter(post, sandbox):
    got, port = post
    store = open_house(sandbox)
    redemption = redeemed(store)
    sandbox.fault("drop_after_commit", method="POST", path="/coupons$")
    assert intents.run_due() == 1
    assert (len(in_shop(sandbox, "coupon")), Intent.objects.get().status) == (1, "sent")
    sandbox.fault("status", method="GET", path="/coupons$", status=504)
    clock.advance(timedelta(minutes=2))
    intents.run_due()
    assert Intent.objects.get().state == "due"
    # What is due by our moved clock is due now for the other process.
    Intent.objects.update(due_at=clock.now() - timedelta(days=1))
    killed(port, "coupon.create.read")
    assert Coupon.objects.get().state == "pending"
    settle(store)
    settle(store)
    redemption.refresh_from_db()
    (there,) = in_shop(sandbox, "coupon")
    assert (redemption.status, posts(sandbox, "/coupons")) == (Redemption.Status.READY, 1)
    (letter,) = [one for one in got.got if there["code"] in words(one)]
    assert letter["To"] == "member0@example.com"
    assert points_of(redemption) == 1000 - redemption.points
    holds(store, sandbox, got.ids())


@pytest.mark.parametrize("when", ["sending", "created", "read"])
def test_c48_killed_anywhere_while_several_are_made_leaves_one_coupon_each(when, post, sandbox):
    got, port = post
    store = open_house(sandbox)
    made = [redeemed(store, number) for number in range(3)]
    # Alone the place is reached for one of them, with several for all: the look, the common call, the reading back.
    if when == "read":
        Intent.objects.exclude(pk=Intent.objects.first().pk).update(due_at=clock.now() + timedelta(minutes=5))
    killed(port, f"coupon.create.{when}")
    settle(store)
    settle(store)
    assert len(in_shop(sandbox, "coupon")) == 3 == Coupon.objects.filter(state="live").count()
    assert [points_of(one) for one in made] == [1000 - made[0].points] * 3
    holds(store, sandbox, got.ids())


def theirs(sandbox: Sandbox, store: Store, code: str, *, status: str = "publish", **fields: Any) -> dict[str, Any]:
    """The merchant's own coupon of this code, past the shop's check for codes that are taken."""
    made = client_for(store).post("coupons", {"code": f"temporary-{code}-{status}", "amount": "5"} | fields)
    body = sandbox.get("coupon", made["id"]) or {}
    return sandbox.put("coupon", {**body, "code": code, "status": status})


@pytest.mark.parametrize(
    "statuses", [("publish",), ("draft",), ("trash",), ("publish", "publish"), ("draft", "trash"), ("publish", "draft")]
)
def test_c50_a_coupon_of_the_merchants_is_never_adopted_nor_changed(statuses, sandbox):
    store = open_house(sandbox)
    redemption = redeemed(store)
    code = redemption.coupon.code
    before = [theirs(sandbox, store, code, status=status) for status in statuses]
    later()
    redemption.refresh_from_db()
    assert redemption.status == Redemption.Status.READY
    assert [sandbox.get("coupon", one["id"]) for one in before] == before
    ours = [one for one in in_shop(sandbox, "coupon") if one["id"] not in {one["id"] for one in before}]
    assert [one["code"] for one in ours] == [redemption.coupon.code]
    # What lies in the trash does not take the code.
    assert (redemption.coupon.code == code) == (set(statuses) == {"trash"})
    assert points_of(redemption) == 1000 - redemption.points


def test_c50_two_published_twins_of_ours_leave_the_one_that_was_told_of(sandbox):
    store = open_house(sandbox)
    redemption = redeemed(store)
    later()
    coupon = Coupon.objects.get(pk=redemption.coupon_id)
    (there,) = in_shop(sandbox, "coupon")
    marks = {"meta_data": [{"key": "_postpurchase_ref", "value": str(coupon.ref)}]}
    twin = theirs(sandbox, store, coupon.code, **marks)
    assert len(in_shop(sandbox, "coupon")) == 2
    tasks.arm(store, [("coupon", twin["id"])])
    later()
    later()
    assert [one["id"] for one in in_shop(sandbox, "coupon")] == [there["id"]] == [coupon.woo_id]
    assert Coupon.objects.get(pk=coupon.pk).state == "live"
    assert list(Intent.objects.values_list("kind", "status")) == [
        ("coupon.create", "confirmed"),
        ("coupon.twin", "confirmed"),
    ]


def hundred(store: Store) -> None:
    for number in range(100):
        coupons.issue(store, source=f"flow:{number}", amount=Decimal(5), emails=(f"one{number}@example.com",))


def each_has_one(store: Store, sandbox: Sandbox, *, live: int = 100) -> None:
    there = in_shop(sandbox, "coupon")
    ours = Coupon.objects.filter(store=store, state="live")
    assert ours.count() == len(there) == live
    assert {(one.woo_id, one.code, one.emails[0]) for one in ours} == {
        (one["id"], one["code"], one["email_restrictions"][0]) for one in there
    }
    assert Event.objects.filter(name="coupon.issued").count() == live


def test_c51_of_a_hundred_two_are_refused_and_one_is_missing_in_the_answer(sandbox):
    store = open_house(sandbox)
    hundred(store)
    sandbox.fault("batch", method="POST", path="/coupons/batch", refuse=[3, 9], missing=[20])
    later()
    each_has_one(store, sandbox)
    batches = [one for one in sandbox.requests if one["path"].endswith("/coupons/batch")]
    assert [len(json.loads(one["body"])["create"]) for one in batches] == [25] * 4
    # Only the two refused ones are asked for again; the missing one is found.
    assert posts(sandbox, "/coupons") == 2


def test_c51_one_that_the_shop_refuses_for_good_holds_up_no_other(sandbox):
    store = open_house(sandbox)
    hundred(store)
    bad = Coupon.objects.order_by("pk")[7]
    Coupon.objects.filter(pk=bad.pk).update(kind="percent", amount=Decimal(150))
    later()
    bad.refresh_from_db()
    assert (bad.state, bool(bad.reason)) == ("failed", True)
    each_has_one(store, sandbox, live=99)


def test_c51_a_batch_that_ends_in_the_middle_makes_no_twin(sandbox):
    store = open_house(sandbox)
    hundred(store)
    # The third call of 25: ten rows are carried out, then the server is silent.
    sandbox.fault("batch", method="POST", path="/coupons/batch", nth=3, only=10)
    sandbox.fault("drop_after_commit", method="POST", path="/coupons/batch", nth=3)
    later()
    later()
    each_has_one(store, sandbox)


def test_c51_a_batch_that_is_too_large_for_the_shop_is_made_one_by_one(sandbox):
    store = open_house(sandbox)
    hundred(store)
    refusal = {"code": "woocommerce_rest_request_entity_too_large", "message": "Too many.", "data": {"status": 413}}
    sandbox.fault(
        "status",
        method="POST",
        path="/coupons/batch",
        times=0,
        status=413,
        body=json.dumps(refusal),
        headers=JSON,
    )
    later()
    each_has_one(store, sandbox)
    assert posts(sandbox, "/coupons") == 100


def test_c52_coupons_switched_off_store_wide_warn_before_anything_is_sent(sandbox):
    store = open_house(sandbox)
    client_for(store).put("settings/general/woocommerce_enable_coupons", {"value": "no"})
    redemption = redeemed(store)
    later()
    intent = Intent.objects.get()
    assert (intent.status, "switched off" in intent.error) == ("attention", True)
    assert (in_shop(sandbox, "coupon"), Message.objects.count()) == ([], 0)
    # Held, neither spent nor returned, until a person chooses.
    assert points_of(redemption) == 1000 - redemption.points
    client_for(store).put("settings/general/woocommerce_enable_coupons", {"value": "yes"})
    intents.choose(intent, intents.AGAIN, by="owner")
    later()
    redemption.refresh_from_db()
    assert (redemption.status, len(in_shop(sandbox, "coupon"))) == (Redemption.Status.READY, 1)
    assert Message.objects.filter(store=store, request__kind="reward.ready").count() == 1


def test_c52_given_up_the_points_come_back_once(sandbox):
    store = open_house(sandbox)
    client_for(store).put("settings/general/woocommerce_enable_coupons", {"value": "no"})
    redemption = redeemed(store)
    later()
    later(days=4)
    for _ in range(2):
        later()
    assert points_of(redemption) == 1000
    assert Entry.objects.filter(key=f"redeem:{redemption.pk}:back").count() == 1
    redemption.refresh_from_db()
    assert redemption.status == Redemption.Status.RETURNED


def test_c52_used_while_we_withdraw_it_the_store_is_right_and_the_ledger_not_paid_twice(sandbox):
    store = open_house(sandbox)
    redemption = redeemed(store)
    later()
    coupon = Coupon.objects.get()
    coupons.cancel(coupon)
    # The order comes in between our look and our wish.
    place(sandbox, email="member0@example.com", coupon=coupon.code, items=[{"product_id": 102, "quantity": 3}])
    settle(store)
    settle(store)
    coupon.refresh_from_db()
    redemption.refresh_from_db()
    assert (coupon.state, redemption.status) == ("used", Redemption.Status.USED)
    assert len(in_shop(sandbox, "coupon")) == 1
    assert Intent.objects.get(kind="coupon.trash").status == "failed"
    assert not Entry.objects.filter(key=f"redeem:{redemption.pk}:back").exists()
    # A plugin sets the counter back: what counts is the order that used it.
    body = sandbox.get("coupon", coupon.woo_id or 0) or {}
    sandbox.put("coupon", {**body, "usage_count": 0, "used_by": []})
    tasks.arm(store, [("coupon", coupon.woo_id)])
    later()
    coupon.refresh_from_db()
    redemption.refresh_from_db()
    assert (coupon.state, redemption.status) == ("used", Redemption.Status.USED)
    assert ledger.check_balances(store) + ledger.check_awards(store) == []


def review(store: Store, text: str = "Lovely.", *, product: int = 101) -> Review:
    kept = store.products.filter(woo_id=product).first()
    order = make_order(store, items=[(kept or make_product(store, woo_id=product, name="Cup"), 1)], language="en")
    asked = asking.ask(store, order)
    found = submit(asked, [answer(asked, text=text)])[0]
    moderation.publish(found, by="owner")
    return found


def held(sandbox: Sandbox) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = sandbox.store.storage.bodies("kind = 'review'")
    return rows


@pytest.fixture
def store(sandbox: Sandbox) -> Store:
    return open_house(sandbox)


def test_c53_markup_leaves_as_plain_text_although_the_key_is_an_administrators(store, sandbox):
    found = review(store, "Nice <script>alert(1)</script> & warm")
    later()
    (there,) = held(sandbox)
    assert there["review"].startswith("<p>Nice &lt;script&gt;alert(1)&lt;/script&gt; &amp; warm<")
    found.refresh_from_db()
    assert (found.store_status, posts(sandbox, "/products/reviews")) == ("approved", 1)


def test_c53_a_duplicate_that_is_ours_is_success(store, sandbox):
    sandbox.fault("drop_after_commit", method="POST", path="/products/reviews")
    sandbox.fault("empty_list", method="GET", path="/products/reviews", nth=2)
    found = review(store)
    intents.run_due()
    later()
    found.refresh_from_db()
    # The look came back empty, so it was posted again; the shop said 409, and the twin was ours.
    assert (found.store_status, len(held(sandbox)), posts(sandbox, "/products/reviews")) == ("approved", 1, 2)
    assert Event.objects.filter(name="review.published").count() == 1


def test_c53_a_flood_is_waited_for(store, sandbox):
    flood = {"code": "woocommerce_rest_comment_flood", "message": "Slow down.", "data": {"status": 400}}
    sandbox.fault("status", method="POST", path="/products/reviews", status=400, body=json.dumps(flood), headers=JSON)
    found = review(store)
    intents.run_due()
    assert (held(sandbox), Intent.objects.get().state) == ([], "due")
    later()
    found.refresh_from_db()
    assert (found.store_status, len(held(sandbox))) == ("approved", 1)


@pytest.mark.parametrize("status", ["spam", "trash", "hold"])
def test_c53_what_the_shop_makes_of_it_is_shown_as_it_is(status, store, sandbox):
    sandbox.fault("replace", method="GET", path=r"/products/reviews/\d+$", times=0, old='"approved"', new=f'"{status}"')
    found = review(store)
    later()
    found.refresh_from_db()
    intent = Intent.objects.get()
    assert (found.store_status, intent.status, found.published_at) == (status, "attention", None)
    assert status in intent.error
    assert (len(held(sandbox)), posts(sandbox, "/products/reviews")) == (1, 1)


def test_c53_a_product_that_is_gone_fails_with_its_reason(store, sandbox):
    review(store, product=999)
    later()
    intent = Intent.objects.get()
    assert (intent.status, bool(intent.error), held(sandbox)) == ("failed", True, [])


def test_c53_a_variation_is_reviewed_under_its_parent(store, sandbox):
    parent = store.products.filter(woo_id=103).first() or make_product(store, woo_id=103, name="Plate", kind="variable")
    if not store.products.filter(woo_id=104).exists():
        make_product(store, woo_id=104, name="Plate, large", parent=parent, kind="variation")
    review(store, product=104)
    later()
    assert [one["product_id"] for one in held(sandbox)] == [103]


def test_c35a_our_own_writes_come_back_without_effect_and_without_a_second_write(sandbox):
    store = open_house(sandbox)
    place(sandbox)
    settle(store)
    settle(store)
    order = Order.objects.get()
    write_backs.add_note(order, "Called", key="press", by="owner")
    write_backs.mark_order(order, "helped", "yes")
    later()
    written = [one["method"] for one in sandbox.requests if one["method"] in {"POST", "PUT", "DELETE"}]
    facts, messages = Event.objects.count(), Message.objects.count()
    for _ in range(3):
        sandbox.run_webhooks()
        tasks.arm(store, [("order", order.woo_id)])
        settle(store)
        write_backs.mark_order(Order.objects.get(), "helped", "yes")
    assert (Event.objects.count(), Message.objects.count()) == (facts, messages)
    assert [one["method"] for one in sandbox.requests if one["method"] in {"POST", "PUT", "DELETE"}] == written
    assert sorted(Intent.objects.values_list("kind", "status")) == [
        ("order.meta", "confirmed"),
        ("order.note", "confirmed"),
    ]
