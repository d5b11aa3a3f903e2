"""The generic list page: declare what a list shows, and one view answers page, fragment, file and bulk action.

The address holds everything (`?view=late&q=ana&sort=-date&page=2&size=50`). The number of queries does not depend on
the number of rows: one for the rows, one bounded count, one for each counted tab, and what the declaration prefetches.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase import clock, exporting
from postpurchase.errors import BusinessError
from stores.access import DATA_EXPORT, StoreRequest
from stores.models import Store

SIZES = (25, 50, 100)
# Counting stops here: beyond it a list says "more than", because nobody pages that far and the count would cost.
COUNT_LIMIT = 100_000
TAB_COUNT_LIMIT = 1_000


@dataclass(frozen=True)
class Cell:
    """What one cell shows: text (or a time, or money), a link, small print below, a badge before it."""

    text: Any = ""
    url: str = ""
    meta: Any = ""
    # (state, words) or (state, words, icon); state one of ok warn bad info neutral
    badge: tuple[str, ...] | None = None
    at: datetime | None = None
    money: tuple[Decimal, str] | None = None

    def plain(self) -> Any:
        """The cell in an exported file."""
        if self.money:
            return self.money[0]
        parts = [self.at, self.badge[1] if self.badge else "", self.text]
        return next((part for part in parts if part not in {"", None}), "")


@dataclass(frozen=True)
class Column:
    """A column. `cell(row)` makes what it shows; `sort` names the ORM fields of its order ("created_gmt").

    `number` aligns at the end; `phone=False` leaves it out of the cards of narrow screens; without `permission` the
    column does not exist for a person. The first column is the row's header.
    """

    name: str
    label: Any
    cell: Callable[[Any], Cell | str | int]
    sort: str = ""
    number: bool = False
    whole: bool = False  # never broken into two lines: codes, numbers
    nullable: bool = False  # rows without a value stand last, whichever way it is sorted
    phone: bool = True
    permission: str = ""
    export: Callable[[Any], Any] | None = None


Choices = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class Filter:
    """A select above the table. `apply` is a field lookup ("status") or a function of queryset and value."""

    name: str
    label: Any
    choices: Choices | Callable[[Store], Choices]
    apply: str | Callable[[QuerySet[Any], str], QuerySet[Any]]
    more: bool = False  # stands under "More filters"

    def options(self, store: Store) -> Choices:
        return self.choices(store) if callable(self.choices) else self.choices

    def on(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{self.apply: value}) if isinstance(self.apply, str) else self.apply(queryset, value)


_ANY_TIME = gettext_lazy("Any time")
_SEARCH = gettext_lazy("Search")
PERIODS: Choices = [
    ("1", gettext_lazy("Last 24 hours")),
    ("7", gettext_lazy("Last 7 days")),
    ("28", gettext_lazy("Last 28 days")),
    ("90", gettext_lazy("Last 90 days")),
    ("365", gettext_lazy("Last 12 months")),
]


def period(field_name: str, label: Any = _ANY_TIME) -> Filter:
    """A filter for rows of the last days, by a time field."""

    def apply(queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{f"{field_name}__gte": clock.now() - timedelta(days=int(value))})

    return Filter("period", label, PERIODS, apply)


@dataclass(frozen=True)
class Tab:
    """A saved view: a name for a narrower queryset. `counted` shows how many, at most two of a list."""

    name: str
    label: Any
    apply: Callable[[QuerySet[Any]], QuerySet[Any]]
    counted: bool = False


@dataclass(frozen=True)
class BulkAction:
    """What may be done with the chosen rows. `run(request, queryset)` returns the sentence that tells what happened, or a
    page that asks for more and posts the same action again.

    With `confirm` (a function of the number) a page asks first.
    """

    name: str
    label: Any
    run: Callable[[StoreRequest, QuerySet[Any]], str | HttpResponse]
    permission: str
    danger: bool = False
    confirm: Callable[[int], str] | None = None


_more_bulk: dict[str, list[BulkAction]] = {}


def add_bulk(listing: str, action: BulkAction) -> None:
    """Let an app above the list's own offer something for its rows; called from `AppConfig.ready()`."""
    _more_bulk.setdefault(listing, []).append(action)


def _bulk_of(listing: "Listing") -> list[BulkAction]:
    return [*listing.bulk, *_more_bulk.get(listing.name, [])]


