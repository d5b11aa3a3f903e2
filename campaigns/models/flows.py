"""Flows, their frozen versions, and people on their way through them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from postpurchase import clock
from postpurchase.due import DueRow


class Flow(models.Model):
    """A named sequence of steps that an event starts. Written by `campaigns.flows`."""

    class Klass(models.TextChoices):
        TRANSACTIONAL = "T", _("Transactional")
        SERVICE = "S", _("Service")
        MARKETING = "M", _("Marketing")

    class State(models.TextChoices):
        OFF = "off", _("Off")
        REVIEW = "review", _("Review first")
        ON = "on", _("On")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="flows")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=120)
    # The library recipe it came from ("R06"); empty for a flow of the merchant's own.
    recipe = models.CharField(max_length=8, blank=True)
    klass = models.CharField(max_length=1, choices=Klass.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OFF)
    # The version that new people enter; those on their way finish the one they began.
    live = models.ForeignKey("FlowVersion", models.PROTECT, null=True, blank=True, related_name="+")
    # What is being edited: a flow file that may have faults. None when nothing differs from the live version.
    draft = models.JSONField(null=True, blank=True)
    # Counts the changes of the draft, so that of two tabs that edit it the second is told instead of overwriting.
    draft_token = models.PositiveIntegerField(default=0)
    # The draft before the last change, for Undo: {"draft", "said"}.
    undo = models.JSONField(null=True, blank=True)
    # A flow with history is put away instead of deleted; it is off then and not in lists.
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    edited_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "slug"], name="flow_slug")]

    def __str__(self) -> str:
        return self.name


class FlowVersion(models.Model):
    """One published state of a flow, never changed afterwards. `definition` is the flow file."""

    flow = models.ForeignKey(Flow, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    published_at = models.DateTimeField(default=clock.now)
    # An e-mail address, or the name of a command.
    published_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["flow", "number"], name="flow_version_number")]

    def __str__(self) -> str:
        return f"{self.flow} version {self.number}"


class Enrolment(DueRow):
    """One person in one flow. Written by `campaigns.triggers.entering` and by `campaigns.engine` (moving).

    `key` says for what the person entered (flow and order, customer or event) and is unique: a repeated event enrols
    nobody twice. `step` is the step to be done next; with `waiting` its wait has been reckoned and ends at `wait_until`.
    `due_at` may be earlier: somebody is woken to see whether an event that just came changes anything.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("In progress")
        FINISHED = "finished", _("Finished")
        LEFT = "left", _("Left early")
        FAILED = "failed", _("Failed")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="enrolments")
    flow = models.ForeignKey(Flow, models.CASCADE, related_name="enrolments")
    version = models.ForeignKey(FlowVersion, models.CASCADE, related_name="enrolments")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="enrolments")
    order = models.ForeignKey("stores.Order", models.CASCADE, null=True, blank=True, related_name="enrolments")
    # The line of the order that it is about, where the flow begins for each line.
    line = models.ForeignKey("stores.OrderLine", models.SET_NULL, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    reason = models.CharField(max_length=200, blank=True)
    step = models.CharField(max_length=40, blank=True)
    waiting = models.BooleanField(default=False)
    wait_until = models.DateTimeField(null=True, blank=True)
    # When an event about the person last came, by `campaigns.waking`.
    woken_at = models.DateTimeField(null=True, blank=True)
    # What started it ({"event", "event_key", "at", "payload"}; with "past" {"days"} where a person had the flow run over
    # past data, and "by_hand" where one was chosen by hand) and what steps leave for later ones ("coupon", ...).
    context = models.JSONField(default=dict)
    entered_at = models.DateTimeField(default=clock.now)

    class Meta(DueRow.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="enrolment_key")]
        indexes = [
            *DueRow.Meta.indexes,
            # One store after the other, when many people are due (`campaigns.turns`).
            models.Index(fields=["store", "priority", "due_at"], condition=Q(state="due"), name="enrolment_turn"),
            models.Index(fields=["flow", "status", "step"], name="enrolment_where"),
            models.Index(fields=["flow", "entered_at"], name="enrolment_entered"),
        ]

    def __str__(self) -> str:
        return f"{self.customer} in {self.flow}"


class StepRun(models.Model):
    """What one step did for one person. Written by `campaigns.engine`, with the progress itself."""

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        SKIPPED = "skipped", _("Skipped")
        YES = "yes", _("Yes")
        NO = "no", _("No")

    enrolment = models.ForeignKey(Enrolment, models.CASCADE, related_name="runs")
    step = models.CharField(max_length=40)
    kind = models.CharField(max_length=20)
    at = models.DateTimeField(default=clock.now)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.DONE)
    # Which way a split sent the person.
    lane = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["enrolment", "step"], name="step_run_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.step}: {self.outcome}"
