"""How a lower app asks for a message to a person, without knowing who sends."""

from django.db import models

from postpurchase import clock


class MessageRequest(models.Model):
    """A message that an app asked for. Written by `stores.outgoing.request_message`; campaigns writes `state` back."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="message_requests")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="message_requests")
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=20, default="requested")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="message_request_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
