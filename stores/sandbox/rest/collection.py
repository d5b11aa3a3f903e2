"""What all lists share: paging, totals, filters by date and id, `_fields`, links to the next page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any
from urllib.parse import urlencode

from .. import params
from ..store import Store
from ..wire import Body, Request, Response, encode, json_response

PAGING: dict[str, params.Check] = {
    "page": params.integer(minimum=1),
    "per_page": params.integer(minimum=1, maximum=100),
    "offset": params.integer(minimum=0),
    "order": params.one_of("asc", "desc"),
    "include": params.integers,
    "exclude": params.integers,
    "search": params.text,
}
MONEY_KEYS = {
    *("discount_total", "discount_tax", "shipping_total", "shipping_tax", "cart_tax", "total", "total_tax"),
    *("subtotal", "subtotal_tax", "tax_total", "shipping_tax_total", "amount"),
}


class Where:
    """Conditions joined by AND, with their arguments."""

    def __init__(self, kind: str) -> None:
        self.parts = ["kind = ?"]
        self.args: list[Any] = [kind]

    def add(self, sql: str, *args: Any) -> None:
        self.parts.append(sql)
        self.args.extend(args)

    def any_of(self, column: str, values: list[Any], *, negated: bool = False) -> None:
        marks = ", ".join("?" * len(values))
        self.add(f"{column} {'NOT ' if negated else ''}IN ({marks})", *values)

    @property
    def sql(self) -> str:
        return " AND ".join(self.parts)


def date_checks(store: Store, *names: str) -> dict[str, params.Check]:
    return {**dict.fromkeys(names, params.date(store.clock)), "dates_are_gmt": params.boolean}


def common_filters(store: Store, where: Where, values: Mapping[str, Any], *, gmt: bool | None = None) -> None:
    """include, exclude, search and the four dates; all date limits are strict."""
    if values.get("include"):
        where.any_of("id", values["include"])
    if values.get("exclude"):
        where.any_of("id", values["exclude"], negated=True)
    if values.get("search"):
        pattern = values["search"].lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.add("search LIKE ? ESCAPE '\\'", f"%{pattern}%")
    flag = bool(values.get("dates_are_gmt")) if gmt is None else gmt
    for name, sql in (
        ("after", "created > ?"),
        ("before", "created < ?"),
        ("modified_after", "modified > ?"),
        ("modified_before", "modified < ?"),
    ):
        if name in values:
            where.add(sql, store.clock.filter_date(values[name], gmt=flag))


def sorting(values: Mapping[str, Any], names: Mapping[str, str], *, default: str, direction: str = "desc") -> str:
    """The ORDER BY text; `names` maps the API's words to columns."""
    asked = values.get("orderby", default)
    way = values.get("order", direction).upper()
    if asked == "include" and values.get("include"):
        cases = " ".join(f"WHEN {int(id)} THEN {place}" for place, id in enumerate(values["include"]))
        return f"CASE id {cases} END"
    column = names.get(asked, "created")
    return f"id {way}" if column == "id" else f"{column} {way}, id {way}"


def pick(value: Any, paths: list[list[str]]) -> Any:
    """The asked fields of a document. A path into a list finds nothing, as in WordPress."""
    if not isinstance(value, dict):
        return None
    kept: Body = {}
    for name, inner in value.items():
        mine = [path[1:] for path in paths if path[0] == name]
        if not mine:
            continue
        if any(not rest for rest in mine):
            kept[name] = inner
        elif isinstance(inner, dict):
            found = pick(inner, mine)
            if found:
                kept[name] = found
    return kept


def fields_asked(request: Request) -> list[list[str]]:
    asked = request.query.get("_fields")
    if not asked:
        return []
    names = asked if isinstance(asked, list) else str(asked).split(",")
    return [name.strip().split(".") for name in names if name.strip()]


