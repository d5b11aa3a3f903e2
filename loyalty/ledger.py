"""The points ledger. Every movement goes through here, under a lock on the account, with its cache moved beside it.

Awards are posted as the difference to a target: whatever order in which refunds, edits, deletions and repeats arrive, the
sum of an award's entries ends at what its order earns now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Case, F, IntegerField, Sum, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from loyalty.models import Account, Award, EarnRule, Entry, Program
from postpurchase import clock
from postpurchase.errors import BusinessError
from postpurchase.money import quantise
from stores import audit, events
from stores.models import Customer, Order, Store, User


@dataclass(frozen=True)
class Balance:
    """What a member has: points that can be spent, points that still wait, and the money that the former are worth."""

    usable: int
    pending: int
    money: Decimal
    currency: str


def open_account(customer: Customer) -> Account:
    """The customer's account, opened at the first call."""
    account, _new = Account.objects.get_or_create(customer=customer, defaults={"store": customer.store})
    return account


def balance(customer: Customer) -> Balance:
    """What the customer has now; zeros for somebody without an account."""
    account = Account.objects.filter(customer=customer).first()
    program = Program.objects.filter(store=customer.store).first()
    usable, pending = (account.usable, account.pending) if account else (0, 0)
    worth = quantise(max(usable, 0) * program.point_value, customer.store.currency) if program else Decimal(0)
    return Balance(usable, pending, worth, customer.store.currency)


@contextmanager
def locked(account: Account) -> Iterator[Account]:
    """A transaction in which nobody else moves this account (on SQLite the one write lock does it)."""
    with transaction.atomic():
        yield Account.objects.select_for_update(of=("self",)).select_related("store", "customer").get(pk=account.pk)


def _post(
    account: Account,
    *,
    kind: str,
    points: int,
    key: str,
    reason: str,
    award: Award | None = None,
    note: str = "",
    by: User | None = None,
) -> Entry:
    """Append one entry and move the cache. Inside `locked` only."""
    entry = Entry.objects.create(
        store=account.store,
        account=account,
        award=award,
        kind=kind,
        points=points,
        key=key,
        reason=reason,
        note=note,
        by=by,
    )
    bucket = "pending" if award and award.state == Award.State.PENDING else "usable"
    setattr(account, bucket, getattr(account, bucket) + points)
    account.save(update_fields=[bucket])
    return entry


def post_target(
    account: Account,
    rule: EarnRule,
    *,
    subject: str,
    target: int,
    usable_at: datetime,
    reason: str,
    order: Order | None = None,
) -> Entry | None:
    """Bring what the subject earned by this rule to `target` points; the new entry, or None when it stands there already.

    The first call fixes nothing but the rule; `usable_at` may move while the award is pending (delivery came later).
    What would have to be taken back but is already spent is let go, unless the programme allows a negative balance.
    """
    if target < 0:
        raise ValueError("an award's target is never negative")
    with locked(account) as held:
        award, _new = Award.objects.select_for_update(of=("self",)).get_or_create(
            subject=subject,
            rule=rule,
            defaults={"store": held.store, "account": held, "order": order, "usable_at": usable_at},
        )
        delta = target - (award.posted - award.owed)
        award.target = target
        if award.state == Award.State.PENDING:
            award.usable_at = usable_at
        points = _within_policy(held, award, rule.program, delta)
        award.posted += points
        award.entries_count += bool(points)
        award.save()
        if not points:
            return None
        entry = _post(
            held,
            kind=Entry.Kind.EARNED if points > 0 else Entry.Kind.TAKEN_BACK,
            points=points,
            key=f"award:{subject}:{rule.pk}:{award.entries_count}",
            reason=reason,
            award=award,
        )
        events.record(
            held.store,
            events.POINTS_EARNED if points > 0 else events.POINTS_TAKEN_BACK,
            subject=entry.pk,
            at=entry.at,
            order=order,
            customer=held.customer,
            payload={"points": points, "usable_at": award.usable_at.isoformat()},
        )
        return entry


def _within_policy(account: Account, award: Award, program: Program, delta: int) -> int:
    """How much of `delta` to post now; keeps `award.owed` in step."""
    if delta >= 0:
        settled = min(award.owed, delta)
        award.owed -= settled
        return delta - settled
    if program.allow_negative or award.state == Award.State.PENDING:
        return delta
    possible = min(-delta, max(account.usable, 0))
    award.owed += -delta - possible
    return -possible


def spend(account: Account, *, points: int, key: str, reason: str) -> Entry:
    """Take points that can be spent. Inside `locked`; the balance never goes below zero by it.

    Raises BusinessError `not_enough_points`; then nothing was taken.
    """
    if points <= 0:
        raise ValueError("spend a positive number of points")
    if account.usable < points:
        raise BusinessError(
            _("There are %(have)d points to spend and this needs %(need)d. Nothing was taken.")
            % {"have": max(account.usable, 0), "need": points},
            "not_enough_points",
        )
    return _post(account, kind=Entry.Kind.REDEEMED, points=-points, key=key, reason=reason)


