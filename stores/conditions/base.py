"""What a condition is judged about, what may be asked, and where a value comes from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils.functional import Promise

from stores.models import Customer, Order, OrderLine, Store

Condition = Mapping[str, Any]
Words = str | Promise

# Whose row a field is read from. An event is known only while it is at hand; a moment is the store's clock.
CUSTOMER, ORDER, LINE, EVENT, MOMENT = "customer", "order", "line", "event", "moment"
MODELS: dict[str, type[Model]] = {CUSTOMER: Customer, ORDER: Order, LINE: OrderLine}


@dataclass(frozen=True)
class Subject:
    """About whom a condition is judged: a customer, usually with the order, its line and the event at hand."""

    store: Store
    customer: Customer
    order: Order | None = None
    event: Mapping[str, Any] = field(default_factory=dict)
    line: OrderLine | None = None


@dataclass(frozen=True)
class Scope:
    """What an expression may depend on beside its row: the store, the time, and the days of a time frame."""

    store: Store
    now: datetime
    within: int | None = None

    @property
    def since(self) -> datetime | None:
        """The beginning of the time frame, where one is given."""
        return None if self.within is None else self.now - timedelta(days=self.within)

    def during(self, path: str) -> Q:
        """That the time at `path` lies in the time frame, and not after now."""
        before = Q(**{f"{path}__lte": self.now})
        return before if self.since is None else before & Q(**{f"{path}__gte": self.since})


# Values of the subjects, in their order; None where there is nothing to tell (no order).
Load = Callable[[Sequence[Subject]], list[Any]]
# The value as an expression over the rows of the field's own model.
Sql = Callable[[Scope], Any]
Choices = Callable[[Store], list[tuple[str, Words]]]


@dataclass(frozen=True)
class Items:
    """Where a list comes from: rows that each hold one owner and one item, or several that `unfold` takes out.

    `owner` is the path from a row to the pk of the field's own model. `match` says which rows hold one of some values,
    `some` which hold any; both are needed only where an item is more than the value of a column. `unfold` gets all that
    was read, so that what it looks up costs one query.
    """

    rows: Callable[[Scope], QuerySet[Any]]
    owner: str
    item: str
    match: Callable[[Scope, Sequence[Any]], Q] | None = None
    some: Q | None = None
    unfold: Callable[[Scope, Sequence[Any]], Callable[[Any], Iterable[Any]]] | None = None

    def owners(self, scope: Scope, where: Q) -> QuerySet[Any]:
        """The owners of rows; never NULL, so that NOT IN means what it says."""
        return self.rows(scope).filter(where, **{f"{self.owner}__isnull": False}).order_by().values(self.owner)


@dataclass(frozen=True)
class Field:
    """Something one may ask about. `label` reads as "the order's total"; `kind` says which operators fit:

    number, money, text, choice (a text out of `choices`), id (a number of the shop), moment, bool, or list (of `of`).
    The value is `load`ed from rows that are already there, or read by `sql` (`items` for a list); a field that is
    asked in SQL needs one of these two. `timed` fields take `within`, a number of days back from now.
    """

    name: str
    label: Words
    kind: str
    load: Load | None = None
    sql: Sql | None = None
    items: Items | None = None
    about: str = ""
    group: Words = ""
    choices: Choices | None = None
    of: str = ""
    timed: bool = False
    help: Words = ""
    # Operators of its kind that it cannot answer.
    without: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """Whose row it is read from; without a word about it, what stands before the dot."""
        return self.about or self.name.partition(".")[0]

    @property
    def item_kind(self) -> str:
        """The kind of one value to compare with."""
        return (self.of or "text") if self.kind == "list" else self.kind


_fields: dict[str, Field] = {}


def register(new: Field) -> None:
    """Add a field; the same name again replaces it."""
    _fields[new.name] = new


def known(name: object) -> Field | None:
    """The field of this name."""
    return _fields.get(str(name))


def fields() -> list[Field]:
    """All fields, by name."""
    return [_fields[name] for name in sorted(_fields)]


def children(tree: Condition) -> list[Any] | None:
    """The conditions under all, any or not; None for a leaf."""
    for joint in ("all", "any", "not"):
        if joint in tree:
            below = tree[joint]
            return below if isinstance(below, list) else [below]
    return None


def key_of(leaf: Condition) -> str:
    """Under which name the value of a leaf is loaded: the field, and its time frame where it has one."""
    return f"{leaf['field']}@{leaf['within']}" if leaf.get("within") else str(leaf["field"])


def field_of(key: str) -> tuple[Field, int | None]:
    """The field and the time frame of such a name."""
    name, _at, within = key.partition("@")
    return _fields[name], int(within) if within else None
