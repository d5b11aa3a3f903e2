"""What can go wrong when talking to a shop, by what it means for us rather than by status code."""


class WooError(Exception):
    """A call to the shop did not give what was asked for.

    `code` is WooCommerce's own error code where there is one; `message` is for the merchant: what happened, what was
    not lost, what to do. Never holds keys.
    """

    def __init__(self, message: str, *, code: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


class Unreachable(WooError):
    """Transient: no connection, a time-out, 500/502/504, a cut or unreadable answer. Try again later."""


class ToldToWait(Unreachable):
    """429, or 503 with Retry-After: the shop asks for `seconds` of rest."""

    def __init__(self, message: str, *, seconds: float, status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.seconds = seconds


class Blocked(WooError):
    """An HTML page where JSON was due: a firewall, security plugin or maintenance page answers for the shop."""


class KeysRefused(WooError):
    """Unknown key, wrong secret, or a stripped Authorization header."""


class ReadOnlyKeys(KeysRefused):
    """The keys may read but not write, or the user lacks the right."""


class Missing(WooError):
    """404 or 410: this object is not there (any more)."""


class Invalid(WooError):
    """The shop refuses this request for this object; asking again will not help."""


class Duplicate(Invalid):
    """It is there already (409, or a coupon code that exists)."""


class OtherShop(WooError):
    """This is, or may be, another shop than the one that the mirror was read from: nothing of it may be written."""
