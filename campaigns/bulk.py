"""Writing many rows of one batch, each with values of its own, at a fraction of what model saves cost.

The ORM would build one statement with thousands of parameters; here the driver repeats a short one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, connections
from django.db.models import Field, JSONField, Model

# Values that every backend takes as they are, unless the column holds JSON.
_PLAIN = (str, int, bool, type(None))


def _prepared(fields: Sequence[Field], rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """The values of each row as the driver takes them. Moments, of which a batch has few, are made ready once."""
    # The connection itself: asking it through its proxy for each value costs more than what is asked.
    real = connections[connection.alias]
    asked = [(field, isinstance(field, JSONField)) for field in fields]
    moments: dict[datetime, Any] = {}
    found = []
    for row in rows:
        values = []
        for (field, is_json), value in zip(asked, row, strict=True):
            kind = type(value)
            if kind in _PLAIN and not is_json:
                values.append(value)
            elif kind is datetime and not is_json:
                if value not in moments:
                    moments[value] = field.get_db_prep_save(value, real)
                values.append(moments[value])
            else:
                values.append(field.get_db_prep_save(value, real))
        found.append(values)
    return found


def _column(field: Field) -> str:
    return str(connection.ops.quote_name(field.column or ""))


def insert(model: type[Model], rows: Sequence[Model]) -> None:
    """Insert unsaved rows in one go; one whose unique key exists already is left out. Their ids stay unknown."""
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(_column(field) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    values = _prepared(fields, ([getattr(row, field.attname) for field in fields] for row in rows))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
            values,
        )


def update(model: type[Model], names: Sequence[str], keys: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """For each row the new values of the fields `names`, then the values of the fields `keys` that find it.

    Returns how many rows were found and changed.
    """
    if not rows:
        return 0
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    fields = [by_name[name] for name in (*names, *keys)]
    sets = ", ".join(f"{_column(by_name[name])} = %s" for name in names)
    found = " AND ".join(f"{_column(by_name[name])} = %s" for name in keys)
    values = _prepared(fields, rows)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {connection.ops.quote_name(model._meta.db_table)} SET {sets} WHERE {found}", values)  # noqa: S608
        return int(cursor.rowcount)
