"""After a stop, what is late leaves little by little: at most so many messages a minute for each store."""

from datetime import datetime, timedelta

from campaigns.models import Message, SendingRules, SentLedger

LATE_FROM = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
USUAL = 60


class Pace:
    """How many late messages of one store may still leave in this minute, and when the next ones may."""

    def __init__(self, store_id: int, rules: SendingRules | None, *, now: datetime) -> None:
        self.now = now
        self.rate = rules.catch_up_per_minute if rules else USUAL
        in_hand = (Message.Status.CLAIMED, Message.Status.HANDING)
        went = SentLedger.objects.filter(store_id=store_id, at__gt=now - MINUTE, at__lte=now).count()
        went += Message.objects.filter(store_id=store_id, status__in=in_hand).count()
        self.free = max(self.rate - went, 0)
        self.queued = Message.objects.filter(
            store_id=store_id, status=Message.Status.HELD, error_code="turn", due_at__gt=now
        ).count()

    def turn(self) -> datetime | None:
        """When the next late message may leave; None for now."""
        return None if self.free else self.now + MINUTE * (1 + self.queued // self.rate)

    def took(self) -> None:
        """One left."""
        self.free = max(self.free - 1, 0)

    def queue(self) -> None:
        """One was put off to its turn."""
        self.queued += 1


def is_late(message: Message, *, now: datetime) -> bool:
    """Whether it belongs to what is caught up with, rather than to what is due as usual."""
    return not message.pressed_at and now - (message.owed_at or message.planned_for) > LATE_FROM
