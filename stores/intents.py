"""Write-backs into the shop: an intent row first, a look before every attempt, a comparison before it counts.

A kind of write-back registers a `WriteBack`. The engine claims the intent, looks its natural key up in the shop, creates
only what is not there, reads it back, and lets the kind settle it in one transaction with the end of the intent. So a
connection that drops after the shop has committed, or a process that dies there, never makes a second one.
"""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from django.db import transaction

from postpurchase import clock, due, killpoints, queue
from stores import turns
from stores.models import Intent, Store
from stores.sync import health
from stores.woo import counts
from stores.woo.errors import Blocked, Invalid, KeysRefused, Missing, ToldToWait, Unreachable, WooError

if TYPE_CHECKING:
    from stores.woo.client import Client

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=300)


class Attention(Exception):
    """What is in the shop is not what was asked for; a person must choose. Raised by `find`, or by `settle` after it
    recorded so."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WriteBack(Protocol):
    """How one kind of object gets into the shop."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        """The object in the shop that is this intent's, by natural key and our mark; None when it is not there.

        Raises Invalid when the key is taken by something that is not ours and no other key can be chosen, Attention
        when somebody changed the object meanwhile and it is not ours to overwrite.
        """
        ...

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        """Ask the shop to make it. Returns the object as the shop holds it after being read back."""
        ...

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        """In a transaction: compare with what was asked and record the success. Raises Attention when it differs."""
        ...

    def fail(self, intent: Intent, reason: str) -> None:
        """In a transaction: it cannot be made; give back what was held for it."""
        ...


_kinds: dict[str, WriteBack] = {}


def register(kind: str, write_back: WriteBack) -> None:
    """Name the handler of a kind of write-back; called from `AppConfig.ready()`."""
    _kinds[kind] = write_back


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
        _attempt(client_for(intent.store), intent)
        tried += 1
        if clock.monotonic() >= ends:
            break
    counts.flush()
    return tried


def end_crashed() -> int:
    """Each minute: a write-back given up because its worker died too often gives back what was held for it."""
    crashed = Intent.objects.filter(state=due.State.DEAD, error_code="crash_loop").exclude(
        status__in=[Intent.Status.CONFIRMED, Intent.Status.FAILED, Intent.Status.ATTENTION]
    )
    rows = list(crashed.select_related("store")[:100])
    for intent in rows:
        _give_up(_kinds[intent.kind], intent, WooError(intent.error, code=intent.error_code))
    return len(rows)


def _attempt(client: "Client", intent: Intent) -> None:
    kind = _kinds[intent.kind]
    try:
        body = kind.find(client, intent)
        health.answered(intent.store)
        if body is None:
            Intent.objects.filter(pk=intent.pk, lease_token=intent.lease_token).update(status=Intent.Status.SENT)
            killpoints.reach(f"{intent.kind}.sending")
            body = kind.create(client, intent)
            killpoints.reach(f"{intent.kind}.created")
    except Attention as problem:
        if due.finish(intent):
            Intent.objects.filter(pk=intent.pk).update(status=Intent.Status.ATTENTION, error=problem.reason)
            intent.refresh_from_db()
    except ToldToWait as wait:
        health.failed(intent.store, wait)
        due.postpone(intent, clock.now() + timedelta(seconds=wait.seconds))
    except (Unreachable, Blocked) as error:
        if _holds(intent, error):
            return
        due.retry(intent, clock.now() + due.backoff(intent.attempts), error.message, code=error.code or "unreachable")
        if intent.state == due.State.DEAD:
            _give_up(kind, intent, error)
    except KeysRefused as error:
        # A person has to mend the keys; until then the wish is kept, not failed.
        if _holds(intent, error):
            return
        due.retry(intent, clock.now() + timedelta(minutes=15), error.message, code="keys_refused")
        if intent.state == due.State.DEAD:
            _give_up(kind, intent, error)
    except (Invalid, Missing) as error:
        due.give_up(intent, error.message, code=error.code)
        _give_up(kind, intent, error)
    except Exception as error:
        # One answer that nobody foresaw must not hold up the others of the claim.
        log.exception("write-back %s (%s) failed", intent.pk, intent.kind)
        due.retry(intent, clock.now() + due.backoff(intent.attempts), f"{type(error).__name__}: {error}", code="failed")
        if intent.state == due.State.DEAD:
            _give_up(kind, intent, WooError("The shop's answer could not be understood.", code="failed"))
    else:
        _settle(kind, intent, body)


def _holds(intent: Intent, error: WooError) -> bool:
    """Count a failure of the shop; when it holds the store, the wish waits for the shop without losing an attempt."""
    health.failed(intent.store, error)
    if not health.is_held(intent.store):
        return False
    due.postpone(intent, clock.now() + health.retry_in(intent.store))
    Intent.objects.filter(pk=intent.pk).update(error=error.message, error_code=error.code or "unreachable")
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
