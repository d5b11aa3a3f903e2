"""Write-backs into the shop: an intent row first, a look before every attempt, a comparison before it counts.

A kind of write-back registers a `WriteBack`. The engine claims the intent, looks its natural key up in the shop, creates
only what is not there, reads it back, and lets the kind settle it in one transaction with the end of the intent. So a
connection that drops after the shop has committed, or a process that dies there, never makes a second one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from postpurchase import clock, due, killpoints, queue
from postpurchase.errors import BusinessError
from stores import audit, turns
from stores.models import Intent, Store, User
from stores.sync import health
from stores.woo import counts
from stores.woo.errors import Blocked, Invalid, KeysRefused, Missing, ToldToWait, Unreachable, WooError

if TYPE_CHECKING:
    from stores.woo.client import Client

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=300)
# Rows in one call at most: WooCommerce takes 100, but some hosts end a call that takes long.
BATCH = 25
# The error code of an answer that nobody foresaw: the fault of one object, not of the shop.
ODD = "failed"


class Attention(Exception):
    """What is in the shop is not what was asked for; a person must choose. Raised by `find`, or by `settle` after it
    recorded so."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WriteBack:
    """How one kind of object gets into the shop."""

    # How long a person may take to choose before the wish is given up; None for as long as it takes.
    patience: timedelta | None = None

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        """The object in the shop that is this intent's, by natural key and our mark; None when it is not there.

        Raises Invalid when the key is taken by something that is not ours and no other key can be chosen, Attention
        when somebody changed the object meanwhile and it is not ours to overwrite.
        """
        raise NotImplementedError

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        """Ask the shop to make it. Returns the object as the shop holds it after being read back."""
        raise NotImplementedError

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        """In a transaction: compare with what was asked and record the success. Raises Attention when it differs."""
        raise NotImplementedError

    def fail(self, intent: Intent, reason: str) -> None:
        """In a transaction: it cannot be made; give back what was held for it."""

    def choices(self, intent: Intent) -> frozenset[str]:
        """What a person may do with it now. It asks no database, because lists call it for each row."""
        if intent.status == Intent.Status.ATTENTION:
            return frozenset({AGAIN, ACCEPT, GIVE_UP})
        return frozenset({AGAIN}) if intent.status == Intent.Status.FAILED else frozenset()

    def again(self, intent: Intent) -> None:
        """In a transaction: a person wants another try. May change the intent's `params`."""

    def accept(self, intent: Intent) -> bool:
        """In a transaction: what the shop has is to count. True when the shop has to be asked for that once more; it may
        change the intent's `params` for it."""
        return False


@runtime_checkable
class Batches(Protocol):
    """A write-back that can make several of a store in one call."""

    def create_many(self, client: "Client", asked: Sequence[Intent]) -> dict[int, dict[str, Any]]:
        """Ask the shop for all of them, none of which was found. What became of each, by the intent's id and as the shop
        holds it; those without a clear answer are left out. Raises as `create` does."""
        ...


AGAIN, ACCEPT, GIVE_UP = "again", "accept", "give_up"


@dataclass(frozen=True)
class Kind:
    """A registered kind: its handler, its words, and who may choose about it. `address(intent)` is the page of what it
    is about, without asking a database; "" for none."""

    write_back: WriteBack
    label: Any
    permission: str
    address: Callable[[Intent], str]


_kinds: dict[str, Kind] = {}


def _nowhere(intent: Intent) -> str:
    return ""


def register(
    kind: str, write_back: WriteBack, *, label: Any, permission: str, address: Callable[[Intent], str] = _nowhere
) -> None:
    """Name the handler of a kind of write-back; called from `AppConfig.ready()`."""
    _kinds[kind] = Kind(write_back, label, permission, address)


def kind_of(intent: Intent) -> Kind:
    """How this intent's kind was registered."""
    return _kinds[intent.kind]


def kinds() -> dict[str, Kind]:
    """All kinds by name."""
    return dict(_kinds)


def plan(
    store: Store, kind: str, *, key: str, subject_id: int, about: str = "", params: dict[str, Any] | None = None
) -> Intent:
    """Ask for one effect in the shop, in the present transaction. The same key asks only once.

    `about` is what a person knows the object by: an order's number, a coupon's code.
    """
    if kind not in _kinds:
        raise ValueError(f"no write-back is registered as {kind!r}")
    given = {"kind": kind, "subject_id": subject_id, "about": about[:120], "params": params or {}}
    intent, new = Intent.objects.get_or_create(store=store, key=key, defaults=given)
    if new:
        queue.wake("sync")
    return intent


