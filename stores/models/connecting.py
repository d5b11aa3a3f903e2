"""A shop that is being connected by one approval in WooCommerce."""

from django.db import models

from postpurchase import clock
from postpurchase.crypto import EncryptedTextField


class ConnectAttempt(models.Model):
    """One approval that a person asked for. Written by `stores.approval`, thrown away when its time is over.

    The token that the shop gives back is known only as its hash, and so is the session in which the person began. Keys
    are held here only until they are proven.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for the shop"
        RECEIVED = "received", "Keys have come"
        PROVING = "proving", "Keys are being tried"
        DONE = "done", "Connected"
        DENIED = "denied", "Not approved"
        FAILED = "failed", "Keys did not prove good"

    token_hash = models.CharField(max_length=64, unique=True)
    session_hash = models.CharField(max_length=64)
    user = models.ForeignKey("stores.User", models.CASCADE, related_name="connect_attempts")
    # The store that is connected anew; of a new one None until it is there.
    store = models.ForeignKey("stores.Store", models.CASCADE, null=True, blank=True, related_name="connect_attempts")
    base_url = models.URLField(max_length=500)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    consumer_key = EncryptedTextField(blank=True)
    consumer_secret = EncryptedTextField(blank=True)
    problem = models.TextField(blank=True)
    # The checks made: the fields of `stores.woo.probe.Step`.
    steps = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now)
    returned_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.base_url}: {self.state}"
