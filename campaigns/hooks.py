"""Calls of a merchant's addresses: planned by a step, signed, repeated until they are taken, and kept to be looked at.

A call is a POST of JSON. `X-Postpurchase-Signature: t=<seconds>,v1=<hex>` is the HMAC-SHA256 of "<seconds>.<body>" with the
store's secret; while a secret is being changed there are two `v1`. `X-Postpurchase-Delivery` is the same for every attempt,
so that the other side can leave out what it has. Any answer of 200 to 299 takes it, 410 says never again.
"""

import hashlib
import hmac
import json
import logging
import secrets
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.effects import Effect
from campaigns.models import Enrolment, HookDelivery, HookSecret
from campaigns.turns import paused_stores
from postpurchase import clock, due, http, killpoints, queue
from postpurchase.due import MARKETING, State
from postpurchase.errors import BusinessError
from stores import audit
from stores.models import Customer, Order, Store, User

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=120)
CALL_SECONDS = 15.0
MAX_ANSWER = 64 * 1024
# Of an answer and of the attempts, what is kept to be looked at.
KEPT_ANSWER, KEPT_CALLS = 2000, 20
LONGEST_URL = 2000
# Minutes until the next attempt: about three days in all.
RETRIES = (1, 5, 30, 120, 360, 720, 1440, 1440, 1440)
BODIES_KEPT = timedelta(days=30)
CHANGE_OVER = timedelta(days=7)


def fault_of(url: str) -> str:
    """Why an address cannot be called; empty when it may be. Where it leads is looked at with each call."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return _("This is no web address.")
    if len(url) > LONGEST_URL or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        return _("This is no web address.")
    if not host or parts.username is not None or parts.password is not None:
        return _("The address needs a host, and no name or password before it.")
    if parts.scheme == "https" or (parts.scheme == "http" and host in settings.ALLOWED_PRIVATE_HOSTS):
        return ""
    return _("The address begins with https://, because what is sent names your customers.")


def plan(person: Enrolment, effect: Effect) -> bool:
    """Ask for one call in the caller's transaction; False when this step has asked for it already."""
    url = effect.params["url"]
    _row, new = HookDelivery.objects.get_or_create(
        store=person.store,
        key=effect.key,
        defaults={
            "flow": person.flow,
            "enrolment": person,
            "customer": person.customer,
            "order": person.order,
            "step": effect.uid,
            "label": effect.params["label"],
            "url": url,
            "host": (urlsplit(url).hostname or "")[:255],
            "created_at": datetime.fromisoformat(effect.params["at"]),
            "due_at": clock.now(),
            "priority": MARKETING,
        },
    )
    if new:
        queue.wake("sync")
    return new


def run_due(budget_seconds: float = 20.0) -> int:
    """Make the calls that are due, within the budget; how many. A host that did not answer waits for the next round."""
    ends = clock.monotonic() + budget_seconds
    done, silent = 0, set[str]()
    with http.session() as session:
        while clock.monotonic() < ends:
            where = ~Q(store_id__in=paused_stores()) & ~Q(host__in=silent)
            rows = due.claim(HookDelivery, limit=1, lease=LEASE, where=where)
            if not rows:
                break
            done += 1
            if not _attempt(session, rows[0]):
                silent.add(rows[0].host)
    return done


def _attempt(session: Any, row: HookDelivery) -> bool:
    """One call; False when the host gave no answer at all."""
    if row.customer.erased_at:
        due.give_up(row, "The person was erased before it was sent.", code="erased")
        return True
    if not row.body:
        row.body = json.dumps(body_of(row), ensure_ascii=False, separators=(",", ":"))
        # Kept before it leaves, so that every attempt says the same.
        if not HookDelivery.objects.filter(pk=row.pk, lease_token=row.lease_token).update(body=row.body):
            return True
    data, began = row.body.encode(), clock.monotonic()
    call: dict[str, Any] = {"at": clock.now().isoformat()}
    wait: int | None = None
    try:
        if reason := fault_of(row.url):
            raise http.NoAnswer("unreachable", reason)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Postpurchase",
            "X-Postpurchase-Delivery": f"{row.store_id}-{row.pk}",
            "X-Postpurchase-Signature": signature(row.store, data, at=clock.now()),
        }
        killpoints.reach("hooks.calling")
        answer = http.call(
            session, "POST", row.url, headers=headers, data=data, max_bytes=MAX_ANSWER, seconds=CALL_SECONDS
        )
    except http.NoAnswer as error:
        call |= {"status": None, "error": str(error), "ms": _ms(began)}
        _record(row, call, wait=None)
        return False
    text = answer.body[:KEPT_ANSWER].decode(errors="replace").replace("\x00", "")
    call |= {"status": answer.status, "error": "", "ms": _ms(began), "answer": text}
    if answer.status in {429, 503} and answer.headers.get("Retry-After", "").strip().isdigit():
        wait = min(int(answer.headers["Retry-After"]), 86400)
    _record(row, call, wait=wait)
    return True


def _ms(began: float) -> int:
    return round((clock.monotonic() - began) * 1000)


