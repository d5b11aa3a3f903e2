"""Notes, states and marks of ours on the shop's orders and customers.

WooCommerce has no idempotency keys: a note is known again by a short reference at its end, a state or a mark by reading it
before each attempt. What we wrote comes back as a change of the shop's; it is then equal to what we asked for, so nothing
follows from it and nothing is written twice.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase.errors import BusinessError
from stores import audit, coupons, intents, registries
from stores.access import ORDERS_CHANGE
from stores.models import Customer, Intent, Order, Store, User
from stores.registries import Check, Need, TimelineItem
from stores.sync import tasks
from stores.woo.errors import Invalid
from stores.woo.payloads.values import meta
from stores.woo.plain_text import inert, plain
from stores.words import ORDER_STATUS, write_back

if TYPE_CHECKING:
    from stores.woo.client import Client

NOTE, STATUS, ORDER_META, CUSTOMER_META = "order.note", "order.status", "order.meta", "customer.meta"
LONGEST_NOTE = 2000
# All marks of ours begin so; the shop's own screens leave out names that begin with "_".
PREFIX = "_postpurchase_"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
# States a person may choose. "refunded" is left out: it would say that money went back, and moves none.
STATES = ("pending", "processing", "on-hold", "completed", "cancelled", "failed")
_OVERTAKEN: dict[str, Any] = {"id": None}


def add_note(order: Order, text: str, *, key: str, by: User | str, to_customer: bool = False) -> Intent:
    """Ask for a note on the shop's order, as plain text; the same `key` asks only once.

    With `to_customer` the shop mails it to the buyer. Raises BusinessError `store_read_only`, `order_elsewhere` or
    `note_text`, and then asks for nothing.
    """
    _writable(order.store)
    _in_shop(order)
    words = text.replace("\r\n", "\n").strip()
    if not words or len(words) > LONGEST_NOTE:
        raise BusinessError(
            _("A note has 1 to %(n)d characters. Nothing was written. Change the text.") % {"n": LONGEST_NOTE},
            "note_text",
        )
    with transaction.atomic():
        intent = intents.plan(
            order.store,
            NOTE,
            key=f"{NOTE}:{order.pk}:{key}"[:200],
            subject_id=order.pk,
            about=f"#{order.number}",
            params={"text": words, "to_customer": to_customer},
        )
        audit.record(order.store, "order.note", actor=by, target=f"order {order.pk}", diff={"to_customer": to_customer})
    return intent


def set_status(order: Order, status: str, *, key: str, by: User | str) -> Intent:
    """Ask for another state of the shop's order; the same `key` asks only once.

    It is set only while the order there is still as it was seen here; else a person chooses. Raises BusinessError
    `store_read_only`, `order_elsewhere` or `order_status`, and then asks for nothing.
    """
    _writable(order.store)
    _in_shop(order)
    if status not in STATES or status == order.status:
        raise BusinessError(
            _("The order cannot be moved to that state from here. Nothing was changed. Choose one of the list."),
            "order_status",
        )
    with transaction.atomic():
        intent = intents.plan(
            order.store,
            STATUS,
            key=f"{STATUS}:{order.pk}:{key}"[:200],
            subject_id=order.pk,
            about=f"#{order.number}",
            params={"status": status, "seen": order.status},
        )
        audit.record(
            order.store,
            "order.status",
            actor=by,
            target=f"order {order.pk}",
            diff={"from": order.status, "to": status},
        )
    return intent


def mark_order(order: Order, name: str, value: str) -> Intent | None:
    """Have the shop's order carry `value` under our name, in the caller's transaction; None when it is so already."""
    _writable(order.store)
    _in_shop(order)
    return _mark(order, ORDER_META, name, value, about=f"#{order.number}")


def mark_customer(customer: Customer, name: str, value: str) -> Intent | None:
    """Have the customer's account in the shop carry `value` (a tier, a consent) under our name, in the caller's
    transaction; None when it is so already, or when the person has no account there or is erased."""
    _writable(customer.store)
    if customer.woo_id is None or customer.erased_at:
        return None
    return _mark(customer, CUSTOMER_META, name, value, about=f"#{customer.woo_id}")


def _mark(row: Order | Customer, kind: str, name: str, value: str, *, about: str) -> Intent | None:
    if not _NAME.fullmatch(name) or len(value) > 200:
        raise ValueError(f"{name!r} is no name of a mark, or its value is too long")
    if f"{PREFIX}{name}" == "_postpurchase_ref":
        raise ValueError("this name is taken by what we know our own rows by")
    earlier = list(_asked(row.store_id, kind, row.pk, name))
    held = earlier[-1].params["value"] if earlier and earlier[-1].status != Intent.Status.FAILED else None
    if held == value or (held is None and _value(row.raw, name) == value):
        return None
    return intents.plan(
        row.store,
        kind,
        key=f"{kind}:{row.pk}:{name}:{len(earlier) + 1}",
        subject_id=row.pk,
        about=about,
        params={"name": name, "value": value},
    )


def _asked(store_id: int, kind: str, pk: int, name: str) -> Any:
    return Intent.objects.filter(store=store_id, kind=kind, subject_id=pk, params__name=name).order_by("pk")


def _value(body: dict[str, Any], name: str) -> str | None:
    """What the shop's object carries under our name; None when it carries nothing."""
    told = meta(body).get(f"{PREFIX}{name}")
    return None if told is None else str(told)


