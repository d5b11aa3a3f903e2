"""Segments: groups of customers by a condition, who is in them since when, and how large they were."""

from django.db import models
from django.db.models import Q

from postpurchase import clock


class Segment(models.Model):
    """A named condition over the store's customers. Written by `stores.segments` alone.

    `slug` is what conditions of flows and of other segments name, so it stays when the name changes.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="segments")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60)
    conditions = models.JSONField()
    # For a ready-made one: which, and how its numbers were chosen when it was made.
    preset = models.CharField(max_length=20, blank=True)
    why = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now)
    changed_at = models.DateTimeField(default=clock.now)
    # When members were last brought up to date; None: never since the condition was written.
    filled_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "slug"], name="segment_slug")]
        indexes = [models.Index(fields=["filled_at"], name="segment_filled")]

    def __str__(self) -> str:
        return self.name


class SegmentStay(models.Model):
    """One stay of a person in a segment. `quiet`: was in when the condition was written, so nobody entered."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="stays")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="segment_stays")
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    quiet = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "customer"], condition=Q(left_at__isnull=True), name="segment_stay_once"
            )
        ]
        indexes = [
            models.Index(fields=["segment", "entered_at"], name="segment_stay_entered"),
            models.Index(fields=["segment", "left_at"], name="segment_stay_left"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} in {self.segment_id} since {self.entered_at}"


class SegmentDay(models.Model):
    """How many were in a segment at the end of a day of the store; today's row moves until then."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="days")
    day = models.DateField()
    size = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["segment", "day"], name="segment_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.size}"
