"""The points ledger: accounts with cached balances, awards with their targets, and entries that never change."""

from typing import Any

from django.db import models
from django.db.models import Q

from postpurchase import clock


class Account(models.Model):
    """A member's balance. `usable` and `pending` are caches over the entries, moved in the same transaction and audited.

    Written only by `loyalty.ledger`, under a lock on this row.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="loyalty_accounts")
    customer = models.OneToOneField("stores.Customer", models.PROTECT, related_name="loyalty_account")
    joined_at = models.DateTimeField(default=clock.now)
    usable = models.IntegerField(default=0)
    pending = models.IntegerField(default=0)
    link_version = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["store", "-usable"], name="account_usable")]

    def __str__(self) -> str:
        return f"{self.customer}: {self.usable} + {self.pending}"


class Award(models.Model):
    """What one subject (an order, a review) earns by one rule: the target, and what has been posted towards it.

    posted - owed = the last target. `owed` is what should have been taken back but was already spent and, by the
    programme's policy, was let go; a later rise of the target is set against it first.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        USABLE = "usable", "Usable"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="awards")
    account = models.ForeignKey(Account, models.PROTECT, related_name="awards")
    rule = models.ForeignKey("loyalty.EarnRule", models.PROTECT, related_name="awards")
    # "order:<id>" or "review:<id>"; the order is kept beside it where there is one.
    subject = models.CharField(max_length=60)
    order = models.ForeignKey("stores.Order", models.SET_NULL, null=True, blank=True, related_name="awards")
    target = models.PositiveIntegerField(default=0)
    posted = models.IntegerField(default=0)
    owed = models.PositiveIntegerField(default=0)
    entries_count = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    usable_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "rule"], name="award_once")]
        indexes = [models.Index(fields=["usable_at"], condition=Q(state="pending"), name="award_pending")]

    def __str__(self) -> str:
        return f"{self.subject}: {self.target}"


class Entry(models.Model):
    """One movement of points. Append only: neither this class nor the database lets it be changed.

    `key` says what it stands for and is unique in the store, so a repeat posts nothing. No names or addresses in it.
    """

    class Kind(models.TextChoices):
        EARNED = "earned", "Earned"
        TAKEN_BACK = "taken_back", "Taken back"
        REDEEMED = "redeemed", "Redeemed"
        RETURNED = "returned", "Returned"
        GIVEN = "given", "Given"
        ADJUSTED = "adjusted", "Corrected by hand"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="point_entries")
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries")
    # Entries of an award are pending while it is; entries without one are usable at once.
    award = models.ForeignKey(Award, models.PROTECT, null=True, blank=True, related_name="entries")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    points = models.IntegerField()
    key = models.CharField(max_length=160)
    reason = models.CharField(max_length=200)
    note = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey("stores.User", models.PROTECT, null=True, blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "key"], name="entry_key"),
            models.CheckConstraint(condition=~Q(points=0), name="entry_moves_something"),
        ]
        indexes = [
            models.Index(fields=["account", "-at"], name="entry_account"),
            models.Index(fields=["store", "-at"], name="entry_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.points:+d} {self.reason}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A ledger entry is never changed; post another one.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("A ledger entry is never deleted; post another one.")