def _writable(store: Store) -> None:
    if not store.can_write:
        raise BusinessError(
            _(
                "The keys of this store may only read, so nothing can be written there. Nothing was changed. "
                "Connect the store with keys that may write."
            ),
            "store_read_only",
        )


def in_shop(order: Order) -> bool:
    """Whether the shop has this order, outside its trash."""
    return order.woo_id is not None and not order.deleted_at and not order.trashed_at


def _in_shop(order: Order) -> None:
    if not in_shop(order):
        raise BusinessError(
            _("This order is not in the shop, so nothing can be written there. Nothing was changed."),
            "order_elsewhere",
        )


def _order(intent: Intent) -> Order:
    return Order.objects.select_related("store").get(store=intent.store_id, pk=intent.subject_id)


def _sees(body: dict[str, Any], store: Store, entity: str) -> None:
    """Have the mirror ask for what we wrote, as for any other change."""
    tasks.arm(store, [(entity, int(body["id"]))])


class OrderNote(intents.WriteBack):
    """Write-back `order.note`. Its natural key is the reference in its last line."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        order = _order(intent)
        notes = client.get(f"orders/{order.woo_id}/notes")
        return next((note for note in notes if _reference(intent) in plain(str(note.get("note", "")))), None)

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        order, asked = _order(intent), Intent.objects.values_list("params", flat=True).get(pk=intent.pk)
        if not asked["text"]:
            raise Invalid("The person was erased before this note was written. Nothing was written.", code="erased")
        words = f"{inert(asked['text'])}\n{_reference(intent)}"
        made = client.post(f"orders/{order.woo_id}/notes", {"note": words, "customer_note": asked["to_customer"]})
        return dict(client.get(f"orders/{order.woo_id}/notes/{int(made['id'])}"))

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        if not intent.params["text"]:
            return
        asked = f"{intent.params['text']} {_reference(intent)}"
        alike = plain(str(body.get("note", ""))) == " ".join(asked.split())
        if not alike or bool(body.get("customer_note")) != intent.params["to_customer"]:
            raise intents.Attention(
                "The store keeps this note in other words or for other readers than it was written. "
                "Look at the order in the store."
            )


def _reference(intent: Intent) -> str:
    """Plain words, because whatever is hidden in markup is dropped by some shops: `Ref. 3f9a1c2e77b0`."""
    return f"Ref. {intent.ref.hex[:12]}"


class OrderStatus(intents.WriteBack):
    """Write-back `order.status`."""

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        asked = intent.params
        body = dict(client.get(f"orders/{_order(intent).woo_id}"))
        if body.get("status") == asked["status"]:
            return body
        if asked["seen"] in {body.get("status"), None}:
            return None
        raise intents.Attention(
            f"The order was moved to “{_said(body.get('status'))}” in the store meanwhile, so it was not moved to "
            f"“{_said(asked['status'])}”."
        )

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        woo_id = _order(intent).woo_id
        client.put(f"orders/{woo_id}", {"status": intent.params["status"]})
        return dict(client.get(f"orders/{woo_id}"))

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        _sees(body, intent.store, "order")
        if body.get("status") != intent.params["status"]:
            raise intents.Attention(
                f"The store took the change and shows the order as “{_said(body.get('status'))}”: something in the "
                "store moved it on."
            )

    def again(self, intent: Intent) -> None:
        """A person has seen what the shop has and wants the other state all the same."""
        intent.params = {**intent.params, "seen": None}

    def accept(self, intent: Intent) -> bool:
        tasks.arm(intent.store, [("order", _order(intent).woo_id)])
        return False


def _said(status: object) -> str:
    known = ORDER_STATUS.get(str(status))
    return str(known[1]) if known else str(status)


class Mark(intents.WriteBack):
    """Write-backs `order.meta` and `customer.meta`: one name of ours in the object's meta_data. The last value asked for
    counts; an earlier one that was not written yet is passed over."""

    def __init__(self, path: str, entity: str, model: type[Order] | type[Customer]) -> None:
        self.path, self.entity, self.model = path, entity, model

    def _address(self, intent: Intent) -> str:
        woo_id = self.model._default_manager.values_list("woo_id", flat=True).get(
            store=intent.store_id, pk=intent.subject_id
        )
        return f"{self.path}/{woo_id}"

    def find(self, client: "Client", intent: Intent) -> dict[str, Any] | None:
        later = _asked(intent.store_id, intent.kind, intent.subject_id, intent.params["name"]).filter(pk__gt=intent.pk)
        if later.exists():
            return _OVERTAKEN
        body = dict(client.get(self._address(intent)))
        return body if _value(body, intent.params["name"]) == intent.params["value"] else None

    def create(self, client: "Client", intent: Intent) -> dict[str, Any]:
        address, asked = self._address(intent), intent.params
        client.put(address, {"meta_data": [{"key": f"{PREFIX}{asked['name']}", "value": asked["value"]}]})
        return dict(client.get(address))

    def settle(self, intent: Intent, body: dict[str, Any]) -> None:
        if body["id"] is None:
            return
        _sees(body, intent.store, self.entity)
        if _value(body, intent.params["name"]) != intent.params["value"]:
            raise intents.Attention("The store took the mark but does not keep it; a plugin there may remove it.")


def forget(customer: Customer) -> None:
    """The words of notes on the person's orders go, and those that were not written yet never are."""
    orders = Order.objects.filter(store=customer.store, customer=customer)
    Intent.objects.filter(store=customer.store, kind=NOTE, subject_id__in=orders.values("pk")).update(
        params={"text": "", "to_customer": False}
    )


