"""The store itself: its documents, its clock, its switches, and the news that webhooks carry away."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from . import documents
from .clock import StoreClock
from .history import RATES
from .storage import SPACES, Storage
from .wire import BASE, Body

# The keys that move: local and GMT text of one moment.
DATES = ("date_created", "date_modified", "date_paid", "date_completed")


class Store:
    """`flavour`: "hpos" (own order tables) or "posts" (legacy); it decides what moves dates, totals and news."""

    def __init__(
        self,
        *,
        storage: Storage,
        clock: StoreClock,
        currency: str,
        decimals: int,
        flavour: str,
        prices_include_tax: bool = False,
        fulfilments: bool = False,
        name: str = "Sandbox store",
    ) -> None:
        if flavour not in ("hpos", "posts"):
            raise ValueError(f"flavour is hpos or posts, not {flavour!r}")
        self.storage = storage
        self.clock = clock
        self.flavour = flavour
        self.name = name
        self.fulfilments = fulfilments
        self.site = documents.Site(
            base_url=BASE,
            zone=clock.zone,
            currency=currency,
            decimals=decimals,
            prices_include_tax=prices_include_tax,
        )

    @property
    def hpos(self) -> bool:
        return self.flavour == "hpos"

    def rates(self, country: str) -> tuple[documents.TaxRate, ...]:
        """Tax of a country; a store whose prices hold no tax has none."""
        return RATES.get(country, ()) if self.site.prices_include_tax else ()

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def new_id(self, kind: str) -> int:
        return self.storage.next_id(SPACES[kind])

    def meta_id(self) -> int:
        return self.storage.next_id("meta")

    def item_id(self) -> int:
        return self.storage.next_id("item")

    def stamp(self, body: Body, name: str, moment: datetime | None = None) -> None:
        """Sets `name` and `name`_gmt to the moment (default now)."""
        moment = moment or self.now
        body[name] = documents.local_text(moment, site=self.site)
        body[f"{name}_gmt"] = documents.gmt_text(moment)

    def save(self, kind: str, body: Body, *, touch: bool = True, parent: int | None = None) -> Body:
        """Writes the document; `touch` moves its date_modified to now."""
        if touch:
            self.stamp(body, "date_modified")
        return self.storage.put(kind, body, parent=parent)

    def emit(self, topic: str, id: int) -> None:
        """Queues the news for every active webhook of the topic; one already waiting for this object is enough."""
        self.storage.execute(
            "INSERT OR IGNORE INTO queue (webhook, resource, object)"
            " SELECT id, ?, ? FROM objects WHERE kind = 'webhook' AND status = 'active' AND code = ?",
            (topic.partition(".")[0], id, topic),
        )

    def mark_trashed(self, body: Body, status: str, *, slug: str = "") -> None:
        """Adds the meta entries that WordPress leaves on what it puts into the trash."""
        marks = {"_wp_trash_meta_status": status, "_wp_trash_meta_time": str(int(self.now.timestamp()))}
        if slug:
            marks["_wp_desired_post_slug"] = slug
        body["meta_data"] = self.merge_meta(
            body["meta_data"], [{"key": key, "value": value} for key, value in marks.items()]
        )

    def unmark_trashed(self, body: Body) -> None:
        marks = ("_wp_trash_meta_status", "_wp_trash_meta_time", "_wp_desired_post_slug")
        body["meta_data"] = [entry for entry in body["meta_data"] if entry["key"] not in marks]

    def merge_meta(self, present: list[Body], given: Any) -> list[Body]:
        """meta_data after a write: by id, else by key; a null value removes; new ones get ids."""
        found = [dict(entry) for entry in present]
        for entry in given if isinstance(given, list) else []:
            if not isinstance(entry, dict) or ("key" not in entry and "id" not in entry):
                continue
            mine = [e for e in found if (e["id"] == entry["id"] if entry.get("id") else e["key"] == entry.get("key"))]
            if entry.get("value") is None and "value" in entry:
                found = [e for e in found if e not in mine]
            elif mine:
                mine[0]["value"] = entry.get("value")
            else:
                found.append(documents.meta(id=self.meta_id(), key=str(entry.get("key")), value=entry.get("value")))
        return found