@dataclass(frozen=True)
class RowAction:
    """A button at the end of a row: a link, or with `post` a form of one button."""

    label: Any
    url: str
    post: bool = False
    about: Any = ""  # what it acts on, for those who hear the page


@dataclass(frozen=True)
class Empty:
    """First use: one sentence on the benefit, one button."""

    title: Any
    text: Any
    action: Any = ""
    url: str = ""
    icon: str = "inbox"


@dataclass(frozen=True)
class Listing:
    """A list page. `rows(store)` starts every query; `counted(n)` says "1,284 orders" (`shown` is the printed number)."""

    name: str
    title: Any
    rows: Callable[[Store], QuerySet[Any]]
    columns: Sequence[Column]
    counted: Callable[[int, str], str]
    sort: str  # column name, with "-" for descending
    empty: Empty
    lede: Any = ""
    search: Sequence[str] = ()
    search_private: tuple[str, Sequence[str]] = ("", ())  # (permission, more lookups)
    search_hint: Any = _SEARCH
    filters: Sequence[Filter] = ()
    tabs: Sequence[Tab] = ()
    bulk: Sequence[BulkAction] = ()
    row_action: Callable[[Any], RowAction | None] | None = None
    details: str = ""  # template of a second line per row, with `row`; shown when `has_details(row)`
    has_details: Callable[[Any], bool] | None = None
    cards: str = ""  # template of one row, with `row`, for what no table can show; stands instead of the table
    before: str = ""  # template between head and table: banners, totals
    head: str = ""  # template with the buttons beside the title
    crumbs: Sequence[tuple[Any, str]] = ()  # (words, address name under the store)
    export: Callable[[QuerySet[Any]], exporting.Table] | None = None
    template: str = "dashboard/list.html"

    @property
    def has_row_action(self) -> bool:
        """For the template, which would call `row_action` itself without a row."""
        return self.row_action is not None


@dataclass(frozen=True)
class ShownColumn:
    """A column's head in one answer."""

    column: Column
    sort_url: str
    direction: str  # "", "ascending", "descending"


@dataclass(frozen=True)
class ShownRow:
    """A row in one answer: its cells beside their columns."""

    object: Any
    cells: list[tuple[Column, Cell]]
    action: RowAction | None
    details: bool


@dataclass
class ListPage:
    """All that the template of one answer needs."""

    listing: Listing
    columns: list[ShownColumn]
    rows: list[ShownRow]
    tabs: list[dict[str, Any]]
    filters: list[dict[str, Any]]
    chips: list[dict[str, str]]
    query: str
    total: int
    total_shown: str
    sentence: str
    first: int
    last: int
    size: int
    sizes: list[dict[str, Any]]
    previous_url: str
    next_url: str
    export_urls: list[tuple[str, str]]
    bulk: list[BulkAction]
    hidden: list[tuple[str, str]] = field(default_factory=list)
    pristine: bool = False  # nothing is narrowed, so no rows means first use

    @property
    def more_open(self) -> bool:
        return any(one["filter"].more and one["value"] for one in self.filters)


class _Query:
    """The address of a list, read once and changed without touching the original."""

    def __init__(self, params: QueryDict, path: str) -> None:
        self.params, self.path = params, path

    def url(self, **changes: str | None) -> str:
        params = self.params.copy()
        for key in ("export", "page", *changes):
            params.pop(key, None)
        for key, value in changes.items():
            if value:
                params[key] = value
        encoded = params.urlencode()
        return f"{self.path}?{encoded}" if encoded else self.path


def answer(request: StoreRequest, listing: Listing, **context: Any) -> HttpResponse:
    """The list as a page, for htmx as its changing part, with `?export=csv|xlsx` as a file; POST runs a bulk action."""
    queryset = _narrowed(request, listing, request.GET)
    if request.method == "POST":
        return _run_bulk(request, listing, queryset)
    ordered = _ordered(listing, queryset, request.GET.get("sort", ""))
    kind = request.GET.get("export", "")
    if kind in exporting.FORMATS:
        if DATA_EXPORT not in request.permissions:
            raise PermissionDenied(DATA_EXPORT)
        table = (listing.export or _own_export(request, listing))(ordered)
        return cast(HttpResponse, exporting.answer(f"{listing.name}-{request.store.slug}", table, kind))
    page = _page(request, listing, queryset, ordered)
    partial = request.htmx and request.htmx.target == "listing" and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    template = f"{listing.template}#rows" if partial else listing.template
    response = render(request, template, {"page": page, "listing": listing, "is_fragment": partial, **context})
    patch_vary_headers(response, ["HX-Request"])
    return response