def _record(row: HookDelivery, call: dict[str, Any], *, wait: int | None) -> None:
    status = call["status"]
    with transaction.atomic():
        kept = HookDelivery.objects.filter(pk=row.pk, lease_token=row.lease_token).update(
            calls=[*row.calls, call][-KEPT_CALLS:], status_code=status
        )
        if not kept:
            log.warning("lease of call %s was lost", row.pk)
        elif status is not None and 200 <= status < 300:
            due.finish(row)
        elif status == 410:
            due.give_up(row, _("The address answers 410: it wants no more calls."), code="gone")
        else:
            said = _("The address answers %(status)d.") % {"status": status} if status else call["error"]
            minutes = RETRIES[min(row.attempts, len(RETRIES)) - 1]
            later = timedelta(seconds=wait) if wait is not None else timedelta(minutes=minutes)
            due.retry(row, clock.now() + later, said, code="no_answer" if status is None else "refused")


def send_again(store: Store, row: HookDelivery, *, actor: User | str) -> None:
    """Make the call once more, with the same body. BusinessError `hook_busy` when it is under way or waits already."""
    with transaction.atomic():
        again = HookDelivery.objects.filter(pk=row.pk, store=store, state__in=[State.DONE, State.DEAD, State.HELD])
        if not again.update(state=State.DUE, due_at=clock.now(), attempts=0, error="", error_code="", finished_at=None):
            raise BusinessError(
                _("This call is under way or waits for its next try. Nothing was changed."), "hook_busy"
            )
        audit.record(store, "hook.send_again", actor=actor, target=f"call {row.pk}")
        queue.wake("sync")


def signature(store: Store, body: bytes, *, at: datetime) -> str:
    """What proves that a call is ours."""
    seconds = int(at.timestamp())
    found = secret_of(store)
    keys = [found.secret]
    if found.earlier and found.earlier_until and found.earlier_until > at:
        keys.append(found.earlier)
    signs = [hmac.new(key.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={seconds}", *(f"v1={sign}" for sign in signs)])


def secret_of(store: Store) -> HookSecret:
    """The store's secret, made when it is first asked for."""
    found, _new = HookSecret.objects.get_or_create(store=store, defaults={"secret": _new_secret()})
    return found


def renew_secret(store: Store, *, actor: User | str) -> HookSecret:
    """A new secret; for seven days calls are signed with the earlier one as well."""
    with transaction.atomic():
        secret_of(store)
        found = HookSecret.objects.select_for_update().get(store=store)
        found.earlier, found.earlier_until = found.secret, clock.now() + CHANGE_OVER
        found.secret = _new_secret()
        found.save()
        audit.record(store, "hook.secret", actor=actor)
    return found


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"


def body_of(row: HookDelivery) -> dict[str, Any]:
    """What is told, as the mirror has it now. Money is text with its currency, times are UTC."""
    context = row.enrolment.context if row.enrolment else {}
    return {
        "id": f"{row.store_id}-{row.pk}",
        "type": "flow.step",
        "label": row.label,
        "at": row.created_at.isoformat(),
        "store": row.store.slug,
        "flow": row.flow.slug if row.flow else None,
        "step": row.step,
        "event": context.get("payload") or None,
        "customer": _customer(row.customer),
        "order": _order(row.order) if row.order else None,
    }


def _customer(customer: Customer) -> dict[str, Any]:
    return {
        "id": customer.pk,
        "woo_id": customer.woo_id,
        "email": customer.email,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "country": customer.country,
        "language": customer.language,
        "orders": customer.orders_count,
    }


def _order(order: Order) -> dict[str, Any]:
    lines = order.lines.order_by("woo_id")
    return {
        "id": order.pk,
        "woo_id": order.woo_id,
        "number": order.number,
        "status": order.status,
        "currency": order.currency,
        "total": str(order.total),
        "created": order.created_gmt.isoformat(),
        "paid": order.paid_gmt.isoformat() if order.paid_gmt else None,
        "lines": [
            {
                "product": line.product_woo_id,
                "name": line.name,
                "sku": line.sku,
                "quantity": f"{line.quantity:f}",
                "total": str(line.total),
            }
            for line in lines
        ],
    }


def tidy() -> int:
    """Throw away what old calls told, each minute a few; that they were made stays. How many went."""
    old = HookDelivery.objects.filter(created_at__lt=clock.now() - BODIES_KEPT).exclude(body="")
    over = old.filter(state__in=[State.DONE, State.DEAD]).order_by("created_at")
    keys = list(over.values_list("pk", flat=True)[:500])
    return HookDelivery.objects.filter(pk__in=keys).update(body="", calls=[]) if keys else 0


def forget(customer: Customer) -> None:
    """The person is erased: what was told of them goes, and what was not told yet never is. In the caller's transaction."""
    rows = HookDelivery.objects.filter(store=customer.store, customer=customer)
    rows.filter(state__in=[State.DUE, State.HELD]).update(
        state=State.DEAD,
        finished_at=clock.now(),
        error="The person was erased before it was sent.",
        error_code="erased",
    )
    rows.update(body="", calls=[])
