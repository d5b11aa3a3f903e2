"""Counted links: where they lead, and who opened them."""

from django.db import models

from postpurchase import clock


class CountedLink(models.Model):
    """A link in a message that leads away from us. It redirects to `destination` and nowhere else."""

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="counted_links")
    message = models.ForeignKey("campaigns.Message", models.CASCADE, related_name="counted_links")
    place = models.CharField(max_length=40)
    destination = models.URLField(max_length=1000)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "place"], name="counted_link_place")]

    def __str__(self) -> str:
        return self.destination


class LinkVisit(models.Model):
    """One opening of a link; append only. Mail scanners open links too, hence `kind`; nobody reads the unclassified."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        MACHINE = "machine", "Machine"
        UNKNOWN = "unknown", "Not known"

    link = models.ForeignKey(CountedLink, models.CASCADE, related_name="visits")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.UNKNOWN)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["link", "at"], name="link_visit_at")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"