def with_decimals(value: Any, places: int) -> Any:
    """The document with every money text at `places` decimals (the `dp` parameter)."""
    if isinstance(value, list):
        return [with_decimals(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"{float(inner):.{places}f}"
        if key in MONEY_KEYS and isinstance(inner, str) and inner
        else with_decimals(inner, places)
        for key, inner in value.items()
    }


def one(store: Store, request: Request, kind: str, text: str, *, status: int = 200, location: str = "") -> Response:
    """A single document, cut to `_fields`."""
    asked = fields_asked(request)
    dp = request.query.get("dp", "")
    if asked or str(dp).isdigit():
        body = json.loads(text)
        if str(dp).isdigit():
            body = with_decimals(body, int(dp))
        text = encode(pick(body, asked) if asked else body)
    return json_response(request, text, status=status, headers={"Location": location} if location else None)


def listing(
    store: Store,
    request: Request,
    where: Where,
    values: Mapping[str, Any],
    *,
    order: str,
    forgets_totals: bool = False,
    link_defaults: Mapping[str, str] | None = None,
    transform: Callable[[Body, int], Body] | None = None,
) -> Response:
    """A page of documents. `forgets_totals`: past the end the totals are 0, as HPOS answers."""
    per_page, page = values.get("per_page", 10), values.get("page", 1)
    offset = values.get("offset", (page - 1) * per_page)
    args = tuple(where.args)
    total = store.storage.count(where.sql, args)
    rows = store.storage.select(where.sql, args, order=order, limit=per_page, offset=offset) if total > offset else []
    if not rows and forgets_totals:
        total = 0
    kind = where.args[0]
    if request.headers.get("x-sandbox-stale"):
        rows = _before_last_change(store, kind, rows)
    asked = fields_asked(request)
    dp = str(request.query.get("dp", ""))
    if asked or transform or dp.isdigit():
        bodies = [json.loads(text) for _, text, _ in rows]
        if transform:
            bodies = [transform(body, parent) for body, (_, _, parent) in zip(bodies, rows, strict=True)]
        if dp.isdigit():
            bodies = [with_decimals(body, int(dp)) for body in bodies]
        content = encode([pick(body, asked) for body in bodies] if asked else bodies)
    else:
        content = f"[{','.join(text for _, text, _ in rows)}]"
    pages = ceil(total / per_page)
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
    link = _page_links(request, page, pages, link_defaults or {})
    if link:
        headers["Link"] = link
    return json_response(request, content, headers=headers)


def _before_last_change(store: Store, kind: str, rows: list[tuple[int, str, int]]) -> list[tuple[int, str, int]]:
    found = []
    for id, text, parent in rows:
        previous = store.storage.previous(kind, id)
        if previous != "":
            found.append((id, text if previous is None else previous, parent))
    return found


def _page_links(request: Request, page: int, pages: int, defaults: Mapping[str, str]) -> str:
    own = {k: v for k, v in request.query.items() if k != "page" and not k.startswith(("oauth_", "consumer_"))}
    query = urlencode({**own, **{k: v for k, v in defaults.items() if k.partition("[")[0] not in own}}, doseq=True)
    address = f"{request.base}{request.path.rstrip('/')}?{query}{'&' if query else ''}page="
    links = []
    if page > 1 and pages:
        links.append(f'<{address}{min(page - 1, pages)}>; rel="prev"')
    if page < pages:
        links.append(f'<{address}{page + 1}>; rel="next"')
    return ", ".join(links)


def document(store: Store, request: Request, kind: str, id: int) -> str | None:
    """The stored text of a document, or None; under the `stale` fault as it was before its last change."""
    text = store.storage.text(kind, id)
    if text is not None and request.headers.get("x-sandbox-stale"):
        previous = store.storage.previous(kind, id)
        return None if previous == "" else previous or text
    return text


def created(store: Store, request: Request, kind: str, body: Body, path: str) -> Response:
    """201 with the new document and where it is."""
    location = f"{request.base}/wp-json/wc/v3/{path}/{body['id']}"
    return one(store, request, kind, encode(body), status=201, location=location)