def run_due(budget_seconds: float = 20.0) -> int:
    """Work off due write-backs within the budget; how many were tried. Each store in turn, one call at a time for each."""
    from stores.woo.client import client_for

    ends = clock.monotonic() + budget_seconds
    tried = 0
    for intent in turns.in_turn(Intent, lease=LEASE, where=health.may_ask()):
        group = [intent, *_companions(intent)]
        if len(group) > 1:
            _attempt_many(client_for(intent.store), group)
        else:
            _attempt(client_for(intent.store), intent)
        tried += len(group)
        if clock.monotonic() >= ends:
            break
    counts.flush()
    return tried


def choose(intent: Intent, choice: str, *, by: User | str) -> Intent:
    """A person chooses what becomes of a write-back that failed or came out otherwise: again, accept or give_up.

    Raises BusinessError `choice_gone` when that can no longer be chosen; then nothing was changed.
    """
    with transaction.atomic():
        intent = Intent.objects.select_for_update(of=("self",)).select_related("store").get(pk=intent.pk)
        kind = kind_of(intent).write_back
        if choice not in kind.choices(intent):
            raise BusinessError(
                _("This was settled meanwhile, so there is nothing to choose. Nothing was changed. Look at its state."),
                "choice_gone",
            )
        audit.record(intent.store, f"write_back.{choice}", actor=by, target=f"{intent.kind} {intent.subject_id}")
        if choice == GIVE_UP:
            Intent.objects.filter(pk=intent.pk).update(status=Intent.Status.FAILED)
            kind.fail(intent, intent.error)
        elif choice == ACCEPT and not kind.accept(intent):
            Intent.objects.filter(pk=intent.pk).update(
                status=Intent.Status.CONFIRMED, state=due.State.DONE, error="", error_code=""
            )
        else:
            if choice == AGAIN:
                kind.again(intent)
            intent.status, intent.state, intent.due_at = Intent.Status.PLANNED, due.State.DUE, clock.now()
            intent.attempts, intent.error, intent.error_code, intent.finished_at = 0, "", "", None
            intent.save()
            queue.wake("sync")
    intent.refresh_from_db()
    return intent


def waiting_for_choice(store: Store) -> int:
    """How many write-backs of the store wait for a person."""
    return Intent.objects.filter(store=store, status=Intent.Status.ATTENTION).count()


def tick_unanswered() -> int:
    """Each minute: what waited for a choice for longer than its kind's patience is given up; how many were."""
    done = 0
    for name, kind in _kinds.items():
        if kind.write_back.patience is None:
            continue
        late = Intent.objects.filter(
            kind=name, status=Intent.Status.ATTENTION, finished_at__lt=clock.now() - kind.write_back.patience
        )
        for intent in late[:100]:
            choose(intent, GIVE_UP, by="nobody chose in time")
            done += 1
    return done


def end_crashed() -> int:
    """Each minute: a write-back given up because its worker died too often gives back what was held for it."""
    crashed = Intent.objects.filter(state=due.State.DEAD, error_code="crash_loop").exclude(
        status__in=[Intent.Status.CONFIRMED, Intent.Status.FAILED, Intent.Status.ATTENTION]
    )
    rows = list(crashed.select_related("store")[:100])
    for intent in rows:
        _give_up(_kinds[intent.kind].write_back, intent, WooError(intent.error, code=intent.error_code))
    return len(rows)


def _companions(intent: Intent) -> list[Intent]:
    """Further due rows of the store that go into one call with this one; the store's turn is held by it already."""
    if not isinstance(kind_of(intent).write_back, Batches):
        return []
    where = Q(store_id=intent.store_id, kind=intent.kind) & health.may_ask()
    return due.claim(Intent, limit=BATCH - 1, lease=LEASE, where=where)


def _attempt(client: "Client", intent: Intent) -> None:
    kind = kind_of(intent).write_back

    def act() -> dict[str, Any]:
        body = kind.find(client, intent)
        health.answered(intent.store)
        if body is None:
            _note_sent([intent])
            killpoints.reach(f"{intent.kind}.sending")
            body = kind.create(client, intent)
            killpoints.reach(f"{intent.kind}.created")
        return body

    body = _guarded(kind, intent, act)
    if body is not None:
        killpoints.reach(f"{intent.kind}.read")
        _settle(kind, intent, body)


def _attempt_many(client: "Client", group: list[Intent]) -> None:
    """One call for what is not there yet; whatever the answer leaves unclear is looked up and made alone."""
    kind = kind_of(group[0]).write_back
    absent: list[Intent] = []
    for place, intent in enumerate(group):
        body = _guarded(kind, intent, lambda one=intent: kind.find(client, one) or {})  # type: ignore[misc]
        if body:
            _settle(kind, intent, body)
        elif body is not None:
            absent.append(intent)
        elif intent.state == due.State.DUE and intent.error_code != ODD:
            # The shop is in trouble: the others of the group come back with this one, without having lost an attempt.
            _come_back([*absent, *group[place + 1 :]], intent.due_at)
            return
    if not absent:
        return
    health.answered(group[0].store)
    _note_sent(absent)
    killpoints.reach(f"{absent[0].kind}.sending")
    made = _made(client, kind, absent)
    if made is None:
        return
    killpoints.reach(f"{absent[0].kind}.created")
    for intent in absent:
        if intent.pk in made:
            _settle(kind, intent, made[intent.pk])
        else:
            _attempt(client, intent)


