"""What dry runs found, kept small."""

from django.db import models
from django.db.models import Q

from postpurchase import clock


class DryRun(models.Model):
    """The newest dry run of a flow, of a flow's draft, or of a recipe of the library. Written by `campaigns.simulation`.

    `result` is a `simulation.report.Report` as JSON: numbers and reasons, nobody's name. `digest` is that of the flow file
    it was made with: when the flow has changed since, the page says so.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="dry_runs")
    flow = models.ForeignKey("campaigns.Flow", models.CASCADE, null=True, blank=True, related_name="dry_runs")
    draft = models.BooleanField(default=False)
    recipe = models.CharField(max_length=8, blank=True)
    digest = models.CharField(max_length=64)
    days = models.PositiveSmallIntegerField()
    result = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["flow", "draft"], condition=Q(flow__isnull=False), name="dry_run_of_flow"),
            models.UniqueConstraint(fields=["store", "recipe"], condition=~Q(recipe=""), name="dry_run_of_recipe"),
        ]

    def __str__(self) -> str:
        return f"dry run of {self.flow or self.recipe}, {self.days} days"
