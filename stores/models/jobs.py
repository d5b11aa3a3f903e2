"""Long work that a person started and may watch, stop and resume."""

from django.db import models

from postpurchase import clock
from postpurchase.due import DueRow


class Job(DueRow):
    """A long piece of work, done in slices. Written by `stores.jobs`.

    `cursor` is saved in the transaction of the rows it stands for, so that a killed slice is repeated at most once.
    """

    MAX_ATTEMPTS = 12

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=40)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    phase = models.CharField(max_length=80, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    rate = models.FloatField(default=0)
    # What `rate` and the time left are reckoned from: rows and seconds, weighted towards the last 20 and the last 5 steps.
    pace = models.JSONField(default=dict)
    last_item = models.CharField(max_length=200, blank=True)
    errors_count = models.PositiveIntegerField(default=0)
    error_file = models.FileField(upload_to="jobs/", blank=True)
    params = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    cursor = models.JSONField(default=dict)
    # Until then its slice may make a fourth call to the shop at once, and nobody else makes one; `stores.turns`.
    alone_until = models.DateTimeField(null=True, blank=True)
    started_by = models.ForeignKey("stores.User", models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="job_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
