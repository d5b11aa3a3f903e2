"""How the link to a shop has fared."""

from django.db import models


class RequestHour(models.Model):
    """Requests to a shop in one hour, and its errors by class. Written by `stores.woo.counts`, kept for some days."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="request_hours")
    hour = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    transient = models.PositiveIntegerField(default=0)
    told_to_wait = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    permanent = models.PositiveIntegerField(default=0)
    # How long the shop asked for rest, in seconds, all requests together.
    told_seconds = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "hour"], name="request_hour_once")]

    def __str__(self) -> str:
        return f"{self.requests} in the hour from {self.hour}"
