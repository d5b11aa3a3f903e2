"""What loyalty shows on the pages of others: timeline lines, the side card, checks."""

from collections.abc import Iterable, Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalty import ledger
from loyalty.models import Account, Award, Entry, Redemption
from postpurchase import money
from stores import public, registries
from stores.access import ORDERS_VIEW
from stores.models import Customer, Order, Store
from stores.public import Owner
from stores.registries import Card, Check, NavEntry, TimelineItem


def register() -> None:
    """Fill the registries of the store's pages."""
    registries.add_order_timeline(order_lines)
    registries.add_customer_timeline(customer_lines)
    registries.add_customer_card(points_card)
    registries.add_checks(ledger_checks)
    public.add_owner("l", _owner)
    registries.add_nav(NavEntry(70, gettext_lazy("Loyalty"), "gift", "loyalty", ORDERS_VIEW))


def _owner(account_id: int) -> Owner | None:
    account = Account.objects.select_related("customer__store").filter(pk=account_id).first()
    return Owner(account.customer, account.link_version) if account else None


def _line(entry: Entry) -> TimelineItem:
    pending = entry.award is not None and entry.award.state == Award.State.PENDING
    title = _("%(points)s points, %(what)s") % {
        "points": f"{entry.points:+d}",
        "what": entry.get_kind_display().lower(),
    }
    return TimelineItem(
        at=entry.at,
        kind="points",
        icon="gift",
        title=title,
        text=f"{entry.reason}. {entry.note}".strip(". "),
        badge=("info", _("Pending")) if pending else None,
    )


def _planned(awards: Iterable[Award]) -> Iterator[TimelineItem]:
    for award in awards:
        if award.posted > 0:
            yield TimelineItem(
                at=award.usable_at,
                kind="points",
                icon="gift",
                title=_("%(points)d points become usable") % {"points": award.posted},
                text=_("When the return window ends."),
                planned=True,
            )


def order_lines(order: Order) -> Iterator[TimelineItem]:
    """Points of one order, and when they become usable."""
    awards = list(Award.objects.filter(order=order).prefetch_related("entries"))
    yield from _planned(award for award in awards if award.state == Award.State.PENDING)
    for award in awards:
        for entry in award.entries.all():
            entry.award = award
            yield _line(entry)


def customer_lines(customer: Customer) -> Iterator[TimelineItem]:
    """All points of one customer."""
    account = getattr(customer, "loyalty_account", None)
    if account is None:
        return
    yield from _planned(account.awards.filter(state=Award.State.PENDING))
    for entry in account.entries.select_related("award").order_by("-at")[:200]:
        yield _line(entry)


def points_card(customer: Customer) -> Card | None:
    """Balance in points and money, beside an order or customer."""
    account = getattr(customer, "loyalty_account", None)
    if account is None:
        return None
    have = ledger.balance(customer)
    worth = money.show(have.money, have.currency, customer.store.language)
    return Card(
        title=_("Points"),
        rows=[
            (_("Usable"), _("%(points)d, worth %(worth)s") % {"points": have.usable, "worth": worth}, ""),
            (_("Pending"), str(have.pending), ""),
            (
                _("Ledger"),
                _("%(n)d entries") % {"n": account.entries.count()},
                reverse("loyalty-member", kwargs={"store": customer.store.slug, "account": account.pk}),
            ),
        ],
    )


def ledger_checks(store: Store) -> Iterator[Check]:
    """Does the ledger prove itself, and are rewards stuck?"""
    wrong = len(ledger.check_balances(store)) + len(ledger.check_awards(store))
    yield Check(
        name=_("Points ledger"),
        ok=not wrong,
        sentence=_("Every balance is the sum of its entries.")
        if not wrong
        else _("%(n)d balances differ from their entries.") % {"n": wrong},
        fix=_("Run `manage.py audit_ledgers` and send its lines with your question; no points were changed."),
    )
    returned = Redemption.objects.filter(store=store, status=Redemption.Status.RETURNED).count()
    if returned:
        yield Check(
            name=_("Rewards"),
            ok=False,
            level="warn",
            sentence=_("%(n)d rewards could not be made as coupons; their points were returned.") % {"n": returned},
            fix=_("The coupon list says why for each."),
            url=reverse("coupons", kwargs={"store": store.slug}),
        )
