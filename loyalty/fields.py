"""What may be asked about points and rewards."""

from typing import Any

from django.db.models import DateTimeField, Exists, F, IntegerField, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from loyalty.models import Account, Redemption, Reward
from stores import conditions
from stores.conditions import Field, Scope
from stores.conditions.expressions import count_of, yes_no

_LOYALTY = _("Loyalty")


def _account(scope: Scope) -> Any:
    return Account.objects.filter(store=scope.store, customer=OuterRef("pk"))


def _of_account(column: str, output: Any) -> Any:
    """A column of the person's account; NULL for who is no member."""
    return lambda scope: Subquery(_account(scope).values(column)[:1], output_field=output)


def _reachable(scope: Scope) -> Any:
    """Enough usable points for a reward of a programme that is on."""
    offered = Reward.objects.filter(
        program__store=scope.store, program__is_on=True, is_on=True, points__lte=OuterRef("usable")
    )
    return yes_no(Exists(_account(scope).filter(Exists(offered))))


def _redeemed(scope: Scope) -> Any:
    return (
        Redemption.objects.filter(scope.during("at"), store=scope.store, account__customer=OuterRef("pk"))
        .exclude(status=Redemption.Status.RETURNED)
        .annotate(who=F("account__customer"))
    )


def _waiting(scope: Scope) -> Any:
    ready = Redemption.objects.filter(
        store=scope.store, account__customer=OuterRef("pk"), status=Redemption.Status.READY
    )
    return yes_no(Exists(ready))


def _newest(scope: Scope) -> Any:
    return Subquery(_redeemed(scope).order_by("-at", "-pk").values("at")[:1], output_field=DateTimeField())


def register() -> None:
    """Called once at start."""
    for field in [
        Field(
            "customer.member",
            _("the customer is a member"),
            "bool",
            sql=lambda scope: yes_no(Q(Exists(_account(scope)))),
            group=_LOYALTY,
        ),
        Field(
            "customer.member_since",
            _("the customer became a member"),
            "moment",
            sql=_of_account("joined_at", DateTimeField()),
            group=_LOYALTY,
        ),
        Field(
            "customer.points",
            _("the customer's usable points"),
            "number",
            sql=_of_account("usable", IntegerField()),
            group=_LOYALTY,
            help=_("Not known of who is no member."),
        ),
        Field(
            "customer.points_pending",
            _("the customer's pending points"),
            "number",
            sql=_of_account("pending", IntegerField()),
            group=_LOYALTY,
        ),
        Field(
            "customer.reward_reachable",
            _("the customer has enough points for a reward"),
            "bool",
            sql=_reachable,
            group=_LOYALTY,
        ),
        Field(
            "customer.reward_unused",
            _("the customer has a reward that is not used yet"),
            "bool",
            sql=_waiting,
            group=_LOYALTY,
        ),
        Field(
            "customer.rewards_count",
            _("how many rewards the customer took"),
            "number",
            sql=lambda scope: count_of(_redeemed(scope), "who"),
            timed=True,
            group=_LOYALTY,
        ),
        Field("customer.last_reward_at", _("the customer's last reward"), "moment", sql=_newest, group=_LOYALTY),
    ]:
        conditions.register(field)
