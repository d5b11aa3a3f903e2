"""What this app adds to the shell: sidebar, what waits for a person, health, timelines."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Count, Min, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import guards, timeline
from campaigns.models import Enrolment, Message
from postpurchase import clock
from postpurchase.due import State
from stores import registries
from stores.access import CUSTOMERS_PII, ORDERS_VIEW
from stores.models import Store
from stores.registries import Check, Figure, Figures, NavEntry, Need

RECENT = timedelta(days=7)
SLOW = timedelta(minutes=10)


def register() -> None:
    """Called once at start."""
    registries.add_nav(NavEntry(40, gettext_lazy("Flows"), "flow", "flows", ORDERS_VIEW))
    registries.add_nav(NavEntry(40, gettext_lazy("Library"), "flow", "flow_library", ORDERS_VIEW, parent="flows"))
    registries.add_nav(NavEntry(40, gettext_lazy("Messages"), "note", "messages", ORDERS_VIEW, parent="flows"))
    registries.add_nav(
        NavEntry(
            41, gettext_lazy("Outbox"), "mail", "outbox", CUSTOMERS_PII, count=waiting_for_approval, parent="flows"
        )
    )
    registries.add_needs(needs)
    registries.add_checks(checks)
    registries.add_figures(figures)
    registries.add_order_timeline(timeline.of_order)
    registries.add_customer_timeline(timeline.of_customer)


def waiting_for_approval(store: Store) -> int:
    """Messages that a person has to approve."""
    return store.messages.filter(status=Message.Status.APPROVAL).count()


def figures(store: Store) -> Figures:
    """Messages of the last week that did not go out, or may not have, by state and reason; the commonest first."""
    status = Message.Status
    rows = (
        store.messages.filter(
            status__in=[status.UNKNOWN, status.EXPIRED, status.CANCELLED, status.SKIPPED, status.FAILED],
            planned_for__gte=clock.now() - RECENT,
            planned_for__lte=clock.now() + RECENT,
        )
        .values_list("status", "reason")
        .annotate(n=Count("pk"))
        .order_by("-n", "status", "reason")[:20]
    )
    found = [Figure(state, str(status(state).label), number, reason) for state, reason, number in rows]
    return Figures("messages", _("Messages not sent, last 7 days"), found, reverse("outbox", args=[store.slug]))


def needs(store: Store) -> Iterable[Need]:
    """Approvals, and messages that failed or may not have arrived, of the last days."""
    found = store.messages.filter(
        Q(status=Message.Status.APPROVAL)
        | Q(status__in=[Message.Status.FAILED, Message.Status.UNKNOWN], planned_for__gte=clock.now() - RECENT)
    )
    numbers = dict(found.values_list("status").annotate(n=Count("pk")).order_by())
    outbox = reverse("outbox", args=[store.slug])
    approvals = numbers.pop(Message.Status.APPROVAL, 0)
    broken = sum(numbers.values())
    if approvals:
        yield Need(
            "mail",
            ngettext("%(n)d message waits for your approval", "%(n)d messages wait for your approval", approvals)
            % {"n": approvals},
            _("They go out only after you have looked at them."),
            f"{outbox}?view=approval",
            _("Look"),
        )
    if broken:
        yield Need(
            "bad",
            ngettext("%(n)d message did not go out", "%(n)d messages did not go out", broken) % {"n": broken},
            _("Each with its reason; nothing is sent again by itself."),
            f"{outbox}?view=problems",
            _("Look"),
            urgent=True,
        )


def checks(store: Store) -> Iterable[Check]:
    """Whether messages and flows keep up, and whether mail leaves."""
    now, outbox = clock.now(), reverse("outbox", args=[store.slug])
    numbers = store.messages.aggregate(
        oldest=Min("due_at", filter=Q(state=State.DUE)),
        failed=Count("pk", filter=Q(status=Message.Status.FAILED, planned_for__gte=now - RECENT)),
        unclear=Count("pk", filter=Q(status=Message.Status.UNKNOWN, planned_for__gte=now - RECENT)),
        refused=Count("pk", filter=Q(status=Message.Status.RETRY, error_code="account")),
    )
    held = guards.active(store)
    yield Check(
        _("Nothing holds sending"),
        not held,
        "; ".join(str(each.get_kind_display()) for each in held) if held else _("No guard has stopped anything."),
        fix=_("Look at what waits in the outbox, then release it there.") if held else "",
        url=f"{outbox}?view=waiting",
    )
    for name, oldest in (
        (_("Messages on time"), numbers["oldest"]),
        (_("Flows on time"), Enrolment.objects.filter(store=store, state=State.DUE).aggregate(m=Min("due_at"))["m"]),
    ):
        late = oldest is not None and oldest < now - SLOW
        yield Check(
            name,
            not late,
            _("The oldest has been due for %(n)d minutes.") % {"n": (now - oldest).total_seconds() // 60}
            if late
            else _("Nothing is overdue."),
            fix=_("See whether the worker is alive.") if late else "",
            url=f"{outbox}?view=waiting",
        )
    yield Check(
        _("Mail account"),
        not numbers["refused"],
        _("The mail server refuses our account. Messages wait.") if numbers["refused"] else _("Mail is accepted."),
        fix=_("Check the address and password of the mail account (EMAIL_URL, or the store's own).")
        if numbers["refused"]
        else "",
        url=f"{outbox}?view=problems",
    )
    broken = numbers["failed"] + numbers["unclear"]
    yield Check(
        _("Messages delivered to the provider"),
        not broken,
        _("In 7 days %(failed)d failed and %(unclear)d are unclear.") % numbers
        if broken
        else _("No failure in 7 days."),
        fix=_("Open each: it says what the mail server answered.") if broken else "",
        url=f"{outbox}?view=problems",
        level="warn",
    )
