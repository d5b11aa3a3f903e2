"""How one person buys."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from postpurchase import clock
from stores.models import Customer


def usual_gap(customer: Customer) -> int | None:
    """Days between this person's counted orders on average; None before the third."""
    if customer.orders_count < 3 or not customer.first_order_at or not customer.last_order_at:
        return None
    return max(round((customer.last_order_at - customer.first_order_at).days / (customer.orders_count - 1)), 1)


def facts(customer: Customer) -> str:
    """The person in one sentence: "7 orders since Mar 2024, about every 34 days, last 41 days ago: a little late"."""
    if not customer.orders_count or not customer.last_order_at or not customer.first_order_at:
        return _("No paid order yet.")
    since = (clock.now() - customer.last_order_at).days
    ordered = ngettext("%(n)d order", "%(n)d orders", customer.orders_count) % {"n": customer.orders_count}
    last = ngettext("%(n)d day ago", "%(n)d days ago", since) % {"n": since} if since else _("today")
    gap = usual_gap(customer)
    if gap is None:
        return _("%(orders)s, last %(last)s.") % {"orders": ordered, "last": last}
    pace = _("on time") if since <= gap * 1.1 else _("a little late") if since <= gap * 2 else _("long overdue")
    return _("%(orders)s, about every %(gap)d days, last %(last)s: %(pace)s.") % {
        "orders": ordered,
        "gap": gap,
        "last": last,
        "pace": pace,
    }
