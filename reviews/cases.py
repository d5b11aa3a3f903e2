"""Help cases: opened by shoppers in one step, worked by the shop, closed for good by the shopper's own word."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import ceil
from statistics import median

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext as _

from postpurchase import clock, links
from postpurchase.errors import BusinessError
from reviews import photos
from reviews.models import Case, CaseMessage, ReviewRequest
from reviews.submission import clean
from stores import audit, events
from stores.models import Customer, Order, Store, User
from stores.outgoing import request_message

MAX_TEXT = 5000
# The reply time that is promised is the store's own, and only when there is something to reckon it from.
REPLY_SPAN, REPLY_LEAST = timedelta(days=90), 5


def help_url(order: Order) -> str:
    """The address of the help page for an order."""
    return links.url("h", order.pk, version=order.customer.link_version if order.customer else 1)


def open_case(
    order: Order,
    *,
    kind: str,
    key: str,
    text: str = "",
    wish: str = "",
    line_ids: Sequence[int] = (),
    prepared: Sequence[photos.Prepared] = (),
    language: str = "",
) -> Case:
    """Open a case about an order; the same key (made with the form) opens only one.

    Records `case.opened {case, kind}`, asks for the message "case.opened" to the customer, and pauses the order's review
    request. BusinessError `kind_needed`: nothing was recorded, and the prepared photos are out of storage again.
    """
    try:
        with transaction.atomic():
            case, new = _open(order, kind, key, text, wish, line_ids, prepared, language)
    except BaseException:
        photos.discard(prepared)
        raise
    if not new:
        photos.discard(prepared)
    return case


def _open(
    order: Order,
    kind: str,
    key: str,
    text: str,
    wish: str,
    line_ids: Sequence[int],
    prepared: Sequence[photos.Prepared],
    language: str,
) -> tuple[Case, bool]:
    if kind not in Case.Kind.values or order.customer is None:
        raise BusinessError(
            _("We do not know yet what it is about. Nothing was sent. Choose one of the lines."), "kind_needed"
        )
    known = set(order.lines.values_list("woo_id", flat=True))
    case, new = Case.objects.get_or_create(
        store=order.store,
        key=key[:80],
        defaults={
            "order": order,
            "customer": order.customer,
            "kind": kind,
            "wish": wish if wish in Case.Wish.values else "",
            "line_ids": sorted(known.intersection(line_ids)),
            "language": language or order.language,
        },
    )
    if case.order_id != order.pk:
        raise BusinessError(_("This form belongs to another order. Nothing was sent. Load it again."), "foreign_form")
    if not new:
        return case, False
    said = clean(text, limit=MAX_TEXT, lines=True)
    if said:
        CaseMessage.objects.create(case=case, author=CaseMessage.Author.SHOPPER, text=said)
    photos.attach(prepared[: photos.MAX_PHOTOS], case=case)
    photos.discard(prepared[photos.MAX_PHOTOS :])
    events.record(
        order.store,
        events.CASE_OPENED,
        subject=case.pk,
        at=case.opened_at,
        order=order,
        payload={"case": case.pk, "kind": kind},
    )
    request_message(
        order.store,
        kind="case.opened",
        customer=order.customer,
        key=f"case.opened:{case.pk}",
        payload={"case": case.pk, "reference": case.reference, "order": order.pk, "kind": kind},
    )
    ReviewRequest.objects.filter(order=order, state=ReviewRequest.State.OPEN).update(state=ReviewRequest.State.PAUSED)
    return case, True


def resolve(case: Case, *, by: User | str, answer: str = "") -> Case:
    """What the shop had to do is done. Records `case.resolved {case}` and asks for the message "case.resolved".

    A case that is closed already is left alone.
    """
    with transaction.atomic():
        case = _locked(case)
        if case.state != Case.State.OPEN:
            return case
        said = clean(answer, limit=MAX_TEXT, lines=True)
        if said:
            CaseMessage.objects.create(
                case=case,
                author=CaseMessage.Author.SHOP,
                by=by.email if isinstance(by, User) else by,
                text=said,
            )
        case.state, case.resolved_at = Case.State.RESOLVED, clock.now()
        case.resolutions += 1
        case.save(update_fields=["state", "resolved_at", "resolutions"])
        audit.record(case.store, "case.resolve", actor=by, target=case.reference)
        events.record(
            case.store,
            events.CASE_RESOLVED,
            subject=case.pk,
            fact=str(case.resolutions),
            at=case.resolved_at,
            order=case.order,
            payload={"case": case.pk},
        )
        request_message(
            case.store,
            kind="case.resolved",
            customer=case.customer,
            key=f"case.resolved:{case.pk}:{case.resolutions}",
            payload={
                "case": case.pk,
                "reference": case.reference,
                "order": case.order_id,
                "answer": said,
                "url": help_url(case.order),
            },
        )
        _review_again(case.order)
    return case


def confirm(case: Case) -> Case:
    """The shopper says it is solved. Records `case.confirmed_solved {case}`; a case that is not resolved is left alone."""
    with transaction.atomic():
        case = _locked(case)
        if case.state == Case.State.RESOLVED:
            case.state, case.confirmed_at = Case.State.CONFIRMED, clock.now()
            case.save(update_fields=["state", "confirmed_at"])
            events.record(
                case.store,
                events.CASE_CONFIRMED,
                subject=case.pk,
                at=case.confirmed_at,
                order=case.order,
                customer=case.customer,
                payload={"case": case.pk},
            )
    return case


def reopen(case: Case, *, text: str = "") -> Case:
    """The shopper says it is not solved yet."""
    with transaction.atomic():
        case = _locked(case)
        if case.state != Case.State.RESOLVED:
            return case
        case.state, case.resolved_at = Case.State.OPEN, None
        case.save(update_fields=["state", "resolved_at"])
        said = clean(text, limit=MAX_TEXT, lines=True) or _("Not solved yet.")
        CaseMessage.objects.create(case=case, author=CaseMessage.Author.SHOPPER, text=said)
        ReviewRequest.objects.filter(order=case.order, state=ReviewRequest.State.OPEN).update(
            state=ReviewRequest.State.PAUSED
        )
    return case


def _locked(case: Case) -> Case:
    return (
        Case.objects.select_for_update(of=("self",))
        .select_related("store", "order__customer", "customer")
        .get(pk=case.pk)
    )


def _review_again(order: Order) -> None:
    if not order_has_open_case(order):
        ReviewRequest.objects.filter(order=order, state=ReviewRequest.State.PAUSED).update(
            state=ReviewRequest.State.OPEN
        )


def order_has_open_case(order: Order) -> bool:
    """Somebody still has to put something right about this order."""
    return order.pk in orders_with_open_case({order.pk})


def customer_has_open_case(customer: Customer) -> bool:
    """A person with a problem is not advertised to, nor asked for a review."""
    return customer.pk in customers_with_open_case({customer.pk})


def orders_with_open_case(order_ids: Collection[int]) -> set[int]:
    """Of the given orders those with an open case."""
    return set(_open_cases().filter(order_id__in=order_ids).values_list("order_id", flat=True))


def customers_with_open_case(customer_ids: Collection[int]) -> set[int]:
    """Of the given customers those with an open case."""
    return set(_open_cases().filter(customer_id__in=customer_ids).values_list("customer_id", flat=True))


def troubles(customer_ids: Collection[int], *, since: datetime) -> tuple[set[int], set[int]]:
    """Of the given customers those with an open case, and their orders whose case was put right after `since`."""
    found = Case.objects.filter(customer_id__in=customer_ids).filter(
        Q(state=Case.State.OPEN) | Q(resolved_at__gt=since) | Q(confirmed_at__gt=since)
    )
    people: set[int] = set()
    orders: set[int] = set()
    for customer_id, order_id, state in found.values_list("customer_id", "order_id", "state"):
        if state == Case.State.OPEN:
            people.add(customer_id)
        else:
            orders.add(order_id)
    return people, orders


def solved_at(order_ids: Collection[int]) -> dict[int, datetime]:
    """Of the given orders those with a case that the customer says is solved, and when that was said last."""
    confirmed = Case.objects.filter(order_id__in=order_ids, state=Case.State.CONFIRMED)
    return dict(confirmed.values_list("order_id").annotate(last=Max("confirmed_at")).order_by())


def _open_cases() -> QuerySet[Case]:
    return Case.objects.filter(state=Case.State.OPEN)


def usual_hours(store: Store) -> int | None:
    """The store's own median of hours from opening to resolving over 90 days, rounded up; None below 5 cases."""
    recent = Case.objects.filter(store=store, resolved_at__isnull=False, opened_at__gte=clock.now() - REPLY_SPAN)
    times = recent.order_by("-pk").values_list("opened_at", "resolved_at")[:200]
    seconds = [int((resolved - opened).total_seconds()) for opened, resolved in times if resolved]
    if len(seconds) < REPLY_LEAST:
        return None
    return max(1, ceil(median(seconds) / 3600))
