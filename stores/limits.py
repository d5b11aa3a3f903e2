"""Rate limits that count right with several processes on either database: one statement adds and reads."""

import hashlib
from datetime import timedelta

from django.db import connection

from postpurchase import clock
from stores.models import Counter

_NAME_CHARS = 160


def hit(name: str, *, limit: int, window: timedelta) -> bool:
    """Count one use of `name`; False when more than `limit` came within the running window.

    The window begins with the first use and ends `window` later, whatever comes in between. Refused uses count too.
    Inside a transaction that is rolled back the use is forgotten, so call it outside of one.
    """
    if len(name) > _NAME_CHARS:
        name = f"{name[:90]}:{hashlib.sha256(name.encode()).hexdigest()}"
    now = clock.now()
    at, ends = (connection.ops.adapt_datetimefield_value(moment) for moment in (now, now + window))
    table = connection.ops.quote_name(Counter._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            # The table's name is Django's own, no text of a request gets into the statement.
            f"INSERT INTO {table} (name, count, ends_at) VALUES (%s, 1, %s) "  # noqa: S608
            f"ON CONFLICT (name) DO UPDATE SET "
            f"count = CASE WHEN {table}.ends_at <= %s THEN 1 ELSE {table}.count + 1 END, "
            f"ends_at = CASE WHEN {table}.ends_at <= %s THEN excluded.ends_at ELSE {table}.ends_at END "
            f"RETURNING count",
            [name, ends, at, at],
        )
        row = cursor.fetchone()
    return bool(row[0] <= limit)
