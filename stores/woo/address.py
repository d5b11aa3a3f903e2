"""From what a merchant pastes to the addresses under which the shop may hang; pure."""

import re
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from postpurchase.errors import BusinessError

# Behind these the shop's own address has ended.
_TAILS = re.compile(r"/(wp-admin|wp-login\.php|wp-json|wp-content|index\.php)(/.*)?$", re.IGNORECASE)
_ZONES = {
    210: "Asia/Tehran",
    270: "Asia/Kabul",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    390: "Asia/Yangon",
    570: "Australia/Darwin",
    765: "Pacific/Chatham",
    -210: "America/St_Johns",
    -570: "Pacific/Marquesas",
}


def candidates(pasted: str) -> list[str]:
    """Base addresses to try, best first, without a slash at the end. BusinessError `bad_address` when there is none.

    Without a scheme https is tried before http. A path is tried as given, then shortened to the site's root.
    """
    text = "".join(pasted.split()).strip("\u200b\ufeff")
    if text and "://" not in text:
        return [base for scheme in ("https://", "http://") for base in candidates(scheme + text)]
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode() if ":" not in (parts.hostname or "") else ""
        host = host or (f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else "")
    except (ValueError, UnicodeError):
        raise _bad() from None
    if parts.scheme.lower() not in {"http", "https"} or not host or parts.username is not None:
        raise _bad()
    scheme = parts.scheme.lower()
    site = f"{scheme}://{host}" + (f":{port}" if port and port != {"http": 80, "https": 443}[scheme] else "")
    path = _TAILS.sub("", re.sub("/{2,}", "/", parts.path).rstrip("/"))
    pieces = [piece for piece in path.split("/") if piece][:3]
    return ["/".join([site, *pieces[:count]]) for count in range(len(pieces), -1, -1)]


def _bad() -> BusinessError:
    return BusinessError(
        _(
            "This is not the address of a shop. Nothing was saved. "
            "Write it as in the browser's address bar, such as https://shop.example.com."
        ),
        "bad_address",
    )


def same_site(one: str, other: str) -> bool:
    """Whether two addresses are of one site, with or without www; only there may a first redirect lead."""
    hosts = [(urlsplit(url).hostname or "").lower().removeprefix("www.") for url in (one, other)]
    return hosts[0] == hosts[1] != ""


def zone_of_offset(minutes: int) -> str:
    """A zone name for a fixed offset from GMT in minutes: of a shop that names no place."""
    if minutes in _ZONES:
        return _ZONES[minutes]
    hours = round(minutes / 60)
    return "UTC" if not hours else f"Etc/GMT{-hours:+d}"
