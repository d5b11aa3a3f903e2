"""Write-backs: what we want the shop to hold, asked for before it is done."""

import uuid

from django.db import models
from django.db.models import Q

from postpurchase import clock
from postpurchase.due import WRITE_BACK, DueRow


class Intent(DueRow):
    """One wanted effect in the shop, with a natural key that the shop can be asked for before every attempt.

    planned -> sent -> confirmed | failed | attention. `kind` names the handler (`coupon.create`, `review.publish`),
    registered with `stores.intents.register`; `ref` is written into the shop's meta_data as `_postpurchase_ref`.
    """

    class Status(models.TextChoices):
        PLANNED = "planned", "Waiting"
        SENT = "sent", "Sent, not yet proven"
        CONFIRMED = "confirmed", "Done"
        FAILED = "failed", "Failed"
        ATTENTION = "attention", "Needs attention"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="intents")
    kind = models.CharField(max_length=40)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PLANNED)
    ref = models.UUIDField(default=uuid.uuid4, unique=True)
    # The row that wants it, such as a coupon's or a review's id.
    subject_id = models.BigIntegerField()
    # What a person knows that row by: an order's number, a coupon's code.
    about = models.CharField(max_length=120, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)
    params = models.JSONField(default=dict)
    result = models.JSONField(default=dict)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="intent_key")]
        indexes = [
            *DueRow.Meta.indexes,
            models.Index(fields=["store", "-created_at"], name="intent_recent"),
            models.Index(fields=["store", "kind", "subject_id"], name="intent_subject"),
            models.Index(
                fields=["store", "status"], condition=Q(status__in=["failed", "attention"]), name="intent_wrong"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

    def save(self, *args: object, **kwargs: object) -> None:
        if self._state.adding:
            self.priority = WRITE_BACK
        super().save(*args, **kwargs)  # type: ignore[arg-type]
