"""Who did what, keys for machines, counters, and the worker's pulse."""

from django.db import models

from postpurchase import clock


class AuditEvent(models.Model):
    """An append-only record of what a person or a key did. Written by `stores.audit.record`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, null=True, blank=True, related_name="audit_events")
    user = models.ForeignKey("stores.User", models.SET_NULL, null=True, blank=True)
    actor = models.CharField(max_length=120)
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=120, blank=True)
    diff = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["store", "-at"], name="audit_recent")]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"


class ApiKey(models.Model):
    """A machine's key for one store: shown once, kept as SHA-256. Written by `stores.access`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"


class IdempotencyKey(models.Model):
    """The answer to a POST with an Idempotency-Key, kept for 24 hours. Written by the API."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="+")
    key = models.CharField(max_length=120)
    body_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="idempotency_key")]

    def __str__(self) -> str:
        return self.key


class Counter(models.Model):
    """An atomic counter for rate limits: one row per name and window. Written by `stores.limits`."""

    name = models.CharField(max_length=160, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.count}"


class Heartbeat(models.Model):
    """The last sign of life of a part of the machine ("worker", "tick"). Written by the worker."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"
