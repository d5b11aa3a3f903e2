"""Counted links: a message's link away from us goes through /c/<token>/, which knows where it leads."""

import re

from campaigns.models import CountedLink, LinkVisit, Message
from postpurchase import clock, links

# Programs that open links before a person does, by what they call themselves.
_MACHINES = re.compile(
    r"bot|crawl|spider|preview|scan|proxy|curl|wget|python|java/|okhttp|go-http|safelinks|barracuda|mimecast|proofpoint",
    re.IGNORECASE,
)


def url(message: Message, *, place: str, destination: str) -> str:
    """The counted address of a link at a place of a message; the first destination of a place stays."""
    link, _new = CountedLink.objects.get_or_create(
        message=message, place=place, defaults={"store_id": message.store_id, "destination": destination}
    )
    return links.url("c", link.pk)


def visit(link: CountedLink, *, method: str, user_agent: str) -> LinkVisit:
    """Append one opening. Only what calls itself a machine is one; a browser's name proves no person."""
    machine = method != "GET" or not user_agent or _MACHINES.search(user_agent)
    kind = LinkVisit.Kind.MACHINE if machine else LinkVisit.Kind.UNKNOWN
    return LinkVisit.objects.create(link=link, kind=kind, at=clock.now())
