"""The whole main job, without a browser: a fresh sandbox store, our web and our worker in one process and on one clock.

A purchase travels through everything for real: store, webhook, mirror, event, flow, mail, review page, review in the store,
points, reward, coupon in the store, its use, the numbers. Each station says what it saw; one that falls short fails the run.
"""

import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests
from django.core import mail
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import Client as Browser
from django.test.utils import override_settings

from campaigns import consent
from campaigns.models import Enrolment, Message
from campaigns.models.consent import ConsentState
from loyalty import ledger
from loyalty.models import Account, Redemption
from postpurchase import clock, links, queue
from postpurchase.demo import load
from reviews import moderation
from reviews.models import Review, ReviewRequest
from stores.insights import retention
from stores.models import Coupon, Delivery, Event, Order, Store
from stores.sandbox.server import Sandbox

ANA, DAN, MIA = "ana.check@example.com", "dan.check@example.com", "mia.check@example.com"


@dataclass(frozen=True)
class Station:
    """One stop of the way."""

    name: str
    ok: bool
    saw: str


class FellShort(Exception):
    """A station cannot go on; the later ones are listed as not reached."""


class _Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """The stations tell what matters."""


def _closing(application: Any) -> Any:
    """The application, leaving no database connection behind in the threads that serve it."""

    def served(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answer = application(environ, start_response)
        try:
            return list(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
            connections.close_all()

    return served


@contextmanager
def our_web() -> Iterator[str]:
    """Our own site on a free loopback port, for the store's webhooks and the shopper's pages; its address."""
    server = make_server("127.0.0.1", 0, _closing(get_wsgi_application()), _Threaded, _Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Check:
    """The run: state that the stations share."""

    sandbox: Sandbox
    store: Store

    def __init__(self, tell: Callable[[Station], None]) -> None:
        self.tell = tell
        self.stations: list[Station] = []

    def see(self, name: str, saw: str, *facts: bool) -> None:
        """Record a station; FellShort when one of the facts does not hold."""
        station = Station(name, all(facts), saw)
        self.stations.append(station)
        self.tell(station)
        if not station.ok:
            raise FellShort(name)

    def run(self) -> bool:
        """All stations; True when none fell short."""
        with our_web() as address:
            changes = {
                "PUBLIC_URL": address,
                "ALLOWED_HOSTS": ["127.0.0.1"],
                "ALLOWED_PRIVATE_HOSTS": ["127.0.0.1"],
                "SECURE_SSL_REDIRECT": False,
                "EMAIL_BACKEND": "django.core.mail.backends.locmem.EmailBackend",
            }
            mail.outbox = []
            with (
                override_settings(**changes),
                Sandbox(clock=clock.now, seed=7, zone="Europe/Bucharest", http_callbacks=True) as self.sandbox,
            ):
                try:
                    for stop in self.way():
                        stop()
                except FellShort:
                    return False
                finally:
                    clock.reset()
        return True

    def way(self) -> list[Callable[[], None]]:
        """The stations in their order."""
        return [
            self.connect,
            self.mirror,
            self.purchase,
            self.delivery,
            self.review_request,
            self.review,
            self.points,
            self.reward,
            self.use,
            self.refund,
            self.numbers,
            self.audit,
        ]

    def settle(self) -> None:
        """A minute passes, the store sends what it has to tell, and our worker works until nothing is due."""
        clock.advance(timedelta(minutes=1))
        self.sandbox.run_webhooks()
        queue.tick()
        queue.run_until_idle()

    def wait_for_day(self) -> None:
        """On to eleven in the morning at the store: opinions are not asked for at night, whenever this is started."""
        now = clock.now().astimezone(self.store.tz)
        day = now.date() + timedelta(days=now.hour >= 11)
        clock.advance(datetime.combine(day, time(11), now.tzinfo) - now)

    def mails_to(self, address: str) -> list[Any]:
        return [one for one in mail.outbox if address in one.to]

    def order_of(self, address: str) -> Order:
        return Order.objects.filter(store=self.store, email=address).latest("created_gmt")

    # The stations

    def connect(self) -> None:
        user = load.owner("owner@example.com", "demo-check-only")
        self.store = load.open_store(self.sandbox.url, key=self.sandbox.key, secret=self.sandbox.secret, user=user)
        queue.run_until_idle()
        self.store.refresh_from_db()
        hooks = self.store.webhooks.exclude(woo_id=None).count()
        self.see(
            "connected",
            f"{self.store.name}, {self.store.currency}, {self.store.zone}; {hooks} webhooks in the store",
            self.store.state == Store.State.CONNECTED,
            hooks >= 10,
            self.store.zone == "Europe/Bucharest",
        )

    def mirror(self) -> None:
        there = requests.get(
            f"{self.sandbox.url}/wp-json/wc/v3/orders",
            params={"per_page": 1},
            auth=(self.sandbox.key, self.sandbox.secret),
            timeout=30,
        )
        wanted = int(there.headers["X-WP-Total"])
        here = self.store.orders.filter(deleted_at=None).count()
        sent = Message.objects.filter(store=self.store).count()
        live = Event.objects.filter(store=self.store, historic=False, name__startswith="order.").count()
        self.see(
            "orders mirrored",
            f"{here} of {wanted} orders, {self.store.customers.count()} customers, {self.store.products.count()} products; "
            f"{sent} messages because of history",
            here == wanted,
            sent == 0,
            live == 0,
        )

    def purchase(self) -> None:
        for address, language in ((ANA, "ro"), (DAN, "en"), (MIA, "id")):
            self.sandbox.place_order(email=address, language=language, opt_in=address == ANA)
        self.settle()
        order = self.order_of(ANA)
        deliveries = Delivery.objects.filter(store=self.store)
        self.see(
            "webhooks and events",
            f"{deliveries.count()} signed deliveries; order {order.number} {order.status}, "
            f"events {', '.join(order.events.order_by('pk').values_list('name', flat=True))}",
            deliveries.filter(state="done").count() == deliveries.count() > 0,
            order.events.filter(name="order.paid", historic=False).count() == 1,
        )
        thanks = {address: len(self.mails_to(address)) for address in (ANA, DAN, MIA)}
        self.see(
            "thank-you mails",
            "; ".join(f"{one.to[0]}: {one.subject}" for one in mail.outbox),
            set(thanks.values()) == {1},
            Enrolment.objects.filter(store=self.store, flow__recipe="R01").count() == 3,
        )

    def delivery(self) -> None:
        dan = self.order_of(DAN).customer
        assert dan is not None
        consent.set_consent(
            self.store, dan, channel="email", purpose="review", state=ConsentState.DENIED, source="preferences"
        )
        for address in (ANA, DAN, MIA):
            self.sandbox.ship(self.order_of(address).woo_id)
        clock.advance(timedelta(days=2))
        for address in (ANA, DAN):
            self.sandbox.deliver(self.order_of(address).woo_id)
        self.sandbox.cancel(self.order_of(MIA).woo_id)
        self.settle()
        order = self.order_of(ANA)
        parcel = order.shipments.get()
        self.see(
            "delivered",
            f"{parcel.carrier} {parcel.number}, {parcel.get_state_display().lower()}, told by {parcel.get_source_display()}",
            order.events.filter(name="order.delivered").count() == 1,
            order.delivered_at is not None,
        )

    def review_request(self) -> None:
        clock.advance(timedelta(days=14))
        self.wait_for_day()
        self.settle()
        asked = [one for one in self.mails_to(ANA) if "/r/" in one.body]
        skipped = Message.objects.filter(store=self.store, flow__recipe="R06", status=Message.Status.SKIPPED)
        reasons = "; ".join(f"not {one.customer.email}: {one.reason}" for one in skipped.select_related("customer"))
        self.see(
            "review request",
            f"{ANA}: {asked[0].subject if asked else 'nothing'}; {reasons or 'nobody was left out'}",
            len(asked) == 1,
            skipped.filter(customer__email=DAN).count() == 1,
            not [one for one in self.mails_to(DAN) + self.mails_to(MIA) if "/r/" in one.body],
        )

    def review(self) -> None:
        request = ReviewRequest.objects.get(order=self.order_of(ANA))
        page = links.url("r", request.pk, version=request.link_version)
        looked = requests.get(page, timeout=30)
        line = request.order.lines.order_by("pk").first()
        assert line is not None
        answered = requests.post(
            page,
            data={
                f"rating-{line.woo_id}": "4",
                f"title-{line.woo_id}": "Frumoasă",
                f"text-{line.woo_id}": "O cană bună.",
            },
            timeout=30,
        )
        review = Review.objects.get(request=request)
        moderation.publish(review, by="demo")
        queue.run_until_idle()
        review.refresh_from_db()
        there = self.sandbox.get("review", review.woo_id or 0) or {}
        product = self.sandbox.get("product", there.get("product_id", 0)) or {}
        self.see(
            "review published",
            f"page {looked.status_code}, no cookie; in the store {there.get('status')} with {there.get('rating')} of 5, "
            f"product average {product.get('average_rating')} from {product.get('rating_count')}",
            looked.status_code == answered.status_code == 200,
            not looked.cookies,
            review.state == Review.State.PUBLISHED,
            there.get("status") == "approved",
            there.get("rating") == 4,
        )

    def points(self) -> None:
        customer = self.order_of(ANA).customer
        assert customer is not None
        ledger.give(self.store, customer, points=300, key="demo-check", reason="Welcome")
        self.settle()
        have = ledger.balance(customer)
        account = Account.objects.get(customer=customer)
        earned = {entry.reason: entry.points for entry in account.entries.order_by("pk")}
        self.see(
            "points",
            f"{have.usable} usable, {have.pending} pending ({', '.join(f'{k} {v:+d}' for k, v in earned.items())})",
            have.usable >= 300,
            any(entry.award and entry.award.order_id for entry in account.entries.select_related("award")),
            ledger.check_balances(self.store) == [],
        )

    def reward(self) -> None:
        account = Account.objects.get(customer=self.order_of(ANA).customer)
        page = links.url("l", account.pk, version=account.link_version)
        offer = self.store.program.rewards.get()
        confirm = requests.post(page, data={"reward": offer.pk}, timeout=30).text
        key = re.search(r'name="key" value="([^"]+)"', confirm)
        assert key is not None
        for _ in range(2):
            requests.post(page, data={"reward": offer.pk, "key": key[1], "confirm": "1"}, timeout=30)
        self.settle()
        redemption = Redemption.objects.select_related("coupon").get(account=account)
        coupon = redemption.coupon
        assert coupon is not None
        there = self.sandbox.get("coupon", coupon.woo_id or 0) or {}
        shown = coupon.code in requests.get(page, timeout=30).text
        self.see(
            "coupon live in the store",
            f"{offer.points} points for {there.get('amount')} {self.store.currency} off, for {there.get('email_restrictions')}, "
            f"limit {there.get('usage_limit')}, until {there.get('date_expires')}; the member sees it: {'yes' if shown else 'no'}",
            coupon.state == Coupon.State.LIVE,
            Decimal(there.get("amount", "0")) == offer.amount,
            there.get("email_restrictions") == [ANA],
            there.get("usage_limit") == 1,
            shown,
            len([one for one in self.mails_to(ANA) if coupon.code in one.body]) == 1,
        )

    def use(self) -> None:
        coupon = Coupon.objects.get(redemption__account__customer__email=ANA)
        self.sandbox.place_order(email=ANA, language="ro", coupon=coupon.code)
        self.settle()
        coupon.refresh_from_db()
        order = coupon.used_order
        self.see(
            "coupon used",
            f"on order {order.number if order else 'none'}, {order.discount if order else 0} off",
            coupon.state == Coupon.State.USED,
            order is not None and order.email == ANA,
            Redemption.objects.get(coupon=coupon).status == Redemption.Status.USED,
        )

    def refund(self) -> None:
        order = self.order_of(ANA)
        account = Account.objects.get(customer=order.customer)
        before = account.pending
        self.sandbox.refund(order.woo_id)
        self.settle()
        account.refresh_from_db()
        order.refresh_from_db()
        self.see(
            "refund takes points back",
            f"order {order.number} {order.status}; pending {before} before, {account.pending} after",
            order.fully_refunded,
            account.pending < before,
        )

    def numbers(self) -> None:
        browser = Browser(HTTP_HOST="127.0.0.1")
        browser.force_login(self.store.members.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
        pages = {
            name: browser.get(f"/app/{self.store.slug}/{name}").status_code
            for name in (
                "",
                "orders/",
                "customers/",
                "flows/",
                "outbox/",
                "reviews/",
                "loyalty/",
                "insights/retention/",
            )
        }
        rate = retention.rates(self.store, points=1)[-1]
        listed = ", ".join(f"{name or 'home'} {status}" for name, status in pages.items())
        self.see(
            "numbers",
            f"retention ({rate.end} - {rate.new}) / {rate.start} at {rate.at:%d %b %Y}; pages {listed}",
            set(pages.values()) == {200},
        )

    def audit(self) -> None:
        wrong = ledger.check_balances(self.store) + ledger.check_awards(self.store)
        stuck = Message.objects.filter(store=self.store, status=Message.Status.UNKNOWN).count()
        doubled = len(mail.outbox) - len({(one.to[0], one.subject) for one in mail.outbox})
        self.see(
            "ledger audit",
            f"{len(wrong)} balances differ, {stuck} messages unclear, {doubled} mails doubled, {len(mail.outbox)} mails sent",
            not wrong,
            not stuck,
        )
