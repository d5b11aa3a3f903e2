"""Messages that the apps below asked for: from request to message."""

from campaigns import content
from campaigns.models import Message
from campaigns.steps.send_email import USEFUL_FOR
from postpurchase import clock, queue
from postpurchase.due import MARKETING, TRANSACTIONAL
from postpurchase.errors import BusinessError
from stores import events
from stores.models import Event, MessageRequest, Order


def subscribe() -> None:
    """Listen to requests; called once at start."""
    events.subscribe(events.MESSAGE_REQUESTED, "campaigns.requests", plan)


def plan(event: Event) -> None:
    """Plan the message of a request, once. Its kind is the name of its text, which knows class and purpose.

    A kind without a text is told to the asking app on its request.
    """
    request = MessageRequest.objects.select_related("store", "customer").get(pk=int(event.key.rsplit(":", 1)[1]))
    try:
        template = content.of(request.store, request.kind)
    except BusinessError as refusal:
        request.state, request.reason = Message.Status.FAILED, refusal.message
        request.save(update_fields=["state", "reason"])
        return
    now = clock.now()
    order_id = request.payload.get("order")
    _, new = Message.objects.get_or_create(
        store=request.store,
        key=f"request:{request.key}"[:200],
        defaults={
            "request": request,
            "customer": request.customer,
            "order": Order.objects.filter(store=request.store, pk=order_id).first() if order_id else None,
            "klass": template.klass,
            "purpose": template.purpose,
            "template": template.name,
            "context": {
                name: request.payload[key]
                for key, name in (("coupon", "coupon_id"), ("review_request", "review_request_id"))
                if request.payload.get(key)
            },
            "priority": TRANSACTIONAL if template.klass == "T" else MARKETING,
            "planned_for": now,
            "due_at": now,
            "useful_until": now + USEFUL_FOR[template.klass],
        },
    )
    if new:
        request.state = Message.Status.PLANNED
        request.save(update_fields=["state"])
        queue.wake()
