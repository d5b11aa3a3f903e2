"""What campaigns shows on the pages of others."""

from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import preferences
from campaigns.models import Consent, Flow
from campaigns.models.consent import ConsentState
from postpurchase import clock
from stores import registries
from stores.models import Customer
from stores.registries import Card


def register() -> None:
    """Fill the registries of the store's pages."""
    registries.add_customer_card(consent_card)
    registries.add_customer_card(flows_card)


def flows_card(customer: Customer) -> Card | None:
    """For each flow in use the page that says why the person got its messages, or why not. One query."""
    flows = Flow.objects.filter(store_id=customer.store_id, live__isnull=False, archived_at=None)
    rows = [
        (name, _("Why, or why not?"), f"{reverse('flow_why', args=[slug, flow])}?customer={customer.pk}")
        for name, flow, slug in flows.order_by("name").values_list("name", "slug", "store__slug")
    ]
    return Card(_("What flows did"), rows) if rows else None


def consent_card(customer: Customer) -> Card:
    """What the person may be written to about, and since when that is known. One query."""
    rows = {row.purpose: row for row in Consent.objects.filter(customer=customer, channel="email")}
    told = []
    for purpose, label, _note in preferences.TOPICS:
        row = rows.get(purpose)
        told.append((str(label), _words(customer, purpose, row), ""))
    paused = [row.paused_until for row in rows.values() if row.paused_until and row.paused_until > clock.now()]
    badge = ("info", _("Paused until %(day)s") % {"day": f"{max(paused):%Y-%m-%d}"}) if paused else None
    return Card(_("Messages by email"), told, badge)


def _words(customer: Customer, purpose: str, row: Consent | None) -> str:
    if row is None or row.state == ConsentState.UNKNOWN:
        return _("Yes, as a buyer") if preferences.is_on(customer, purpose, row) else _("No, never asked")
    since = f" ({row.source}, {row.at:%Y-%m-%d})" if row.at else ""
    return f"{row.get_state_display()}{since}"
