import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from postpurchase import clock, due
from postpurchase.errors import BusinessError
from stores import coupon_write_backs, coupons, intents
from stores.models import AuditEvent, Coupon, Event, Intent, Store
from stores.sandbox.server import Sandbox
from stores.sync.apply import apply
from stores.woo.client import client_for
from tests.factories import make_customer, make_store

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=lambda: NOON) as running:
        yield running


@pytest.fixture
def store(sandbox: Sandbox) -> Store:
    clock.freeze(NOON)
    return make_store(
        base_url=sandbox.url, consumer_key=sandbox.key, consumer_secret=sandbox.secret, slug="potters", name="Potters"
    )


def issue(store: Store, **fields: Any) -> Coupon:
    defaults: dict[str, Any] = {
        "source": "reward:1",
        "amount": Decimal("20.00"),
        "emails": ("ana@example.com",),
        "expires_on": date(2026, 12, 31),
        "minimum": Decimal(50),
    }
    return coupons.issue(store, **(defaults | fields))


def in_shop(sandbox: Sandbox, *, trashed: bool = False) -> list[dict[str, Any]]:
    rows = sandbox.store.storage.bodies("kind = 'coupon'", ())
    return [row for row in rows if (row["status"] == "trash") is trashed]


def names(store: Store) -> list[str]:
    return list(Event.objects.filter(store=store).order_by("pk").values_list("name", flat=True))


def test_a_coupon_is_pushed_read_back_and_then_live(store, sandbox):
    coupon = issue(store)
    assert (coupon.state, names(store)) == ("pending", [])
    assert re.fullmatch(r"potte-[2-9a-hjkmnp-z]{4}-[2-9a-hjkmnp-z]{5}-[2-9a-hjkmnp-z]{4}", coupon.code)
    assert intents.run_due() == 1
    coupon.refresh_from_db()
    assert (coupon.state, coupon.live_at, names(store)) == ("live", NOON, ["coupon.issued"])
    [there] = in_shop(sandbox)
    assert there["id"] == coupon.woo_id
    assert (there["code"], there["amount"], there["usage_limit"], there["usage_limit_per_user"]) == (
        coupon.code,
        "20.00",
        1,
        1,
    )
    assert there["email_restrictions"] == ["ana@example.com"]
    assert (there["date_expires"], there["date_expires_gmt"]) == ("2026-12-31T23:59:59", "2026-12-31T21:59:59")
    assert (there["minimum_amount"], there["individual_use"]) == ("50.00", False)
    assert Intent.objects.get().status == "confirmed"


def test_the_same_source_makes_no_second_coupon(store, sandbox):
    assert issue(store).pk == issue(store, amount=Decimal(99)).pk
    intents.run_due()
    assert issue(store).state == "live"
    assert (len(in_shop(sandbox)), Intent.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"emails": ("nope",)}, "coupon_email"),
        ({"emails": ("ana@localhost",)}, "coupon_email"),
        ({"emails": ("añá@example.com",)}, "coupon_email"),
        ({"emails": ("ana@example.com, eve@example.com",)}, "coupon_email"),
        ({"amount": Decimal(0)}, "coupon_amount"),
        ({"amount": Decimal(-5)}, "coupon_amount"),
        ({"amount": Decimal(101), "kind": "percent"}, "coupon_amount"),
        ({"minimum": Decimal(-1)}, "coupon_amount"),
        ({"kind": "free"}, "coupon_kind"),
        ({"expires_on": date(2026, 11, 23)}, "coupon_expired"),
    ],
)
def test_what_the_shop_would_drop_silently_is_refused_before(store, fields, code):
    with pytest.raises(BusinessError) as refusal:
        issue(store, **fields)
    assert refusal.value.code == code
    assert (Coupon.objects.count(), Intent.objects.count()) == (0, 0)


def test_keys_that_may_only_read_make_no_coupon(store):
    store.can_write = False
    with pytest.raises(BusinessError) as refusal:
        issue(store)
    assert refusal.value.code == "store_read_only"
    assert (Coupon.objects.count(), Intent.objects.count()) == (0, 0)


def test_a_customers_coupon_is_for_that_customer_alone(store):
    ana = make_customer(store, email="Ana@Example.com")
    assert issue(store, customer=ana, emails=()).emails == ["ana@example.com"]
    with pytest.raises(BusinessError):
        issue(store, source="reward:2", customer=make_customer(store, email="erased"), emails=())


def test_a_connection_that_drops_after_the_shop_committed_makes_no_twin(store, sandbox):
    coupon = issue(store)
    sandbox.fault("drop_after_commit", method="POST", path="/coupons")
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, len(in_shop(sandbox)), names(store)) == ("pending", 1, [])
    clock.advance(timedelta(minutes=1))
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, [row["id"] for row in in_shop(sandbox)]) == ("live", [coupon.woo_id])
    assert sum(row["method"] == "POST" for row in sandbox.requests) == 1


