"""What is thrown away by age, each minute, a little at a time."""

from datetime import timedelta

from postpurchase import clock
from stores import inbox
from stores.models import ConnectAttempt, Counter, Delivery, IdempotencyKey, RequestHour

IDEMPOTENCY_KEPT = timedelta(hours=24)
REQUESTS_KEPT = timedelta(days=8)
FAILED_TASKS_KEPT = timedelta(days=7)
AT_ONCE = 1000


def tidy() -> int:
    """Delete counters and approvals whose time is over, old deliveries, answers to repeated POSTs and failed wake-ups."""
    from django_q.models import Task

    now = clock.now()
    old = [
        ConnectAttempt.objects.filter(expires_at__lt=now),
        Counter.objects.filter(ends_at__lt=now),
        Delivery.objects.filter(received_at__lt=now - inbox.KEPT),
        IdempotencyKey.objects.filter(at__lt=now - IDEMPOTENCY_KEPT),
        RequestHour.objects.filter(hour__lt=now - REQUESTS_KEPT),
        Task.objects.filter(stopped__lt=now - FAILED_TASKS_KEPT),
    ]
    gone = 0
    for rows in old:
        keys = list(rows.values_list("pk", flat=True)[:AT_ONCE])
        if keys:
            gone += rows.model._default_manager.filter(pk__in=keys).delete()[0]
    return gone
