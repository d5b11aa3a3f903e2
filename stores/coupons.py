"""Coupons of ours: asked for in a transaction, pushed, read back, compared, and only then told to anybody.

WooCommerce drops what it does not like without an error: an address that it does not take leaves a coupon that is open
to everybody. So what is not equal to what was asked for is put into the shop's trash, and the coupon has failed.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db import transaction

from postpurchase import clock
from postpurchase.errors import BusinessError
from postpurchase.money import quantise
from stores import events, intents
from stores.models import Coupon, Customer, Intent, Store
from stores.woo.errors import Duplicate, Invalid, Missing
from stores.woo.payloads import Unreadable, parse_coupon
from stores.woo.payloads.values import MARK

if TYPE_CHECKING:
    from stores.woo.client import Client

State = Coupon.State
CREATE, TRASH = "coupon.create", "coupon.trash"
KINDS = frozenset({"fixed_cart", "fixed_product", "percent"})
# Lower case, because the shop lowers codes; without what is read wrongly (0 o 1 l i). 13 of 31 signs are 64 bits.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
LENGTH = 13
# What WordPress takes as an address (is_email); it is stricter than the standard.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+")
_TRIES = 5
# Lists that would narrow the coupon; ours name none.
_NARROWING = ("product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories")


def new_code(prefix: str) -> str:
    """An unguessable code, lower-case as the shop keeps them: `lut-7fkq-mw3xp-n8ty`."""
    start = re.sub(r"[^a-z0-9]+", "-", prefix.lower()).strip("-")[:30]
    signs = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return "-".join(part for part in (start, signs[:4], signs[4:9], signs[9:]) if part)


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
    """Ask for a coupon in the caller's transaction; the same `source` gives the same coupon again.

    `amount` is money of the store's currency, or a percentage. Only `emails` may use it, by default the customer's.
    It works through `expires_on`, a day in the store's zone. It may be told to somebody once `coupon.issued` is
    recorded; when it cannot be made, `coupon.failed` is.

    Raises BusinessError `store_read_only`, `coupon_amount`, `coupon_kind`, `coupon_expired` or `coupon_email`, and then asks for nothing.
    """
    if not store.can_write:
        raise BusinessError(
            "The keys of this store may only read, so no coupon can be made. Nothing was changed. "
            "Connect the store with keys that may write.",
            "store_read_only",
        )
    if not source:
        raise ValueError("a coupon needs a source, so that a repeat makes no second one")
    before = Coupon.objects.filter(store=store, source=source).first()
    if before is not None:
        return before
    if kind not in KINDS:
        raise BusinessError(
            f"{kind!r} is no kind of coupon. No coupon was made. Choose one of the list.", "coupon_kind"
        )
    amount = amount if kind == "percent" else quantise(amount, store.currency)
    if amount <= 0 or (kind == "percent" and amount > 100) or (minimum is not None and minimum < 0):
        raise BusinessError(
            "A coupon gives more than nothing and at most 100 %. No coupon was made. Change the amount.",
            "coupon_amount",
        )
    if expires_on is not None and expires_on < clock.now().astimezone(store.tz).date():
        raise BusinessError("This day is over. No coupon was made. Choose a later last day.", "coupon_expired")
    allowed = sorted({_address(email) for email in (emails or ([customer.email] if customer else []))})
    with transaction.atomic():
        coupon = Coupon.objects.create(
            store=store,
            customer=customer,
            code=new_code(prefix or prefix_of(store)),
            ours=True,
            source=source,
            kind=kind,
            amount=amount,
            minimum=quantise(minimum, store.currency) if minimum else None,
            usage_limit=usage_limit,
            emails=allowed,
            expires_on=expires_on,
        )
        intents.plan(store, CREATE, key=f"{CREATE}:{coupon.pk}", subject_id=coupon.pk)
    return coupon


def _address(email: str) -> str:
    address = email.strip().lower()
    if len(address) > 254 or not _ADDRESS.fullmatch(address) or ".." in address:
        raise BusinessError(
            f"The shop would not take {email!r} as an address and would open the coupon to everybody. "
            "No coupon was made. Correct the customer's address in the shop.",
            "coupon_email",
        )
    return address


def tick_expiry() -> int:
    """Coupons whose last day in their store's zone is over are expired; how many were."""
    done = 0
    over = Coupon.objects.filter(state=State.LIVE, expires_on__lt=clock.now().date() + timedelta(days=1))
    for store in Store.objects.filter(pk__in=over.values("store")).order_by("pk"):
        today = clock.now().astimezone(store.tz).date()
        done += Coupon.objects.filter(store=store, state=State.LIVE, expires_on__lt=today).update(state=State.EXPIRED)
    return done


