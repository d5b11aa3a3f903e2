"""Whether shops can reach this program at its public address, asked by calling it ourselves."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from postpurchase import http

# What WooCommerce sends when a webhook is made; our address answers it with 200 whatever stands behind.
_HELLO = b"webhook_id=0"


@dataclass(frozen=True)
class AddressFault:
    """Why webhooks to our address would be lost: `code` address_redirects, address_wrong or address_unreachable."""

    code: str
    text: str
    fix: str


def own_address() -> AddressFault | None:
    """Post a hello to our own webhook address; None when exactly 200 comes back.

    WooCommerce counts 301 and 302 as delivered and does not follow them, so a redirect would lose every delivery in
    silence. `address_unreachable` is in doubt only: some networks do not let a machine call its own public address.
    """
    ours = settings.PUBLIC_URL
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        answer = http.call(
            http.session(),
            "POST",
            ours + reverse("woo-hook", args=["self-test"]),
            headers=headers,
            data=_HELLO,
            max_bytes=65536,
            seconds=5,
        )
    except http.NoAnswer:
        return AddressFault(
            "address_unreachable",
            _("This program could not reach itself at %(url)s.") % {"url": ours},
            _("Set PUBLIC_URL to the address at which the shop can reach this program."),
        )
    if 300 <= answer.status < 400:
        return AddressFault(
            "address_redirects",
            _("The address %(url)s leads elsewhere, and the shop would take that for an arrival.") % {"url": ours},
            _("Set PUBLIC_URL to the address without a redirect, with https where the site has it."),
        )
    if answer.status != 200:
        return AddressFault(
            "address_wrong",
            _("At %(url)s something else answers than this program (status %(status)s).")
            % {"url": ours, "status": answer.status},
            _("Have the web server pass %(url)s/hooks/ to this program, without a sign-in.") % {"url": ours},
        )
    return None


def reachable_for(base_url: str, fault: AddressFault | None) -> bool:
    """Whether webhooks of a shop are worth registering: not to an address that redirects, is wrong, or is only local."""
    if fault is None:
        return True
    if fault.code != "address_unreachable":
        return False
    return not is_local(settings.PUBLIC_URL) or is_local(base_url)


def is_local(url: str) -> bool:
    """Whether an address names only the machine that it is used on."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "testserver", "::1"} or host.startswith("127.")
