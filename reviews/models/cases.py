"""Help cases: something is wrong with an order, and somebody puts it right."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from postpurchase import clock


class Case(models.Model):
    """A shopper's call for help about an order. Written by `reviews.cases`.

    resolved is what we think, confirmed what the shopper says. While a case is open nothing is advertised and no
    review asked for.
    """

    class Kind(models.TextChoices):
        DAMAGED = "damaged", _("Damaged or broken")
        WRONG_ITEM = "wrong_item", _("Wrong item")
        MISSING = "missing", _("Something is missing")
        NOT_ARRIVED = "not_arrived", _("Not arrived")
        RETURN = "return", _("I want to return it")
        QUESTION = "question", _("A question")

    class Wish(models.TextChoices):
        REPLACEMENT = "replacement", _("A replacement")
        REFUND = "refund", _("A refund")
        ADVICE = "advice", _("Advice")

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        RESOLVED = "resolved", _("Resolved")
        CONFIRMED = "confirmed", _("Confirmed solved")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="cases")
    order = models.ForeignKey("stores.Order", models.CASCADE, related_name="cases")
    customer = models.ForeignKey("stores.Customer", models.CASCADE, related_name="cases")
    # Made with the form, so that the same form sent twice opens one case.
    key = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    wish = models.CharField(max_length=12, choices=Wish.choices, blank=True)
    # The shop's ids of the order lines it is about; empty means the whole order.
    line_ids = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    language = models.CharField(max_length=8, blank=True)
    opened_at = models.DateTimeField(default=clock.now)
    # How often we thought it solved; each time is a fact of its own.
    resolutions = models.PositiveSmallIntegerField(default=0)
    resolved_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="case_key")]
        indexes = [
            models.Index(fields=["store", "state", "-opened_at"], name="case_state"),
            models.Index(fields=["customer"], condition=Q(state="open"), name="case_open_customer"),
            models.Index(fields=["order"], condition=Q(state="open"), name="case_open_order"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What shopper and shop call it: H-1042."""
        return f"H-{1000 + self.pk}"


class CaseMessage(models.Model):
    """One thing said in a case. Written by `reviews.cases`."""

    class Author(models.TextChoices):
        SHOPPER = "shopper", _("Customer")
        SHOP = "shop", _("Shop")

    case = models.ForeignKey(Case, models.CASCADE, related_name="messages")
    author = models.CharField(max_length=8, choices=Author.choices)
    # The member who wrote it; empty for the shopper.
    by = models.CharField(max_length=120, blank=True)
    text = models.TextField()
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.author} in {self.case}"
