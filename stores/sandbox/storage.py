"""One SQLite table of ready REST documents, with columns for what is filtered and sorted."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from typing import Any

from .wire import Body, encode

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  kind TEXT NOT NULL, id INTEGER NOT NULL, created TEXT, modified TEXT, status TEXT NOT NULL DEFAULT '',
  customer INTEGER NOT NULL DEFAULT 0, email TEXT NOT NULL DEFAULT '', parent INTEGER NOT NULL DEFAULT 0,
  code TEXT NOT NULL DEFAULT '', search TEXT NOT NULL DEFAULT '', flags TEXT NOT NULL DEFAULT '{}',
  body TEXT NOT NULL, previous TEXT, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS objects_created ON objects (kind, created, id, status);
CREATE INDEX IF NOT EXISTS objects_modified ON objects (kind, modified, id, status);
CREATE INDEX IF NOT EXISTS objects_customer ON objects (kind, customer);
CREATE INDEX IF NOT EXISTS objects_email ON objects (kind, email);
CREATE INDEX IF NOT EXISTS objects_parent ON objects (kind, parent);
CREATE INDEX IF NOT EXISTS objects_code ON objects (kind, code);
CREATE TABLE IF NOT EXISTS counters (space TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS keys (key_id INTEGER PRIMARY KEY, consumer_key TEXT UNIQUE NOT NULL,
  consumer_secret TEXT NOT NULL, permissions TEXT NOT NULL, role TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS queue (seq INTEGER PRIMARY KEY, webhook INTEGER NOT NULL, resource TEXT NOT NULL,
  object INTEGER NOT NULL, UNIQUE (webhook, object));
CREATE TABLE IF NOT EXISTS options (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# WordPress numbers posts, comments and users in one row each.
SPACES = {
    "order": "post",
    "refund": "post",
    "product": "post",
    "variation": "post",
    "coupon": "post",
    "review": "comment",
    "note": "comment",
    "customer": "user",
    "category": "term",
    "webhook": "webhook",
}


def columns(kind: str, body: Body) -> tuple[str, int, str, int, str, str]:
    """(status, customer, email, parent, code, search) of a document."""
    status, customer, email, parent, code = str(body.get("status", "")), 0, "", int(body.get("parent_id") or 0), ""
    words: list[str] = []
    if kind == "order":
        billing = body["billing"]
        customer, email = int(body["customer_id"]), billing["email"].lower()
        shipping = body["shipping"]
        words = [str(body["id"]), email, billing["first_name"], billing["last_name"], billing["company"]]
        words += [shipping["first_name"], shipping["last_name"], billing["phone"]]
        words += [line["name"] for line in body["line_items"]]
    elif kind == "customer":
        status, email, code = str(body["role"]), body["email"].lower(), body["username"].lower()
        words = [body["email"], body["first_name"], body["last_name"], body["username"]]
    elif kind in ("product", "variation"):
        code = (body.get("sku") or "").lower()
        words = [body["name"], code, body.get("description", ""), body.get("short_description", "")]
    elif kind == "coupon":
        code = body["code"].lower()
        words = [code, body.get("description", "")]
    elif kind == "review":
        parent, email = int(body["product_id"]), body["reviewer_email"].lower()
        words = [body["review"], body["reviewer"], email]
    elif kind == "category":
        parent, code = int(body["parent"]), body["slug"]
        words = [body["name"]]
    elif kind == "note":
        status = "customer" if body["customer_note"] else "internal"
    return status, customer, email, parent, code, "\n".join(words).lower()


class Storage:
    """Thread-safe: one connection, taken with `lock`, which is re-entrant."""

    def __init__(self, path: str = ":memory:") -> None:
        self.lock = threading.RLock()
        self.version = 0
        self._counts: dict[Any, int] = {}
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        if path != ":memory:":
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self.lock:
            self._db.close()

    def execute(self, sql: str, args: Iterable[Any] = ()) -> sqlite3.Cursor:
        return self._db.execute(sql, tuple(args))

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def commit(self) -> None:
        self._db.execute("COMMIT")

    def rollback(self) -> None:
        self._db.execute("ROLLBACK")
        self.changed()

    def changed(self) -> None:
        self.version += 1
        self._counts.clear()

    def next_id(self, space: str) -> int:
        with self.lock:
            row = self.execute("SELECT last FROM counters WHERE space = ?", (space,)).fetchone()
            value: int = (row[0] if row else 0) + 1
            self.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (space, value))
            return value

    def raise_counter(self, space: str, at_least: int) -> None:
        self.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (space) DO UPDATE SET last = max(last, excluded.last)",
            (space, at_least),
        )

    def option(self, name: str, value: Any = None) -> Any:
        """Reads a stored setting, or writes it when a value is given."""
        with self.lock:
            if value is not None:
                self.execute("INSERT OR REPLACE INTO options VALUES (?, ?)", (name, json.dumps(value)))
                self.changed()
                return value
            row = self.execute("SELECT value FROM options WHERE name = ?", (name,)).fetchone()
            return json.loads(row[0]) if row else None

    def get(self, kind: str, id: int) -> Body | None:
        text = self.text(kind, id)
        return json.loads(text) if text is not None else None

    def text(self, kind: str, id: int) -> str | None:
        with self.lock:
            row = self.execute("SELECT body FROM objects WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        return row[0] if row else None

    def previous(self, kind: str, id: int) -> str | None:
        """The document before its last change; '' when it did not exist, None when it never changed."""
        row = self.execute("SELECT previous FROM objects WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        return row[0] if row else None

    def flags(self, kind: str, id: int) -> Body:
        row = self.execute("SELECT flags FROM objects WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        return json.loads(row[0]) if row else {}

    def set_flags(self, kind: str, id: int, **flags: Any) -> None:
        merged = {**self.flags(kind, id), **flags}
        self.execute("UPDATE objects SET flags = ? WHERE kind = ? AND id = ?", (json.dumps(merged), kind, id))

    def put(self, kind: str, body: Body, *, parent: int | None = None) -> Body:
        """Writes one document; `parent` where the document does not name it (notes, refunds)."""
        status, customer, email, found_parent, code, search = columns(kind, body)
        with self.lock:
            old = self.execute("SELECT parent, body FROM objects WHERE kind = ? AND id = ?", (kind, body["id"]))
            before = old.fetchone()
            if parent is None:
                parent = before[0] if before and not found_parent else found_parent
            values = (
                body.get("date_created_gmt"),
                body.get("date_modified_gmt"),
                *(status, customer, email, parent, code, search),
                encode(body),
                before[1] if before else "",
            )
            self.execute(
                "INSERT INTO objects (created, modified, status, customer, email, parent, code, search, body, previous,"
                " kind, id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET"
                " created = excluded.created, modified = excluded.modified, status = excluded.status,"
                " customer = excluded.customer, email = excluded.email, parent = excluded.parent, code = excluded.code,"
                " search = excluded.search, body = excluded.body, previous = excluded.previous",
                (*values, kind, body["id"]),
            )
            self.changed()
        return body

    def load(self, kind: str, rows: Iterable[tuple[Body, int | None, Body]]) -> int:
        """Writes many new documents fast: (body, parent or None, flags). Returns how many."""
        last = 0
        count = 0

        def values() -> Iterable[tuple[Any, ...]]:
            nonlocal last, count
            for body, parent, flags in rows:
                status, customer, email, found_parent, code, search = columns(kind, body)
                last = max(last, body["id"])
                count += 1
                yield (
                    *(kind, body["id"], body.get("date_created_gmt"), body.get("date_modified_gmt"), status),
                    *(customer, email, found_parent if parent is None else parent, code, search),
                    *(json.dumps(flags) if flags else "{}", encode(body)),
                )

        with self.lock:
            self._db.executemany(
                "INSERT OR REPLACE INTO objects (kind, id, created, modified, status, customer, email, parent, code,"
                " search, flags, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values(),
            )
            self.raise_counter(SPACES[kind], last)
            self.changed()
        return count

    def delete(self, kind: str, id: int) -> None:
        with self.lock:
            self.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (kind, id))
            self.changed()

    def count(self, where: str, args: tuple[Any, ...]) -> int:
        with self.lock:
            found = self._counts.get((where, args))
            if found is None:
                sql = f"SELECT count(*) FROM objects WHERE {where}"  # noqa: S608 - our own conditions
                found = self.execute(sql, args).fetchone()[0]
                self._counts[(where, args)] = found
            return found

    def select(
        self, where: str, args: tuple[Any, ...], *, order: str = "id", limit: int = -1, offset: int = 0
    ) -> list[tuple[int, str, int]]:
        """(id, body text, parent) of the rows, in order."""
        with self.lock:
            # Skipping to a deep page stays inside the index: documents are read for the rows of the page only.
            page = f"SELECT kind, id FROM objects WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608
            sql = f"SELECT id, body, parent FROM objects WHERE (kind, id) IN ({page}) ORDER BY {order}"  # noqa: S608
            return self.execute(sql, (*args, limit, offset)).fetchall()

    def bodies(self, where: str, args: tuple[Any, ...] = (), *, order: str = "id", limit: int = -1) -> list[Body]:
        return [json.loads(text) for _, text, _ in self.select(where, args, order=order, limit=limit)]
