"""What a shop can do, tried rather than guessed from its version."""

from datetime import timedelta
from typing import Any

from postpurchase import clock
from stores.woo.client import Client
from stores.woo.errors import Invalid, Missing, Unreachable, WooError


def by_behaviour(client: Client) -> dict[str, Any]:
    """Abilities by name: True, False, or None where it could not be told. Reads only."""
    can: dict[str, Any] = {f"modified_after:{entity}": _filters(client, entity) for entity in FILTERED}
    newest = client.page("orders", per_page=1).rows
    can["fulfilments"] = bool(newest) and client.fulfilments(newest[0]["id"]) is not None
    for name, path in (("refunds_list", "refunds"), ("variations_list", "variations"), ("statuses", "orders/statuses")):
        can[name] = _has(client, path)
    can["trims_fields"] = _trims(client) if newest else None
    return can


FILTERED = ("order", "product", "coupon")


def _filters(client: Client, entity: str) -> bool:
    """Whether a bound on the modification time is heeded: nothing was modified ten years from now."""
    future = clock.now() + timedelta(days=3650)
    try:
        page = client.page(
            f"{entity}s", modified_after=future, dates_are_gmt=True, orderby="modified", order="asc", per_page=1
        )
    except Invalid:
        return False
    return not page.rows


def _has(client: Client, path: str) -> bool | None:
    try:
        client.get(path, per_page=1)
    except Missing:
        return False
    except Unreachable as error:
        return False if error.code == "rest_no_route" else None
    except WooError:
        return None
    return True


def _trims(client: Client) -> bool | None:
    try:
        rows = client.page("orders", per_page=1, _fields="id").rows
    except WooError:
        return None
    return set(rows[0]) == {"id"} if rows else None
