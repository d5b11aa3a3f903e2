"""The same way against a real shop, as far as it can be gone without moving anybody's clock or writing to anybody.

Reads first: the live checks and a page of each kind into a mirror of its own. With leave to write: one order, one coupon
and one held review, each carrying our mark, looked up again and taken out of the shop at the end, whatever happened before.
"""

import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.core import mail
from django.test.utils import override_settings

from campaigns import engine, outbox
from loyalty import programs
from postpurchase import clock
from postpurchase.demo import load
from postpurchase.demo.check import FellShort, Station
from postpurchase.errors import BusinessError
from stores import connect, coupons, events, intents
from stores.models import Coupon, Order, Quarantined, Store
from stores.sync.apply import apply
from stores.woo.client import client_for
from stores.woo.errors import WooError
from stores.woo.payloads.values import MARK

PAGES = [("category", "products/categories"), ("product", "products"), ("customer", "customers"), ("order", "orders")]


class RealShop:
    """The run against one shop. `address` gets the shop's own mails about the order; None means reading only."""

    store: Store

    def __init__(
        self, tell: Callable[[Station], None], *, url: str, key: str, secret: str, ca: str, address: str | None
    ) -> None:
        self.tell, self.address = tell, address
        self.url, self.key, self.secret, self.ca = url, key, secret, ca
        self.ref = str(uuid.uuid4())
        self.to_remove: list[tuple[str, Callable[[], object]]] = []
        self.ok = True

    def see(self, name: str, saw: str, *facts: bool) -> None:
        """Record a station; FellShort when one of the facts does not hold."""
        self.tell(Station(name, all(facts), saw))
        if not all(facts):
            self.ok = False
            raise FellShort(name)

    def run(self) -> bool:
        """All stations, then the tidying; True when nothing fell short."""
        with override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend"):
            mail.outbox = []
            try:
                self.read()
                if self.address:
                    self.order(self.address)
                    self.coupon(self.address)
                    self.review(self.address)
            except FellShort:
                pass
            except (BusinessError, WooError) as error:
                self.ok = False
                self.tell(Station("stopped", False, error.message))
            finally:
                self.tidy()
        return self.ok

    def read(self) -> None:
        user = load.owner("check@example.com", uuid.uuid4().hex)
        self.store = connect.connect(self.url, key=self.key, secret=self.secret, ca=self.ca or None, user=user)
        self.store.mail_from = self.store.mail_from or "check@example.com"
        self.store.save(update_fields=["mail_from"])
        programs.start(self.store, actor="check")
        load.install_flows(self.store)
        rights = "read and write" if self.store.can_write else "read only"
        self.see("connected", f"{self.store.name}, {self.store.currency}, {self.store.zone}, {rights}")
        counts = []
        for entity, path in PAGES:
            page = client_for(self.store).page(path, per_page=20)
            apply(self.store, entity, page.rows, fetched_at=page.fetched_at, historic=True)
            counts.append(f"{len(page.rows)} of {page.total} {path.rpartition('/')[2]}")
        unread = Quarantined.objects.filter(store=self.store).count()
        self.see("read", f"{', '.join(counts)}; {unread} could not be read", not unread)

    def order(self, address: str) -> None:
        self.see("keys may write", "yes" if self.store.can_write else "no", self.store.can_write)
        client = client_for(self.store)
        goods = client.page("products", per_page=20, status="publish", type="simple", stock_status="instock").rows
        product = next((row for row in goods if row.get("purchasable") and row.get("reviews_allowed")), None)
        self.see("a product to order", str(product["name"]) if product else "none is for sale", product is not None)
        assert product is not None
        self.product_id = product["id"]
        made = client.post(
            "orders",
            {
                "set_paid": True,
                "payment_method": "bacs",
                "billing": {"first_name": "Post", "last_name": "Purchase", "email": address},
                "line_items": [{"product_id": product["id"], "quantity": 1}],
                "meta_data": [{"key": MARK, "value": self.ref}],
            },
        )
        self.to_remove.append((f"order {made['id']}", lambda: self._remove_order(made["id"])))
        asked_at = clock.now()
        apply(self.store, "order", [client.get(f"orders/{made['id']}")], fetched_at=asked_at)
        order = Order.objects.get(store=self.store, woo_id=made["id"])
        names = list(order.events.filter(historic=False).order_by("pk").values_list("name", flat=True))
        self.see(
            "order mirrored",
            f"{order.number}, {order.total} {order.currency}; {', '.join(names)}",
            "order.paid" in names,
        )
        for _ in range(10):
            if not events.dispatch() + engine.run_due() + outbox.run_due():
                break
        sent = [one for one in mail.outbox if address in one.to]
        self.see("thank-you kept here", str(sent[0].subject) if sent else "nothing was written", len(sent) == 1)

    def coupon(self, address: str) -> None:
        coupon = coupons.issue(self.store, source=f"check:{self.ref}", amount=load.SMALL, emails=[address])
        self.to_remove.append((f"coupon {coupon.code}", lambda: self._remove_coupon(coupon)))
        intents.run_due()
        coupon.refresh_from_db()
        self.see(
            "coupon live",
            f"{coupon.code}: {coupon.get_state_display()} {coupon.reason}",
            coupon.state == Coupon.State.LIVE,
        )

    def review(self, address: str) -> None:
        client = client_for(self.store)
        text = f"Checking the connection. {MARK} {self.ref}"
        body = {"product_id": self.product_id, "status": "hold", "reviewer": "Postpurchase check", "rating": 5}
        made = client.post("products/reviews", body | {"review": text, "reviewer_email": address})
        self.to_remove.append((f"review {made['id']}", lambda: client.delete(f"products/reviews/{made['id']}")))
        there = client.get(f"products/reviews/{made['id']}", context="edit")
        self.see("review held", f"{there.get('status')}, {there.get('rating')} of 5", there.get("status") == "hold")

    def _remove_order(self, woo_id: int) -> None:
        client = client_for(self.store)
        # Cancelled first: that gives the stock back, which the bin alone does not.
        client.put(f"orders/{woo_id}", {"status": "cancelled"})
        client.delete(f"orders/{woo_id}")

    def _remove_coupon(self, coupon: Coupon) -> None:
        coupon.refresh_from_db()
        if coupon.woo_id:
            client_for(self.store).delete(f"coupons/{coupon.woo_id}")

    def tidy(self) -> None:
        """Everything that was made goes to the shop's bin; what could not is named, to be removed by hand."""
        for name, remove in reversed(self.to_remove):
            try:
                remove()
                self.tell(Station("removed", True, f"{name} is in the bin of the shop"))
            except WooError as error:
                self.ok = False
                self.tell(Station("removed", False, f"{name} is still in the shop; remove it by hand. {error.message}"))


def same_host(url: str, typed: str) -> bool:
    """Whether the host that was typed again is the address's own."""
    host = urlsplit(url if "//" in url else f"https://{url}").hostname or ""
    return host == typed.strip().lower() != ""


def arguments(options: dict[str, Any]) -> dict[str, Any]:
    """What the command's options mean for RealShop; BusinessError for a combination that must not run."""
    if not options["write"]:
        return {"address": None}
    if not same_host(options["url"], options["write"]):
        raise BusinessError(
            f"--write must repeat the host of --url, and {options['write']!r} is not it. Nothing was written.", "host"
        )
    if not options["address"]:
        raise BusinessError(
            "--write needs --address: the shop itself may write to it about the order. Nothing was written.", "address"
        )
    return {"address": options["address"]}
