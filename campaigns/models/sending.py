"""How much a shop sends, when, and what stops it."""

import uuid
from datetime import time

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from postpurchase import clock


class SendingRules(models.Model):
    """A shop's caps, hours and catch-up rate. Written by the Sending settings page; a shop without a row has these defaults."""

    store = models.OneToOneField("stores.Store", models.CASCADE, related_name="sending_rules")
    marketing_per_week = models.PositiveSmallIntegerField(default=2, validators=[MaxValueValidator(14)])
    marketing_per_day = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(5)]
    )
    # Between two questions for an opinion (review, survey) to one person.
    ask_gap_hours = models.PositiveSmallIntegerField(default=72, validators=[MaxValueValidator(720)])
    # E-mails that nobody waits for; then SMS, WhatsApp and push. In the recipient's zone.
    day_from = models.TimeField(default=time(8))
    day_to = models.TimeField(default=time(20))
    loud_from = models.TimeField(default=time(9))
    loud_to = models.TimeField(default=time(20))
    # Of what is more than an hour late, at most so many messages leave in a minute.
    catch_up_per_minute = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1), MaxValueValidator(6000)]
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(day_from__lt=models.F("day_to"), loud_from__lt=models.F("loud_to")), name="sending_hours"
            )
        ]

    def __str__(self) -> str:
        return f"{self.marketing_per_week} a week, {self.day_from:%H:%M} to {self.day_to:%H:%M}"


class SendingHold(models.Model):
    """Sending that a guard or a person stopped, for one shop or (no store) for all. Written by `campaigns.guards`."""

    class Kind(models.TextChoices):
        PAUSED = "paused", _("paused by the operator")
        FLOOD = "flood", _("far more than usual is due")
        CLOCK = "clock", _("the clock has moved")
        RESTORE = "restore", _("the database is older than what was sent")

    # These stop everything, the others marketing alone.
    STOPS_ALL = frozenset({Kind.PAUSED, Kind.RESTORE})

    store = models.ForeignKey("stores.Store", models.CASCADE, null=True, blank=True, related_name="sending_holds")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # What was seen: {"due": 900, "usual": 12}, {"minutes": 62}, {"marked": 14}.
    seen = models.JSONField(default=dict)
    since = models.DateTimeField(default=clock.now)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "kind"], condition=Q(released_at=None, store__isnull=False), name="sending_hold_store"
            ),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(released_at=None, store__isnull=True), name="sending_hold_all"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.store or 'all'} since {self.since}"


class MailAccount(models.Model):
    """How a shop's mail account fares: the breaker. Written by `campaigns.breaker`; suppresses nobody."""

    store = models.OneToOneField("stores.Store", models.CASCADE, related_name="mail_account")
    # Refusals in a row that were not about one recipient alone, and until when nothing is handed over.
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    # busy or account, and what the other side said.
    kind = models.CharField(max_length=8, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.failures} refusals, closed until {self.open_until}" if self.open_until else "accepts"


class Journal(models.Model):
    """How far this database knows the journal of what was handed over. Written by `campaigns.journal`.

    The row without a host names the installation: a copy of the database keeps the name, a new database has its own.
    """

    host = models.CharField(max_length=120, unique=True)
    installation = models.UUIDField(default=uuid.uuid4)
    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.host or 'installation'} at {self.position}"
