"""Signed links for shoppers: compact, scoped to one purpose, versioned, rotated with LINK_KEYS.

A token is `purpose-row-version-day-signature`: purpose, row, version and day of issue are signed together, so a token of
one purpose never opens another, and raising the row's version revokes it.
A GET with a link never changes anything; what acts is a POST.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils.http import base36_to_int, int_to_base36

from postpurchase import clock

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
_SIGNATURE_CHARS = 22  # 132 bits

# Lifetimes by purpose (ux/pages.md 1.4 of the specification): None never ends.
LIFETIMES: dict[str, timedelta | None] = {
    "t": timedelta(days=180),  # tracking
    "r": timedelta(days=90),  # review
    "h": timedelta(days=90),  # help
    "l": timedelta(days=30),  # loyalty
    "p": None,  # preferences
    "u": None,  # one-click unsubscribe
    "c": None,  # counted link
    "d": timedelta(days=30),  # double opt-in: "yes, it was me"
    "s": timedelta(days=90),  # survey
    "g": timedelta(days=30),  # gift card
}


class LinkProblem(Exception):
    """A link that cannot be used. `expired` tells a genuine, overaged link (its row is known) from any other."""

    def __init__(self, *, row_id: int | None = None, expired: bool = False) -> None:
        super().__init__("expired link" if expired else "unknown link")
        self.row_id = row_id
        self.expired = expired


@dataclass(frozen=True)
class Link:
    """A verified link: its purpose letter, row id and version."""

    purpose: str
    row_id: int
    version: int


def _sign(body: str, key: str) -> str:
    digest = hmac.new(key.encode(), f"link:{body}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode()[:_SIGNATURE_CHARS]


def make(purpose: str, row_id: int, *, version: int = 1) -> str:
    """A token for the row, signed with the newest key."""
    if purpose not in LIFETIMES:
        raise ValueError(f"unknown link purpose {purpose!r}")
    day = (clock.now() - _EPOCH).days
    body = "-".join([purpose, int_to_base36(row_id), int_to_base36(version), int_to_base36(day)])
    return f"{body}-{_sign(body, settings.LINK_KEYS[0])}"


def url(purpose: str, row_id: int, *, version: int = 1) -> str:
    """The absolute address for the shopper."""
    return f"{settings.PUBLIC_URL}/{purpose}/{make(purpose, row_id, version=version)}/"


def read(purpose: str, token: str) -> Link:
    """Verify a token for a purpose.

    Raises LinkProblem: the same for unknown, altered and foreign tokens; with `expired` and the row only when the
    signature is genuine. The caller compares `version` with the row's.
    """
    parts = token.split("-", 4)
    if len(parts) != 5 or parts[0] != purpose:
        raise LinkProblem
    body, signature = "-".join(parts[:4]), parts[4]
    if not any(hmac.compare_digest(_sign(body, key).encode(), signature.encode()) for key in settings.LINK_KEYS):
        raise LinkProblem
    row_id, version, day = (int(base36_to_int(part)) for part in parts[1:4])
    lifetime = LIFETIMES[purpose]
    if lifetime is not None and clock.now() > _EPOCH + timedelta(days=day + 1) + lifetime:
        raise LinkProblem(row_id=row_id, expired=True)
    return Link(purpose, row_id, version)
