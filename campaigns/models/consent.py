"""Who may be written to about what. The log is the truth, `Consent` its present state."""

from django.db import models

from postpurchase import clock


class ConsentState(models.TextChoices):
    UNKNOWN = "", "Never asked"
    PENDING = "pending", "Asked, not confirmed"
    GRANTED = "granted", "Agreed"
    DENIED = "denied", "Refused"


class Consent(models.Model):
    """The present state for one person, channel and purpose. Written by `campaigns.consent` alone."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="consents")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10)
    purpose = models.CharField(max_length=12)
    state = models.CharField(max_length=8, choices=ConsentState.choices, default=ConsentState.UNKNOWN, blank=True)
    source = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField(null=True, blank=True)
    # No marketing before this moment, whatever the state says.
    paused_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "channel", "purpose"], name="consent_once")]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose}: {self.state or 'unknown'}"


class ConsentEvent(models.Model):
    """One change, never edited. `proof` says how it is known: the order's meta, the page's words, the file's row."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="consent_events")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="consent_events")
    channel = models.CharField(max_length=10)
    purpose = models.CharField(max_length=12)
    state = models.CharField(max_length=8)
    source = models.CharField(max_length=40)
    text_version = models.CharField(max_length=40, blank=True)
    country = models.CharField(max_length=2, blank=True)
    at = models.DateTimeField(default=clock.now)
    proof = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["customer", "-at"], name="consent_event_recent")]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose} {self.state} at {self.at}"


class Suppression(models.Model):
    """An address that gets nothing: it bounced, complained or was erased. Kept as a digest, so it survives erasure."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="suppressions")
    address_key = models.CharField(max_length=64)
    reason = models.CharField(max_length=40)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "address_key"], name="suppression_once")]

    def __str__(self) -> str:
        return f"{self.reason} at {self.at}"


class Preference(models.Model):
    """What a person chose beside consent. Written by `campaigns.preferences`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="+")
    customer = models.OneToOneField("stores.Customer", models.CASCADE, related_name="preference")
    language = models.CharField(max_length=8, blank=True)

    def __str__(self) -> str:
        return self.language
