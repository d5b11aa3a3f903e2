"""What stands between us and a shop's REST API, named, with cause and fix in the merchant's words; by status and shape."""

import re
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from stores.woo.client import USER_AGENT
from stores.woo.errors import Blocked, KeysRefused, ToldToWait, WooError

# WordPress marks its pages so.
_WORDPRESS = (b"wp-content", b"wp-includes", b"wp-json", b"wp-login", b"wp-admin")
# Pages of firewalls that ask the browser to prove itself, whatever their status.
_CHALLENGES = (
    *(b"checking your browser", b"cf-chl", b"challenge-platform", b"just a moment", b"captcha", b"ddos-guard"),
    *(b"sucuri", b"incapsula", b"wordfence", b"mod_security", b"access denied"),
)
_MAINTENANCE = re.compile(rb"<title>[^<]*(maintenance|wartung|mentenan|mantenimiento|manutenzione)")
_CLOSED = frozenset({401, 403, 406, 455})


@dataclass(frozen=True)
class Diagnosis:
    """A named fault: what it is, what to do, and its code."""

    text: str
    fix: str
    code: str


def blocked() -> Diagnosis:
    """A firewall or a security plugin, with what it has to let pass."""
    ip = settings.OUTGOING_IP or _("the server of this program (its operator knows the IP address)")
    return Diagnosis(
        _("A firewall or a security plugin keeps the REST API closed."),
        _("Let requests of “%(agent)s” from %(ip)s to /wp-json/ pass.") % {"agent": USER_AGENT, "ip": ip},
        "blocked",
    )


def modsecurity() -> Diagnosis:
    """501: the web server's own rules refuse."""
    return Diagnosis(
        _("The web server's ModSecurity refuses the call (status 501)."),
        _("Ask the host to switch off the rule that refuses “%(agent)s” at /wp-json/.") % {"agent": USER_AGENT},
        "modsecurity",
    )


def maintenance() -> Diagnosis:
    """The site says that it is being worked on."""
    return Diagnosis(
        _("The shop shows a maintenance page."),
        _("Try again when the update is over, or end maintenance mode in WordPress."),
        "maintenance",
    )


def busy() -> Diagnosis:
    """429, or 503 with Retry-After."""
    return Diagnosis(_("The shop asks to be left alone for a while."), _("Try again in some minutes."), "busy")


def time_out() -> Diagnosis:
    """No answer in time."""
    return Diagnosis(
        _("The shop took too long to answer."), _("Try again when the shop is less busy, or ask the host."), "time_out"
    )


def of_page(status: int, body: bytes) -> Diagnosis | None:
    """What a page means that came where the REST API was due; None when it says nothing of that kind."""
    page = body[:500_000].lower()
    if status == 501:
        return modsecurity()
    if b"coming-soon" in page or b"coming soon" in page:
        return Diagnosis(
            _("The shop is in coming-soon mode and shows nothing but that."),
            _("In WooCommerce under Settings, Site visibility, choose Live, or let this program pass."),
            "coming_soon",
        )
    if status in _CLOSED or any(mark in page for mark in _CHALLENGES):
        return blocked()
    if status == 429:
        return busy()
    if status == 503 or _MAINTENANCE.search(page):
        return maintenance()
    if status >= 500:
        return Diagnosis(
            _("The shop answers with an error of its own (%(status)s).") % {"status": status},
            _("Open the shop in a browser. If it fails there too, the host's error log tells why."),
            "shop_error",
        )
    return None


def of_front(status: int, body: bytes) -> Diagnosis:
    """What it means when the REST API is not there, told from the front page."""
    found = of_page(status, body)
    if found:
        return found
    if any(mark in body.lower() for mark in _WORDPRESS):
        return blocked()
    return Diagnosis(
        _("The address answers, but it is not a WordPress site."),
        _("If the shop stands in a folder, write that too, such as https://example.com/shop."),
        "not_wordpress",
    )


def of_error(error: WooError) -> Diagnosis:
    """What a failed call with keys means."""
    if error.code == "modsecurity":
        return modsecurity()
    if error.code == "moved":
        return Diagnosis(error.message, "", "moved")
    if isinstance(error, Blocked):
        return maintenance() if error.status == 503 else blocked()
    if isinstance(error, ToldToWait):
        return maintenance() if error.status == 503 else busy()
    if error.code == "time_out":
        return time_out()
    if isinstance(error, KeysRefused):
        return no_right() if error.code == "no_right" else Diagnosis(error.message, "", "keys_refused")
    return Diagnosis(error.message, "", "no_https" if error.code == "tls" else "unreachable")


# Keys


def no_right() -> Diagnosis:
    """403: the keys are good, their user is not enough."""
    return Diagnosis(
        _("The keys are right, but their user may not see orders."),
        _("Make the keys for a user who is an administrator or shop manager."),
        "no_right",
    )


def secret_wrong() -> Diagnosis:
    """The key is known; over https the shop says so by another code than for an unknown one."""
    return Diagnosis(
        _("The shop knows the key, but the secret does not belong to it, or the key may only write."),
        _("Make new keys with “Read/Write” permission under WooCommerce, Settings, Advanced, REST API."),
        "secret_wrong",
    )


def keys_unknown(*, secure: bool) -> Diagnosis:
    """No way of showing the keys was taken. Over https a dropped header is ruled out, because the query was tried too."""
    text = (
        _("The shop does not know these keys, whichever way they are shown: mistyped, deleted, or of another shop.")
        if secure
        else _("The shop does not take these keys: the key or the secret is wrong, or they were deleted.")
    )
    return Diagnosis(
        text, _("Make new keys under WooCommerce, Settings, Advanced, REST API and copy both."), "keys_refused"
    )


def clock_wrong(minutes: int) -> Diagnosis:
    """Signed calls are refused, and the shop's clock is further off than a signature may be old."""
    return Diagnosis(
        (
            _(
                "The shop's clock is %(n)s minutes ahead. Over plain http calls are signed with the time, and it refuses them."
            )
            if minutes > 0
            else _(
                "The shop's clock is %(n)s minutes behind. Over plain http calls are signed with the time, and it refuses them."
            )
        )
        % {"n": abs(minutes)},
        _("Have the host set the server's clock (NTP), or connect with https://, where no time is needed."),
        "clock_skew",
    )


def of_mode(mode: str, *, secure: bool) -> Diagnosis | None:
    """What is to be repaired when keys are shown in another way than the usual one; None when nothing is."""
    if not secure or mode == "basic":
        return None
    if mode == "query":
        return Diagnosis(
            _("The shop's server drops the Authorization header, so the keys go in the address of each call."),
            _("Ask the host to pass the Authorization header to PHP (CGIPassAuth or a rewrite rule)."),
            "header_stripped",
        )
    return Diagnosis(
        _("The shop takes its own https for plain http, so each call is signed instead of showing the keys."),
        _("Ask the host to tell PHP of https: in wp-config.php, HTTPS is “on” when X-Forwarded-Proto is https."),
        "https_not_seen",
    )
