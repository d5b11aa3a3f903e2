"""Coupons of ours: asked for in a transaction, pushed, read back, compared, and only then told to anybody.

WooCommerce drops what it does not like without an error: an address that it does not take leaves a coupon that is open
to everybody. How they get there and are compared is in `stores.coupon_write_backs`.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from django.db import transaction

from postpurchase import clock
from postpurchase.errors import BusinessError
from postpurchase.money import quantise
from stores import intents
from stores.models import Coupon, Customer, Store

State = Coupon.State
CREATE, TRASH, TWIN = "coupon.create", "coupon.trash", "coupon.twin"
KINDS = frozenset({"fixed_cart", "fixed_product", "percent"})
# Lower case, because the shop lowers codes; without what is read wrongly (0 o 1 l i). 13 of 31 signs are 64 bits.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
LENGTH = 13
# What WordPress takes as an address (is_email); it is stricter than the standard.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]+")


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
        intents.plan(store, CREATE, key=f"{CREATE}:{coupon.pk}", subject_id=coupon.pk, about=coupon.code)
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
        intents.plan(coupon.store, TRASH, key=f"{TRASH}:{coupon.pk}", subject_id=coupon.pk, about=coupon.code)
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


def are_off(store: Store) -> bool:
    """Whether the shop was last seen with its coupons switched off for everybody."""
    return store.capabilities.get("coupons_on") is False


def trash_twin(coupon: Coupon, woo_id: int) -> None:
    """Another live coupon of the shop carries our mark: ask for its end, in the caller's transaction."""
    intents.plan(
        coupon.store,
        TWIN,
        key=f"{TWIN}:{coupon.pk}:{woo_id}",
        subject_id=coupon.pk,
        about=coupon.code,
        params={"woo_id": woo_id},
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


def _prefix(coupon: Coupon) -> str:
    return coupon.code.rsplit("-", 3)[0] if coupon.code.count("-") >= 3 else ""


def draw_again(coupon: Coupon) -> None:
    """Another code for a coupon that nobody was told of."""
    coupon.code = new_code(_prefix(coupon))
    coupon.save(update_fields=["code"])
