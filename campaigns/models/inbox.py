"""The local inbox: where mail goes on a development machine and in the demo."""

from django.db import models

from postpurchase import clock


class InboxMail(models.Model):
    """A mail that was not sent but kept here. Written by `campaigns.channels.inbox.InboxBackend`."""

    store = models.ForeignKey("stores.Store", models.CASCADE, null=True, blank=True, related_name="inbox_mails")
    to = models.CharField(max_length=320)
    sender = models.CharField(max_length=320)
    subject = models.CharField(max_length=998)
    headers = models.JSONField(default=list)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["store", "-at"], name="inbox_mail_recent")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.to}"
