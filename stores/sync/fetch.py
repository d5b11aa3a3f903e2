"""Fetching one object by its id and handing its present body to the mirror."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from postpurchase import clock
from stores.models import Customer, Order, Quarantined, Refund, Store, SyncTask
from stores.sync import apply, health, tasks
from stores.woo.client import Client, Page, client_for
from stores.woo.errors import Invalid, Missing, ToldToWait, Unreachable

PATHS = {
    "order": "orders",
    "product": "products",
    "coupon": "coupons",
    "customer": "customers",
    "review": "products/reviews",
    "category": "products/categories",
}
RETRIED_AT_ONCE = 100
RETRY_LOOKS = timedelta(minutes=15)
# So often an object has to fail alone, while the store answers otherwise, before it is put aside.
ALONE = 3
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
        apply.solved(store, entity, [woo_id])
        return None
    except Unreachable as error:
        held = Quarantined.objects.filter(store=store, entity=entity, woo_id=woo_id, solved_at=None, by_shop=True)
        if isinstance(error, ToldToWait) or not breaks_on_its_content(error) or not held.exists():
            raise
        # It is known to fail; the plan of the quarantine says when it is tried again.
        put_aside(store, entity, woo_id, error.message)
        return None
    if entity == "order":
        complete(store, client, [body])
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


def complete(store: Store, client: Client, rows: list[dict[str, Any]]) -> None:
    """Ask for what belongs to these orders and is not in their bodies: accounts not known here yet, and parcels."""
    _add_accounts(store, client, rows)
    add_fulfilments(store, client, rows)


def complete_news(store: Store, client: Client, rows: list[dict[str, Any]]) -> None:
    """As `complete`, but for orders that changed since they were read last; the others keep the parcels they had."""
    known = {
        woo_id: (modified, parcels)
        for woo_id, modified, parcels in Order.objects.filter(
            store=store, woo_id__in=[row.get("id") for row in rows]
        ).values_list("woo_id", "modified_gmt", "raw__fulfillments")
    }
    news = []
    for row in rows:
        modified, parcels = known.get(row.get("id") or 0, (None, None))
        if modified is None or modified != gmt_of(row):
            news.append(row)
        elif parcels is not None:
            row["fulfillments"] = parcels
    if news:
        complete(store, client, news)


def _add_accounts(store: Store, client: Client, rows: list[dict[str, Any]]) -> None:
    """The accounts come first: an order that another address was typed into is the account's, not a stranger's."""
    told = {row["customer_id"] for row in rows if isinstance(row.get("customer_id"), int) and row["customer_id"] > 0}
    unknown = told - set(Customer.objects.filter(store=store, woo_id__in=told).values_list("woo_id", flat=True))
    if not unknown:
        return
    try:
        page = client.page("customers", include=sorted(unknown)[:100], role="all", per_page=100)
    except (Invalid, Missing):
        return
    if page.rows:
        apply.apply(store, "customer", page.rows, fetched_at=page.fetched_at)


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


@dataclass
class Alone:
    """How often objects failed alone, by id, kept between polls; `last` is the failure that is not the last straw yet."""

    tries: dict[str, int]
    last: Unreachable | None = None

    def fails(self, woo_id: int, error: Unreachable) -> bool:
        """Note a failure; whether it was the one too many."""
        tries = self.tries.pop(str(woo_id), 0) + 1
        if tries >= ALONE:
            return True
        self.tries[str(woo_id)], self.last = tries, error
        return False


def page_by_ones(store: Store, client: Client, entity: str, path: str, alone: Alone, **params: Any) -> Page:
    """A page that fails as a whole, in halves: the good objects; what fails alone for the third time is put aside.

    Raises when not even the list of ids comes, for then it is the shop that fails, and while something fails that has
    not failed often enough to be blamed.
    """
    light = client.page(path, **params, _fields="id,date_modified_gmt,date_created_gmt")
    ids = [row["id"] for row in light.rows if row.get("id")]
    alone.last = None
    found = _in_halves(store, client, entity, path, ids, alone, params)
    if alone.last:
        raise alone.last
    rows = [found[row["id"]] for row in light.rows if row.get("id") in found]
    return replace(light, rows=rows)


def _in_halves(
    store: Store, client: Client, entity: str, path: str, ids: list[int], alone: Alone, params: dict[str, Any]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    kept = {name: value for name, value in params.items() if name in {"status"}}
    half = max(len(ids) // 2, 1)
    for some in (ids[:half], ids[half:]):
        if not some:
            continue
        try:
            if len(some) == 1:
                found[some[0]] = client.get(f"{PATHS[entity]}/{some[0]}")
            else:
                page = client.page(path, **kept, include=some, per_page=len(some))
                found |= {row["id"]: row for row in page.rows if row.get("id") in some}
        except Missing:
            continue
        except Unreachable as error:
            if isinstance(error, ToldToWait) or not breaks_on_its_content(error):
                raise
            if len(some) > 1:
                found |= _in_halves(store, client, entity, path, some, alone, params)
            elif alone.fails(some[0], error):
                put_aside(store, entity, some[0], error.message)
    return found


def put_aside(store: Store, entity: str, woo_id: int, reason: str) -> None:
    """Note an object that the shop itself cannot give; it is asked for again on its own."""
    apply.quarantine(store, entity, woo_id, reason, None)


def retry_put_aside(task: SyncTask) -> timedelta:
    """Ask again for what was put aside, where its time has come."""
    now = clock.now()
    held = Quarantined.objects.filter(store=task.store, solved_at=None, retry_at__lte=now)
    wanted = []
    for row in held.order_by("retry_at")[:RETRIED_AT_ONCE]:
        wanted.append(_whereabouts(row))
        Quarantined.objects.filter(pk=row.pk).update(
            retries=row.retries + 1, retry_at=now + apply.RETRIES[min(row.retries + 1, len(apply.RETRIES) - 1)]
        )
    tasks.arm(task.store, [(entity, woo_id) for entity, woo_id in wanted if woo_id])
    return RETRY_LOOKS


def _whereabouts(row: Quarantined) -> tuple[str, int | None]:
    """What to fetch to see an object again: some are only found with the one that they belong to."""
    lists = {"refund": "refund", "variation": "variations"}
    if row.entity not in lists:
        return row.entity, row.woo_id
    parent = row.raw.get("parent_id")
    return lists[row.entity], parent if isinstance(parent, int) else None


def register() -> None:
    """Hook the fetchers in; called from `AppConfig.ready()`."""
    for entity in [*PATHS, "refund", "variations"]:
        tasks.register_fetch(entity, fetch)
    tasks.register_poll("quarantine", retry_put_aside)


def gmt_of(row: dict[str, object], field: str = "date_modified_gmt") -> datetime | None:
    """A row's time in GMT, aware; None when it tells none that can be read."""
    text = row.get(field)
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def learn(store: Store, **found: Any) -> None:
    """Keep what the shop turned out to be able to do, or not."""
    with transaction.atomic():
        row = Store.objects.select_for_update().only("capabilities").get(pk=store.pk)
        row.capabilities |= found
        row.save(update_fields=["capabilities"])
    store.capabilities = row.capabilities
