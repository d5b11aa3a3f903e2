"""Orders past their promise: the fact that bad news can be told from, recorded once an order."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from stores import events
from stores.events import Fact
from stores.models import Event, Shipment, Store
from stores.shipments import OFF

State = Shipment.State
# A promise older than this was broken so long ago that telling it now would only be noise.
LOOK_BACK = timedelta(days=30)
BATCH = 500


def tick_late(now: datetime) -> int:
    """Record `order.late` for orders with a parcel past the last promised day in the store's zone; how many.

    Who was promised nothing is never late. Days that ended before `store.live_from` are historic facts.
    """
    return sum(_of_store(store, now) for store in Store.objects.order_by("pk"))


def _of_store(store: Store, now: datetime) -> int:
    today = now.astimezone(store.tz).date()
    told = Event.objects.filter(store=store, name=events.ORDER_LATE, order=OuterRef("order"))
    parcels = (
        Shipment.objects.filter(
            store=store,
            promised_to__lt=today,
            promised_to__gte=today - LOOK_BACK,
            order__delivered_at=None,
            order__deleted_at=None,
        )
        .exclude(state__in=[State.DELIVERED, State.RETURNED])
        .exclude(order__status__in=OFF)
        .exclude(Exists(told))
        .order_by("promised_to")
        .values_list("order_id", "order__customer_id", "promised_to")[:BATCH]
    )
    facts: dict[int, Fact] = {}
    for order_id, customer_id, promised in parcels:
        if promised is None:
            continue
        # The promise broke when its last day was over.
        broke = datetime.combine(promised + timedelta(days=1), datetime.min.time(), store.tz)
        facts.setdefault(
            order_id,
            Fact(
                events.ORDER_LATE,
                order_id,
                broke,
                order_id=order_id,
                customer_id=customer_id,
                historic=store.live_from is None or broke < store.live_from,
                payload={"promised_to": promised.isoformat()},
            ),
        )
    return events.record_many(store, list(facts.values()))