def _made(client: "Client", kind: WriteBack, absent: list[Intent]) -> dict[int, dict[str, Any]] | None:
    """What the common call made; nothing when the shop refused it as a whole, None when it is to be tried later."""
    if len(absent) == 1:
        return {}
    assert isinstance(kind, Batches)
    try:
        return kind.create_many(client, absent)
    except (Invalid, Missing) as error:
        log.info("the shop refused a batch (%s); each is made alone", error.code)
        return {}
    except Exception as error:
        # Kept outside the closure, because Python unbinds the name at the end of the clause.
        problem = error

    def act() -> dict[str, Any]:
        raise problem

    first, *others = absent
    _guarded(kind, first, act)
    _come_back(others, max(first.due_at, clock.now() + due.backoff(1)))
    return None


def _come_back(rows: list[Intent], at: datetime) -> None:
    for intent in rows:
        due.postpone(intent, at)


def _note_sent(rows: list[Intent]) -> None:
    for intent in rows:
        Intent.objects.filter(pk=intent.pk, lease_token=intent.lease_token).update(status=Intent.Status.SENT)


def _guarded(kind: WriteBack, intent: Intent, act: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What `act` brings; None when it failed, and then the intent's state says how it goes on."""
    try:
        return act()
    except Attention as problem:
        if due.finish(intent):
            Intent.objects.filter(pk=intent.pk).update(status=Intent.Status.ATTENTION, error=problem.reason)
            intent.refresh_from_db()
    except ToldToWait as wait:
        health.failed(intent.store, wait)
        due.postpone(intent, clock.now() + timedelta(seconds=wait.seconds))
        Intent.objects.filter(pk=intent.pk).update(error=wait.message, error_code="told_to_wait")
        intent.error_code = "told_to_wait"
    except (Unreachable, Blocked) as error:
        if _holds(intent, error):
            return None
        due.retry(intent, clock.now() + due.backoff(intent.attempts), error.message, code=error.code or "unreachable")
        if intent.state == due.State.DEAD:
            _give_up(kind, intent, error)
    except KeysRefused as error:
        # A person has to mend the keys; until then the wish is kept, not failed.
        if _holds(intent, error):
            return None
        due.retry(intent, clock.now() + timedelta(minutes=15), error.message, code="keys_refused")
        if intent.state == due.State.DEAD:
            _give_up(kind, intent, error)
    except (Invalid, Missing) as error:
        due.give_up(intent, error.message, code=error.code)
        _give_up(kind, intent, error)
    except Exception as error:
        # One answer that nobody foresaw must not hold up the others of the claim.
        log.exception("write-back %s (%s) failed", intent.pk, intent.kind)
        due.retry(intent, clock.now() + due.backoff(intent.attempts), f"{type(error).__name__}: {error}", code=ODD)
        if intent.state == due.State.DEAD:
            _give_up(kind, intent, WooError("The shop's answer could not be understood.", code=ODD))
    return None


def _holds(intent: Intent, error: WooError) -> bool:
    """Count a failure of the shop; when it holds the store, the wish waits for the shop without losing an attempt."""
    health.failed(intent.store, error)
    if not health.is_held(intent.store):
        return False
    due.postpone(intent, clock.now() + health.retry_in(intent.store))
    intent.error_code = error.code or "unreachable"
    Intent.objects.filter(pk=intent.pk).update(error=error.message, error_code=intent.error_code)
    return True


def _settle(kind: WriteBack, intent: Intent, body: dict[str, Any]) -> None:
    with transaction.atomic():
        status, reason = Intent.Status.CONFIRMED, ""
        try:
            kind.settle(intent, body)
        except Attention as problem:
            status, reason = Intent.Status.ATTENTION, problem.reason
        if not due.finish(intent):
            transaction.set_rollback(True)
            return
        Intent.objects.filter(pk=intent.pk).update(status=status, error=reason, result={"id": body.get("id")})
    intent.refresh_from_db()


def _give_up(kind: WriteBack, intent: Intent, error: WooError) -> None:
    with transaction.atomic():
        changed = (
            Intent.objects.filter(pk=intent.pk)
            .exclude(status__in=[Intent.Status.CONFIRMED, Intent.Status.FAILED])
            .update(status=Intent.Status.FAILED)
        )
        if changed:
            kind.fail(intent, error.message)
    intent.refresh_from_db()
