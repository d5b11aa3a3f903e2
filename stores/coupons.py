"""Our coupons in the shop: asked for here, made by a write-back, told to a shopper only once the shop holds them as asked.

WooCommerce drops what it does not like without a word (an e-mail restriction, an expiry), which would open a coupon to
everybody. So every coupon is read back and compared; one that differs is taken out of the shop again.
"""

import secrets
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events, intents
from stores.models import Coupon, Customer, Intent, Store
from stores.woo.errors import Duplicate, Invalid, Missing, ReadOnlyKeys

if TYPE_CHECKING:
    from stores.woo.client import Client

MARK = "_postpurchase_ref"
# 31 signs that are not mistaken for each other; 13 of them carry 64 bits.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
CREATE = "coupon.create"
DIFFERS = "coupon_differs"
_TRIES = 3


def new_code(prefix: str) -> str:
    """An unguessable code, lower-case as the shop keeps them: `lut-7fkq-mw3xp-n8ty`."""
    signs = "".join(secrets.choice(ALPHABET) for _ in range(13))
    return "-".join(part for part in (prefix, signs[:4], signs[4:9], signs[9:]) if part)


def prefix_of(store: Store) -> str:
    """What the store's codes begin with: the longest word of its name, at most five letters."""
    words = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in store.name.lower()).split()
    return max(words, key=len, default="")[:5]


def issue(
    store: Store,
    *,
    source: str,
    amount: Decimal,
    kind: str = "fixed_cart",
    customer: Customer | None = None,
    emails: Sequence[str] = (),
    expires_on: date | None = None,
    minimum: Decimal | None = None,
    prefix: str = "",
    usage_limit: int | None = 1,
) -> Coupon:
    """Ask for a coupon, in the present transaction; the same `source` ("reward:5") asks only once. Returns the row.

    It is `pending` until the shop holds it as asked; then event coupon.issued {coupon, code, source} is recorded, or
    coupon.failed {coupon, source, reason}. `expires_on` is its last day in the store's zone; `emails` are the only ones
    that may use it. Raises BusinessError: store_read_only, coupon_email (an address that the shop would silently drop).
    """
    if not store.can_write:
        raise BusinessError(
            "The keys of this store may only read, so no coupon can be made. Nothing was changed. "
            "Connect the store with keys that may write.",
            "store_read_only",
        )
    addresses = sorted({address.strip().lower() for address in emails})
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError as error:
            raise BusinessError(
                f"{address!r} is not an address that the store can bind a coupon to. Nothing was changed.",
                "coupon_email",
            ) from error
    if kind not in {"fixed_cart", "percent"} or amount <= 0 or (kind == "percent" and amount > 100):
        raise ValueError(f"no coupon of kind {kind!r} with amount {amount}")
    with transaction.atomic():
        coupon, new = Coupon.objects.get_or_create(
            store=store,
            source=source,
            defaults={
                "customer": customer,
                "code": new_code(prefix or prefix_of(store)),
                "ours": True,
                "kind": kind,
                "amount": amount,
                "minimum": minimum,
                "usage_limit": usage_limit,
                "emails": addresses,
                "expires_on": expires_on,
            },
        )
        if new:
            intents.plan(store, CREATE, key=f"{CREATE}:{coupon.pk}", subject_id=coupon.pk)
    return coupon


def checkout_link(store: Store, coupon: Coupon) -> str:
    """The shop's address that applies the coupon. A guest may have to give the e-mail address before it is accepted."""
    return f"{store.base_url.rstrip('/')}/cart/?{urlencode({'coupon': coupon.code})}"


def as_asked(coupon: Coupon) -> dict[str, Any]:
    """The body that makes this coupon. The expiry goes as the shop's local time: the GMT field is ignored by the shop."""
    return {
        "code": coupon.code,
        "discount_type": coupon.kind,
        "amount": f"{coupon.amount:.2f}",
        "individual_use": False,
        "usage_limit": coupon.usage_limit,
        "usage_limit_per_user": coupon.usage_limit,
        "minimum_amount": f"{coupon.minimum:.2f}" if coupon.minimum else "",
        "email_restrictions": list(coupon.emails),
        "date_expires": f"{coupon.expires_on.isoformat()}T23:59:59" if coupon.expires_on else None,
        "description": "",
        "meta_data": [{"key": MARK, "value": str(coupon.ref)}],
    }


