"""What arrives and what is to be fetched: webhook endpoints, raw deliveries, fetch tasks, cursors, quarantine."""

import secrets

from django.db import models

from postpurchase import clock
from postpurchase.crypto import EncryptedBytesField, EncryptedTextField
from postpurchase.due import DueRow


def new_token() -> str:
    """An unguessable endpoint token (192 bits)."""
    return secrets.token_urlsafe(24)


class WebhookEndpoint(models.Model):
    """One webhook in the shop, with a token and secret of its own. Written by `stores.hooks`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="webhooks")
    token = models.CharField(max_length=40, unique=True, default=new_token)
    secret = EncryptedTextField()
    topic = models.CharField(max_length=40)
    woo_id = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=12, default="active")
    last_at = models.DateTimeField(null=True, blank=True)
    refused = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "topic"], name="webhook_topic")]

    def __str__(self) -> str:
        return self.topic


class Delivery(DueRow):
    """A signed webhook delivery, kept raw. Written by the receiving view, worked off by `stores.inbox`.

    `key` is endpoint, delivery id and body hash: the shop's delivery id alone is not unique.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    received_at = models.DateTimeField(default=clock.now)
    topic = models.CharField(max_length=40)
    resource_id = models.BigIntegerField(null=True, blank=True)
    body = EncryptedBytesField(blank=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="delivery_key")]
        indexes = [*DueRow.Meta.indexes, models.Index(fields=["store", "-received_at"], name="delivery_recent")]

    def __str__(self) -> str:
        return f"{self.topic} {self.resource_id}"


class SyncTask(DueRow):
    """One fetch to be made: an object by id, or a poll of a whole entity. Written by inbox, poll schedule and apply.

    `key` is `<entity>:<woo id>` or `poll:<entity>`, so a burst of hints is one fetch.
    """

    MAX_ATTEMPTS = 12

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="sync_tasks")
    entity = models.CharField(max_length=20)
    woo_id = models.BigIntegerField(null=True, blank=True)
    params = models.JSONField(default=dict)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="sync_task_key")]

    def __str__(self) -> str:
        return self.key


class SyncCursor(models.Model):
    """How far the poll of one entity has come: the largest modification time committed. Moves with its rows."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="cursors")
    entity = models.CharField(max_length=20)
    cursor_gmt = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    polled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "entity"], name="cursor_entity")]

    def __str__(self) -> str:
        return f"{self.entity} to {self.cursor_gmt}"


class Quarantined(models.Model):
    """An object that could not be read. Kept with its reason, shown on the System page, tried again by itself.

    `raw` is what came; with `by_shop` nothing came, because the shop itself fails on this object.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="quarantine")
    entity = models.CharField(max_length=20)
    woo_id = models.BigIntegerField(null=True, blank=True)
    reason = models.TextField()
    raw = models.JSONField(default=dict)
    first_at = models.DateTimeField(default=clock.now)
    last_at = models.DateTimeField(default=clock.now)
    times = models.PositiveIntegerField(default=1)
    by_shop = models.BooleanField(default=False)
    # How often it was asked for again, and when it will be; null when it has no id to ask for.
    retries = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    solved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "entity", "woo_id"], name="quarantine_object")]

    def __str__(self) -> str:
        return f"{self.entity} {self.woo_id}: {self.reason}"
