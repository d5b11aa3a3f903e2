"""What messages say: a template has immutable versions, one line of them per language, and what is being edited."""

from django.db import models

from campaigns.models.flows import Flow
from postpurchase import clock


class MessageTemplate(models.Model):
    """A message a store can send ("R01.thank_you"). Written by `campaigns.content` and `campaigns.mail_drafts`.

    `purpose` decides consent; `klass` is the class before the country of the recipient has its say. `title` is what a
    person calls it; flows know it by `name`.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="message_templates")
    name = models.CharField(max_length=60)
    title = models.CharField(max_length=120, blank=True)
    klass = models.CharField(max_length=1, choices=Flow.Klass.choices)
    purpose = models.CharField(max_length=12)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "name"], name="message_template_name")]

    def __str__(self) -> str:
        return self.title or self.name.partition(".")[2].replace("_", " ").capitalize() or self.name


class TemplateVersion(models.Model):
    """One text in one language, compiled when saved and never changed afterwards; the newest of a language is sent.

    `html` and `text` are Liquid sources compiled from `blocks`; `campaigns.rendering` fills them at sending. `fallen`
    names the parts that stand in another language: "subject", "preheader" and ids of blocks. All languages that were
    put to use together have the same number.
    """

    template = models.ForeignKey(MessageTemplate, models.CASCADE, related_name="versions")
    language = models.CharField(max_length=8)
    number = models.PositiveIntegerField()
    subject = models.CharField(max_length=255)
    preheader = models.CharField(max_length=255)
    blocks = models.JSONField(default=list)
    fallen = models.JSONField(default=list)
    html = models.TextField()
    text = models.TextField()
    made_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "language", "number"], name="template_version_number")
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.language} {self.number}"


class TemplateDraft(models.Model):
    """What is being edited of a message, at most one. Written by `campaigns.mail_drafts`; nothing is sent from it.

    `content` is that of `campaigns.mail_parts`. Each save raises `revision`; a browser tab (`tab`) that knows neither
    the present revision nor wrote it last is refused, so that no tab undoes another's work unseen.
    """

    template = models.OneToOneField(MessageTemplate, models.CASCADE, related_name="draft")
    content = models.JSONField(default=dict)
    revision = models.PositiveIntegerField(default=1)
    tab = models.CharField(max_length=32, blank=True)
    saved_by = models.CharField(max_length=254, blank=True)
    saved_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return f"draft of {self.template}"
