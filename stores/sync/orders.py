"""Orders into the mirror, a page at a time: rows first, then what changed as facts."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from django.utils.translation import gettext as _

from stores import events
from stores.events import Fact
from stores.models import CouponLine, Order, OrderLine, Product, Store
from stores.sync import coupon_uses, parcels, people, refunds, rows
from stores.sync.facts import DRAFTS, Known, is_counted, order_facts, takes
from stores.woo.errors import OtherShop
from stores.woo.payloads import LinePayload, OrderPayload, storable
from stores.woo.payloads.values import MARK

# What moves when we write a note or a mark of our own: then nothing has changed for us.
VOLATILE = frozenset({"_links", "date_modified", "date_modified_gmt"})
LANGUAGE_KEYS = ("wpml_language", "_language", "trp_language", "_order_language", "pll_language")

_COLUMNS = (
    "store_id",
    "woo_id",
    "customer_id",
    "number",
    "status",
    "currency",
    "total",
    "tax",
    "shipping",
    "discount",
    "refunded",
    "email",
    "billing_name",
    "country",
    "language",
    "payment_method",
    "payment_title",
    "shipping_method",
    "created_via",
    "channel",
    "created_gmt",
    "paid_gmt",
    "completed_gmt",
    "delivered_at",
    "delivered_estimated",
    "counted",
    "historic",
    "renewal",
    "ref",
    "modified_gmt",
    "content_hash",
    "fetched_at",
    "trashed_at",
    "deleted_at",
    "raw",
)
_LINE_COLUMNS = (
    "order_id",
    "woo_id",
    "product_id",
    "product_woo_id",
    "variation_woo_id",
    "name",
    "sku",
    "quantity",
    "subtotal",
    "total",
    "tax",
    "cost",
    "refunded_quantity",
    "refunded_total",
    "image_url",
)
# As the fields of Known.
_KNOWN = (
    "id",
    "woo_id",
    "status",
    "total",
    "refunded",
    "paid_gmt",
    "customer_id",
    "delivered_at",
    "delivered_estimated",
    "counted",
    "historic",
    "ref",
    "modified_gmt",
    "content_hash",
    "fetched_at",
    "deleted_at",
    "created_gmt",
)
_SCRUBBED = '{"erased": true}'


@dataclass(frozen=True, slots=True)
class Read:
    """A readable body: parsed, as JSON text, and its hash."""

    order: OrderPayload
    body: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Taken:
    """An order of the page that is written: its row, and what was known of it before."""

    order: OrderPayload
    pk: int
    customer_id: int | None
    known: Known | None


def read(order: OrderPayload, body: dict[str, object]) -> Read:
    """Keep a body beside what was parsed from it, with a notice of what had to be cut."""
    if order.notices:
        body = {**body, "_cut": list(order.notices)}
    written = storable(body, without=VOLATILE)
    return Read(order, written, blake2b(written.encode(), digest_size=20).hexdigest())


def apply_orders(store: Store, page: Sequence[Read], *, fetched_at: datetime, historic: bool) -> int:
    """Write the orders that are news; how many were. In the caller's transaction, under the store's lock."""
    known = _known(store, [one.order.woo_id for one in page])
    news = {
        one.order.woo_id: one
        for one in page
        if takes(known.get(one.order.woo_id), one.order.modified, one.content_hash, fetched_at)
    }
    if not news:
        return 0
    _must_be_ours(store, news, known)
    languages = {one.order.woo_id: _language(store, one.order) for one in news.values()}
    found = people.customers_of(
        store,
        [(one.order, languages[one.order.woo_id]) for one in news.values() if one.order.status not in DRAFTS],
        historic=historic,
    )
    seen = parcels.look(store, [(one.order, known.get(woo_id)) for woo_id, one in news.items()], now=fetched_at)
    _write(store, news.values(), known, found, languages, seen, fetched_at, historic)
    ids = {woo_id: row.pk for woo_id, row in known.items()}
    if missing := [woo_id for woo_id in news if woo_id not in ids]:
        ids |= dict(rows.find(Order, ("woo_id", "id"), "woo_id", missing, store=store))
    taken = [
        Taken(one.order, ids[woo_id], found.by_order.get(woo_id), known.get(woo_id)) for woo_id, one in news.items()
    ]
    edited = _write_lines(store, taken)
    facts: list[Fact] = list(found.facts)
    for one in taken:
        facts += order_facts(
            store,
            one.order,
            pk=one.pk,
            customer_id=one.customer_id,
            known=one.known,
            edited=one.pk in edited,
            historic=historic,
        )
    facts += refunds.from_orders(store, taken, fetched_at=fetched_at, historic=historic)
    facts += parcels.from_orders(store, taken, seen, now=fetched_at, historic=historic)
    facts += coupon_uses.from_orders(store, taken, had=_write_coupon_lines(taken), historic=historic)
    people.refresh(
        store,
        {one.customer_id for one in taken if one.customer_id}
        | {one.known.customer_id for one in taken if one.known and one.known.customer_id},
    )
    events.record_many(store, facts)
    if forgotten := {one.customer_id for one in taken if one.order.forgotten and one.customer_id}:
        people.forget(store, forgotten)
    return len(taken)


def _known(store: Store, ids: Sequence[int]) -> dict[int, Known]:
    return {row[1]: Known(*row) for row in rows.find(Order, _KNOWN, "woo_id", ids, store=store)}


def _must_be_ours(store: Store, news: dict[int, Read], known: dict[int, Known]) -> None:
    """Another shop numbers its orders too: an order with another key and another creation is not the one known here.

    A merchant may change the date of an order, and plugins make keys anew; hardly both.
    """
    moved = [
        woo_id
        for woo_id, one in news.items()
        if (row := known.get(woo_id)) and row.created and row.created != one.order.created
    ]
    if not moved:
        return
    keys = dict(Order.objects.filter(store=store, woo_id__in=moved).values_list("woo_id", "raw__order_key"))
    for woo_id in moved:
        told = json.loads(news[woo_id].body).get("order_key")
        if told and keys.get(woo_id) and told != keys[woo_id]:
            raise OtherShop(
                _("The orders at this address are other ones than those known here under the same numbers.")
            )


def _language(store: Store, order: OrderPayload) -> str:
    keys = (store.language_meta_key, *LANGUAGE_KEYS) if store.language_meta_key else LANGUAGE_KEYS
    for key in keys:
        told = order.meta.get(key)
        if isinstance(told, str) and 2 <= len(told) <= 12 and told[:2].isalpha():
            return told[:2].lower()
    return ""


def _write(
    store: Store,
    news: Iterable[Read],
    known: dict[int, Known],
    found: people.People,
    languages: dict[int, str],
    seen: dict[int, parcels.Look],
    fetched_at: datetime,
    historic: bool,
) -> None:
    written = []
    for one in news:
        order = one.order
        before = known.get(order.woo_id)
        arrived = seen[order.woo_id].arrival if order.woo_id in seen else None
        erased = order.woo_id in found.erased
        mark = order.meta.get(MARK)
        past = historic or store.live_from is None or order.created < store.live_from
        written.append(
            (
                store.pk,
                order.woo_id,
                found.by_order.get(order.woo_id),
                order.number,
                order.status,
                order.currency,
                order.total,
                order.tax,
                order.shipping,
                order.discount,
                order.refunded,
                "" if erased else order.email,
                "" if erased else f"{order.first_name} {order.last_name}".strip()[:200],
                order.country,
                languages[order.woo_id],
                order.payment_method,
                order.payment_title,
                order.shipping_lines[0].title if order.shipping_lines else "",
                order.created_via,
                "woocommerce",
                order.created,
                order.paid,
                order.completed,
                arrived.at if arrived else before.delivered_at if before else None,
                arrived.estimated if arrived else before.delivered_estimated if before else False,
                is_counted(order),
                before.historic if before else past,
                order.renewal,
                mark[:64] if isinstance(mark, str) else "",
                order.modified,
                one.content_hash,
                fetched_at,
                order.modified if order.status == "trash" else None,
                None,
                _SCRUBBED if erased else one.body,
            )
        )
    rows.upsert(Order, _COLUMNS, written, key=("store_id", "woo_id"))


def _write_lines(store: Store, taken: Sequence[Taken]) -> set[int]:
    """Write the product lines; which of the orders that were known have other lines or another total than before."""
    old: dict[int, dict[int, tuple[object, ...]]] = {}
    if again := [one.pk for one in taken if one.known]:
        columns = ("order_id", "woo_id", "quantity", "total")
        for order_id, woo_id, quantity, total in rows.find(OrderLine, columns, "order_id", again):
            old.setdefault(order_id, {})[woo_id] = (quantity, total)
    wanted = {line.product_id for one in taken for line in one.order.lines if line.product_id}
    products = {
        row[0]: row[1:] for row in rows.find(Product, ("woo_id", "id", "image_url"), "woo_id", wanted, store=store)
    }
    nothing = (None, "")
    rows.upsert(
        OrderLine,
        _LINE_COLUMNS,
        [
            (
                one.pk,
                line.woo_id,
                products.get(line.product_id, nothing)[0],
                line.product_id,
                line.variation_id,
                line.name,
                line.sku,
                line.quantity,
                line.subtotal,
                line.total,
                line.tax,
                line.cost,
                0,
                0,
                line.image_url or products.get(line.product_id, nothing)[1],
            )
            for one in taken
            for line in one.order.lines
        ],
        key=("order_id", "woo_id"),
        keep=("refunded_quantity", "refunded_total"),
    )
    edited = set()
    for one in taken:
        if one.known is None:
            continue
        had, has = old.get(one.pk, {}), _sums(one.order.lines)
        if had != has or one.known.total != one.order.total:
            edited.add(one.pk)
        if gone := had.keys() - has.keys():
            OrderLine.objects.filter(order_id=one.pk, woo_id__in=gone).delete()
    return edited


def _sums(lines: Iterable[LinePayload]) -> dict[int, tuple[object, ...]]:
    return {line.woo_id: (line.quantity, line.total) for line in lines}


def _write_coupon_lines(taken: Sequence[Taken]) -> dict[int, set[str]]:
    """Write the coupon lines; the codes that known orders had before."""
    had: dict[int, set[str]] = {}
    if again := [one.pk for one in taken if one.known]:
        for order_id, code in CouponLine.objects.filter(order_id__in=again).values_list("order_id", "code"):
            had.setdefault(order_id, set()).add(code)
    for one in taken:
        if gone := had.get(one.pk, set()) - {line.code for line in one.order.coupon_lines}:
            CouponLine.objects.filter(order_id=one.pk, code__in=gone).delete()
    rows.upsert(
        CouponLine,
        ("order_id", "code", "discount"),
        [(one.pk, line.code, line.discount) for one in taken for line in one.order.coupon_lines],
        key=("order_id", "code"),
    )
    return had
