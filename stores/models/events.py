"""Recorded facts, and their delivery to those who subscribed."""

from django.db import models

from postpurchase import clock
from postpurchase.due import DueRow


class Event(models.Model):
    """A fact about the shop. Written only by `stores.events.record`, in the transaction of the change itself."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="events")
    name = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=clock.now)
    historic = models.BooleanField(default=False)
    order = models.ForeignKey("stores.Order", models.SET_NULL, null=True, blank=True, related_name="events")
    customer = models.ForeignKey("stores.Customer", models.SET_NULL, null=True, blank=True, related_name="events")
    payload = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="event_key")]
        indexes = [
            models.Index(fields=["store", "name", "-at"], name="event_name"),
            models.Index(fields=["store", "-at"], name="event_recent"),
        ]

    def __str__(self) -> str:
        return self.key


class EventDelivery(DueRow):
    """One event for one subscriber. Written with the event; worked off by `stores.events.dispatch`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="event_deliveries")
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries")
    subscriber = models.CharField(max_length=60)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="event_delivery_key")]

    def __str__(self) -> str:
        return f"{self.event} to {self.subscriber}"
