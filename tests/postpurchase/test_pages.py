"""The dashboard's pages: what they show, and that their cost does not grow with the store."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from postpurchase import clock
from stores import doctor, jobs, registries
from stores.models import AuditEvent, Job, Shipment, Store
from stores.registries import Check, Need, TimelineItem
from tests.factories import make_customer, make_order, make_product, make_store, make_user
from tests.filled import filled_store

pytestmark = pytest.mark.django_db
BUDGET = 20


def signed_in(store, role="owner"):
    client = Client()
    client.force_login(make_user(store, role=role))
    return client


PAGES = ["", "orders/", "customers/", "coupons/", "insights/retention/", "search/?q=Ana"]


def queries(client, path):
    client.get(path)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_each_page_costs_the_same_at_60_and_1200_orders_and_at_most_20_queries():
    counted = {}
    for store in (filled_store(orders=60, slug="few"), filled_store(orders=1200, slug="many")):
        client = signed_in(store)
        counted[store.slug] = [queries(client, f"/app/{store.slug}/{path}") for path in PAGES]
    assert counted["few"] == counted["many"]
    assert max(counted["many"]) <= BUDGET


def test_a_detail_page_costs_the_same_for_an_order_with_one_line_and_with_ten():
    # Every app adds a query or two to the timeline and the side cards, so these pages have a wider bound.
    store = make_store(slug="lut")
    client, person, goods = signed_in(store), make_customer(store), [make_product(store) for _ in range(10)]
    one, ten = (
        make_order(store, person, items=[(goods[0], 1)]),
        make_order(store, person, items=[(x, 1) for x in goods]),
    )
    counted = [queries(client, f"/app/lut/orders/{order.pk}/") for order in (one, ten)]
    assert counted[0] == counted[1] <= 30
    assert queries(client, f"/app/lut/customers/{person.pk}/") <= 30


@pytest.fixture
def store():
    return make_store(slug="lut")


def test_home_of_a_new_store_shows_the_checklist_and_what_to_do_next():
    store = make_store(slug="new", state="new", mail_from="", postal_address="")
    html = signed_in(store).get("/app/new/").content.decode()
    assert "Set up your store" in html
    assert "Connect your store" in html
    assert "Four numbers" not in html


def test_home_says_what_is_wrong_and_what_is_safe(store):
    store.state = Store.State.REFUSED
    store.save()
    html = signed_in(store).get("/app/lut/").content.decode()
    assert "WooCommerce refuses our keys." in html
    assert "What was fetched before is safe" in html
    assert "The worker is silent" in html


def test_home_is_honest_without_numbers(store):
    make_order(store)
    html = signed_in(store).get("/app/lut/").content.decode()
    assert html.count("Not enough data yet") == 2
    assert "No order delivered yet" in html


def test_home_lists_what_waits_for_a_person(store, monkeypatch):
    need = Need("star", "2 reviews to check", "Glazura e superbă", "/app/lut/reviews/", "Read", due="Waiting 3 h")
    monkeypatch.setattr(registries, "_needs", [lambda _store: [need] * 7])
    html = signed_in(store).get("/app/lut/").content.decode()
    assert html.count('<p class="what">2 reviews to check</p>') == 5
    assert "and 2 more" in html


def test_an_order_shows_items_totals_parcels_and_its_timeline(store, monkeypatch):
    mug = make_product(store, name="Cană Dor", price=Decimal("89.00"))
    order = make_order(store, items=[(mug, 2)], number="10418")
    Shipment.objects.create(
        store=store,
        order=order,
        carrier="Curier Carpatic",
        number="CC 44",
        state="in_transit",
        promised_to=(clock.now() - timedelta(days=3)).date(),
        source="tracking_meta",
    )
    items = [
        TimelineItem(at=clock.now(), kind="payment", icon="card", title="Paid by card"),
        TimelineItem(
            at=clock.now() + timedelta(days=2), kind="message", icon="mail", title="How was it?", planned=True
        ),
        TimelineItem(
            at=clock.now() - timedelta(days=2),
            kind="message",
            icon="skip",
            title="Time to reorder",
            badge=("neutral", "Skipped"),
            trace=[(True, "Consent", "given"), (False, "Still needed", "already bought it")],
        ),
    ]
    monkeypatch.setattr(registries, "_order_sources", [lambda _order: items])
    client = signed_in(store)
    html = client.get(f"/app/lut/orders/{order.pk}/").content.decode()
    for expected in ("Order #10418", "Cană Dor", "178.00 lei", "197.00 lei", "Curier Carpatic", "Late", "Coming up"):
        assert expected in html
    assert "Why was this skipped?" in html
    assert "already bought it" in html
    only_payments = client.get(f"/app/lut/orders/{order.pk}/?kind=payment").content.decode()
    assert "Paid by card" in only_payments
    assert "Time to reorder" not in only_payments


def test_a_viewer_sees_an_order_without_the_person(store):
    order = make_order(store, make_customer(store, first_name="Ana", last_name="Marinescu", email="am@example.com"))
    html = signed_in(store, role="viewer").get(f"/app/lut/orders/{order.pk}/").content.decode()
    assert "Marinescu" not in html
    assert "am@example.com" not in html


def test_markup_in_a_name_stays_text(store):
    person = make_customer(store, first_name="<script>alert(1)</script>", last_name="")
    order = make_order(store, person)
    client = signed_in(store)
    for path in ("orders/", f"orders/{order.pk}/", "customers/", f"customers/{person.pk}/", "search/?q=script"):
        html = client.get(f"/app/lut/{path}").content.decode()
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


def test_a_customer_is_told_in_one_sentence(store):
    now = clock.now()
    person = make_customer(
        store,
        orders_count=7,
        first_order_at=now - timedelta(days=241),
        last_order_at=now - timedelta(days=41),
        woo_id=5,
    )
    make_order(store, person, raw={"customer_id": 0})
    html = signed_in(store).get(f"/app/lut/customers/{person.pk}/").content.decode()
    assert "7 orders, about every 33 days, last 41 days ago: a little late." in html
    assert "Merged with 1 guest order of the same email." in html


def test_searching_a_whole_order_number_opens_the_order(store):
    order = make_order(store, number="10418")
    response = signed_in(store).get("/app/lut/search/?q=%2310418")
    assert response["Location"] == f"/app/lut/orders/{order.pk}/"


def test_search_finds_people_by_name_and_only_of_this_store(store):
    make_customer(store, first_name="Ana", last_name="Marinescu")
    make_customer(make_store(), first_name="Ana", last_name="Marinescu-Other")
    html = signed_in(store).get("/app/lut/search/?q=ana mari").content.decode()
    assert html.count("Marinescu") == 1
    assert "Marinescu" not in signed_in(store, role="viewer").get("/app/lut/search/?q=ana mari").content.decode()


def test_an_order_can_be_marked_as_delivered_once(store):
    order, client = make_order(store), signed_in(store, role="support")
    page = f"/app/lut/orders/{order.pk}/"
    assert "Mark delivered" in client.get(page).content.decode()
    answer = client.post(f"{page}delivered/", follow=True).content.decode()
    order.refresh_from_db()
    assert order.delivered_at is not None
    assert "Marked as delivered." in answer
    assert "Mark delivered" not in answer


def test_a_cancelled_order_cannot_arrive(store):
    order = make_order(store, status="cancelled")
    answer = signed_in(store).post(f"/app/lut/orders/{order.pk}/delivered/", follow=True).content.decode()
    order.refresh_from_db()
    assert order.delivered_at is None
    assert "cannot arrive" in answer


def test_system_costs_the_same_at_any_size():
    counted = [
        queries(signed_in(store), f"/app/{store.slug}/settings/system/")
        for store in (filled_store(orders=20, slug="few"), filled_store(orders=400, slug="many"))
    ]
    assert counted[0] == counted[1]


def test_system_shows_failing_checks_first_with_their_fix(store, monkeypatch):
    checks = [
        Check("Disk", True, "12 GB free."),
        Check("Webhooks", False, "Off since 3 h.", fix="Repair them.", url="/x/"),
    ]
    monkeypatch.setattr(registries, "_checks", [lambda _store: checks])
    monkeypatch.setattr(doctor, "installation", list)
    html = signed_in(store).get("/app/lut/settings/system/").content.decode()
    assert "1 thing needs attention." in html
    assert html.index("Webhooks") < html.index("Disk")
    assert "Repair them." in html


def test_a_job_shows_how_far_it_is_and_htmx_stops_asking_when_it_ends(store):
    job = jobs.start(store, "backfill", key="b")
    Job.objects.filter(pk=job.pk).update(status="running", phase="orders", done=210, total=300, rate=10)
    client, headers = signed_in(store), {"HX-Request": "true", "HX-Target": "job"}
    part = client.get(f"/app/lut/jobs/{job.pk}/", headers=headers)
    assert part.status_code == 200
    assert "210 of 300" in part.content.decode()
    assert "<html" not in part.content.decode()
    Job.objects.filter(pk=job.pk).update(status="done", done=300)
    assert client.get(f"/app/lut/jobs/{job.pk}/", headers=headers).status_code == 286


def test_pausing_a_job_is_logged_and_pausing_it_twice_is_refused(store):
    job, client = jobs.start(store, "backfill", key="b"), signed_in(store)
    client.post(f"/app/lut/jobs/{job.pk}/action/", {"action": "pause"})
    job.refresh_from_db()
    assert job.status == "paused"
    answer = client.post(f"/app/lut/jobs/{job.pk}/action/", {"action": "pause"}, follow=True)
    assert "cannot be paused" in answer.content.decode()
    assert [event.action for event in AuditEvent.objects.all()] == ["job.pause"]


def test_retention_numbers_can_be_taken_away(store):
    make_order(store)
    lines = b"".join(signed_in(store).get("/app/lut/insights/retention/?export=csv&table=rate").streaming_content)
    assert lines.decode().splitlines()[0] == "\ufeffmonth,active at start,active at end,new,retention rate %"
    assert signed_in(store, role="viewer").get("/app/lut/insights/retention/?export=csv&table=rate").status_code == 403


def test_a_language_is_called_by_its_own_name(store):
    order = make_order(store, make_customer(store), language="ro")
    assert "<dd>Română</dd>" in signed_in(store).get(f"/app/lut/orders/{order.pk}/").content.decode()