def order_timeline(order: Order) -> Iterable[TimelineItem]:
    """What was written to the shop's order, in one query."""
    for intent in Intent.objects.filter(store=order.store, kind__in=[NOTE, STATUS], subject_id=order.pk):
        state, words, _icon = write_back(intent)
        url = reverse("write_back", args=[order.store.slug, intent.pk])
        if intent.kind == NOTE:
            # Its words may name the customer; they stand on the page behind, for those who may see people.
            title = _("Note to the customer") if intent.params["to_customer"] else _("Note in the store")
        else:
            title = _("State to be “%(state)s”") % {"state": _said(intent.params["status"])}
        yield TimelineItem(intent.created_at, "note", "edit", title, badge=(state, words), url=url)


def _needs(store: Store) -> Iterable[Need]:
    if count := intents.waiting_for_choice(store):
        yield Need(
            "external",
            ngettext("%(n)d write-back needs you", "%(n)d write-backs need you", count) % {"n": count},
            _("Your store did not keep what was asked for. What was held for it waits for your choice."),
            reverse("write_backs", args=[store.slug]) + "?view=attention",
            _("Choose"),
        )


def _checks(store: Store) -> Iterable[Check]:
    count = intents.waiting_for_choice(store)
    yield Check(
        _("Write-backs"),
        not count,
        ngettext("%(n)d write-back waits for a choice.", "%(n)d write-backs wait for a choice.", count) % {"n": count}
        if count
        else _("The store has what was written to it, or it is on its way."),
        _("Look at what the store has, and choose.") if count else "",
        reverse("write_backs", args=[store.slug]) + ("?view=attention" if count else ""),
        "warn",
    )
    if coupons.are_off(store):
        yield Check(
            _("Coupons"),
            False,
            _("Coupons are switched off in the store. None is made, so rewards and flows with coupons wait."),
            _("Switch them on under WooCommerce, Settings, General, “Enable the use of coupon codes”."),
            level="warn",
        )


def register() -> None:
    """Name the write-backs; called from `StoresConfig.ready()`."""

    def page(intent: Intent) -> str:
        return reverse("order", args=[intent.store.slug, intent.subject_id])

    def person(intent: Intent) -> str:
        return reverse("customer", args=[intent.store.slug, intent.subject_id])

    registries.add_order_timeline(order_timeline)
    registries.add_needs(_needs)
    registries.add_checks(_checks)
    for kind, handler, label in (
        (NOTE, OrderNote(), gettext_lazy("Order note")),
        (STATUS, OrderStatus(), gettext_lazy("Order state")),
        (ORDER_META, Mark("orders", "order", Order), gettext_lazy("Mark on an order")),
    ):
        intents.register(kind, handler, label=label, permission=ORDERS_CHANGE, address=page)
    intents.register(
        CUSTOMER_META,
        Mark("customers", "customer", Customer),
        label=gettext_lazy("Mark on a customer"),
        permission=ORDERS_CHANGE,
        address=person,
    )
