"""Fetching one object by its id and handing its present body to the mirror."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from postpurchase import clock
from stores.models import Customer, Quarantined, Refund, Store, SyncTask
from stores.sync import apply, health, tasks
from stores.woo.client import Client, Page, client_for
from stores.woo.errors import Missing, Unreachable

PATHS = {
    "order": "orders",
    "product": "products",
    "coupon": "coupons",
    "customer": "customers",
    "review": "products/reviews",
    "category": "products/categories",
}
VARIABLE = frozenset({"variable", "variable-subscription"})


def fetch(task: SyncTask) -> timedelta | None:
    """Ask for the task's object and apply it; what is not there any more becomes a tombstone."""
    store, entity, woo_id = task.store, task.entity, task.woo_id
    if woo_id is None:
        return None
    client, begun = client_for(store), clock.now()
    if entity == "refund":
        # The backfill may have brought the lines already, with the list of all refunds.
        if Refund.objects.filter(store=store, order__woo_id=woo_id, lines__isnull=True, deleted_at=None).exists():
            refunds_of(store, client, woo_id)
        return None
    if entity == "variations":
        variations_of(store, client, woo_id)
        return None
    try:
        body = client.get(f"{PATHS[entity]}/{woo_id}")
    except Missing:
        health.answered(store)
        apply.mark_missing(store, entity, woo_id)
        return None
    if entity == "order":
        add_fulfilments(store, client, [body])
    health.answered(store)
    if entity == "customer" and not _is_customer(store, body):
        return None
    # A variation's change comes under its own id as that of a product.
    kind = "variation" if entity == "product" and body.get("type") == "variation" else entity
    with transaction.atomic():
        take_in(store, kind, [body], fetched_at=begun)
    return None


def take_in(store: Store, entity: str, rows: list[dict[str, Any]], *, fetched_at: datetime) -> None:
    """Apply bodies in the present transaction, and have the variations of changed products fetched."""
    apply.apply(store, entity, rows, fetched_at=fetched_at)
    if entity == "product":
        tasks.arm(store, [("variations", row["id"]) for row in rows if row.get("type") in VARIABLE])


def _is_customer(store: Store, body: dict[str, Any]) -> bool:
    """Shops also tell of editors and subscribers, who bought nothing."""
    return (
        body.get("role") in {None, "customer"}
        or body.get("is_paying_customer") is True
        or Customer.objects.filter(store=store, woo_id=body.get("id")).exists()
    )


def add_fulfilments(store: Store, client: Client, rows: list[dict[str, Any]]) -> None:
    """Put the shop's own fulfilments (parcels) into the bodies of orders, where the shop has that feature.

    They have an address of their own, so this costs one request for each order.
    """
    if not store.capabilities.get("fulfilments"):
        return
    for row in rows:
        found = client.fulfilments(row["id"])
        if found is None:
            return
        row["fulfillments"] = found


def refunds_of(store: Store, client: Client, order_id: int, *, historic: bool = False) -> int:
    """Fetch the refunds of an order (by its woo id) with their lines; how many there were."""
    page = client.page(f"orders/{order_id}/refunds", per_page=100)
    for row in page.rows:
        row.setdefault("parent_id", order_id)
    if page.rows:
        apply.apply(store, "refund", page.rows, fetched_at=page.fetched_at, historic=historic)
    return len(page.rows)


def variations_of(store: Store, client: Client, product_id: int, *, historic: bool = False) -> int:
    """Fetch the variations of a product (by its woo id); how many there were."""
    number, found = 1, 0
    while True:
        page = client.page(f"products/{product_id}/variations", per_page=100, page=number, orderby="id", order="asc")
        for row in page.rows:
            row.setdefault("parent_id", product_id)
        if page.rows:
            apply.apply(store, "variation", page.rows, fetched_at=page.fetched_at, historic=historic)
        found += len(page.rows)
        if len(page.rows) < 100:
            return found
        number += 1


def breaks_on_its_content(error: Unreachable) -> bool:
    """Whether a failure may come from one object or from too many of them, rather than from the shop as a whole."""
    return error.code in {"", "unreadable", "too_large", "time_out", "internal_server_error"}


def page_by_ones(store: Store, client: Client, entity: str, path: str, **params: Any) -> Page:
    """A page that fails as a whole, object by object: the good ones; what fails alone is put aside with its reason.

    Raises when not even the list of ids comes: then it is the shop that fails.
    """
    light = client.page(path, **params, _fields="id,date_modified_gmt,date_created_gmt")
    rows = []
    for found in light.rows:
        try:
            rows.append(client.get(f"{PATHS[entity]}/{found['id']}"))
        except Missing:
            continue
        except Unreachable as error:
            if not breaks_on_its_content(error):
                raise
            put_aside(store, entity, found["id"], error.message)
    return Page(rows, light.total, light.pages, light.fetched_at)


def put_aside(store: Store, entity: str, woo_id: int, reason: str) -> None:
    """Note an object that the shop itself cannot give; its next change tries again."""
    now = clock.now()
    row, made = Quarantined.objects.get_or_create(
        store=store, entity=entity, woo_id=woo_id, defaults={"reason": reason, "first_at": now, "last_at": now}
    )
    if not made:
        Quarantined.objects.filter(pk=row.pk).update(reason=reason, last_at=now, times=F("times") + 1, solved_at=None)


def register() -> None:
    """Hook the fetchers in; called from `AppConfig.ready()`."""
    for entity in [*PATHS, "refund", "variations"]:
        tasks.register_fetch(entity, fetch)


def gmt_of(row: dict[str, object], field: str = "date_modified_gmt") -> datetime | None:
    """A row's time in GMT, aware; None when it tells none that can be read."""
    text = row.get(field)
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None
