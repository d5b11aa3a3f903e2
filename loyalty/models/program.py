"""The programme of a store: how points are earned, what they are worth, what they buy."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models

from postpurchase import clock


class Program(models.Model):
    """The loyalty programme of one store. Written by `loyalty.programs`.

    Only orders paid at or after `started_at` earn; history does so only by an explicit, previewed act of the merchant.
    """

    store = models.OneToOneField("stores.Store", models.CASCADE, related_name="program")
    name = models.CharField(max_length=80)
    is_on = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    # Money that one point is worth when redeemed, in the store's currency: what the member page shows beside points.
    point_value = models.DecimalField(
        max_digits=9, decimal_places=4, default=Decimal("0.05"), validators=[MinValueValidator(Decimal("0.0001"))]
    )
    # Points wait this long after delivery (the return window) before they can be spent.
    pending_days = models.PositiveSmallIntegerField(default=14)
    # May a refund of points that were already spent push a balance below zero? Spending never may.
    allow_negative = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class EarnRule(models.Model):
    """One way to earn. Immutable: a change makes a new row with the next version and ends this one.

    So a refund takes back what was given at the rule of that day.
    """

    class Kind(models.TextChoices):
        ORDER = "order", "Points for what was paid"
        REVIEW = "review", "Points for a review, the same for any rating"

    program = models.ForeignKey(Program, models.CASCADE, related_name="earn_rules")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    version = models.PositiveIntegerField(default=1)
    # ORDER: points for each whole unit of currency paid for goods. REVIEW: points for each review.
    points = models.DecimalField(max_digits=9, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))])
    created_at = models.DateTimeField(default=clock.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["program", "kind", "version"], name="earn_rule_version"),
            models.UniqueConstraint(
                fields=["program", "kind"], condition=models.Q(ended_at=None), name="earn_rule_one_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} v{self.version}: {self.points:g}"


class Reward(models.Model):
    """What points buy: money off one order, as a single-use coupon of the store."""

    program = models.ForeignKey(Program, models.CASCADE, related_name="rewards")
    name = models.CharField(max_length=80)
    points = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    amount = models.DecimalField(max_digits=15, decimal_places=4, validators=[MinValueValidator(Decimal("0.01"))])
    minimum = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True)
    valid_days = models.PositiveSmallIntegerField(default=90)
    is_on = models.BooleanField(default=True)

    class Meta:
        ordering = ["points"]

    def __str__(self) -> str:
        return self.name
