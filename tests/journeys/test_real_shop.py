"""`demo --check` against a shop that is not ours: reads, and with leave writes three things and takes them out again."""

import pytest
import requests
from django.core.management import CommandError, call_command

from postpurchase.demo.real_shop import RealShop, arguments, same_host
from postpurchase.errors import BusinessError
from stores.sandbox.server import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop():
    with Sandbox(seed=3) as sandbox:
        yield sandbox


def go(shop, address):
    seen = []
    ok = RealShop(seen.append, url=shop.url, key=shop.key, secret=shop.secret, ca="", address=address).run()
    return ok, seen


def counted(shop, path, **params):
    answer = requests.get(f"{shop.url}/wp-json/wc/v3/{path}", params=params, auth=(shop.key, shop.secret), timeout=10)
    return int(answer.headers["X-WP-Total"])


def test_without_leave_to_write_it_only_reads(shop):
    orders = counted(shop, "orders")
    ok, seen = go(shop, None)
    assert ok, seen
    assert [station.name for station in seen] == ["connected", "read"]
    assert counted(shop, "orders") == orders
    assert not [one for one in shop.requests if one["method"] == "POST" and "orders" in one["path"]]


def test_what_it_writes_is_marked_and_goes_to_the_bin_again(shop):
    orders, coupons = counted(shop, "orders"), counted(shop, "coupons")
    ok, seen = go(shop, "me@example.com")
    assert ok, seen
    assert [s.name for s in seen if s.name != "removed"] == [
        "connected",
        "read",
        "keys may write",
        "a product to order",
        "order mirrored",
        "thank-you kept here",
        "coupon live",
        "review held",
    ]
    assert [s.name for s in seen].count("removed") == 3
    assert (counted(shop, "orders"), counted(shop, "coupons")) == (orders, coupons)
    assert counted(shop, "orders", status="trash") == 1
    assert counted(shop, "products/reviews", status="hold") == 0


def test_what_was_made_is_removed_also_when_a_later_station_falls_short(shop):
    shop.fault("status", method="POST", path="reviews", status=500, times=0)
    orders = counted(shop, "orders")
    ok, seen = go(shop, "me@example.com")
    assert not ok
    assert [s.name for s in seen].count("removed") == 2
    assert counted(shop, "orders") == orders


def test_writing_needs_the_host_typed_again_and_an_address():
    assert same_host("https://shop.example.com/x", "shop.example.com")
    for write, address in (("other.example.com", "me@example.com"), ("shop.example.com", "")):
        with pytest.raises(BusinessError, match="Nothing was written"):
            arguments({"url": "https://shop.example.com", "write": write, "address": address})
    with pytest.raises(CommandError, match="must repeat the host"):
        call_command("demo", check=True, url="https://shop.example.com", write="other", key="k", secret="s")