def cancel(coupon: Coupon) -> Coupon:
    """Take a coupon that was never used out of the shop.

    Raises BusinessError `coupon_used` when it was used, `coupon_not_live` when it is still being made or gone already.
    """
    with transaction.atomic():
        coupon = Coupon.objects.select_for_update().get(store=coupon.store, pk=coupon.pk)
        if coupon.used_order_id or coupon.usage_count:
            raise BusinessError(f"{coupon.code} was used already. It was not changed.", "coupon_used")
        if coupon.state not in (State.LIVE, State.EXPIRED) or coupon.woo_id is None:
            raise BusinessError(
                f"{coupon.code} is not in the shop now ({coupon.get_state_display()}). It was not changed.",
                "coupon_not_live",
            )
        intents.plan(coupon.store, TRASH, key=f"{TRASH}:{coupon.pk}", subject_id=coupon.pk)
    return coupon


def reissue(coupon: Coupon, *, expires_on: date | None = None) -> Coupon:
    """A new coupon in place of one that was never used, with a code of its own; the old one leaves the shop.

    Raises BusinessError as `issue` and `cancel` do.
    """
    with transaction.atomic():
        if coupon.used_order_id or coupon.usage_count:
            raise BusinessError(f"{coupon.code} was used already. It was not changed.", "coupon_used")
        if coupon.state in (State.LIVE, State.EXPIRED):
            cancel(coupon)
        return issue(
            coupon.store,
            source=f"reissue:{coupon.pk}",
            amount=coupon.amount,
            kind=coupon.kind,
            customer=coupon.customer,
            emails=coupon.emails,
            expires_on=expires_on or coupon.expires_on,
            minimum=coupon.minimum,
            prefix=_prefix(coupon),
            usage_limit=coupon.usage_limit,
        )


def checkout_link(store: Store, coupon: Coupon, *, products: Mapping[int, int] | None = None) -> str:
    """Where the shopper goes with the code.

    With `products` (shop's product or variation id to quantity) and WooCommerce 10 or later, a checkout with both; else
    the shop itself, where the code is typed: a link with a coupon alone is not documented, and a guest's cart refuses a
    coupon for an address that it does not know yet.
    """
    root = store.base_url.rstrip("/")
    version = str(store.capabilities.get("woo_version", "")).partition(".")[0]
    if products and version.isdecimal() and int(version) >= 10:
        wanted = ",".join(f"{product}:{quantity}" for product, quantity in products.items())
        return f"{root}/checkout-link/?{urlencode({'products': wanted, 'coupon': coupon.code}, safe=':,')}"
    return f"{root}/"


def _of(intent: Intent) -> Coupon:
    return Coupon.objects.select_related("store").get(store_id=intent.store_id, pk=intent.subject_id)


class CreateCoupon:
    """The write-back `coupon.create`. Its natural key is the code, its mark our `_postpurchase_ref`."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        """Our coupon in the shop, compared; a foreign one of this code is left alone and a new code drawn."""
        coupon = _of(intent)
        for _ in range(_TRIES):
            twins = _with_code(client, coupon.code)
            ours = sorted((t for t in twins if _mark(t) == str(coupon.ref)), key=lambda twin: int(twin["id"]))
            if ours:
                for surplus in ours[1:]:
                    _trash(client, int(surplus["id"]))
                return _checked(client, coupon, int(ours[0]["id"]))
            if not twins:
                return None
            _draw_again(coupon)
        raise Invalid("No free coupon code was found. Nothing was made in the shop.", code="no_free_code")

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        """Make it, read it back, and trash it again when the shop did not keep what was asked for."""
        for _ in range(_TRIES):
            coupon = _of(intent)
            try:
                made = client.post("coupons", wanted(coupon))
            except Duplicate:
                # Taken between the look and the wish: by a twin of ours, or by the merchant's own.
                found = self.find(client, intent)
                if found is not None:
                    return found
                if _of(intent).code == coupon.code:
                    _draw_again(coupon)
                continue
            return _checked(client, coupon, int(made["id"]))
        raise Invalid("No free coupon code was found. Nothing was made in the shop.", code="no_free_code")

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        """Live when it is what was asked for; else it needs attention, and whoever waits for it hears that it failed."""
        coupon = _of(intent)
        if coupon.state != State.PENDING:
            return
        coupon.woo_id, coupon.raw = int(body["id"]), {k: v for k, v in body.items() if k != "_links"}
        # The mirror may have met it first, as anybody's coupon.
        Coupon.objects.filter(store=coupon.store, woo_id=coupon.woo_id, ours=False).delete()
        if differing := differences(coupon, body):
            reason = (
                f"The shop did not keep what was asked for ({', '.join(differing)}); the coupon was put into its trash."
            )
            coupon.state, coupon.reason = State.ATTENTION, reason
            coupon.save()
            _tell(coupon, events.COUPON_FAILED, reason=reason)
            raise intents.Attention(reason)
        coupon.state, coupon.live_at, coupon.reason = State.LIVE, clock.now(), ""
        coupon.save()
        _tell(coupon, events.COUPON_ISSUED)

    def fail(self, intent: Intent, reason: str) -> None:
        """It cannot be made."""
        coupon = _of(intent)
        if coupon.state == State.PENDING:
            coupon.state, coupon.reason = State.FAILED, reason
            coupon.save(update_fields=["state", "reason"])
            _tell(coupon, events.COUPON_FAILED, reason=reason)


class TrashCoupon:
    """The write-back `coupon.trash`: a coupon that was never used leaves the shop."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        """The coupon, when it is gone already. Raises Invalid when it was used meanwhile."""
        woo_id = _of(intent).woo_id
        try:
            body = client.get(f"coupons/{woo_id}")
        except Missing:
            return {"id": woo_id}
        if int(body.get("usage_count") or 0):
            raise Invalid("The coupon was used meanwhile, so it stays in the shop.", code="coupon_used")
        return dict(body) if body.get("status") == "trash" else None

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        """Put it into the shop's trash."""
        return _trash(client, _of(intent).woo_id or 0)

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        """It is gone."""
        Coupon.objects.filter(store_id=intent.store_id, pk=intent.subject_id).exclude(state=State.USED).update(
            state=State.GONE, reason="It was withdrawn."
        )

    def fail(self, intent: Intent, reason: str) -> None:
        """It stays as it is, with the reason."""
        Coupon.objects.filter(store_id=intent.store_id, pk=intent.subject_id).update(reason=reason)