def test_a_process_that_dies_after_the_shop_committed_makes_no_twin(store, sandbox):
    coupon = issue(store)
    [mine] = due.claim(Intent, limit=5, lease=intents.LEASE)
    coupon_write_backs.CreateCoupon().create(client_for(store), mine)
    clock.advance(timedelta(minutes=10))
    assert due.sweep(Intent) == (1, 0)
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, len(in_shop(sandbox)), names(store)) == ("live", 1, ["coupon.issued"])


def test_a_slow_worker_beside_a_second_one_makes_no_twin_and_no_second_fact(store, sandbox):
    coupon = issue(store)
    [slow] = due.claim(Intent, limit=5, lease=intents.LEASE)
    assert coupon_write_backs.CreateCoupon().find(client_for(store), slow) is None
    clock.advance(timedelta(minutes=10))
    due.sweep(Intent)
    intents.run_due()
    body = coupon_write_backs.CreateCoupon().create(client_for(store), slow)
    intents._settle(coupon_write_backs.CreateCoupon(), slow, body)
    coupon.refresh_from_db()
    assert (coupon.state, body["id"], len(in_shop(sandbox))) == ("live", coupon.woo_id, 1)
    assert names(store) == ["coupon.issued"]


def test_a_shop_in_trouble_is_asked_again(store, sandbox):
    coupon = issue(store)
    sandbox.fault("status", method="POST", path="/coupons", status=504)
    intents.run_due()
    assert Intent.objects.get().state == "due"
    clock.advance(timedelta(minutes=1))
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "live"


@pytest.mark.parametrize("status", ["publish", "draft"])
def test_the_merchants_own_coupon_of_that_code_is_never_adopted_nor_changed(store, sandbox, status):
    coupon = issue(store)
    taken = coupon.code
    client_for(store).post("coupons", {"code": taken.upper(), "amount": "5", "status": status})
    [theirs] = in_shop(sandbox)
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "live"
    assert coupon.code != taken
    assert sandbox.get("coupon", theirs["id"]) == theirs
    assert {row["code"] for row in in_shop(sandbox)} == {taken, coupon.code}


def test_a_trashed_twin_does_not_stand_in_the_way(store, sandbox):
    coupon = issue(store)
    made = client_for(store).post("coupons", {"code": coupon.code, "amount": "5"})
    client_for(store).delete(f"coupons/{made['id']}")
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, len(in_shop(sandbox)), len(in_shop(sandbox, trashed=True))) == ("live", 1, 1)


def test_a_coupon_that_the_shop_opened_to_everybody_is_trashed_and_never_told(store, sandbox):
    coupon = issue(store)
    Coupon.objects.update(emails=["nope"])
    intents.run_due()
    coupon.refresh_from_db()
    assert coupon.state == "attention"
    assert "email_restrictions" in coupon.reason
    assert (in_shop(sandbox), len(in_shop(sandbox, trashed=True))) == ([], 1)
    assert (names(store), Intent.objects.get().status) == ([], "attention")


def opened(store: Store) -> Intent:
    """A coupon that the shop opened to everybody, waiting for a choice."""
    issue(store)
    Coupon.objects.update(emails=["nope"])
    intents.run_due()
    return Intent.objects.get()


def test_a_person_gives_the_coupon_up_and_whoever_waits_hears_of_it(store, sandbox):
    intents.choose(opened(store), intents.GIVE_UP, by="mara")
    assert (Coupon.objects.get().state, names(store)) == ("failed", ["coupon.failed"])
    told = Event.objects.get().payload
    assert (told["coupon"], told["source"]) == (Coupon.objects.get().pk, "reward:1")
    assert in_shop(sandbox) == []
    with pytest.raises(BusinessError) as refusal:
        intents.choose(Intent.objects.get(), intents.AGAIN, by="mara")
    assert refusal.value.code == "choice_gone"


def test_a_person_has_the_coupon_made_again_under_another_code(store, sandbox):
    intent = opened(store)
    before = Coupon.objects.get().code
    Coupon.objects.update(emails=["ana@example.com"])
    intents.choose(intent, intents.AGAIN, by="mara")
    intents.run_due()
    coupon = Coupon.objects.get()
    assert (coupon.state, coupon.code == before, names(store)) == ("live", False, ["coupon.issued"])
    assert [row["code"] for row in in_shop(sandbox)] == [coupon.code]


def test_a_person_takes_the_shops_coupon_as_it_is(store, sandbox):
    intents.choose(opened(store), intents.ACCEPT, by="mara")
    intents.run_due()
    coupon = Coupon.objects.get()
    (there,) = in_shop(sandbox)
    assert (coupon.state, coupon.woo_id, coupon.emails, names(store)) == ("live", there["id"], [], ["coupon.issued"])
    assert (Intent.objects.get().status, AuditEvent.objects.get().action) == ("confirmed", "write_back.accept")


