"""wc/v3/customers."""

from __future__ import annotations

import re
from html import escape

from .. import checkout, documents, params
from ..auth import require
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, missing_params
from . import collection
from .orders import EMAIL

ROLES = ("administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager")


def _missing() -> RestError:
    return RestError("wc_user_invalid_id", "Invalid user ID.", 404)


def list_customers(store: Store, request: Request) -> Response:
    """No `modified_after` here: WooCommerce ignores it without a word."""
    require(request, "view")
    checks = {
        **collection.PAGING,
        "orderby": params.one_of("id", "include", "name", "registered_date"),
        "email": params.text,
        "role": params.one_of("all", *ROLES),
    }
    values = params.read(request.query, checks)
    where = collection.Where("customer")
    role = values.get("role", "customer")
    if role != "all":
        where.add("status = ?", role)
    if "email" in values:
        where.add("email = ?", values["email"].lower())
    collection.common_filters(store, where, values)
    names = {"id": "id", "name": "code", "registered_date": "created"}
    order = collection.sorting(values, names, default="name", direction="asc")
    return collection.listing(store, request, where, values, order=order)


def get_customer(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "customer", id)
    if text is None:
        raise _missing()
    return collection.one(store, request, "customer", text)


def _name(value: object) -> str:
    """An account's name is cleaned of tags and escaped; a billing name is not."""
    return escape(re.sub(r"<[^>]*>", "", str(value)), quote=False)


def _check_email(store: Store, email: str, *, own_id: int = 0) -> None:
    if not EMAIL.match(email):
        raise RestError("customer_invalid_email", "Invalid email address", 400)
    taken = store.storage.select("kind = 'customer' AND email = ?", (email.lower(),))
    if any(id != own_id for id, _, _ in taken):
        raise RestError(
            "registration-error-email-exists",
            f"An account is already registered with {email}. Please log in or use a different email address.",
            400,
        )


def register(store: Store, given: Body, *, role: str = "customer") -> Body:
    """A new account, with its news. Raises RestError for a bad or taken address."""
    email = str(given["email"])
    _check_email(store, email)
    now = store.now
    body = documents.customer(
        site=store.site,
        id=store.new_id("customer"),
        email=email,
        role=role,
        username=str(given.get("username") or email.partition("@")[0]),
        created=now,
        modified=now,
        first_name=_name(given.get("first_name") or ""),
        last_name=_name(given.get("last_name") or ""),
        billing=checkout.address(given.get("billing")),
        shipping=checkout.address(given.get("shipping")),
        meta_data=store.merge_meta([], given.get("meta_data")),
    )
    store.save("customer", body, touch=False)
    store.emit("customer.created", body["id"])
    if role == "customer":
        store.emit("customer.updated", body["id"])
    return body


def create_customer(store: Store, request: Request) -> Response:
    require(request, "create")
    given = request.json()
    if "email" not in given:
        raise missing_params(["email"])
    return collection.created(store, request, "customer", register(store, given), "customers")


def update_customer(store: Store, request: Request, id: int) -> Response:
    require(request, "edit")
    body = store.storage.get("customer", id)
    if body is None:
        raise RestError("woocommerce_rest_invalid_id", "Invalid resource ID.", 400)
    given = request.json()
    if "email" in given:
        _check_email(store, str(given["email"]), own_id=id)
        body["email"] = str(given["email"])
    for name in ("first_name", "last_name"):
        if name in given:
            body[name] = _name(given[name])
    for name in ("billing", "shipping"):
        if isinstance(given.get(name), dict):
            body[name].update({key: str(value or "") for key, value in given[name].items() if key in body[name]})
    if "meta_data" in given:
        body["meta_data"] = store.merge_meta(body["meta_data"], given["meta_data"])
    store.save("customer", body)
    store.emit("customer.updated", id)
    return collection.one(store, request, "customer", encode(body))


def delete_customer(store: Store, request: Request, id: int) -> Response:
    require(request, "delete")
    body = store.storage.get("customer", id)
    if body is None:
        raise _missing()
    if not request.flag("force"):
        raise RestError("woocommerce_rest_trash_not_supported", "Customers do not support trashing.", 501)
    store.storage.delete("customer", id)
    store.emit("customer.deleted", id)
    return collection.one(store, request, "customer", encode(body))
