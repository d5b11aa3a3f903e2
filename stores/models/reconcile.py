"""What the nightly comparison of mirror and shop found, and what it took for deleted."""

from django.db import models
from django.db.models import Q

from postpurchase import clock


class Reconciliation(models.Model):
    """One comparison of the mirror with the shop: how many differences, by cause. Written by `stores.sync.reconcile`.

    `causes` is {cause: number}; the causes are named in `stores.sync.reconcile.report`.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        ASKS = "asks", "Needs your answer"
        ANSWERED = "answered", "Answered"

    class Question(models.TextChoices):
        NONE = "", "None"
        MISSING = "missing", "More is missing than is plausible"
        IDENTITY = "identity", "It may be another shop"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="reconciliations")
    # The day in the store's zone on which it began.
    night = models.DateField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RUNNING)
    started_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    compared = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    causes = models.JSONField(default=dict)
    question = models.CharField(max_length=12, choices=Question.choices, default=Question.NONE, blank=True)
    # What the question is about: {"entity", "missing", "compared"} or {"reason"}.
    told = models.JSONField(default=dict)
    answer = models.CharField(max_length=12, blank=True)

    class Meta:
        indexes = [models.Index(fields=["store", "-started_at"], name="reconciliation_recent")]

    def __str__(self) -> str:
        return f"{self.night} {self.status}"


class Absence(models.Model):
    """An object of the mirror that the shop did not list: looked for by its id, and perhaps marked as deleted.

    What is marked can be undone for 30 days; what a person kept is not marked again.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "To be looked for"
        MISSING = "missing", "Not there"
        MARKED = "marked", "Marked as deleted"
        UNDONE = "undone", "Undone"
        KEPT = "kept", "Kept"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="absences")
    run = models.ForeignKey(Reconciliation, models.CASCADE, related_name="absences")
    entity = models.CharField(max_length=20)
    woo_id = models.BigIntegerField()
    label = models.CharField(max_length=200, blank=True)
    # Drafts and what lies in the trash end every day: they are no reason to ask.
    expected = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "entity", "woo_id"], name="absence_once")]
        indexes = [
            models.Index(fields=["store", "-at"], condition=Q(state__in=["marked", "undone"]), name="absence_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.label or self.woo_id}"
