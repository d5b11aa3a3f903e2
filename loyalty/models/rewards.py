"""What members redeemed."""

from django.db import models

from postpurchase import clock


class Redemption(models.Model):
    """Points turned into a coupon. Written by `loyalty.rewards`.

    making -> ready (the coupon is live in the store) -> used; or returned: it could not be made and the points are back.
    """

    class Status(models.TextChoices):
        MAKING = "making", "Being made"
        READY = "ready", "Ready"
        USED = "used", "Used"
        RETURNED = "returned", "Points returned"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="redemptions")
    account = models.ForeignKey("loyalty.Account", models.PROTECT, related_name="redemptions")
    reward = models.ForeignKey("loyalty.Reward", models.PROTECT, related_name="redemptions")
    coupon = models.OneToOneField("stores.Coupon", models.SET_NULL, null=True, blank=True, related_name="redemption")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.MAKING)
    # From the form that asked, so that a second press of the same button is the same redemption.
    key = models.CharField(max_length=80)
    points = models.PositiveIntegerField()
    reason = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="redemption_key")]
        indexes = [models.Index(fields=["store", "-at"], name="redemption_recent")]

    def __str__(self) -> str:
        return f"{self.reward} for {self.points}: {self.status}"
