"""What flows may ask about that needs both an order and what was sent for it; reviews registers its own fields."""

from collections.abc import Callable
from typing import Any

from django.db.models import BooleanField, CharField, DateTimeField, Exists, F, Max, OuterRef, Q, Subquery, Value
from django.utils.translation import gettext_lazy as _

from campaigns import rechecks
from campaigns.models import Consent, Message
from campaigns.models.consent import ConsentState
from reviews.models import Case
from stores import conditions
from stores.conditions import Field, Scope
from stores.conditions.expressions import count_of, yes_no
from stores.models import Store


def _historic(scope: Scope) -> Any:
    """Known from the backfill, or older than the connection: nobody expects a message about such an order."""
    if scope.store.live_from is None:
        return Value(True, output_field=BooleanField())
    return yes_no(Q(historic=True) | Q(created_gmt__lt=scope.store.live_from))


def _ask_again(scope: Scope) -> Any:
    """Asked, then a problem, which the customer says is solved, and not asked since."""
    solved = (
        Case.objects.filter(order=OuterRef("order"), state=Case.State.CONFIRMED)
        .order_by()
        .values("order")
        .annotate(last=Max("confirmed_at"))
        .values("last")
    )
    asks = (
        Message.objects.filter(store=scope.store, order=OuterRef("pk"), purpose="review")
        .filter(Q(accepted_at__isnull=False) | Q(status__in=rechecks.WAITING))
        .annotate(solved=Subquery(solved, output_field=DateTimeField()))
    )
    since = Q(accepted_at__isnull=True) | Q(accepted_at__gte=F("solved"))
    return yes_no(Q(Exists(asks.filter(accepted_at__lt=F("solved")))) & ~Q(Exists(asks.filter(since))))


def _consent(purpose: str) -> Callable[[Scope], Any]:
    """The person's own word for mail; NULL where nothing was ever said."""

    def own_word(scope: Scope) -> Any:
        found = Consent.objects.filter(
            store=scope.store, customer=OuterRef("pk"), channel="email", purpose=purpose
        ).exclude(state=ConsentState.UNKNOWN)
        return Subquery(found.values("state")[:1], output_field=CharField())

    return own_word


def _sent(scope: Scope) -> Any:
    return Message.objects.filter(store=scope.store, customer=OuterRef("pk"), accepted_at__isnull=False)


def _latest(column: str, **only: Any) -> Callable[[Scope], Any]:
    def latest(scope: Scope) -> Any:
        found = _sent(scope).filter(**only).order_by().values("customer").annotate(last=Max(column)).values("last")
        return Subquery(found, output_field=DateTimeField())

    return latest


_MESSAGES, _CONSENT = _("Messages"), _("Consent")
# In the order and with the words of the preferences page.
_PURPOSES = {
    "marketing": _("the customer's word on offers and news"),
    "review": _("the customer's word on being asked for reviews"),
    "survey": _("the customer's word on surveys"),
    "loyalty": _("the customer's word on messages about points"),
    "service": _("the customer's word on tips and help"),
}


def _consent_choices(store: Store) -> list[tuple[str, Any]]:
    return [(str(state), state.label) for state in ConsentState if state]


def register() -> None:
    """Called once at start."""
    for purpose, label in _PURPOSES.items():
        conditions.register(
            Field(
                f"customer.consent_{purpose}",
                label,
                "choice",
                sql=_consent(purpose),
                choices=_consent_choices,
                group=_CONSENT,
                help=_("By email. The law of the person's country is looked at again before each message."),
            )
        )
    for field in [
        Field("order.historic", _("the order is older than the connection"), "bool", sql=_historic, group=_("Order")),
        Field(
            "order.ask_again",
            _("a problem was solved since the last question"),
            "bool",
            sql=_ask_again,
            group=_("Reviews"),
        ),
        Field(
            "customer.messages_count",
            _("how many messages the customer got"),
            "number",
            sql=lambda scope: count_of(_sent(scope).filter(scope.during("accepted_at")), "customer"),
            timed=True,
            group=_MESSAGES,
        ),
        Field(
            "customer.last_message_at",
            _("the last message to the customer"),
            "moment",
            sql=_latest("accepted_at"),
            group=_MESSAGES,
        ),
        Field(
            "customer.last_marketing_at",
            _("the last marketing message to the customer"),
            "moment",
            sql=_latest("accepted_at", klass="M"),
            group=_MESSAGES,
        ),
        Field(
            "customer.last_click_at",
            _("the customer's last click in a message"),
            "moment",
            sql=_latest("clicked_at"),
            group=_MESSAGES,
        ),
    ]:
        conditions.register(field)