def wanted(coupon: Coupon) -> dict[str, Any]:
    """The body to ask for."""
    body: dict[str, Any] = {
        "code": coupon.code,
        "discount_type": coupon.kind,
        "amount": str(coupon.amount),
        "individual_use": False,
        "email_restrictions": coupon.emails,
        "meta_data": [{"key": MARK, "value": str(coupon.ref)}],
    }
    if coupon.usage_limit:
        body["usage_limit"] = coupon.usage_limit
        body["usage_limit_per_user"] = 1
    if coupon.minimum:
        body["minimum_amount"] = str(coupon.minimum)
    if coupon.expires_on:
        # The shop ignores date_expires_gmt; this one is in its own zone, as the day is.
        body["date_expires"] = f"{coupon.expires_on.isoformat()}T23:59:59"
    return body


def differences(coupon: Coupon, body: dict[str, Any]) -> list[str]:
    """What the shop holds otherwise than it was asked for, by the shop's names."""
    try:
        held = parse_coupon(body)
    except Unreadable as problem:
        return [problem.reason]
    pairs: list[tuple[str, object, object]] = [
        ("code", held.code, coupon.code),
        ("status", held.status, "publish"),
        ("discount_type", held.kind, coupon.kind),
        ("amount", held.amount, coupon.amount),
        ("usage_limit", held.usage_limit, coupon.usage_limit),
        ("usage_limit_per_user", held.usage_limit_per_user, 1 if coupon.usage_limit else None),
        ("minimum_amount", held.minimum, coupon.minimum or None),
        ("date_expires", held.expires_on, coupon.expires_on),
        ("email_restrictions", held.emails, tuple(sorted(coupon.emails))),
    ]
    return [name for name, there, asked in pairs if there != asked] + [name for name in _NARROWING if body.get(name)]


def _with_code(client: "Client", code: str) -> list[dict[str, Any]]:
    """All coupons of this code that are not in the trash; `code` alone shows one published coupon at most."""
    rows = [*client.get("coupons", code=code), *client.get("coupons", search=code, status="any", per_page=100)]
    found = {int(row["id"]): row for row in rows if _code(row) == code and row.get("status") != "trash"}
    return list(found.values())


def _code(row: dict[str, Any]) -> str:
    try:
        return parse_coupon(row).code
    except Unreadable:
        return str(row.get("code", "")).lower()


def _mark(row: dict[str, Any]) -> str:
    metas = row.get("meta_data")
    rows = metas if isinstance(metas, list) else []
    return next((str(m.get("value")) for m in rows if isinstance(m, dict) and m.get("key") == MARK), "")


def _checked(client: "Client", coupon: Coupon, woo_id: int) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"coupons/{woo_id}")
    if differences(coupon, body):
        _trash(client, woo_id)
    return body


def _trash(client: "Client", woo_id: int) -> dict[str, Any]:
    try:
        answer = client.delete(f"coupons/{woo_id}")
    except Missing:
        return {"id": woo_id}
    return dict(answer) if isinstance(answer, dict) else {"id": woo_id}


def _prefix(coupon: Coupon) -> str:
    return coupon.code.rsplit("-", 3)[0] if coupon.code.count("-") >= 3 else ""


def _draw_again(coupon: Coupon) -> None:
    coupon.code = new_code(_prefix(coupon))
    coupon.save(update_fields=["code"])


def _tell(coupon: Coupon, name: str, **more: str) -> None:
    events.record(
        coupon.store,
        name,
        subject=coupon.pk,
        at=clock.now(),
        customer=coupon.customer,
        payload={"coupon": coupon.pk, "source": coupon.source, "code": coupon.code, **more},
    )


def register() -> None:
    """Name the write-backs; called from `StoresConfig.ready()`."""
    intents.register(CREATE, CreateCoupon())
    intents.register(TRASH, TrashCoupon())
