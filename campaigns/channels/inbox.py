"""Where mail goes on a development machine and in the demo: into a table that a page shows."""

from collections.abc import Sequence

from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage, EmailMultiAlternatives

from campaigns.models import InboxMail
from postpurchase import clock


class InboxBackend(BaseEmailBackend):
    """Keeps each mail as it would have left; nothing leaves this machine."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for mail in email_messages:
            built = mail.message()
            parts = mail.alternatives if isinstance(mail, EmailMultiAlternatives) else []
            html = next((str(content) for content, kind in parts if kind == "text/html"), "")
            InboxMail.objects.create(
                store_id=getattr(mail, "store_id", None),
                to=", ".join(mail.recipients())[:320],
                sender=str(built["From"])[:320],
                subject=str(mail.subject)[:998],
                headers=[[name, str(value)] for name, value in built.items()],
                text=str(mail.body),
                html=html,
                at=clock.now(),
            )
        return len(email_messages)
