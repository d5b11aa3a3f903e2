"""A fresh database for one benchmark: SQLite as a file with the production settings, or PostgreSQL."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

POSTGRESQL = os.environ.get("BENCH_POSTGRESQL", "postgres://postgres@127.0.0.1:5432/postgres")
CHUNK = 5_000


@contextmanager
def database(kind: str) -> Iterator[None]:
    """Set Django up on a migrated, empty database that is removed afterwards. Call once in a process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ["DEBUG"] = "true"
        os.environ["VAR_DIR"] = folder
        os.environ["LOG_LEVEL"] = "WARNING"
        os.environ["ALLOWED_PRIVATE_HOSTS"] = "127.0.0.1"
        os.environ["DATABASE_URL"] = POSTGRESQL if kind == "postgresql" else f"sqlite:///{folder}/bench.sqlite3"
        os.environ["DJANGO_SETTINGS_MODULE"] = "postpurchase.settings"
        import django

        # Where collected files would lie; asked for with the first request.
        Path(folder, "static").mkdir()
        django.setup()
        from django.conf import settings
        from django.db import connection

        settings.DEBUG = False
        settings.ALLOWED_HOSTS = ["*"]
        settings.SECURE_SSL_REDIRECT = False
        name = f"{folder}/test.sqlite3" if kind == "sqlite" else f"bench_{os.getpid()}"
        connection.settings_dict["TEST"]["NAME"] = name
        old = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, serialize=False)
        try:
            yield
        finally:
            use(name)
            connection.creation.destroy_test_db(old, verbosity=0)


@contextmanager
def second() -> Iterator[str]:
    """A further database like the present one, as it is now; yields its name for `use`."""
    from django.db import connection

    here = connection.settings_dict["NAME"]
    there = f"{here}_second"
    connection.close()
    if connection.vendor == "sqlite":
        import shutil

        shutil.copyfile(here, there)
        yield there
        return
    _administer(f'CREATE DATABASE "{there}" TEMPLATE "{here}"')
    try:
        yield there
    finally:
        connection.close()
        _administer(f'DROP DATABASE "{there}"')


def _administer(sql: str) -> None:
    from django.db import connection

    with connection._nodb_cursor() as cursor:
        cursor.execute(sql)


def use(name: str) -> None:
    """Talk to this database from now on."""
    from django.db import connection

    if connection.settings_dict["NAME"] != name:
        connection.close()
        connection.settings_dict["NAME"] = name
    connection.ensure_connection()


def raw() -> Any:
    """A cursor of the driver itself, past all of Django: what floors write with."""
    from django.db import connection

    connection.ensure_connection()
    return connection.connection.cursor()


def place() -> str:
    """How the driver marks a parameter."""
    from django.db import connection

    return "?" if connection.vendor == "sqlite" else "%s"


def begin(cursor: Any) -> None:
    """Open a transaction on the driver, as Django would."""
    from django.db import connection

    cursor.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")


@contextmanager
def queries() -> Iterator[list[str]]:
    """The statements that Django sends in the block, one for each call."""
    from django.db import connection

    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen


def columns(model: Any) -> list[str]:
    """The columns of a model's table that are written."""
    return [field.column for field in model._meta.concrete_fields if not field.generated]


def dump(table: str, names: Sequence[str], *, order: str = "id", where: str = "1 = 1") -> list[tuple[Any, ...]]:
    """All rows of a table as the driver takes them back; JSON comes as its text."""
    from django.db import connection

    cursor = raw()
    shown = [f'"{name}"' for name in names]
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE data_type = 'jsonb' AND table_name = %s", [table]
        )
        json = {row[0] for row in cursor.fetchall()}
        shown = [f'"{name}"::text' if name in json else f'"{name}"' for name in names]
    cursor.execute(f'SELECT {", ".join(shown)} FROM "{table}" WHERE {where} ORDER BY {order}')
    return [tuple(row) for row in cursor.fetchall()]


def insert_sql(table: str, names: Sequence[str]) -> str:
    """An INSERT of one row, for the driver's executemany."""
    shown = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table}" ({shown}) VALUES ({", ".join([place()] * len(names))})'


def fill(model: Any, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows fast: what a row leaves out is the field's default. Values are as the driver takes them."""
    first = next(rows, None)
    if first is None:
        return 0
    sql = insert_sql(model._meta.db_table, list(first))
    cursor, written = raw(), 0
    begin(cursor)
    part = [first, *islice(rows, CHUNK)]
    while part:
        cursor.executemany(sql, [tuple(row.values()) for row in part])
        written += len(part)
        part = list(islice(rows, CHUNK))
    cursor.execute("COMMIT")
    return written


def defaults(model: Any, **given: Any) -> dict[str, Any]:
    """A row of a table with the model's defaults, as the driver takes it; `given` wins."""
    from django.db import connection

    row = {}
    instance = model()
    for field in model._meta.concrete_fields:
        if field.generated or (field.primary_key and field.attname not in given):
            continue
        value = given.get(field.attname, getattr(instance, field.attname))
        prepared = field.get_db_prep_save(value, connection)
        row[field.column] = _as_text(prepared)
    return row


def _as_text(value: Any) -> Any:
    return value.dumps(value.obj) if hasattr(value, "dumps") and hasattr(value, "obj") else value


def tidy() -> None:
    """Statistics up to date, and on PostgreSQL no dead rows left behind."""
    from django.db import connection

    raw().execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


def clear(*tables: str) -> None:
    """Empty these tables."""
    from django.db import connection

    cursor = raw()
    if connection.vendor == "postgresql":
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        return
    cursor.execute("PRAGMA foreign_keys=OFF")
    for table in tables:
        cursor.execute(f'DELETE FROM "{table}"')
    cursor.execute("PRAGMA foreign_keys=ON")


def settle() -> None:
    """Let the database finish what it puts off, so that no round pays for the one before."""
    from django.db import connection

    raw().execute("CHECKPOINT" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")
