"""The member page: what one has, what it buys, and how more is earned. Opened by a signed link, no login."""

import re
import secrets
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language

from loyalty import ledger, rewards
from loyalty.earning import live_rule
from loyalty.models import Account, Award, EarnRule, Program, Redemption, Reward
from postpurchase import money
from postpurchase.errors import BusinessError
from postpurchase.links import Link, LinkProblem
from stores import coupons, public


def _account(link: Link) -> Account:
    rows = Account.objects.select_related("store", "customer")
    account = public.find(rows, link)
    if account.customer.erased_at:
        raise LinkProblem
    return account


@public.shopper_page("l")
def member(request: HttpRequest, link: Link) -> HttpResponse:
    """GET shows. POST `reward` asks to confirm; POST `confirm` with the form's key redeems, once per key."""
    account = _account(link)
    program = Program.objects.filter(store=account.store).first()
    if program is None:
        raise LinkProblem
    if request.method == "POST":
        reward = program.rewards.filter(pk=_number(request.POST.get("reward")), is_on=True).first()
        if reward and "confirm" in request.POST:
            return _redeem(request, account, program, reward)
        if reward:
            return _show(request, account, program, chosen=reward)
    return _show(request, account, program)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 15 else 0


def _redeem(request: HttpRequest, account: Account, program: Program, reward: Reward) -> HttpResponse:
    key = request.POST.get("key", "")
    if not re.fullmatch(r"[0-9A-Za-z_-]{16,64}", key):
        return _show(request, account, program, chosen=reward)
    try:
        rewards.redeem(account, reward=reward, key=key)
    except BusinessError as refusal:
        account.refresh_from_db()
        return _show(request, account, program, refusal=refusal.message, status=409)
    return redirect(request.get_full_path())


def _show(
    request: HttpRequest,
    account: Account,
    program: Program,
    *,
    chosen: Reward | None = None,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    return public.page(
        request,
        "public/loyalty.html",
        _Shown(account, program, chosen, refusal).context(),
        store=account.store,
        customer=account.customer,
        status=status,
    )


class _Shown:
    """What the page shows of one account."""

    def __init__(self, account: Account, program: Program, chosen: Reward | None, refusal: str) -> None:
        self.account, self.program, self.chosen, self.refusal = account, program, chosen, refusal

    def amount(self, value: Any) -> str:
        return money.show(value, self.account.store.currency, get_language() or "en")

    def context(self) -> dict[str, Any]:
        account = self.account
        have = ledger.balance(account.customer)
        offers = list(self.program.rewards.filter(is_on=True)) if self.program.is_on else []
        reachable = [reward for reward in offers if reward.points <= account.usable]
        following = next((reward for reward in offers if reward.points > account.usable), None)
        best = reachable[-1] if reachable else None
        shown = self.chosen or best
        return {
            "account": account,
            "program": self.program,
            "worth": self.amount(have.money),
            "best": best,
            "best_amount": self.amount(shown.amount) if shown else "",
            "next": following,
            "next_amount": self.amount(following.amount) if following else "",
            "missing": following.points - max(account.usable, 0) if following else 0,
            "chosen": self.chosen,
            "left": account.usable - shown.points if shown else 0,
            "key": secrets.token_urlsafe(24),
            "refusal": self.refusal,
            "pending": list(
                Award.objects.filter(account=account, state=Award.State.PENDING, posted__gt=0)
                .select_related("order")
                .order_by("usable_at")[:10]
            ),
            "redemptions": [self.redemption(row) for row in self._redemptions()],
            "earn": live_rule(self.program, EarnRule.Kind.ORDER) if self.program.is_on else None,
            "earn_review": live_rule(self.program, EarnRule.Kind.REVIEW) if self.program.is_on else None,
            "entries": account.entries.order_by("-at")[:30],
            "currency": account.store.currency,
            "hundred": self.amount(100 * self.program.point_value),
        }

    def _redemptions(self) -> list[Redemption]:
        rows = self.account.redemptions.select_related("reward", "coupon").order_by("-at")
        return list(rows[:5])

    def redemption(self, row: Redemption) -> dict[str, Any]:
        """A redeemed reward; the code only once the store holds it as asked."""
        live = row.status == Redemption.Status.READY and row.coupon is not None
        return {
            "row": row,
            "amount": self.amount(row.reward.amount),
            "code": row.coupon.code if live and row.coupon else "",
            "until": row.coupon.expires_on if live and row.coupon else None,
            "shop_link": coupons.checkout_link(self.account.store, row.coupon) if live and row.coupon else "",
        }