def differences(coupon: Coupon, body: dict[str, Any]) -> list[str]:
    """What the shop holds otherwise than asked, in words; empty when it is as asked."""
    found = []
    if body.get("status") not in {None, "publish"}:
        found.append(f"status {body.get('status')}")
    if str(body.get("code", "")).lower() != coupon.code:
        found.append("code")
    if body.get("discount_type") != coupon.kind:
        found.append("kind")
    if _money(body.get("amount")) != coupon.amount:
        found.append(f"amount {body.get('amount')}")
    if (_money(body.get("minimum_amount")) or None) != (coupon.minimum or None):
        found.append(f"minimum {body.get('minimum_amount')}")
    for name in ("usage_limit", "usage_limit_per_user"):
        if body.get(name) != coupon.usage_limit:
            found.append(f"{name.replace('_', ' ')} {body.get(name)}")
    if sorted(str(address).lower() for address in body.get("email_restrictions") or []) != sorted(coupon.emails):
        found.append("who may use it")
    if str(body.get("date_expires") or "")[:10] != (coupon.expires_on.isoformat() if coupon.expires_on else ""):
        found.append(f"expiry {body.get('date_expires')}")
    found += [
        name.replace("_", " ")
        for name in ("product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories")
        if body.get(name)
    ]
    return found


def _money(raw: object) -> Decimal | None:
    try:
        return Decimal(str(raw)) if raw not in (None, "") else None
    except InvalidOperation:
        return None


def _is_ours(coupon: Coupon, body: dict[str, Any]) -> bool:
    return any(
        isinstance(one, dict) and one.get("key") == MARK and one.get("value") == str(coupon.ref)
        for one in body.get("meta_data") or []
    )


class CreateCoupon:
    """The write-back behind `issue`."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        """Our coupon of this code, compared. A code that somebody else's coupon has is replaced by a new one."""
        coupon = Coupon.objects.get(pk=intent.subject_id)
        for _ in range(_TRIES):
            holders = self._holders(client, coupon.code)
            ours = next((body for body in holders if _is_ours(coupon, body)), None)
            if ours:
                return self._compared(client, coupon, ours)
            if not holders:
                return None
            coupon.code = new_code(prefix_of(intent.store))
            coupon.save(update_fields=["code"])
        raise Invalid("The store has other coupons of every code that was tried. Nothing of theirs was changed.")

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        coupon = Coupon.objects.get(pk=intent.subject_id)
        try:
            made = client.post("coupons", as_asked(coupon))
        except Duplicate:
            # Between our look and our wish somebody took the code, or an earlier wish of ours was answered late.
            found = self.find(client, intent)
            if found:
                return found
            coupon.refresh_from_db()
            made = client.post("coupons", as_asked(coupon))
        return self._compared(client, coupon, client.get(f"coupons/{made['id']}"))

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        coupon = Coupon.objects.select_for_update(of=("self",)).get(pk=intent.subject_id)
        if coupon.state != Coupon.State.PENDING:
            return
        coupon.state, coupon.woo_id, coupon.live_at, coupon.raw = Coupon.State.LIVE, body["id"], clock.now(), body
        coupon.save(update_fields=["state", "woo_id", "live_at", "raw"])
        events.record(
            intent.store,
            events.COUPON_ISSUED,
            subject=coupon.pk,
            at=clock.now(),
            customer=coupon.customer,
            payload={"coupon": coupon.pk, "code": coupon.code, "source": coupon.source},
        )

    def fail(self, intent: Intent, reason: str) -> None:
        coupon = Coupon.objects.select_for_update(of=("self",)).get(pk=intent.subject_id)
        if coupon.state != Coupon.State.PENDING:
            return
        coupon.state = Coupon.State.ATTENTION if intent.error_code == DIFFERS else Coupon.State.FAILED
        coupon.reason = reason
        coupon.save(update_fields=["state", "reason"])
        events.record(
            intent.store,
            events.COUPON_FAILED,
            subject=coupon.pk,
            at=clock.now(),
            customer=coupon.customer,
            payload={"coupon": coupon.pk, "source": coupon.source, "reason": reason},
        )

    def _holders(self, client: "Client", code: str) -> list[dict[str, Any]]:
        """Coupons of this code. The filter shows published ones only, so drafts are looked for by search."""
        found: dict[int, dict[str, Any]] = {}
        for params in ({"code": code}, {"search": code, "status": "any"}):
            for body in client.page("coupons", **params).rows:
                if str(body.get("code", "")).lower() == code:
                    found[body["id"]] = body
        return list(found.values())

    def _compared(self, client: "Client", coupon: Coupon, body: dict[str, Any]) -> dict[str, Any]:
        """The body when it is as asked; otherwise it is taken out of the shop and Invalid says how it differs."""
        wrong = differences(coupon, body)
        if not wrong:
            return body
        try:
            client.delete(f"coupons/{body['id']}", force=True)
        except (Missing, ReadOnlyKeys):
            # Gone already, or not ours to take away: either way it is never told to anybody.
            pass
        raise Invalid(
            f"The store holds this coupon otherwise than asked ({', '.join(wrong)}), so it was taken out again. "
            "Nobody was told its code.",
            code=DIFFERS,
        )


def register() -> None:
    """Name the write-back; called from `StoresConfig.ready`."""
    intents.register(CREATE, CreateCoupon())