def _columns(request: StoreRequest, listing: Listing) -> list[Column]:
    return [one for one in listing.columns if not one.permission or one.permission in request.permissions]


def _narrowed(request: StoreRequest, listing: Listing, params: QueryDict) -> QuerySet[Any]:
    queryset = listing.rows(request.store)
    for tab in listing.tabs:
        if tab.name == params.get("view"):
            queryset = tab.apply(queryset)
    for one in listing.filters:
        value = params.get(one.name, "")
        if value and value in {key for key, _label in one.options(request.store)}:
            queryset = one.on(queryset, value)
    words = params.get("q", "").strip()[:100].replace("\x00", "")
    if words:
        permission, private = listing.search_private
        lookups = [*listing.search, *(private if permission in request.permissions else ())]
        matching = Q()
        for lookup in lookups:
            matching |= Q(**{lookup: words.lstrip("#") if "number" in lookup else words})
        queryset = queryset.filter(matching)
    return queryset


def _sorting(listing: Listing, wanted: str) -> tuple[Column, bool]:
    """The column to sort by and whether downwards; the list's own order when the address names no such column."""
    for asked in (wanted, listing.sort):
        for column in listing.columns:
            if column.sort and column.name == asked.removeprefix("-"):
                return column, asked.startswith("-")
    raise ValueError(f"{listing.name} cannot be sorted by {listing.sort!r}")


def _ordered(listing: Listing, queryset: QuerySet[Any], wanted: str) -> QuerySet[Any]:
    column, down = _sorting(listing, wanted)
    last = True if column.nullable else None
    value = F(column.sort)
    return queryset.order_by(
        value.desc(nulls_last=last) if down else value.asc(nulls_last=last), "-pk" if down else "pk"
    )


def _bounded_count(queryset: QuerySet[Any], limit: int) -> int:
    return queryset.order_by().values("pk")[: limit + 1].count()


def _shown(count: int, limit: int) -> str:
    return f"{min(count, limit):,}" + ("+" if count > limit else "")


