"""A message of a dry run as the person would get it: the same writing as for real, and not a trace of it left."""

import re

from django.db import transaction

from campaigns import content, outbox
from campaigns.context import language_of
from campaigns.models import Message
from campaigns.rendering import Rendered
from postpurchase.errors import BusinessError
from reviews import asking

_LINK = re.compile(r'(<a\b[^>]*?\s)href="[^"]*"', re.IGNORECASE)


def written(message: Message) -> Rendered:
    """The letter in the person's language. BusinessError when its text cannot be written for them.

    What it speaks of (a review page, links to unsubscribe) is made, written about, and rolled back.
    """
    language = language_of(message.customer, message.order)
    with transaction.atomic():
        try:
            content.install(message.store, message.template)
            _prepare(message)
            message.pk = None
            return outbox.render(message, language=language)
        finally:
            transaction.set_rollback(True)


def _prepare(message: Message) -> None:
    """The review page that a step before would have made."""
    if message.purpose == "review" and message.order and not message.context.get("review_request_id"):
        try:
            message.context["review_request_id"] = asking.ask(message.store, message.order).pk
        except BusinessError:
            return


def inert(html: str) -> str:
    """The letter without its links: nobody unsubscribes a customer by looking at a preview."""
    return _LINK.sub(r'\1role="link" aria-disabled="true"', html)
