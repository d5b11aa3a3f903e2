"""Turning points into a coupon: points are held, the coupon is asked for, and only a live coupon is shown.

One transaction takes the points, writes the redemption and a pending coupon with its write-back. If the store cannot make
it, the points come back.
"""

from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from loyalty import ledger
from loyalty.models import Account, Redemption, Reward
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import coupons, events, outgoing
from stores.models import Coupon


def redeem(account: Account, *, reward: Reward, key: str) -> Redemption:
    """Redeem one reward. The same key (one press of a button) redeems once, whatever repeats it.

    Raises BusinessError (`reward_off`, `not_enough_points`, or what the coupon's writer refuses); then nothing was taken.
    """
    with ledger.locked(account) as held:
        known = Redemption.objects.filter(store=held.store, key=key).first()
        if known:
            return known
        if reward.program.store_id != held.store_id or not reward.is_on or not reward.program.is_on:
            raise BusinessError(_("This reward is not available now. Your points are as they were."), "reward_off")
        redemption = Redemption.objects.create(
            store=held.store, account=held, reward=reward, key=key, points=reward.points
        )
        ledger.spend(held, points=reward.points, key=f"redeem:{redemption.pk}", reason=reward.name)
        today = clock.now().astimezone(held.store.tz).date()
        redemption.coupon = coupons.issue(
            held.store,
            source=f"reward:{redemption.pk}",
            amount=reward.amount,
            customer=held.customer,
            emails=[held.customer.email],
            expires_on=today + timedelta(days=reward.valid_days),
            minimum=reward.minimum,
        )
        redemption.save(update_fields=["coupon"])
        events.record(
            held.store,
            events.REWARD_REDEEMED,
            subject=redemption.pk,
            at=clock.now(),
            customer=held.customer,
            payload={"points": reward.points, "reward": reward.pk},
        )
    return redemption


def _of(coupon: Coupon) -> Redemption | None:
    return Redemption.objects.select_related("account__customer", "reward", "store").filter(coupon=coupon).first()


def coupon_is_live(coupon: Coupon) -> None:
    """The store holds it as asked: now the member may see the code, and is told."""
    redemption = _of(coupon)
    if redemption is None:
        return
    with transaction.atomic():
        changed = Redemption.objects.filter(pk=redemption.pk, status=Redemption.Status.MAKING).update(
            status=Redemption.Status.READY
        )
        if changed:
            outgoing.request_message(
                redemption.store,
                kind="reward.ready",
                customer=redemption.account.customer,
                key=f"reward.ready:{redemption.pk}",
                payload={"coupon": coupon.pk},
            )


def coupon_failed(coupon: Coupon) -> None:
    """It could not be made as asked: the points return, once."""
    redemption = _of(coupon)
    if redemption is None:
        return
    with ledger.locked(redemption.account) as account:
        changed = Redemption.objects.filter(pk=redemption.pk, status=Redemption.Status.MAKING).update(
            status=Redemption.Status.RETURNED, reason=coupon.reason[:300]
        )
        if changed:
            ledger.give_back(
                account,
                points=redemption.points,
                key=f"redeem:{redemption.pk}:back",
                reason=_("%(reward)s could not be made") % {"reward": redemption.reward.name},
            )


def coupon_used(coupon: Coupon, *, used: bool) -> None:
    """It was used on an order, or that order was cancelled and it is free again."""
    before, after = Redemption.Status.READY, Redemption.Status.USED
    if not used:
        before, after = after, before
    Redemption.objects.filter(coupon=coupon, status=before).update(status=after)
