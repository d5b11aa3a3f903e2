"""The generic list page, shown on the orders of a store."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import NOON, make_customer, make_order, make_store, make_user
from tests.filled import filled_store

pytestmark = pytest.mark.django_db


def signed_in(store, role="owner"):
    client = Client()
    client.force_login(make_user(store, role=role))
    return client


@pytest.fixture
def shop():
    store = make_store(slug="lut")
    for n in range(30):
        make_order(
            store,
            make_customer(store, first_name=f"Person{n}"),
            number=str(500 + n),
            total=Decimal(100 + n),
            status="completed" if n % 2 else "processing",
            created_gmt=NOON - timedelta(days=n),
        )
    return store


def numbers(response):
    return [int(row.object.number) for row in response.context["page"].rows]


def test_the_first_page_shows_the_newest_25_of_30(shop):
    response = signed_in(shop).get("/app/lut/orders/")
    assert numbers(response) == list(range(500, 525))
    assert "1 to 25 of 30" in response.content.decode()
    assert '<caption class="sr-only">30 orders, sorted by Date, descending</caption>' in response.content.decode()


def test_the_second_page_shows_the_rest_and_a_page_beyond_the_end_shows_the_last(shop):
    client = signed_in(shop)
    assert numbers(client.get("/app/lut/orders/?page=2")) == list(range(525, 530))
    assert numbers(client.get("/app/lut/orders/?page=99")) == list(range(525, 530))
    assert numbers(client.get("/app/lut/orders/?page=-1")) == list(range(500, 525))


def test_sorting_by_total_turns_the_order_and_marks_the_column(shop):
    response = signed_in(shop).get("/app/lut/orders/?sort=total&size=50")
    assert numbers(response) == list(range(500, 530))
    html = response.content.decode()
    assert html.count("aria-sort=") == 1
    assert 'aria-sort="ascending"' in html


def test_an_unknown_sort_key_and_size_fall_back_to_the_lists_own(shop):
    response = signed_in(shop).get("/app/lut/orders/?sort=-customer__email&size=100000")
    assert numbers(response) == list(range(500, 525))


def test_filter_search_and_view_narrow_and_show_as_chips(shop):
    response = signed_in(shop).get("/app/lut/orders/?status=completed&q=Person1")
    page = response.context["page"]
    assert numbers(response) == [501, 511, 513, 515, 517, 519]
    assert [chip["label"] for chip in page.chips] == ["“Person1”", "Completed"]
    assert [chip["url"] for chip in page.chips] == [
        "/app/lut/orders/?status=completed",
        "/app/lut/orders/?q=Person1",
    ]


def test_a_viewer_neither_sees_nor_searches_names(shop):
    client = signed_in(shop, role="viewer")
    assert "Person1" not in client.get("/app/lut/orders/").content.decode()
    assert numbers(client.get("/app/lut/orders/?q=Person1")) == []


def test_nothing_matching_is_told_apart_from_nothing_yet(shop):
    client = signed_in(shop)
    assert "Nothing matches" in client.get("/app/lut/orders/?q=zzz").content.decode()
    empty = make_store(slug="empty")
    html = signed_in(empty).get("/app/empty/orders/").content.decode()
    assert "No orders yet" in html
    assert "Nothing matches" not in html


def test_htmx_gets_the_changing_part_with_the_announcement_alone(shop):
    headers = {"HX-Request": "true", "HX-Target": "listing"}
    response = signed_in(shop).get("/app/lut/orders/?page=2", headers=headers)
    html = response.content.decode()
    assert "<html" not in html
    assert 'id="live"' in html
    assert "30 orders, sorted by Date, descending</div>" in html
    assert "HX-Request" in response["Vary"]


def test_a_restored_page_is_a_whole_page(shop):
    headers = {"HX-Request": "true", "HX-Target": "listing", "HX-History-Restore-Request": "true"}
    assert "<html" in signed_in(shop).get("/app/lut/orders/", headers=headers).content.decode()


def test_the_csv_holds_all_matching_rows_and_runs_no_formula(shop):
    make_order(shop, number="=900", status="completed", created_gmt=NOON + timedelta(days=1))
    response = signed_in(shop).get("/app/lut/orders/?status=completed&export=csv")
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[0].startswith("\ufeffnumber,status,created_gmt,")
    assert len(lines) == 1 + 16
    assert lines[1].startswith("'=900,completed,2026-11-21")


def test_a_role_without_the_right_gets_no_export(shop):
    client = signed_in(shop, role="support")
    assert client.get("/app/lut/orders/?export=csv").status_code == 403
    assert "export=csv" not in client.get("/app/lut/orders/").content.decode()


def test_the_number_of_queries_does_not_depend_on_the_number_of_orders():
    few, many = filled_store(orders=40, slug="few"), filled_store(orders=1000, slug="many")
    counted = []
    for store in (few, many):
        client = signed_in(store)
        client.get(f"/app/{store.slug}/orders/")
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get(f"/app/{store.slug}/orders/").status_code == 200
        counted.append(len(seen))
    assert counted[0] == counted[1]
    assert counted[1] <= 20
