"""Mails to members of the team that a flow asked for: each member once, through the store's mail account."""

import logging
from datetime import timedelta
from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.channels import email
from campaigns.effects import Effect
from campaigns.models import Enrolment, StaffNotice
from campaigns.rendering import one_line
from campaigns.turns import paused_stores
from postpurchase import clock, due, queue
from postpurchase.due import TRANSACTIONAL, State
from postpurchase.errors import BusinessError
from stores.models import Customer, Membership

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=300)
RETRIES = (5, 15, 60, 240)  # minutes


def plan(person: Enrolment, effect: Effect) -> bool:
    """Ask for one mail in the caller's transaction; False when this step has asked for it already."""
    _row, new = StaffNotice.objects.get_or_create(
        store=person.store,
        key=effect.key,
        defaults={
            "flow": person.flow,
            "customer": person.customer,
            "order": person.order,
            "step": effect.uid,
            "roles": effect.params["roles"],
            "subject": effect.params["subject"],
            "text": effect.params["text"],
            "due_at": clock.now(),
            "priority": TRANSACTIONAL,
        },
    )
    if new:
        queue.wake()
    return new


def run_due(budget_seconds: float = 20.0) -> int:
    """Write the mails that are due, within the budget; how many notices."""
    ends, done = clock.monotonic() + budget_seconds, 0
    while clock.monotonic() < ends:
        rows = due.claim(StaffNotice, limit=1, lease=LEASE, where=~Q(store_id__in=paused_stores()))
        if not rows:
            break
        done += 1
        _write(rows[0])
    return done


def _write(row: StaffNotice) -> None:
    members = Membership.objects.filter(store=row.store_id, role__in=row.roles, user__is_active=True)
    for address in members.order_by("pk").values_list("user__email", flat=True):
        if address in row.sent_to:
            continue
        # Noted first: whoever may have got it does not get it again.
        if not _note(row, [*row.sent_to, address]):
            return
        try:
            connection = email.connection_for(row.store)
            mail = _mail(row, address)
            mail.connection = connection
            mail.send()
        except Exception as error:
            # It was not taken, so this member is tried again; what may have been taken is not.
            log.info("notice %s was not taken: %s", row.pk, type(error).__name__)
            _note(row, [each for each in row.sent_to if each != address])
            said = error.message if isinstance(error, BusinessError) else type(error).__name__
            minutes = RETRIES[min(row.attempts, len(RETRIES)) - 1]
            due.retry(row, clock.now() + timedelta(minutes=minutes), said, code="mail")
            return
    if row.sent_to:
        due.finish(row)
    else:
        due.give_up(row, _("Nobody in your team has one of these roles."), code="nobody")


def _note(row: StaffNotice, sent_to: list[str]) -> bool:
    kept = StaffNotice.objects.filter(pk=row.pk, lease_token=row.lease_token).update(sent_to=sent_to)
    row.sent_to = sent_to
    return bool(kept)


def _mail(row: StaffNotice, address: str) -> EmailMessage:
    store = row.store
    if row.order_id:
        page = reverse("order", args=[store.slug, row.order_id])
    else:
        page = reverse("customer", args=[store.slug, row.customer_id])
    flow = row.flow.name if row.flow else ""
    text = "\n\n".join(part for part in (row.text, f"{settings.PUBLIC_URL}{page}", flow) if part)
    mail = EmailMessage(
        one_line(row.subject),
        text,
        formataddr((one_line(store.name, length=80), store.mail_from or settings.DEFAULT_FROM_EMAIL)),
        [address],
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.store_id = store.pk  # type: ignore[attr-defined]  # for the local inbox
    return mail


def forget(customer: Customer) -> None:
    """The person is erased: nobody is sent to their page any more. In the caller's transaction."""
    StaffNotice.objects.filter(store=customer.store, customer=customer, state__in=[State.DUE, State.HELD]).update(
        state=State.DEAD,
        finished_at=clock.now(),
        error="The person was erased before it was sent.",
        error_code="erased",
    )
