"""Who gets in where. The addresses are read from the URL configuration, so that no new page can be forgotten."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from stores.access import ALL, PERMISSIONS
from stores.models import Coupon, Job
from tests.factories import make_customer, make_order, make_store, make_user

pytestmark = pytest.mark.django_db

# Addresses that anybody may open; each app's shopper pages and hooks check links, signatures or keys of their own.
PUBLIC = {"root", "setup"}


def patterns(resolver: URLResolver, prefix: str = "") -> list[tuple[str, URLPattern]]:
    found: list[tuple[str, URLPattern]] = []
    for one in resolver.url_patterns:
        if isinstance(one, URLResolver):
            found += patterns(one, prefix + str(one.pattern))
        else:
            found.append((prefix + str(one.pattern), one))
    return found


EVERY = patterns(get_resolver())
DASHBOARD = [(route, one) for route, one in EVERY if route.startswith("app/<slug:store>/")]
NAMES = [one.name or route for route, one in DASHBOARD]


BLANK = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>|\(\?P<(?P<group>\w+)>(?P<body>[^)]*)\)")


def is_numbered(route: str) -> bool:
    """Whether the address names an object by its number."""
    return "<int:" in route or "[0-9]" in route


def address(route: str, store: str, number: int = 1) -> str:
    """The route with its blanks filled in, of paths and of regular expressions alike."""

    def fill(blank: re.Match[str]) -> str:
        if blank["name"] == "store":
            return store
        body = blank["body"] or ""
        if blank["kind"] == "int" or "[0-9]" in body:
            return str(number)
        return body.partition("|")[0] if "|" in body else "x"

    return "/" + BLANK.sub(fill, route).replace("^", "").replace("$", "")


def methods(client: Client, path: str) -> list[Any]:
    return [client.get(path), client.post(path)]


@pytest.mark.parametrize(("route", "pattern"), DASHBOARD, ids=NAMES)
def test_a_stranger_is_sent_to_the_sign_in_page(route: str, pattern: URLPattern) -> None:
    make_store(slug="lut")
    for response in methods(Client(), address(route, "lut")):
        assert response.status_code in {302, 405}
        if response.status_code == 302:
            assert response["Location"].startswith("/accounts/login/?next=/app/lut/")


@pytest.mark.parametrize(("route", "pattern"), DASHBOARD, ids=NAMES)
def test_for_an_outsider_the_store_does_not_exist(route: str, pattern: URLPattern) -> None:
    make_store(slug="lut")
    client = Client()
    client.force_login(make_user(make_store(slug="other")))
    assert {response.status_code for response in methods(client, address(route, "lut"))} <= {404, 405}


@pytest.mark.parametrize(("route", "pattern"), DASHBOARD, ids=NAMES)
def test_a_member_without_the_right_is_refused(
    route: str, pattern: URLPattern, monkeypatch: pytest.MonkeyPatch
) -> None:
    permission = getattr(pattern.callback, "permission", None)
    assert permission in ALL, f"{route} is not wrapped in store_view"
    monkeypatch.setitem(PERMISSIONS, "viewer", ALL - {permission})
    store = make_store(slug="lut")
    client = Client()
    client.force_login(make_user(store, role="viewer"))
    assert {response.status_code for response in methods(client, address(route, "lut"))} <= {403, 405}


@pytest.mark.parametrize(
    ("route", "pattern"),
    [(route, one) for route, one in DASHBOARD if is_numbered(route)],
    ids=[one.name for route, one in DASHBOARD if is_numbered(route)],
)
def test_an_object_of_another_store_is_not_found(route: str, pattern: URLPattern) -> None:
    theirs = make_store(slug="theirs")
    customer = make_customer(theirs)
    made = [
        make_order(theirs, customer).pk,
        customer.pk,
        Coupon.objects.create(store=theirs, code="X", amount=1).pk,
        Job.objects.create(store=theirs, kind="backfill", key="k").pk,
    ]
    mine = make_store(slug="mine")
    client = Client()
    client.force_login(make_user(mine))
    for number in made:
        assert {response.status_code for response in methods(client, address(route, "mine", number))} <= {404, 405}


def test_the_owner_opens_every_page_without_a_number_in_its_address() -> None:
    store = make_store(slug="lut")
    make_order(store)
    client = Client()
    client.force_login(make_user(store))
    for route, _pattern in DASHBOARD:
        if BLANK.search(route.removeprefix("app/<slug:store>/")):
            continue
        assert client.get(address(route, "lut")).status_code in {200, 302, 405}, route


def test_account_pages_ask_for_a_sign_in() -> None:
    for name in ("account", "account_change_password", "mfa_index"):
        response = Client().get(reverse(name))
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")


def test_nobody_signs_up_alone() -> None:
    make_user(make_store())
    assert "Sign-up is closed" in Client().get("/accounts/signup/").content.decode()
