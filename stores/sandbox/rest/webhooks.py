"""wc/v3/webhooks."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from .. import params, webhooks
from ..auth import require
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, missing_params
from . import collection

_CODE = "woocommerce_rest_shop_webhook_invalid_id"
_STATUSES = ("active", "paused", "disabled")


def list_webhooks(store: Store, request: Request) -> Response:
    require(request, "view")
    checks = {
        **collection.PAGING,
        **collection.date_checks(store, "after", "before"),
        "orderby": params.one_of("date", "id", "title"),
        "status": params.one_of("all", *_STATUSES),
    }
    values = params.read(request.query, checks)
    where = collection.Where("webhook")
    if values.get("status", "all") != "all":
        where.add("status = ?", values["status"])
    collection.common_filters(store, where, values)
    order = collection.sorting(values, {"id": "id", "title": "code"}, default="date")
    return collection.listing(store, request, where, values, order=order)


def get_webhook(store: Store, request: Request, id: int) -> Response:
    require(request, "view", single=True)
    text = collection.document(store, request, "webhook", id)
    if text is None:
        raise RestError(_CODE, "ID is invalid.", 404)
    return collection.one(store, request, "webhook", text)


def _topic(given: Body) -> str:
    topic = str(given.get("topic") or "")
    if topic not in webhooks.HOOKS and not (topic.startswith("action.") and len(topic) > 7):
        raise RestError(
            "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic is required and must be valid.", 400
        )
    return topic


def _url(given: Body) -> str:
    url = str(given.get("delivery_url") or "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RestError(
            "woocommerce_rest_shop_webhook_invalid_delivery_url",
            "Webhook delivery URL must be a valid URL starting with http:// or https://.",
            400,
        )
    return url


def _set_topic(body: Body, topic: str) -> None:
    resource, _, event = topic.partition(".")
    body.update(topic=topic, resource=resource, event=event, hooks=list(webhooks.HOOKS.get(topic, [event])))


def _with_ping(response: Response, id: int, url: str) -> Response:
    def after() -> None:
        # A ping that fails changes nothing: the webhook is made and active.
        webhooks.ping(id, url)

    response.after = after
    return response


def create_webhook(store: Store, request: Request) -> Response:
    require(request, "create")
    given = request.json()
    absent = [name for name in ("topic", "delivery_url") if name not in given]
    if absent:
        raise missing_params(absent)
    params.read(given, {"status": params.one_of(*_STATUSES)})
    topic, url = _topic(given), _url(given)
    id = store.new_id("webhook")
    moment = store.now
    hour = f"{(moment.hour % 12) or 12:02d}:{moment:%M %p}"
    body: Body = {
        "id": id,
        "name": str(given.get("name") or f"Webhook created on {moment:%b %d, %Y} @ {hour}"),
        "status": given.get("status") or "active",
    }
    _set_topic(body, topic)
    body["delivery_url"] = url
    store.stamp(body, "date_created", moment)
    store.stamp(body, "date_modified", moment)
    address = f"{store.site.api}/webhooks"
    allow = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    body["_links"] = {
        "self": [{"href": f"{address}/{id}", "targetHints": {"allow": allow}}],
        "collection": [{"href": address}],
    }
    webhooks.save(store, body)
    store.storage.set_flags("webhook", id, secret=str(given.get("secret") or secrets.token_hex(25)), failures=0)
    # The answer to the making says null here, every later one the date.
    shown = {**body, "date_modified": None, "date_modified_gmt": None}
    return _with_ping(collection.created(store, request, "webhook", shown, "webhooks"), id, url)


def update_webhook(store: Store, request: Request, id: int) -> Response:
    require(request, "edit")
    body = store.storage.get("webhook", id)
    if body is None:
        raise RestError(_CODE, "ID is invalid.", 400)
    given = request.json()
    params.read(given, {"status": params.one_of(*_STATUSES)})
    moved = False
    if "topic" in given:
        _set_topic(body, _topic(given))
    if "delivery_url" in given:
        url = _url(given)
        moved = url != body["delivery_url"]
        body["delivery_url"] = url
    if given.get("name"):
        body["name"] = str(given["name"])
    if given.get("status"):
        # The count of failures stays: the next single failure disables the webhook again.
        body["status"] = given["status"]
    webhooks.save(store, body)
    if "secret" in given:
        store.storage.set_flags("webhook", id, secret=str(given["secret"]))
    response = collection.one(store, request, "webhook", encode(body))
    return _with_ping(response, id, body["delivery_url"]) if moved else response


def delete_webhook(store: Store, request: Request, id: int) -> Response:
    require(request, "delete")
    body = store.storage.get("webhook", id)
    if body is None:
        raise RestError(_CODE, "Invalid ID.", 404)
    if not request.flag("force"):
        raise RestError("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
    store.storage.delete("webhook", id)
    return collection.one(store, request, "webhook", encode(body))
