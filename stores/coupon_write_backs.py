"""Our coupons into the shop and out of it: pushed, read back, compared, and only then told to anybody.

WooCommerce drops what it does not like without an error: an address that it does not take leaves a coupon that is open
to everybody. So what is not equal to what was asked for is put into the shop's trash, and a person chooses.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy

from postpurchase import clock
from stores import events, intents
from stores.access import COUPONS_ISSUE
from stores.coupons import CREATE, TRASH, TWIN, draw_again
from stores.models import Coupon, Intent, Store
from stores.woo.errors import Duplicate, Invalid, KeysRefused, Missing
from stores.woo.payloads import Unreadable, parse_coupon
from stores.woo.payloads.values import MARK

if TYPE_CHECKING:
    from stores.woo.client import Client

State = Coupon.State
_TRIES = 5
# How long an answer is believed that coupons are switched on or off in the shop; off only for the coupons of one call.
BELIEVE_ON, BELIEVE_OFF = timedelta(hours=1), timedelta(seconds=10)
COUPONS_OFF = (
    "Coupons are switched off in the store, so nobody could use this one. It was not made. Switch them on under "
    "WooCommerce, Settings, General, then try again."
)
# Lists that would narrow the coupon; ours name none.
_NARROWING = ("product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories")


def _of(intent: Intent) -> Coupon:
    return Coupon.objects.select_related("store").get(store_id=intent.store_id, pk=intent.subject_id)


class CreateCoupon(intents.WriteBack):
    """The write-back `coupon.create`. Its natural key is the code, its mark our `_postpurchase_ref`.

    While a person is to choose, what is held for the coupon (points) stays held; it is given back when they give up, or
    by itself after `patience`.
    """

    patience = timedelta(days=3)

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        """Our coupon in the shop, compared; a foreign one of this code is left alone and a new code drawn."""
        coupon = _of(intent)
        if woo_id := intent.params.get("accept"):
            body: dict[str, Any] = client.get(f"coupons/{woo_id}")
            return body if body.get("status") == "publish" else None
        _ask_whether_on(client, coupon)
        for _ in range(_TRIES):
            twins = _with_code(client, coupon.code)
            ours = sorted((t for t in twins if _mark(t) == str(coupon.ref)), key=lambda twin: int(twin["id"]))
            if ours:
                for surplus in ours[1:]:
                    _trash(client, int(surplus["id"]))
                return _checked(client, coupon, int(ours[0]["id"]))
            if not twins:
                return None
            draw_again(coupon)
        raise Invalid("No free coupon code was found. Nothing was made in the shop.", code="no_free_code")

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        """Make it, read it back, and trash it again when the shop did not keep what was asked for."""
        if woo_id := intent.params.get("accept"):
            client.put(f"coupons/{woo_id}", {"status": "publish"})
            return dict(client.get(f"coupons/{woo_id}"))
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
                    draw_again(coupon)
                continue
            return _checked(client, coupon, int(made["id"]))
        raise Invalid("No free coupon code was found. Nothing was made in the shop.", code="no_free_code")

    def create_many(self, client: "Client", asked: Sequence[Intent]) -> dict[int, dict[str, Any]]:
        """Several at once: what became of each by the intent's id. Results are told apart by code and mark, because the
        shop's list may lack rows; an intent without a clear answer is left out."""
        mine = {intent.pk: _of(intent) for intent in asked}
        told = client.post("coupons/batch", {"create": [wanted(coupon) for coupon in mine.values()]})
        rows = told.get("create") if isinstance(told, dict) else None
        made = {
            (_code(row), _mark(row)): int(row["id"])
            for row in rows or []
            if isinstance(row, dict) and row.get("id") and not row.get("error")
        }
        ids = {
            pk: made[coupon.code, str(coupon.ref)]
            for pk, coupon in mine.items()
            if (coupon.code, str(coupon.ref)) in made
        }
        if not ids:
            return {}
        held = {
            int(row["id"]): row
            for row in client.page("coupons", include=sorted(ids.values()), per_page=len(ids), status="any").rows
        }
        return {
            pk: _kept(client, mine[pk], held[woo_id]) if woo_id in held else _checked(client, mine[pk], woo_id)
            for pk, woo_id in ids.items()
        }

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        """Live when it is what was asked for, or what a person accepted; else a person must choose."""
        coupon = _of(intent)
        if coupon.state != State.PENDING:
            return
        coupon.woo_id, coupon.raw = int(body["id"]), {k: v for k, v in body.items() if k != "_links"}
        Intent.objects.filter(pk=intent.pk).update(about=coupon.code)
        # The mirror may have met it first, as anybody's coupon.
        Coupon.objects.filter(store=coupon.store, woo_id=coupon.woo_id, ours=False).delete()
        if intent.params.get("accept"):
            _take_over(coupon, body)
        elif differing := differences(coupon, body):
            coupon.state = State.ATTENTION
            coupon.reason = (
                f"The shop did not keep what was asked for ({', '.join(differing)}); the coupon was put into its trash."
            )
            coupon.save()
            raise intents.Attention(coupon.reason)
        coupon.state, coupon.live_at, coupon.reason = State.LIVE, clock.now(), ""
        coupon.save()
        _tell(coupon, events.COUPON_ISSUED)

    def fail(self, intent: Intent, reason: str) -> None:
        """It is not made: whoever waits for it hears so, and gives back what was held."""
        coupon = _of(intent)
        if coupon.state in (State.PENDING, State.ATTENTION):
            coupon.state, coupon.reason = State.FAILED, reason
            coupon.save(update_fields=["state", "reason"])
            _tell(coupon, events.COUPON_FAILED, reason=reason)

    def choices(self, intent: Intent) -> frozenset[str]:
        """After a failure what was held is given back already, so that coupon is never made."""
        if intent.status != Intent.Status.ATTENTION:
            return frozenset()
        return frozenset({intents.AGAIN, intents.GIVE_UP} | ({intents.ACCEPT} if intent.result.get("id") else set()))

    def again(self, intent: Intent) -> None:
        """Under another code, because the shop has the first one in its trash."""
        coupon = _of(intent)
        intent.params, intent.result = {}, {}
        coupon.state, coupon.woo_id, coupon.raw, coupon.reason = State.PENDING, None, {}, ""
        coupon.save()
        draw_again(coupon)

    def accept(self, intent: Intent) -> bool:
        """The shop's coupon comes out of its trash as it is, and counts."""
        intent.params = {"accept": intent.result["id"]}
        Coupon.objects.filter(store_id=intent.store_id, pk=intent.subject_id).update(state=State.PENDING)
        return True


