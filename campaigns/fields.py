"""What flows may ask about that needs both an order and what was sent for it; reviews registers its own fields."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q

from campaigns import rechecks
from campaigns.models import Message
from postpurchase import clock
from reviews import cases
from stores import conditions
from stores.conditions import Field, Subject
from stores.models import Order, Store

QUIET_AFTER_CASE = timedelta(days=7)


def _historic(subjects: Sequence[Subject]) -> list[Any]:
    """Known from the backfill, or older than the connection: nobody expects a message about such an order."""
    return [_is_historic(each.store, each.order) if each.order else None for each in subjects]


def _is_historic(store: Store, order: Order) -> bool:
    return order.historic or store.live_from is None or order.created_gmt < store.live_from


def _ask_again(subjects: Sequence[Subject]) -> list[Any]:
    """Asked, then a problem, which the customer says is solved, and not asked since."""
    orders = {each.order.pk for each in subjects if each.order}
    solved = cases.solved_at(orders)
    before: set[int] = set()
    since: set[int] = set()
    asks = Message.objects.filter(order_id__in=solved, purpose="review").filter(
        Q(accepted_at__isnull=False) | Q(status__in=rechecks.WAITING)
    )
    for order_id, accepted_at in asks.values_list("order_id", "accepted_at"):
        (before if accepted_at and accepted_at < solved[order_id] else since).add(order_id)
    return [each.order.pk in before - since if each.order else None for each in subjects]


def hold_for_cases(messages: Sequence[Message]) -> dict[int, str]:
    """Nothing is asked or advertised while something is wrong; an opinion not for 7 days after it was put right."""
    people = {each.customer_id for each in messages}
    open_, healing = cases.troubles(people, since=clock.now() - QUIET_AFTER_CASE)
    held = {}
    for each in messages:
        if each.customer_id in open_:
            held[each.pk] = "open case"
        elif each.purpose == "review" and each.order_id in healing:
            held[each.pk] = "a case was solved less than 7 days ago"
    return held


def register() -> None:
    """Called once at start."""
    conditions.register(Field("order.historic", "the order is older than the connection", "bool", _historic))
    conditions.register(Field("order.ask_again", "a problem was solved since the last question", "bool", _ask_again))
