"""Moving encrypted columns to the newest of FIELD_KEYS, in batches, at any time, as often as wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction

from postpurchase.crypto import EncryptedTextField, cipher

BATCH = 200


@dataclass
class Rotated:
    """What became of one column's values. `unreadable` ones fit no present key and were left as they are."""

    column: str
    seen: int = 0
    moved: int = 0
    unreadable: int = 0


def encrypted_columns() -> list[tuple[type[models.Model], models.Field]]:
    """Every encrypted column of the installation."""
    return [
        (model, field)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, EncryptedTextField)
    ]


def count(model: type[models.Model], field: models.Field) -> int:
    """How many values the column holds."""
    with connection.cursor() as cursor:
        table, column = _names(model, field)
        cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {column} <> ''")  # noqa: S608
        return int(cursor.fetchone()[0])


def rotate(
    model: type[models.Model], field: models.Field, *, dry_run: bool = False, told: Callable[[int], None] | None = None
) -> Rotated:
    """Write every value of the column anew with the newest key, where it is not yet. `told(seen)` after each batch.

    May be stopped and run again: what is done is skipped. A value that changes meanwhile is left to its writer, who
    already uses the newest key.
    """
    table, column = _names(model, field)
    key = connection.ops.quote_name(str(model._meta.pk.column))
    newest = Fernet(settings.FIELD_KEYS[0])
    result = Rotated(f"{model._meta.label}.{field.name}")
    last: Any = None
    while True:
        # Raw values: through the model they would come out in plain. The names are Django's own.
        after, values = (f"AND {key} > %s", [last]) if last is not None else ("", [])
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {key}, {column} FROM {table} WHERE {column} <> '' {after} ORDER BY {key} LIMIT {BATCH}",  # noqa: S608
                values,
            )
            rows = cursor.fetchall()
        if not rows:
            return result
        fresh = []
        for pk, token in rows:
            result.seen += 1
            try:
                newest.decrypt(token.encode())
            except InvalidToken:
                try:
                    fresh.append((cipher().rotate(token.encode()).decode(), pk, token))
                except InvalidToken:
                    result.unreadable += 1
        result.moved += len(fresh)
        if fresh and not dry_run:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany(
                    f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s",  # noqa: S608
                    fresh,
                )
        last = rows[-1][0]
        if told:
            told(result.seen)


def _names(model: type[models.Model], field: models.Field) -> tuple[str, str]:
    quote = connection.ops.quote_name
    return quote(model._meta.db_table), quote(str(field.column))