def _take_over(coupon: Coupon, body: dict[str, Any]) -> None:
    """What the shop has counts from now on."""
    try:
        held = parse_coupon(body)
    except Unreadable as problem:
        raise intents.Attention(problem.reason) from None
    if held.status != "publish":
        raise intents.Attention("The shop did not take the coupon out of its trash.")
    coupon.code, coupon.kind, coupon.amount, coupon.minimum = held.code, held.kind, held.amount, held.minimum
    coupon.usage_limit, coupon.emails, coupon.expires_on = held.usage_limit, list(held.emails), held.expires_on


def _ask_whether_on(client: "Client", coupon: Coupon) -> None:
    """The shop takes coupons over its API while it lets nobody use any: then nothing is made and a person is asked."""
    store, now = coupon.store, clock.now()
    on = store.capabilities.get("coupons_on")
    asked = str(store.capabilities.get("coupons_asked", ""))
    if on and asked > (now - BELIEVE_ON).isoformat():
        return
    if on is False and asked > (now - BELIEVE_OFF).isoformat():
        raise intents.Attention(COUPONS_OFF)
    try:
        told = client.get("settings/general/woocommerce_enable_coupons")
    except (Missing, Invalid, KeysRefused):
        # Some hosts close the settings; then it cannot be told, and the coupon is made.
        return
    on = not isinstance(told, dict) or told.get("value") != "no"
    with transaction.atomic():
        held = Store.objects.select_for_update().get(pk=store.pk)
        held.capabilities = {**held.capabilities, "coupons_on": on, "coupons_asked": now.isoformat()}
        held.save(update_fields=["capabilities"])
    store.capabilities = held.capabilities
    if not on:
        raise intents.Attention(COUPONS_OFF)


class TrashCoupon(intents.WriteBack):
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


class TrashTwin(intents.WriteBack):
    """The write-back `coupon.twin`: a second live coupon of ours in the shop, such as from two calls at the same moment.

    The one that was told of stays. The code is the same, so a shopper may have used the twin: then both go.
    """

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        woo_id = intent.params["woo_id"]
        if _of(intent).woo_id in {woo_id, None}:
            return {"id": woo_id}
        try:
            body = client.get(f"coupons/{woo_id}")
        except Missing:
            return {"id": woo_id}
        gone = body.get("status") != "publish" or _mark(body) != str(_of(intent).ref)
        return dict(body) if gone else None

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        woo_id, kept = intent.params["woo_id"], _of(intent).woo_id
        if int(client.get(f"coupons/{woo_id}").get("usage_count") or 0) and kept is not None:
            _trash(client, kept)
        return _trash(client, woo_id)

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        """Nothing follows: the coupon that was told of is as it was."""


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
    return _kept(client, coupon, client.get(f"coupons/{woo_id}"))


def _kept(client: "Client", coupon: Coupon, body: dict[str, Any]) -> dict[str, Any]:
    """What the shop holds; put into its trash when it is not what was asked for."""
    if differences(coupon, body):
        _trash(client, int(body["id"]))
    return body


def _trash(client: "Client", woo_id: int) -> dict[str, Any]:
    try:
        answer = client.delete(f"coupons/{woo_id}")
    except Missing:
        return {"id": woo_id}
    return dict(answer) if isinstance(answer, dict) else {"id": woo_id}


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

    def page(intent: Intent) -> str:
        return f"{reverse('coupons', args=[intent.store.slug])}?{urlencode({'q': intent.about})}"

    for kind, write_back, label in (
        (CREATE, CreateCoupon(), gettext_lazy("Coupon")),
        (TRASH, TrashCoupon(), gettext_lazy("Coupon withdrawn")),
        (TWIN, TrashTwin(), gettext_lazy("Coupon that is there twice")),
    ):
        intents.register(kind, write_back, label=label, permission=COUPONS_ISSUE, address=page)