def _page(request: StoreRequest, listing: Listing, queryset: QuerySet[Any], ordered: QuerySet[Any]) -> ListPage:
    params, store = request.GET, request.store
    address = _Query(params, request.path)
    size = next((one for one in SIZES if str(one) == params.get("size")), SIZES[0])
    total = _bounded_count(queryset, COUNT_LIMIT)
    reachable = min(total, COUNT_LIMIT)
    pages = max((reachable + size - 1) // size, 1)
    asked = params.get("page", "1")
    number = min(max(int(asked), 1), pages) if asked.isdecimal() and len(asked) < 8 else 1
    start = (number - 1) * size
    objects = list(ordered[start : start + size])
    columns = _columns(request, listing)
    sorted_by, down = _sorting(listing, params.get("sort", ""))
    shown = _shown(total, COUNT_LIMIT)
    counted = listing.counted(total, shown)
    narrowing = {"q", "view", *(one.name for one in listing.filters)}
    filters = [
        {"filter": one, "options": list(one.options(store)), "value": params.get(one.name, "")}
        for one in listing.filters
    ]
    return ListPage(
        listing=listing,
        columns=[_head(column, sorted_by, down, address) for column in columns],
        rows=[_row(listing, columns, one) for one in objects],
        tabs=_tabs(listing, store, params, address, total),
        filters=filters,
        chips=_chips(filters, params.get("q", "").strip(), address),
        query=params.get("q", ""),
        total=total,
        total_shown=shown,
        sentence=(
            _("%(counted)s, sorted by %(column)s, descending") if down else _("%(counted)s, sorted by %(column)s")
        )
        % {"counted": counted, "column": sorted_by.label},
        first=start + 1 if objects else 0,
        last=start + len(objects),
        size=size,
        sizes=[{"size": one, "url": address.url(size=str(one)), "current": one == size} for one in SIZES],
        previous_url=address.url(page=str(number - 1)) if number > 1 else "",
        next_url=address.url(page=str(number + 1)) if number < pages else "",
        export_urls=[(kind.upper(), address.url(export=kind)) for kind in exporting.FORMATS]
        if DATA_EXPORT in request.permissions
        else [],
        bulk=[one for one in _bulk_of(listing) if one.permission in request.permissions],
        hidden=[(key, params[key]) for key in ("view", "sort", "size") if params.get(key)],
        pristine=not any(params.get(key) for key in narrowing),
    )


def _head(column: Column, sorted_by: Column, down: bool, address: _Query) -> ShownColumn:
    if not column.sort:
        return ShownColumn(column, "", "")
    current = column.name == sorted_by.name
    # A column not yet sorted by begins where people look first: newest, most.
    sign = "" if current and down else "-" if current or column.number else ""
    direction = ("descending" if down else "ascending") if current else ""
    return ShownColumn(column, address.url(sort=f"{sign}{column.name}"), direction)


def _row(listing: Listing, columns: Iterable[Column], row: Any) -> ShownRow:
    return ShownRow(
        object=row,
        cells=[(column, _cell(column, row)) for column in columns],
        action=listing.row_action(row) if listing.row_action else None,
        details=bool(listing.details and (listing.has_details is None or listing.has_details(row))),
    )


def _cell(column: Column, row: Any) -> Cell:
    made = column.cell(row)
    return made if isinstance(made, Cell) else Cell(made)


def _tabs(listing: Listing, store: Store, params: QueryDict, address: _Query, total: int) -> list[dict[str, Any]]:
    if not listing.tabs:
        return []
    current = params.get("view", "")
    known = current in {tab.name for tab in listing.tabs}
    alone = not params.get("q") and not any(params.get(one.name) for one in listing.filters)
    # Tabs lead to the whole view; what was searched in another one does not follow.
    leave = {one.name: None for one in listing.filters} | {"q": None}
    tabs = [
        {
            "label": _("All"),
            "url": address.url(view=None, **leave),
            "current": not known,
            "count": _shown(total, COUNT_LIMIT) if alone and not known else "",
        }
    ]
    for tab in listing.tabs:
        count = _bounded_count(tab.apply(listing.rows(store)), TAB_COUNT_LIMIT) if tab.counted else 0
        tabs.append(
            {
                "label": tab.label,
                "url": address.url(view=tab.name, **leave),
                "current": tab.name == current,
                "count": _shown(count, TAB_COUNT_LIMIT) if tab.counted else "",
            }
        )
    return tabs


def _chips(filters: list[dict[str, Any]], words: str, address: _Query) -> list[dict[str, str]]:
    chips = [{"label": f"“{words}”", "url": address.url(q=None)}] if words else []
    for one in filters:
        label = dict(one["options"]).get(one["value"])
        if label is not None:
            chips.append({"label": str(label), "url": address.url(**{one["filter"].name: None})})
    return chips


def _own_export(request: StoreRequest, listing: Listing) -> Callable[[QuerySet[Any]], exporting.Table]:
    """The list's own columns as a table, for lists without a resource."""
    columns = _columns(request, listing)

    def values(queryset: QuerySet[Any]) -> Iterator[list[Any]]:
        for row in queryset.iterator(chunk_size=2000):
            yield [column.export(row) if column.export else _cell(column, row).plain() for column in columns]

    return lambda queryset: ([str(column.label) for column in columns], values(queryset))


def _run_bulk(request: StoreRequest, listing: Listing, queryset: QuerySet[Any]) -> HttpResponse:
    """Run a bulk action on the ticked rows, or with `all=1` on all that match; a refusal is told and changes nothing."""
    action = next((one for one in _bulk_of(listing) if one.name == request.POST.get("action")), None)
    if action is None:
        messages.error(request, _("This list has no such action. Nothing was changed."))
        return HttpResponseRedirect(request.get_full_path())
    if action.permission not in request.permissions:
        raise PermissionDenied(action.permission)
    ids = [one for one in request.POST.getlist("ids") if one.isdecimal() and len(one) < 19]
    everything = request.POST.get("all") == "1"
    chosen = queryset if everything else queryset.filter(pk__in=ids)
    if not everything and not ids:
        messages.warning(request, _("No row was ticked, so nothing was changed. Tick rows and press the button again."))
        return HttpResponseRedirect(request.get_full_path())
    if action.confirm and request.POST.get("confirmed") != "1":
        number = chosen.count()
        shown = {"action": action, "listing": listing, "ids": ids, "everything": everything, "number": number}
        return render(request, "dashboard/confirm.html", shown | {"question": action.confirm(number)})
    try:
        told = action.run(request, chosen)
        if isinstance(told, HttpResponse):
            return told
        messages.success(request, told)
    except BusinessError as refused:
        messages.error(request, refused.message)
    return HttpResponseRedirect(request.get_full_path())
