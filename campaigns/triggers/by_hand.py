"""Chosen by hand: a flow that a person starts for orders or customers of a list."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.models import Flow
from campaigns.triggers import entering
from campaigns.triggers.base import Occurrence
from campaigns.triggers.entering import Entering
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Order, User

MANUAL = "manual"
MOST, BATCH = 2000, 500


def start_for(flow: Flow, rows: QuerySet[Any], *, actor: User | str, batch: str) -> tuple[int, int]:
    """Start the flow for these orders or customers, whatever else starts it; (entered, chosen).

    Its condition and its re-entry rule hold as always. `batch` names the press of the button: the same again enters
    nobody. BusinessError `flow_off`, `flow_many`: nothing was changed.
    """
    if flow.live is None or flow.state == Flow.State.OFF:
        raise BusinessError(_("The flow is off, so nobody was taken in. Switch it on, then start it."), "flow_off")
    about_orders = rows.model is Order
    rows = rows.filter(store_id=flow.store_id)
    if about_orders:
        rows = rows.filter(customer__isnull=False)
    columns = ("pk", "customer_id") if about_orders else ("pk", "pk")
    chosen = list(rows.order_by("pk").values_list(*columns)[: MOST + 1])
    if len(chosen) > MOST:
        raise BusinessError(
            _(
                "More than %(n)d were chosen, so nobody was taken in. Choose fewer, or run the flow over past data, "
                "which takes people in little by little."
            )
            % {"n": MOST},
            "flow_many",
        )
    now = clock.now()
    kind = "order" if about_orders else "customer"
    moments = [
        Occurrence(
            now,
            f"{MANUAL}:{batch[:36]}:{kind}:{pk}",
            customer_id,
            pk if about_orders else None,
            name=MANUAL,
            about="order" if about_orders else "customer",
        )
        for pk, customer_id in chosen
    ]
    how = Entering(note={"by_hand": {"by": str(getattr(actor, "pk", actor))}}, due_at=now)
    entered = sum(entering.enter(flow, moments[n : n + BATCH], how=how) for n in range(0, len(moments), BATCH))
    audit.record(
        flow.store, "flow.by_hand", actor=actor, target=flow.slug, diff={"chosen": len(chosen), "entered": entered}
    )
    return entered, len(chosen)
