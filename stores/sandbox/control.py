"""`/_control/`: moving the store's clock, acting as its shoppers and its carrier, breaking it, looking inside.

POST   /_control/clock                {"now": ISO} or {"advance": seconds | {"days": 3, ...}}
POST   /_control/faults               one or a list of {"match": {"method", "path", "nth"}, "do": kind, "times", ...}
DELETE /_control/faults
POST   /_control/orders               the keywords of storefront.place_order
POST   /_control/orders/<id>/<act>    pay, ship, deliver, complete, cancel, refund, trash, untrash, with their keywords
POST   /_control/customers            {"email", "role", "first_name", ...}
POST   /_control/webhooks/run         {"drop", "shuffle", "repeat"}
GET    /_control/requests             DELETE forgets them
GET    /_control/state
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from . import storefront, webhooks
from .app import App
from .coupons import CouponRefused
from .faults import Fault
from .store import Store
from .wire import Request, Response, RestError, encode, with_base

_DOERS: dict[str, Callable[..., Any]] = {
    "pay": storefront.pay,
    "ship": storefront.ship,
    "deliver": storefront.deliver,
    "refund": storefront.refund,
    "trash": storefront.trash,
    "untrash": storefront.untrash,
}


def handle(store: Store, app: App, request: Request) -> Response:
    """Answers one call; mistakes are 400 or 404 with {"code", "message"}."""
    try:
        answer = _answer(store, app, request)
    except CouponRefused as refusal:
        return _json(request, {"code": "woocommerce_rest_cart_coupon_error", "message": str(refusal)}, 400)
    except storefront.NotFound as error:
        return _json(request, {"code": "not_found", "message": str(error)}, 404)
    except RestError as error:
        return _json(request, error.body(), error.status)
    except (ValueError, TypeError) as error:
        return _json(request, {"code": "bad_request", "message": str(error)}, 400)
    if answer is None:
        return _json(request, {"code": "not_found", "message": "No such control."}, 404)
    return _json(request, answer, 200)


def _json(request: Request, value: Any, status: int) -> Response:
    text = with_base(encode(value), request.base)
    return Response(status, text.encode(), {"Content-Type": "application/json"})


def _answer(store: Store, app: App, request: Request) -> Any:
    path = request.path.removeprefix("/_control").strip("/")
    call = (request.method, path)
    if call == ("GET", "state"):
        return state(store, app)
    if call == ("GET", "requests"):
        return list(app.log)
    if call == ("DELETE", "requests"):
        app.log.clear()
        return {}
    if call == ("DELETE", "faults"):
        app.faults.clear()
        return {}
    if request.method != "POST":
        return None
    given = json.loads(request.raw or b"{}")
    if path == "faults":
        for one in given if isinstance(given, list) else [given]:
            app.faults.add(Fault.from_json(one))
        return app.faults.state()
    if path == "clock":
        return set_clock(store, **given)
    if path == "webhooks/run":
        return [asdict(one) for one in webhooks.run(store, base=request.base, **given)]
    with store.storage.lock:
        store.storage.begin()
        try:
            answer = _act(store, path, given)
        except BaseException:
            store.storage.rollback()
            raise
        store.storage.commit()
        return answer


def _act(store: Store, path: str, given: dict[str, Any]) -> Any:
    if path == "customers":
        return storefront.register(store, **given)
    if path == "orders":
        return storefront.place_order(store, **given)
    match = re.fullmatch(r"orders/(\d+)/(\w+)", path)
    if not match:
        return None
    id, act = int(match[1]), match[2]
    if act == "complete":
        return storefront.move(store, id, "completed")
    if act == "cancel":
        return storefront.move(store, id, "cancelled")
    doer = _DOERS.get(act)
    return doer(store, id, **given) if doer else None


def set_clock(store: Store, *, now: str | None = None, advance: float | dict[str, float] | None = None) -> Any:
    """Sets or moves the store's clock."""
    if now is not None:
        store.clock.set(storefront.moment(now, default=store.now))
    if advance is not None:
        by = timedelta(**advance) if isinstance(advance, dict) else timedelta(seconds=advance)
        store.clock.advance(by)
    return {"now": store.now.isoformat()}


def state(store: Store, app: App) -> dict[str, Any]:
    """How much there is of everything, what waits, which webhooks stand how."""
    with store.storage.lock:
        counts = store.storage.execute("SELECT kind, count(*) FROM objects GROUP BY kind ORDER BY kind").fetchall()
    return {
        "now": store.now.isoformat(),
        "zone": store.clock.zone_name,
        "flavour": store.flavour,
        "counts": dict(counts),
        "webhooks": webhooks.failures(store),
        "waiting": [{"webhook_id": one[1], "topic": one[2], "id": one[3]} for one in webhooks.waiting(store)],
        "faults": app.faults.state(),
        "requests": len(app.log),
    }
