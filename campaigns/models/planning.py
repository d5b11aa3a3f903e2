"""Up to when time has been asked what it starts."""

from django.db import models

from postpurchase.due import DueRow


class TriggerPlan(DueRow):
    """The clock of a flow whose trigger is brought about by time. Written by `campaigns.triggers.planning`.

    `until` is the moment up to which everybody has entered; `begun_at` the moment from which the flow counts, before which
    nobody enters.
    """

    # It never gives up: a clock that stands still would be noticed by nobody. Tries are at most 15 minutes apart.
    MAX_ATTEMPTS = 30_000

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="trigger_plans")
    flow = models.OneToOneField("campaigns.Flow", models.CASCADE, related_name="plan")
    begun_at = models.DateTimeField()
    until = models.DateTimeField()

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="trigger_plan_key")]

    def __str__(self) -> str:
        return f"{self.flow} until {self.until}"