def test_an_accepted_coupon_whose_answer_was_lost_is_told_of_once(store, sandbox):
    intents.choose(opened(store), intents.ACCEPT, by="mara")
    sandbox.fault("drop_after_commit", method="PUT", path="/coupons/")
    intents.run_due()
    clock.advance(timedelta(minutes=1))
    intents.run_due()
    assert (Coupon.objects.get().state, len(in_shop(sandbox)), names(store)) == ("live", 1, ["coupon.issued"])


def test_a_coupon_that_nobody_chose_about_is_given_up_after_three_days(store):
    opened(store)
    clock.advance(timedelta(days=2, hours=23))
    assert intents.tick_unanswered() == 0
    clock.advance(timedelta(hours=2))
    assert (intents.tick_unanswered(), Coupon.objects.get().state, names(store)) == (1, "failed", ["coupon.failed"])


def test_a_coupon_that_the_shop_refuses_has_failed(store, sandbox):
    coupon = issue(store)
    sandbox.fault(
        "status",
        method="POST",
        path="/coupons",
        status=400,
        body=json.dumps(
            {"code": "coupon_invalid_amount", "message": "Invalid discount amount.", "data": {"status": 400}}
        ),
        headers={"Content-Type": "application/json"},
    )
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, names(store)) == ("failed", ["coupon.failed"])
    assert coupon.reason
    assert in_shop(sandbox) == []


def test_the_mirror_meeting_our_coupon_first_makes_no_second_row(store, sandbox):
    coupon = issue(store)
    sandbox.fault("drop_after_commit", method="POST", path="/coupons")
    intents.run_due()
    apply(store, "coupon", client_for(store).get("coupons"), fetched_at=clock.now())
    assert Coupon.objects.count() == 1
    clock.advance(timedelta(minutes=1))
    intents.run_due()
    apply(store, "coupon", client_for(store).get("coupons"), fetched_at=clock.now())
    coupon.refresh_from_db()
    assert (Coupon.objects.count(), coupon.state, coupon.amount, coupon.emails) == (1, "live", 20, ["ana@example.com"])


def test_a_coupon_that_was_never_used_can_be_withdrawn(store, sandbox):
    coupon = issue(store)
    with pytest.raises(BusinessError):
        coupons.cancel(coupon)
    intents.run_due()
    coupon.refresh_from_db()
    coupons.cancel(coupon)
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, in_shop(sandbox)) == ("gone", [])


def test_a_used_coupon_is_not_withdrawn(store, sandbox):
    coupon = issue(store)
    intents.run_due()
    coupon.refresh_from_db()
    coupons.cancel(coupon)
    body = sandbox.get("coupon", coupon.woo_id or 0)
    assert body is not None
    sandbox.put("coupon", body | {"usage_count": 1, "used_by": ["ana@example.com"]})
    intents.run_due()
    coupon.refresh_from_db()
    assert (coupon.state, len(in_shop(sandbox))) == ("live", 1)
    Coupon.objects.update(usage_count=1)
    coupon.refresh_from_db()
    for act in (coupons.cancel, coupons.reissue):
        with pytest.raises(BusinessError) as refusal:
            act(coupon)
        assert refusal.value.code == "coupon_used"


def test_a_reissued_coupon_has_a_code_of_its_own_and_the_old_one_goes(store, sandbox):
    old = issue(store)
    intents.run_due()
    old.refresh_from_db()
    new = coupons.reissue(old)
    intents.run_due()
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, new.state, new.emails, new.amount) == ("gone", "live", old.emails, old.amount)
    assert [row["code"] for row in in_shop(sandbox)] == [new.code]


def test_a_coupon_is_expired_when_its_last_day_in_the_shops_zone_is_over(store):
    Coupon.objects.create(store=store, code="x", amount=1, state="live", expires_on=date(2026, 11, 24))
    clock.freeze(datetime(2026, 11, 24, 21, 59, tzinfo=UTC))
    assert coupons.tick_expiry() == 0
    clock.freeze(datetime(2026, 11, 24, 22, 1, tzinfo=UTC))
    assert coupons.tick_expiry() == 1
    assert Coupon.objects.get().state == "expired"


def test_the_link_to_the_checkout_needs_products_and_a_shop_that_knows_it(store):
    coupon = issue(store)
    assert coupons.checkout_link(store, coupon) == f"{store.base_url}/"
    assert coupons.checkout_link(store, coupon, products={7: 2}) == f"{store.base_url}/"
    store.capabilities = {"woo_version": "11.0.1"}
    assert (
        coupons.checkout_link(store, coupon, products={7: 2, 9: 1})
        == f"{store.base_url}/checkout-link/?products=7:2,9:1&coupon={coupon.code}"
    )


def test_codes_hold_at_least_sixty_bits():
    assert len(set(coupons.ALPHABET)) == len(coupons.ALPHABET) == 31
    assert 31**coupons.LENGTH > 2**60
    assert coupons.new_code("Thank You!").startswith("thank-you-")
