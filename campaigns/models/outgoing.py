"""What flows send to others than shoppers: calls of a merchant's addresses, and mails to members of the team."""

from django.db import models

from campaigns.models.flows import Flow
from postpurchase import clock
from postpurchase.crypto import EncryptedTextField
from postpurchase.due import DueRow


class HookSecret(models.Model):
    """What a store's calls are signed with. Made with the first call, by `campaigns.hooks`; renewed on the page of calls."""

    store = models.OneToOneField("stores.Store", models.CASCADE, related_name="hook_secret")
    secret = EncryptedTextField()
    # Signed with as well until then, so that the other side can change over.
    earlier = EncryptedTextField(blank=True)
    earlier_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"secret of {self.store}"


class HookDelivery(DueRow):
    """One call of an address. Written by the engine (planning), then by `campaigns.hooks` alone.

    `body` is made at the first attempt and stays the same for all, `calls` is what came of each: [{"at", "status",
    "error", "ms", "answer"}, ...], the last ones.
    """

    MAX_ATTEMPTS = 10

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="hook_deliveries")
    flow = models.ForeignKey(Flow, models.SET_NULL, null=True, blank=True, related_name="hook_deliveries")
    enrolment = models.ForeignKey(
        "campaigns.Enrolment", models.SET_NULL, null=True, blank=True, related_name="hook_deliveries"
    )
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="+")
    order = models.ForeignKey("stores.Order", models.SET_NULL, null=True, blank=True, related_name="+")
    step = models.CharField(max_length=40)
    label = models.CharField(max_length=80, blank=True)
    # Addresses of hooks often are their own key.
    url = EncryptedTextField()
    host = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=clock.now)
    body = models.TextField(blank=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    calls = models.JSONField(default=list)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="hook_delivery_key")]
        indexes = [
            *DueRow.Meta.indexes,
            models.Index(fields=["store", "-created_at"], name="hook_delivery_recent"),
            models.Index(fields=["store", "state", "-created_at"], name="hook_delivery_state"),
        ]

    def __str__(self) -> str:
        return f"call of {self.host}"


class StaffNotice(DueRow):
    """One mail to members of the team. Written by the engine (planning), then by `campaigns.notices` alone."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="staff_notices")
    flow = models.ForeignKey(Flow, models.SET_NULL, null=True, blank=True, related_name="staff_notices")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="+")
    order = models.ForeignKey("stores.Order", models.SET_NULL, null=True, blank=True, related_name="+")
    step = models.CharField(max_length=40)
    roles = models.JSONField(default=list)
    subject = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now)
    # To whom it went; noted before each hand-over, so that nobody gets it twice.
    sent_to = models.JSONField(default=list)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="staff_notice_key")]

    def __str__(self) -> str:
        return self.subject
