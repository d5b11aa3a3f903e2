import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stores.sandbox import history, purchases
from stores.sandbox.review_texts import TEXTS

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Bucharest")
PAYLOADS = Path(__file__).parents[2] / "payloads" / "woocommerce"


def past(**changes: Any) -> history.History:
    return history.generate(**{"seed": 7, "now": NOW, "zone": ZONE, "base_url": "http://127.0.0.1:8100"} | changes)


@pytest.fixture(scope="module")
def shop() -> history.History:
    return past()


@pytest.fixture(scope="module")
def orders(shop: history.History) -> list[dict[str, Any]]:
    return [order for order, _ in shop.orders]


@pytest.fixture(scope="module")
def original() -> history.History:
    return past(mode="original")


def meta(order: dict[str, Any], key: str) -> Any:
    return next((entry["value"] for entry in order["meta_data"] if entry["key"] == key), None)


def number(order: dict[str, Any]) -> int:
    """Place of the buyer in the file, which the invented address ends in."""
    return int(order["billing"]["email"].partition("@")[0].rpartition(".")[2]) - 1


def gmt(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def money(text: str) -> Decimal:
    return Decimal(text)


def digest(made: history.History) -> str:
    parts = (made.categories, made.products, made.variations, made.coupons, made.customers, made.reviews, made.orders)
    found = hashlib.sha256()
    for part in parts:
        for row in part:
            found.update(json.dumps(row).encode())
    return found.hexdigest()


def share(count: int, whole: int) -> float:
    return 100 * count / whole


def test_same_seed_gives_the_same_bytes_and_another_seed_others(shop: history.History) -> None:
    first = digest(shop)

    assert digest(past()) == first
    assert digest(shop) == first
    assert digest(past(seed=8)) != first


def test_original_keeps_dates_and_amounts_of_the_file(original: history.History) -> None:
    rows = [line.split() for line in purchases.SAMPLE.read_text().splitlines()]
    expected = Counter((int(row[1]) - 1, row[2], Decimal(row[4])) for row in rows)

    found = Counter(
        (number(order), order["date_created"][:10].replace("-", ""), money(order["total"]))
        for order, _ in original.orders
    )

    assert len(original.orders) == sum(found.values()) == 6919
    assert found == expected


def test_original_has_nothing_that_would_change_an_amount(original: history.History) -> None:
    for order, refunds in original.orders:
        assert order["status"] == "completed"
        assert (refunds, order["refunds"], order["coupon_lines"], order["tax_lines"]) == ([], [], [], [])
        assert order["shipping_total"] == order["total_tax"] == order["discount_total"] == "0.00"


def test_staggered_keeps_the_days_between_purchases(orders: list[dict[str, Any]]) -> None:
    days: dict[int, list[date]] = defaultdict(list)
    for order in orders:
        days[number(order)].append(datetime.fromisoformat(order["date_created"]).date())

    assert len(days) > 2300
    for place, found in days.items():
        expected = [purchase.day for purchase in purchases.buyers()[place].purchases]
        assert [(day - found[0]).days for day in found] == expected[: len(found)]


def test_new_customers_arrive_every_week_and_nothing_lies_in_the_future(
    shop: history.History, orders: list[dict[str, Any]]
) -> None:
    first: dict[str, datetime] = {}
    for order in orders:
        first.setdefault(order["billing"]["email"], gmt(order["date_created_gmt"]))
        for key in ("date_created_gmt", "date_modified_gmt", "date_paid_gmt", "date_completed_gmt"):
            assert order[key] is None or gmt(order[key]) <= NOW
    weeks = Counter((NOW - moment).days // 7 for moment in first.values())

    assert min(weeks[week] for week in range(8)) >= 15
    assert min(first.values()) >= NOW - timedelta(days=731)
    assert sum(weeks[week] for week in range(26)) > sum(weeks[week] for week in range(78, 104))
    assert all(gmt(review["date_created_gmt"]) <= NOW for review in shop.reviews)
    assert all(gmt(row["date_created_gmt"]) <= NOW for _, refunds in shop.orders for row in refunds)
    assert max(gmt(order["date_created_gmt"]) for order in orders) > NOW - timedelta(days=1)


def test_orders_ascend_by_date_with_ids_of_their_own(shop: history.History) -> None:
    created, ids = [], []
    for order, refunds in shop.orders:
        created.append(order["date_created_gmt"])
        ids += [order["id"], *(row["id"] for row in refunds)]
        assert [row["id"] for row in order["refunds"]] == [row["id"] for row in refunds]

    assert created == sorted(created)
    assert all(one < other for one, other in pairwise(ids))


def test_shares_are_those_of_the_demo(shop: history.History) -> None:
    pairs = list(shop.orders)
    orders, count = [order for order, _ in pairs], len(pairs)
    countries = Counter(order["billing"]["country"] for order in orders)
    statuses = Counter(order["status"] for order in orders)
    kinds = Counter(row["meta_data"][0]["value"] for _, refunds in pairs for row in refunds)
    shipped = [order for order in orders if order["date_completed"]]

    assert share(sum(order["customer_id"] == 0 for order in orders), count) == pytest.approx(33, abs=4)
    assert share(kinds["partial"], count) == pytest.approx(3, abs=0.8)
    assert share(kinds["full"], count) == pytest.approx(2, abs=0.8)
    assert share(statuses["cancelled"], count) == pytest.approx(2, abs=0.8)
    assert share(sum(bool(order["coupon_lines"]) for order in orders), count) == pytest.approx(12, abs=1.5)
    assert share(sum(order["payment_method"] == "cod" for order in orders), count) == pytest.approx(15, abs=1.5)
    assert share(sum(meta(order, "_marketing_opt_in") == "yes" for order in orders), count) == pytest.approx(40, abs=4)
    tracked = sum(meta(order, "_wc_shipment_tracking_items") is not None for order in orders)
    assert share(tracked, len(shipped)) == pytest.approx(80, abs=2)
    assert share(len(shop.reviews), statuses["completed"]) == pytest.approx(10, abs=1.5)
    for country, expected in {"RO": 45, "ID": 30, "DE": 10, "US": 10, "AE": 5}.items():
        assert share(countries[country], count) == pytest.approx(expected, abs=3)


def test_only_recent_orders_are_open(orders: list[dict[str, Any]]) -> None:
    open_orders = [order for order in orders if order["status"] in ("processing", "on-hold", "pending")]

    assert {order["status"] for order in open_orders} == {"processing", "on-hold", "pending"}
    assert all(gmt(order["date_created_gmt"]) > NOW - timedelta(days=12) for order in open_orders)


def test_parcels_arrive_after_they_are_sent_and_some_late(orders: list[dict[str, Any]]) -> None:
    days = []
    for order in orders:
        delivered = meta(order, "_delivered_at")
        if delivered:
            (parcel,) = meta(order, "_wc_shipment_tracking_items")
            sent = datetime.fromtimestamp(int(parcel["date_shipped"]), UTC)
            assert parcel["tracking_number"]
            assert sent == gmt(order["date_completed_gmt"])
            assert sent < datetime.fromisoformat(delivered) <= NOW
            if order["billing"]["country"] == "RO":
                days.append((datetime.fromisoformat(delivered) - sent).days)

    assert share(sum(day > 6 for day in days), len(days)) == pytest.approx(6, abs=2)


def test_totals_add_up_to_the_cent(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        lines, fees, posts = order["line_items"], order["fee_lines"], order["shipping_lines"]
        tax = sum(money(line["total_tax"]) for line in [*lines, *fees, *posts])
        net = sum(money(line["total"]) for line in [*lines, *fees, *posts])
        assert money(order["total_tax"]) == tax
        assert money(order["total"]) == net + tax
        assert money(order["discount_total"]) == sum(money(row["discount"]) for row in order["coupon_lines"])
        assert money(order["discount_tax"]) == sum(money(row["discount_tax"]) for row in order["coupon_lines"])
        assert tax == sum(money(row["tax_total"]) + money(row["shipping_tax_total"]) for row in order["tax_lines"])


def test_lines_cost_what_the_catalogue_says(shop: history.History, orders: list[dict[str, Any]]) -> None:
    prices = {(body["id"], 0): money(body["price"]) for body in shop.products}
    prices |= {(body["parent_id"], body["id"]): money(body["price"]) for body in shop.variations}

    for order in orders:
        for line in order["line_items"]:
            cost = prices[line["product_id"], line["variation_id"]] * line["quantity"]
            assert money(line["subtotal"]) + money(line["subtotal_tax"]) == cost


def test_goods_are_near_four_lei_for_a_dollar_of_the_file(orders: list[dict[str, Any]]) -> None:
    seen: Counter[int] = Counter()
    goods, targets, misses = Decimal(0), Decimal(0), []
    for order in orders:
        place = number(order)
        target = Decimal(purchases.buyers()[place].purchases[seen[place]].cents) / 100 * purchases.RATE
        seen[place] += 1
        cost = sum(money(line["subtotal"]) + money(line["subtotal_tax"]) for line in order["line_items"])
        goods, targets = goods + cost, targets + target
        if target:
            misses.append(abs(cost / target - 1))

    assert goods / targets == pytest.approx(Decimal(1), abs=Decimal("0.05"))
    assert median(misses) < Decimal("0.1")


def test_refunds_give_back_no_more_than_was_paid(shop: history.History) -> None:
    for order, refunds in shop.orders:
        for row in refunds:
            amount = money(row["amount"])
            assert (amount == money(order["total"])) == (order["status"] == "refunded")
            assert 0 < amount <= money(order["total"])
            if row["line_items"]:
                back = sum(money(line["total"]) + money(line["total_tax"]) for line in row["line_items"])
                assert amount == -back


def test_one_person_has_one_address_and_accounts_come_with_the_first_order_made_with_them(
    shop: history.History, orders: list[dict[str, Any]]
) -> None:
    accounts = {body["id"]: body for body in shop.customers}
    emails = {body["email"] for body in accounts.values()}
    guests = {order["billing"]["email"] for order in orders if order["customer_id"] == 0}

    assert len(accounts) == len(emails) == len(shop.customers)
    assert all(email.endswith(("@example.com", "@example.org")) and email.isascii() for email in emails | guests)
    assert guests & emails
    seen: set[int] = set()
    for order in orders:
        account = accounts.get(order["customer_id"])
        if account:
            assert order["billing"]["email"] == account["email"]
            if account["id"] not in seen:
                assert account["date_created_gmt"] == order["date_created_gmt"]
                seen.add(account["id"])
    assert seen == set(accounts)


def test_counts_on_products_and_coupons_are_those_of_the_orders(
    shop: history.History, orders: list[dict[str, Any]]
) -> None:
    rated = Counter(review["product_id"] for review in shop.reviews)
    uses = Counter(row["code"] for order in orders if order["status"] != "cancelled" for row in order["coupon_lines"])
    sold: Counter[int] = Counter()
    for order in orders:
        if order["status"] in ("completed", "processing", "on-hold"):
            for line in order["line_items"]:
                sold[line["product_id"]] += line["quantity"]

    assert {body["id"]: body["rating_count"] for body in shop.products if body["rating_count"]} == rated
    assert {body["code"]: body["usage_count"] for body in shop.coupons if body["usage_count"]} == uses
    assert all(body["usage_count"] == len(body["used_by"]) for body in shop.coupons)
    assert {body["id"]: body["total_sales"] for body in shop.products if body["total_sales"]} == sold
    assert len(sold) > 50


def test_reviews_are_kind_mostly_and_in_the_language_of_the_buyer(
    shop: history.History, orders: list[dict[str, Any]]
) -> None:
    reviews = list(shop.reviews)
    languages = {order["billing"]["email"]: meta(order, "wpml_language") for order in orders}
    kind = sum(review["rating"] >= 4 for review in reviews)

    assert len(reviews) == len(shop.reviews) == len({review["id"] for review in reviews})
    assert share(kind, len(reviews)) == pytest.approx(87, abs=5)
    assert {review["rating"] for review in reviews} == {1, 2, 3, 4, 5}
    for review in reviews:
        written = review["review"].removeprefix("<p>").removesuffix("</p>\n")
        texts = TEXTS[languages[review["reviewer_email"]]]
        assert any(written in choices for choices in texts.values())


def test_bigger_scale_repeats_the_population_with_other_people() -> None:
    shop = past(mode="original", scale=3)
    emails: set[str] = set()
    days: Counter[tuple[int, str]] = Counter()
    for order, _ in shop.orders:
        emails.add(order["billing"]["email"])
        days[number(order) // len(purchases.buyers()), order["date_created"][:10]] += 1

    assert len(shop.orders) == 3 * 6919
    assert len(emails) == 3 * 2357
    assert {day: count for (copy, day), count in days.items() if copy == 0} != {
        day: count for (copy, day), count in days.items() if copy == 1
    }


def test_scale_out_of_range_is_refused() -> None:
    for scale in (0, 445):
        with pytest.raises(ValueError, match="out of range: 1 to 444"):
            past(scale=scale)


def test_bodies_have_the_keys_of_the_recordings(shop: history.History) -> None:
    def keys(name: str) -> list[str]:
        body = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))["body"]
        return list(body[0] if isinstance(body, list) else body)

    order, refunds = next(pair for pair in shop.orders if pair[1])
    assert list(order) == keys("order_guest")
    assert list(refunds[0]) == keys("order_refunded_partial_refunds")
    assert list(next(iter(shop.customers))) == keys("customer_one")
    assert list(next(iter(shop.reviews))) == keys("review_one")
    assert list(shop.coupons[0]) == keys("coupon_one")
    assert list(shop.products[0]) == keys("product_simple")
    assert list(shop.variations[0]) == keys("product_variation_one")
