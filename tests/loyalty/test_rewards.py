"""Redeeming: points are held, only a live coupon is shown, and points come back when it cannot be made."""

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty import ledger, programs, rewards
from loyalty.models import Account, Entry, Redemption, Reward
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events
from stores.models import Coupon, Intent, MessageRequest
from tests.factories import NOON, make_customer, make_store


@pytest.fixture
def reward(db):
    store = make_store()
    programs.start(store, actor="test")
    ledger.give(store, make_customer(store, email="ana@example.com"), points=250, key="gift", reason="Welcome")
    return Reward.objects.get()


@pytest.fixture
def account(reward):
    return Account.objects.get()


def usable():
    return Account.objects.get().usable


def test_redeeming_takes_points_and_asks_the_store_for_one_single_use_coupon(account, reward):
    with clock.frozen(NOON):
        redemption = rewards.redeem(account, reward=reward, key="press-1")
    coupon = redemption.coupon
    assert usable() == 50
    assert (redemption.status, coupon.state, coupon.usage_limit) == ("making", "pending", 1)
    assert (coupon.amount, coupon.emails) == (Decimal(10), ["ana@example.com"])
    assert coupon.expires_on == NOON.date() + timedelta(days=90)
    assert Intent.objects.get().subject_id == coupon.pk
    assert MessageRequest.objects.count() == 0


def test_a_second_press_of_the_same_button_redeems_nothing_more(account, reward):
    first = rewards.redeem(account, reward=reward, key="press-1")
    assert rewards.redeem(account, reward=reward, key="press-1") == first
    assert usable() == 50
    assert Coupon.objects.count() == 1


def test_too_few_points_leave_everything_as_it_was(account, reward):
    rewards.redeem(account, reward=reward, key="press-1")
    with pytest.raises(BusinessError) as refusal:
        rewards.redeem(account, reward=reward, key="press-2")
    assert refusal.value.code == "not_enough_points"
    assert (usable(), Redemption.objects.count(), Coupon.objects.count()) == (50, 1, 1)


def test_a_reward_that_is_off_or_of_another_store_is_refused(account, reward):
    foreign = programs.start(make_store(), actor="test").rewards.get()
    Reward.objects.filter(pk=reward.pk).update(is_on=False)
    reward.refresh_from_db()
    for refused in (reward, foreign):
        with pytest.raises(BusinessError) as refusal:
            rewards.redeem(account, reward=refused, key="press-1")
        assert refusal.value.code == "reward_off"
    assert usable() == 250


def dispatch(name, coupon):
    payload = {"coupon": coupon.pk, "code": coupon.code, "source": coupon.source}
    events.record(coupon.store, name, subject=coupon.pk, at=clock.now(), fact=str(clock.now()), payload=payload)
    events.dispatch()


def test_the_member_is_told_once_when_the_coupon_is_live(account, reward):
    coupon = rewards.redeem(account, reward=reward, key="press-1").coupon
    dispatch(events.COUPON_ISSUED, coupon)
    dispatch(events.COUPON_ISSUED, coupon)
    assert Redemption.objects.get().status == "ready"
    assert MessageRequest.objects.get().kind == "reward.ready"


def test_points_return_once_when_the_coupon_cannot_be_made(account, reward):
    coupon = rewards.redeem(account, reward=reward, key="press-1").coupon
    for _ in range(2):
        dispatch(events.COUPON_FAILED, coupon)
    assert usable() == 250
    assert [e.points for e in Entry.objects.order_by("pk")] == [250, -200, 200]
    assert Redemption.objects.get().status == "returned"
    assert ledger.check_balances() == []


def test_use_on_an_order_is_seen_and_a_cancelled_order_frees_it_again(account, reward):
    coupon = rewards.redeem(account, reward=reward, key="press-1").coupon
    dispatch(events.COUPON_ISSUED, coupon)
    dispatch(events.COUPON_USED, coupon)
    assert Redemption.objects.get().status == "used"
    dispatch(events.COUPON_RELEASED, coupon)
    assert Redemption.objects.get().status == "ready"


def test_changing_a_rule_makes_a_new_version_and_ends_the_old(reward):
    program = reward.program
    programs.set_rule(program, kind="order", points=Decimal(3), actor="test")
    programs.set_rule(program, kind="order", points=Decimal(3), actor="test")
    rules = list(program.earn_rules.filter(kind="order").order_by("version"))
    assert [(rule.version, rule.points, rule.ended_at is None) for rule in rules] == [(1, 1, False), (2, 3, True)]
    with pytest.raises(BusinessError):
        programs.set_rule(program, kind="order", points=Decimal(0), actor="test")
