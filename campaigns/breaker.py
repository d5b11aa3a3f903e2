"""The breaker of a shop's mail account: when our side is refused, nothing is handed over for a while, and nobody is suppressed."""

from datetime import datetime, timedelta

from django.db.models import F

from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import MailAccount
from postpurchase import clock
from stores.models import Store

# So many refusals in a row, each at another message, say that it is the account.
STRIKES = 3
ACCOUNT_REST = timedelta(minutes=15)
BUSY_REST = timedelta(minutes=5)
RESTS = {email.ACCOUNT: ACCOUNT_REST, email.BUSY: BUSY_REST}


def strike(store: Store, handed: Handed) -> datetime | None:
    """Count a refusal of kind account or busy; until when nothing is handed over now, None while others are still tried.

    What was said before any recipient was named holds for all of them, so it opens the breaker at once.
    """
    MailAccount.objects.get_or_create(store=store)
    row = MailAccount.objects.filter(store=store)
    row.update(failures=F("failures") + 1, kind=handed.error_kind, reason=handed.error[:500])
    if handed.alone and row.values_list("failures", flat=True)[0] < STRIKES:
        return None
    until = clock.now() + max(RESTS[handed.error_kind], timedelta(seconds=handed.rest_seconds))
    row.update(open_until=until)
    return until


def accepted(store: Store) -> None:
    """The account works: a message was taken."""
    MailAccount.objects.filter(store=store, failures__gt=0).update(failures=0, open_until=None, kind="", reason="")


def closed_until(stores: set[int], *, now: datetime) -> dict[int, datetime]:
    """The stores whose account rests, and until when."""
    rows = MailAccount.objects.filter(store_id__in=stores, open_until__gt=now).values_list("store_id", "open_until")
    return {store: until for store, until in rows if until}
