"""Writing and finding many mirrored rows fast: one prepared statement for all rows of a page, without an object for each.

The mirror writes hundreds of rows a page, and building model instances costs several times what the database takes; so
does building a statement with a hundred parameters for each look-up of a page.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from django.db import connection, models
from django.db.models.expressions import RawSQL

from stores.models import Store

Row = Sequence[Any]


def lock(store: Store) -> None:
    """Let one transaction at a time change the mirror of a store, so that each diff sees what the last one wrote.

    On SQLite every writing transaction has this already.
    """
    if connection.vendor == "postgresql":
        Store.objects.select_for_update(no_key=True).values_list("pk").get(pk=store.pk)


def upsert(
    model: type[models.Model],
    columns: tuple[str, ...],
    rows: Iterable[Row],
    *,
    key: tuple[str, ...],
    keep: tuple[str, ...] = (),
) -> None:
    """Insert rows of `columns`; where `key` is there already, overwrite all columns but `key` and `keep`.

    Columns are database column names, all that have no default of the database. JSON columns take JSON text.
    """
    found = _adapted(model, columns, rows)
    if found:
        sql = _upsert_sql(model, columns, key, keep)
        with connection.cursor() as cursor:
            if len(found) == 1:
                # What the driver prepares for many rows costs more than one.
                cursor.execute(sql, found[0])
            else:
                cursor.executemany(sql, found)


def find(
    model: type[models.Model], columns: tuple[str, ...], key: str, values: Iterable[Any], *, store: Store | None = None
) -> list[tuple[Any, ...]]:
    """`columns` of the rows whose `key` is one of `values` (numbers or texts), of one store where the table has one.

    As the ORM would give them, but by one statement that is the same for any number of values.
    """
    wanted = list(values)
    if not wanted:
        return []
    sql, readers = _find_sql(model, columns, key, store is not None, connection.vendor)
    given = json.dumps(wanted) if connection.vendor == "sqlite" else wanted
    with connection.cursor() as cursor:
        cursor.execute(sql, (given,) if store is None else (store.pk, given))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    if readers:
        return [_read(row, readers) for row in found]
    return found


def among(values: Iterable[int]) -> RawSQL:
    """For `__in` of many numbers: one parameter instead of one for each, which the ORM would take in hand one by one."""
    if connection.vendor == "sqlite":
        return RawSQL("SELECT value FROM json_each(%s)", (json.dumps(list(values)),))
    return RawSQL("SELECT unnest(%s::bigint[])", (list(values),))


def _read(row: tuple[Any, ...], readers: Sequence[tuple[int, Callable[[Any], Any]]]) -> tuple[Any, ...]:
    values = list(row)
    for place, reader in readers:
        if values[place] is not None:
            values[place] = reader(values[place])
    return tuple(values)


@lru_cache(maxsize=128)
def _find_sql(
    model: type[models.Model], columns: tuple[str, ...], key: str, of_store: bool, vendor: str
) -> tuple[str, list[tuple[int, Callable[[Any], Any]]]]:
    """The statement, and for some of the columns how a value of the driver becomes one of the model."""
    quote = connection.ops.quote_name
    names = ", ".join(quote(column) for column in columns)
    among = "IN (SELECT value FROM json_each(%s))" if vendor == "sqlite" else "= ANY(%s)"
    whose = f"{quote('store_id')} = %s AND " if of_store else ""
    sql = f"SELECT {names} FROM {quote(model._meta.db_table)} WHERE {whose}{quote(key)} {among}"  # noqa: S608
    readers: list[tuple[int, Callable[[Any], Any]]] = []
    for place, column in enumerate(columns):
        field = next(f for f in model._meta.concrete_fields if f.column == column)
        shown = field.get_col(model._meta.db_table)
        steps = connection.ops.get_db_converters(shown) + field.get_db_converters(connection)
        if steps:
            readers.append((place, partial(_converted, steps, shown)))
    return sql, readers


def _converted(steps: Sequence[Callable[..., Any]], shown: Any, value: Any) -> Any:
    for step in steps:
        value = step(value, shown, connection)
    return value


def update(model: type[models.Model], columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    """Set `columns` of the rows whose primary key comes last in each row."""
    found = _adapted(model, (*columns, "id"), rows)
    if found:
        quote = connection.ops.quote_name
        sets = ", ".join(f"{quote(column)} = %s" for column in columns)
        with connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE id = %s", found)  # noqa: S608


def _adapted(model: type[models.Model], columns: tuple[str, ...], rows: Iterable[Row]) -> list[Row]:
    places = [
        (place, convert)
        for place, column in enumerate(columns)
        if (convert := _converter(model, column, connection.vendor)) is not None
    ]
    found: list[Row] = []
    for row in rows:
        values = list(row)
        for place, convert in places:
            if values[place] is not None:
                values[place] = convert(values[place])
        found.append(values)
    return found


@lru_cache(maxsize=512)
def _converter(model: type[models.Model], column: str, vendor: str) -> Callable[[Any], Any] | None:
    if vendor != "sqlite":
        return None
    field = next(f for f in model._meta.concrete_fields if f.column == column)
    if isinstance(field, models.DateTimeField):
        return _time_text
    if isinstance(field, models.DateField):
        return connection.ops.adapt_datefield_value
    if isinstance(field, models.DecimalField):
        return str
    return None


@lru_cache(maxsize=4096)
def _time_text(at: datetime) -> Any:
    # The same moment stands in an order, its parcels and its events.
    # What the ORM does by way of several objects for each of the hundred thousands of times.
    if at.tzinfo is UTC:
        return at.replace(tzinfo=None).isoformat(" ")
    return connection.ops.adapt_datetimefield_value(at)


@lru_cache(maxsize=64)
def _upsert_sql(
    model: type[models.Model], columns: tuple[str, ...], key: tuple[str, ...], keep: tuple[str, ...]
) -> str:
    quote = connection.ops.quote_name
    names = ", ".join(quote(column) for column in columns)
    sets = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in columns if c not in key and c not in keep)
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({', '.join(['%s'] * len(columns))}) "  # noqa: S608
        f"ON CONFLICT ({', '.join(quote(c) for c in key)}) DO " + (f"UPDATE SET {sets}" if sets else "NOTHING")
    )
