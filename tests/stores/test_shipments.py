from datetime import UTC, date, datetime, timedelta

import pytest

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import shipments
from stores.models import Event, Order, Shipment
from stores.sync.apply import apply
from stores.woo.payloads import parse_order
from tests.bodies import order
from tests.factories import make_order, make_store, make_user

AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)  # a Friday
TRACKED = [
    {
        "tracking_provider": "",
        "custom_tracking_provider": "Sameday",
        "custom_tracking_link": "https://track.example.com/RO1",
        "tracking_number": "RO1",
        "date_shipped": "1795168800",
    }
]


def parcels(**fields):
    return shipments.shipments_from(parse_order(order(**fields)))


def told(found):
    return [(p.source, p.state, p.carrier, p.number, p.shipped_at, p.delivered_at) for p in found]


def test_tracking_meta_makes_a_parcel():
    shipped = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert told(parcels(meta={"_wc_shipment_tracking_items": TRACKED})) == [
        ("tracking_meta", "shipped", "Sameday", "RO1", shipped, None)
    ]


def test_a_delivered_mark_ends_all_parcels():
    meta = {"_wc_shipment_tracking_items": TRACKED * 2, "_delivered_at": "2026-11-23T09:00:00Z"}
    arrived = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert [(p.parcel, p.state, p.delivered_at) for p in parcels(meta=meta)] == [
        (1, "delivered", arrived),
        (2, "delivered", arrived),
    ]


def test_fulfilments_are_better_than_tracking_meta():
    fulfilments = [
        {
            "id": 3,
            "is_fulfilled": True,
            "date_updated": "2026-11-20T10:00:00",
            "meta_data": [
                {"key": "_tracking_number", "value": "F1"},
                {"key": "_shipment_provider", "value": "fan"},
                {"key": "_items", "value": [{"item_id": 5000, "qty": 2}]},
            ],
        },
        {"id": 4, "is_fulfilled": False},
    ]
    [one] = parcels(fulfillments=fulfilments, meta={"_wc_shipment_tracking_items": TRACKED})
    assert (one.source, one.number, one.carrier, one.items) == ("fulfilment", "F1", "fan", ((5000, "2"),))


@pytest.mark.parametrize("junk", ["", "{", 7, None, {}, [7, None], [[]], {"a": 1}, [{"date_shipped": "never"}]])
def test_junk_in_tracking_meta_is_no_error(junk):
    assert all(p.source in ("estimate", "tracking_meta") for p in parcels(meta={"_wc_shipment_tracking_items": junk}))


def test_a_link_that_is_no_web_address_is_not_taken():
    [one] = parcels(meta={"_wc_shipment_tracking_items": [{"custom_tracking_link": "javascript:alert(1)"}]})
    assert one.url == ""


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({"status": "completed", "date_completed_gmt": "2026-11-20T12:00:00"}, [("estimate", "shipped")]),
        ({}, [("estimate", "pending")]),
        ({"status": "on-hold", "date_paid_gmt": None}, []),
        ({"status": "cancelled"}, []),
        ({"status": "refunded"}, []),
        ({"needs_processing": False, "shipping_lines": []}, []),
    ],
)
def test_without_tracking_there_is_an_estimate_or_nothing(fields, states):
    assert [(p.source, p.state) for p in parcels(**fields)] == states


def test_working_days_skip_the_weekend():
    assert shipments.add_working_days(date(2026, 11, 20), 1) == date(2026, 11, 23)
    assert shipments.add_working_days(date(2026, 11, 20), 6) == date(2026, 11, 30)
    assert shipments.add_working_days(date(2026, 11, 20), 0) == date(2026, 11, 20)


pytest_db = pytest.mark.django_db


def put(store, *bodies, minutes=0):
    apply(store, "order", bodies, fetched_at=AT + timedelta(minutes=minutes))


@pytest_db
def test_an_estimate_is_five_working_days_without_better_knowledge():
    store = make_store()
    put(store, order(status="completed", date_completed_gmt="2026-11-20T10:30:00"))
    parcel = Shipment.objects.get()
    assert parcel.expected_at == datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
    assert (parcel.promised_from, parcel.promised_to) == (None, None)
    assert Order.objects.get().delivered_at is None


@pytest_db
def test_the_merchants_table_gives_promise_and_estimate():
    store = make_store(delivery_days={"Flat rate": {"min": 1, "max": 3}}, handling_days=1)
    put(store, order())
    parcel = Shipment.objects.get()
    # Friday, one day of handling: Monday; one to three working days after.
    assert (parcel.promised_from, parcel.promised_to) == (date(2026, 11, 24), date(2026, 11, 26))
    assert parcel.expected_at == datetime(2026, 11, 26, 10, 5, tzinfo=UTC)


@pytest_db
def test_thirty_scans_of_the_country_know_better():
    store = make_store(handling_days=0)
    for days in range(1, 31):
        past = make_order(store, country="RO")
        Shipment.objects.create(
            store=store,
            order=past,
            source="tracking_meta",
            state="delivered",
            shipped_at=AT - timedelta(days=60),
            delivered_at=AT - timedelta(days=60 - days),
        )
    assert shipments.transit_times(store)["RO"] == shipments.Transit(15, 24, 27)
    put(store, order(5000, status="completed", date_completed_gmt="2026-11-20T10:30:00"))
    parcel = Shipment.objects.get(order__woo_id=5000)
    assert parcel.expected_at == datetime(2026, 12, 14, 10, 30, tzinfo=UTC)
    assert (parcel.promised_from, parcel.promised_to) == (date(2026, 12, 5), date(2026, 12, 17))


