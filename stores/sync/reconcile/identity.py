"""Whether the shop at the other end is still the shop that the mirror was read from."""

from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from postpurchase import clock, http
from stores.models import Order, Reconciliation, Store
from stores.sync.fetch import gmt_of
from stores.woo import decode
from stores.woo.client import USER_AGENT, Client, client_for, root_of
from stores.woo.errors import Missing, OtherShop, Unreachable

SAMPLE = 5
INDEX_BYTES = 4 * 1024 * 1024


def check(store: Store) -> None:
    """Raise OtherShop when the shop's own address or its orders are not those that are known; else remember them."""
    client = client_for(store)
    home = _home(store)
    sample = _sample(store)
    _orders(client, sample)
    known = store.fingerprint
    moved = known.get("home") and home and _host(known["home"]) != _host(home)
    # After the merchant connected another address himself, the shop may well call itself by that.
    if moved and known.get("base") == store.base_url:
        raise OtherShop(
            _("The shop now calls itself %(now)s; it was %(before)s. This may be a copy, or the shop has moved.")
            % {"now": _host(home), "before": _host(known["home"])}
        )
    if home and (known.get("home"), known.get("base")) != (home, store.base_url):
        remember(store, home=home)


def remember(store: Store, *, home: str, accepted: bool = False) -> None:
    """Take the shop as it is now for ours. `accepted`: a person said so, and older orders prove nothing any more."""
    store.fingerprint = {
        **store.fingerprint,
        "base": store.base_url,
        "home": home,
        "at": clock.now().isoformat(),
        **({"accepted": clock.now().isoformat()} if accepted else {}),
    }
    Store.objects.filter(pk=store.pk).update(fingerprint=store.fingerprint)


def accept(store: Store) -> None:
    """A person says that it is the same shop."""
    try:
        home = _home(store)
    except Unreachable:
        home = ""
    with transaction.atomic():
        remember(store, home=home, accepted=True)
        Store.objects.filter(pk=store.pk, state=Store.State.DOUBT).update(
            state=Store.State.CONNECTED, state_reason="", failures=0
        )


def stop(store: Store, reason: str) -> None:
    """Read nothing more of this shop until a person has answered. What is mirrored stays as it is."""
    Store.objects.filter(pk=store.pk).update(state=Store.State.DOUBT, state_reason=reason)
    store.refresh_from_db(fields=["state", "state_reason"])


def ask(store: Store, reason: str, run: Reconciliation | None = None) -> Reconciliation:
    """Stop, and put the question; the question that stands already is kept."""
    with transaction.atomic():
        stop(store, reason)
        standing = store.reconciliations.filter(
            status=Reconciliation.Status.ASKS, question=Reconciliation.Question.IDENTITY
        ).first()
        if run is None:
            if standing:
                return standing
            run = Reconciliation.objects.create(store=store, night=clock.now().astimezone(store.tz).date())
        Reconciliation.objects.filter(pk=run.pk).update(
            status=Reconciliation.Status.ASKS,
            question=Reconciliation.Question.IDENTITY,
            told={"reason": reason},
            finished_at=clock.now(),
        )
        if standing and standing.pk != run.pk:
            Reconciliation.objects.filter(pk=standing.pk).update(status=Reconciliation.Status.ANSWERED, answer="newer")
    run.refresh_from_db()
    return run


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _home(store: Store) -> str:
    """The address of the shop as it tells it itself; empty when it does not."""
    with http.session(ca=store.ca_file, pool=1) as session:
        try:
            answer = http.call(
                session,
                "GET",
                f"{root_of(store)}/wp-json/?_fields=name,url,home",
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                max_bytes=INDEX_BYTES,
                seconds=60,
            )
        except http.NoAnswer as error:
            raise Unreachable(f"{error} Nothing was lost; it is tried again by itself.", code=error.kind) from None
    try:
        told, _junk = decode.parse(answer.body)
    except (ValueError, RecursionError):
        return ""
    return str(told.get("home") or "") if isinstance(told, dict) else ""


def _sample(store: Store) -> list[tuple[int, str, Any]]:
    """(id, hash of the order key, creation) of orders spread over the mirror."""
    rows = Order.objects.filter(store=store, deleted_at=None, channel="woocommerce", woo_id__gt=0, raw__has_key="id")
    if since := store.fingerprint.get("accepted"):
        rows = rows.filter(fetched_at__gt=since)
    ids = rows.exclude(status__in=["trash", "checkout-draft", "auto-draft", "draft"]).values_list("pk", flat=True)
    newest, oldest = ids.order_by("-created_gmt")[: SAMPLE // 2 + 1], ids.order_by("created_gmt")[: SAMPLE // 2]
    return [
        (woo_id, _digest(key), created)
        for woo_id, key, created in Order.objects.filter(pk__in={*newest, *oldest}).values_list(
            "woo_id", "raw__order_key", "created_gmt"
        )
    ]


def _digest(key: object) -> str:
    return blake2b(str(key).encode(), digest_size=16).hexdigest() if key else ""


def is_other(known: tuple[str, Any], body: dict[str, Any]) -> bool:
    """Whether a body is another order than the one known under its id: neither key nor creation are the same.

    A merchant may change the date of an order, and plugins make keys anew; hardly both.
    """
    key, created = known
    told = _digest(body.get("order_key"))
    return bool(key and told and key != told and gmt_of(body, "date_created_gmt") != created)


def _orders(client: Client, sample: list[tuple[int, str, Any]]) -> None:
    if not sample:
        return
    known = {woo_id: (key, created) for woo_id, key, created in sample}
    fields = "id,order_key,date_created_gmt"
    found = {
        row["id"]: row
        for row in client.page("orders", include=list(known), status="any", per_page=100, _fields=fields).rows
    }
    # Lists may be wrong; the object itself is asked for before its absence means anything.
    for woo_id in known.keys() - found.keys():
        try:
            found[woo_id] = client.get(f"orders/{woo_id}", _fields=fields)
        except Missing:
            continue
    if any(is_other(known[woo_id], body) for woo_id, body in found.items()):
        raise OtherShop(_("The orders at this address are other ones than those known here under the same numbers."))
    if not found and len(known) >= SAMPLE // 2 + 1:
        raise OtherShop(_("None of the orders that were looked for is at this address any more."))
