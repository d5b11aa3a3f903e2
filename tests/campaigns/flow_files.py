"""Flow files for tests, and short ways to make flows and facts."""

from copy import deepcopy

from campaigns import engine, flows
from postpurchase import clock
from stores import events

GONE = {"field": "order.status", "op": "in", "value": ["cancelled", "refunded", "failed", "trash", "deleted"]}


def file(*steps, klass="T", event="order.paid", **extra):
    base = {"format": 1, "name": "Test flow", "class": klass, "trigger": {"event": event}}
    return deepcopy(base | {"exit_when": [GONE], "steps": list(steps)} | extra)


def send(uid="mail", **extra):
    return {"uid": uid, "kind": "send_email", "template": "R01.thank_you"} | extra


def wait(uid="wait", **extra):
    return {"uid": uid, "kind": "wait"} | extra


def publish(store, data, *, state="on", slug="test-flow"):
    return flows.publish(store, data, actor="test", slug=slug, state=state)


def happen(order, name=events.ORDER_PAID, **extra):
    """Record the fact and let everybody hear it."""
    events.record(order.store, name, subject=order.pk, at=extra.pop("at", clock.now()), order=order, **extra)
    while events.dispatch():
        pass


def run():
    return engine.run_due()