@pytest_db
def test_the_tick_records_what_should_have_arrived_once():
    store = make_store()
    put(store, order(status="completed", date_completed_gmt="2026-11-20T10:30:00"))
    assert shipments.tick_estimates(datetime(2026, 11, 27, 10, 0, tzinfo=UTC)) == 0
    assert shipments.tick_estimates(datetime(2026, 11, 27, 11, 0, tzinfo=UTC)) == 1
    assert shipments.tick_estimates(datetime(2026, 11, 28, 11, 0, tzinfo=UTC)) == 0
    found = Order.objects.get()
    assert (found.delivered_at, found.delivered_estimated) == (datetime(2026, 11, 27, 10, 30, tzinfo=UTC), True)
    event = Event.objects.get(name="order.delivered")
    assert (event.payload, event.at, event.historic) == ({"estimated": True}, found.delivered_at, False)


@pytest_db
def test_a_scan_after_the_estimate_corrects_the_time_and_tells_nothing_again():
    store = make_store()
    put(store, order(status="completed", date_completed_gmt="2026-11-20T10:30:00"))
    shipments.tick_estimates(datetime(2026, 11, 27, 11, 0, tzinfo=UTC))
    meta = {"_wc_shipment_tracking_items": TRACKED, "_delivered_at": "2026-11-28T09:00:00Z"}
    put(store, order(status="completed", date_completed_gmt="2026-11-20T10:30:00", meta=meta), minutes=1)
    found = Order.objects.get()
    assert (found.delivered_at, found.delivered_estimated) == (datetime(2026, 11, 28, 9, 0, tzinfo=UTC), False)
    assert Event.objects.filter(name="order.delivered").count() == 1


@pytest_db
def test_two_parcels_arrive_when_the_second_does():
    store = make_store()
    one, two = TRACKED[0] | {"date_delivered": "2026-11-21T09:00:00"}, TRACKED[0] | {"tracking_number": "RO2"}
    put(store, order(meta={"_wc_shipment_tracking_items": [one, two]}))
    assert Order.objects.get().delivered_at is None
    two |= {"date_delivered": "2026-11-22T09:00:00"}
    put(store, order(meta={"_wc_shipment_tracking_items": [one, two]}), minutes=1)
    assert Order.objects.get().delivered_at == datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    assert sorted(Event.objects.filter(name__startswith="shipment").values_list("name", "key")) == [
        ("shipment.created", f"shipment.created:{Order.objects.get().pk}:1"),
        ("shipment.created", f"shipment.created:{Order.objects.get().pk}:2"),
        ("shipment.moved", f"shipment.moved:{Order.objects.get().pk}:2:delivered"),
    ]
    assert Event.objects.get(name="order.delivered").payload == {"estimated": False}


@pytest_db
def test_a_cancelled_order_never_arrives():
    store = make_store()
    put(store, order())
    put(store, order(status="cancelled", date_modified_gmt="2026-11-20T10:30:00"), minutes=1)
    assert shipments.tick_estimates(datetime(2027, 1, 1, tzinfo=UTC)) == 0
    assert not Event.objects.filter(name="order.delivered").exists()


@pytest_db
def test_something_digital_is_there_when_it_is_completed():
    store = make_store()
    done = {"status": "completed", "date_completed_gmt": "2026-11-20T10:30:00"}
    put(store, order(needs_processing=False, shipping_lines=[], **done))
    assert Order.objects.get().delivered_at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
    assert not Shipment.objects.exists()


@pytest_db
def test_an_old_history_is_delivered_at_once_and_historic():
    store = make_store(live_from=AT)
    old = {"date_created_gmt": "2025-01-02T10:00:00", "date_paid_gmt": "2025-01-02T10:00:00"}
    put(store, order(status="completed", date_completed_gmt="2025-01-03T10:00:00", **old))
    assert Order.objects.get().delivered_estimated
    assert Event.objects.get(name="order.delivered").historic


@pytest_db
def test_the_merchant_says_that_it_arrived():
    store = make_store()
    owner = make_user(store)
    put(store, order(meta={"_wc_shipment_tracking_items": TRACKED}))
    found = Order.objects.get()
    clock.freeze(datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
    with pytest.raises(BusinessError) as refusal:
        shipments.mark_delivered(found, at=datetime(2026, 11, 25, tzinfo=UTC), by=owner)
    assert refusal.value.code == "in_future"
    at = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
    shipments.mark_delivered(found, at=at, by=owner)
    shipments.mark_delivered(found, at=at, by=owner)
    assert Event.objects.filter(name="order.delivered").count() == 1
    # A later sync that still says "shipped" does not undo what the merchant said.
    put(store, order(meta={"_wc_shipment_tracking_items": TRACKED, "note": "x"}), minutes=1)
    found.refresh_from_db()
    parcel = Shipment.objects.get()
    assert (found.delivered_at, found.delivered_estimated) == (at, False)
    assert (parcel.state, parcel.source, parcel.delivered_at, parcel.number) == ("delivered", "merchant", at, "RO1")


@pytest_db
def test_a_cancelled_order_cannot_be_marked():
    store = make_store()
    found = make_order(store, status="cancelled")
    with pytest.raises(BusinessError) as refusal:
        shipments.mark_delivered(found, at=AT, by=make_user(store))
    assert refusal.value.code == "not_shippable"
    assert not Shipment.objects.exists()