def give_back(account: Account, *, points: int, key: str, reason: str) -> Entry | None:
    """Return points that were spent on what could not be made; once per key. Inside `locked`."""
    if Entry.objects.filter(store=account.store, key=key).exists():
        return None
    return _post(account, kind=Entry.Kind.RETURNED, points=points, key=key, reason=reason)


def give(store: Store, customer: Customer, *, points: int, key: str, reason: str) -> Entry | None:
    """Give points that can be spent at once (a flow's step, a gesture); once per key."""
    if points <= 0:
        raise ValueError("give a positive number of points")
    if customer.store_id != store.pk:
        raise ValueError("the customer is of another store")
    with locked(open_account(customer)) as account:
        if Entry.objects.filter(store=store, key=key).exists():
            return None
        entry = _post(account, kind=Entry.Kind.GIVEN, points=points, key=key, reason=reason)
        events.record(
            store,
            events.POINTS_EARNED,
            subject=entry.pk,
            at=entry.at,
            customer=customer,
            payload={"points": points, "usable_at": entry.at.isoformat()},
        )
        return entry


def adjust(account: Account, *, points: int, note: str, by: User, key: str) -> Entry:
    """A correction by hand, either way, with a note. BusinessError without a note, or when it would go below zero."""
    # PostgreSQL takes no NUL in a text.
    note, key = note.replace("\x00", ""), key.replace("\x00", "")
    if not note.strip():
        raise BusinessError("A correction needs a note that says why. Nothing was changed.", "note_needed")
    if points == 0:
        raise BusinessError("A correction of 0 points changes nothing. Enter another number.", "zero_points")
    with locked(account) as held:
        done = Entry.objects.filter(store=held.store, key=f"adjust:{key}").first()
        if done:
            return done
        if held.usable + points < 0:
            raise BusinessError(
                f"This would leave {held.usable + points} points. Nothing was changed; take at most {held.usable}.",
                "below_zero",
            )
        entry = _post(
            held,
            kind=Entry.Kind.ADJUSTED,
            points=points,
            key=f"adjust:{key}",
            reason="Corrected by hand",
            note=note.strip()[:200],
            by=by,
        )
        audit.record(held.store, "ledger.adjust", actor=by, target=f"account {held.pk}", diff={"points": points})
        return entry


def make_usable(limit: int = 500) -> int:
    """Awards whose wait is over become usable; how many did."""
    due = list(
        Award.objects.filter(state=Award.State.PENDING, usable_at__lte=clock.now())
        .select_related("account")
        .order_by("usable_at")[:limit]
    )
    for award in due:
        with locked(award.account) as account:
            changed = Award.objects.filter(pk=award.pk, state=Award.State.PENDING, usable_at__lte=clock.now()).update(
                state=Award.State.USABLE
            )
            if not changed:
                continue
            award.refresh_from_db()
            account.pending -= award.posted
            account.usable += award.posted
            account.save(update_fields=["pending", "usable"])
            if award.posted > 0:
                events.record(
                    account.store,
                    events.POINTS_USABLE,
                    subject=award.pk,
                    at=clock.now(),
                    order=award.order,
                    customer=account.customer,
                    payload={"points": award.posted},
                )
    return len(due)


@dataclass(frozen=True)
class Finding:
    """An account whose cache differs from its entries."""

    account: Account
    usable: int
    pending: int


def check_balances(store: Store | None = None) -> list[Finding]:
    """The audit: recompute every balance from the entries in one query; those that differ, changing nothing."""
    pending = Case(When(entries__award__state=Award.State.PENDING, then=F("entries__points")), default=Value(0))
    usable = Case(When(entries__award__state=Award.State.PENDING, then=Value(0)), default=F("entries__points"))
    accounts = Account.objects.annotate(
        true_pending=Coalesce(Sum(pending, output_field=IntegerField()), 0),
        true_usable=Coalesce(Sum(usable, output_field=IntegerField()), 0),
    ).select_related("customer", "store")
    if store is not None:
        accounts = accounts.filter(store=store)
    wrong = accounts.exclude(usable=F("true_usable"), pending=F("true_pending"))
    return [Finding(account, account.true_usable, account.true_pending) for account in wrong]


def check_awards(store: Store | None = None) -> list[Award]:
    """The other half of the audit: awards whose entries do not sum to what they say was posted, or miss the target."""
    awards = Award.objects.annotate(total=Coalesce(Sum("entries__points"), 0)).select_related("account")
    if store is not None:
        awards = awards.filter(store=store)
    return list(awards.exclude(total=F("posted"), target=F("posted") - F("owed")))
