"""What messages say: a template has immutable versions, one line of them per language."""

from django.db import models

from campaigns.models.flows import Flow
from postpurchase import clock


class MessageTemplate(models.Model):
    """A message a store can send ("R01.thank_you"). Written by `campaigns.content`.

    `purpose` decides consent; `klass` is the class before the country of the recipient has its say.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="message_templates")
    name = models.CharField(max_length=60)
    klass = models.CharField(max_length=1, choices=Flow.Klass.choices)
    purpose = models.CharField(max_length=12)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="message_template_name")]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """One text in one language, compiled when saved and never changed afterwards; the newest of a language is sent.

    `html` and `text` are Liquid sources compiled from `blocks`; `campaigns.rendering` fills them at sending.
    """

    template = models.ForeignKey(MessageTemplate, models.CASCADE, related_name="versions")
    language = models.CharField(max_length=8)
    number = models.PositiveIntegerField()
    subject = models.CharField(max_length=255)
    preheader = models.CharField(max_length=255)
    blocks = models.JSONField(default=list)
    html = models.TextField()
    text = models.TextField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "language", "number"], name="template_version_number")
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.language} {self.number}"
