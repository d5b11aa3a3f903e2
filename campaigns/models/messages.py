"""Messages: what was planned, sent or not sent, and why."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.flows import Flow
from postpurchase import clock
from postpurchase.due import DueRow


class Message(DueRow):
    """One message to one person. Written by the engine and by requests (planning), then by `campaigns.outbox` alone.

    `key` is flow, step and enrolment key, unique: the same step never writes twice to the same person for the same
    fact. `status` is what the merchant reads; `state` of the due row says only whether there is work to do.
    """

    class Status(models.TextChoices):
        PLANNED = "planned", _("Planned")
        HELD = "held", _("Waiting")
        APPROVAL = "approval", _("Needs approval")
        CLAIMED = "claimed", _("Sending")
        HANDING = "handing", _("Sending now")
        ACCEPTED = "accepted", _("Sent")
        RETRY = "retry", _("Retrying")
        UNKNOWN = "unknown", _("Unclear: may have been sent")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Skipped")
        EXPIRED = "expired", _("Too late")
        CANCELLED = "cancelled", _("Cancelled")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="messages")
    flow = models.ForeignKey(Flow, models.SET_NULL, null=True, blank=True, related_name="messages")
    enrolment = models.ForeignKey(
        "campaigns.Enrolment", models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    request = models.ForeignKey(
        "stores.MessageRequest", models.SET_NULL, null=True, blank=True, related_name="messages"
    )
    step = models.CharField(max_length=40, blank=True)
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="messages")
    order = models.ForeignKey("stores.Order", models.SET_NULL, null=True, blank=True, related_name="messages")
    channel = models.CharField(max_length=12, default="email")
    klass = models.CharField(max_length=1, choices=Flow.Klass.choices)
    # Why we write, for consent: order, service, review, survey, loyalty or marketing.
    purpose = models.CharField(max_length=12)
    # Name of the text ("R01.thank_you", "case.opened"), resolved when it is sent.
    template = models.CharField(max_length=80)
    # What the text may use beside store, customer and order.
    context = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PLANNED)
    # In the merchant's words, without the state before it: "order cancelled".
    reason = models.CharField(max_length=300, blank=True)
    # What was looked at before it was sent or not: [[passed, rule, what was seen], ...].
    trace = models.JSONField(default=list)
    created_at = models.DateTimeField(default=clock.now)
    planned_for = models.DateTimeField()
    # Waiting (a hold, quiet hours) may go on until then; later it is of no use to the person.
    useful_until = models.DateTimeField()
    # When it was to go, as holds that are no lateness (caps, quiet hours, an open case) have moved it; empty until then.
    owed_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    # A person pressed "send now": no cap, no quiet hours, no hold.
    pressed_at = models.DateTimeField(null=True, blank=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True)

    # As handed over.
    to = models.CharField(max_length=254, blank=True)
    language = models.CharField(max_length=8, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    handed_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=200, blank=True)
    provider_answer = models.TextField(blank=True)

    # Facts that came back, beside the state.
    delivered_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    complained_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="message_key")]
        indexes = [
            *DueRow.Meta.indexes,
            models.Index(fields=["store", "-planned_for"], name="message_recent"),
            models.Index(fields=["store", "status", "-planned_for"], name="message_status"),
            models.Index(fields=["store", "order"], condition=Q(order__isnull=False), name="message_order"),
            models.Index(fields=["store", "customer", "-planned_for"], name="message_customer"),
            models.Index(fields=["flow", "step", "status"], name="message_step"),
            # Letters that will be thrown away by age.
            models.Index(fields=["accepted_at"], condition=~Q(text=""), name="message_letters"),
        ]

    def __str__(self) -> str:
        return f"{self.template} to {self.customer}"

    @property
    def message_id(self) -> str:
        """The Message-ID header, fixed before the first attempt."""
        domain = (self.store.mail_from.partition("@")[2] or "postpurchase.invalid").strip()
        return f"<{self.uuid}@{domain}>"


class SentLedger(models.Model):
    """That a message with this key went out. Kept apart from `Message`, so that clearing the outbox sends nothing twice.

    Caps count here too. `sure` is False for one that may have gone out; only a person may send that again. A key
    "journal:<digest>" comes from the journal of a database that was lost.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="sent_ledger")
    key = models.CharField(max_length=200)
    at = models.DateTimeField(default=clock.now)
    sure = models.BooleanField(default=True)
    customer = models.ForeignKey("stores.Customer", models.SET_NULL, null=True, blank=True, related_name="+")
    flow = models.ForeignKey(Flow, models.SET_NULL, null=True, blank=True, related_name="+")
    # The class that counts in the person's country: for caps.
    klass = models.CharField(max_length=1, choices=Flow.Klass.choices, blank=True)
    purpose = models.CharField(max_length=12, blank=True)
    channel = models.CharField(max_length=12, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="sent_ledger_key")]
        indexes = [
            models.Index(fields=["customer", "-at"], name="sent_ledger_customer"),
            models.Index(fields=["store", "-at"], name="sent_ledger_recent"),
        ]

    def __str__(self) -> str:
        return self.key
