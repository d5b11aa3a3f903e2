"""What all documents share: the store, addresses, money, dates, links and meta data."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from hashlib import sha256
from typing import Any

Body = dict[str, Any]

ZERO = Decimal(0)
HUNDRED = Decimal(100)
SYMBOLS = {"RON": "lei", "USD": "$", "EUR": "€", "GBP": "£", "IDR": "Rp", "JPY": "¥", "AED": "د.إ"}


@dataclass(frozen=True)
class Site:
    """What the answers of one store have in common; `decimals` is the currency's number of decimals."""

    base_url: str
    zone: tzinfo
    currency: str = "RON"
    decimals: int = 2
    prices_include_tax: bool = False
    version: str = "11.0.1"

    @cached_property
    def quantum(self) -> Decimal:
        return Decimal(1).scaleb(-self.decimals)

    @property
    def api(self) -> str:
        return f"{self.base_url}/wp-json/wc/v3"

    @property
    def symbol(self) -> str:
        return SYMBOLS.get(self.currency, self.currency)


@dataclass(frozen=True)
class Address:
    """A billing or shipping address; `email` is printed on billing addresses only."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    address_1: str = ""
    address_2: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True)
class TaxRate:
    """One rate of the store's tax table; `percent` is 21 for 21 %."""

    id: int
    code: str
    label: str
    percent: Decimal


def amount_text(amount: Decimal, *, site: Site) -> str:
    """Money as WooCommerce prints it: the currency's decimals, half up, no sign on zero."""
    rounded = amount.quantize(site.quantum, ROUND_HALF_UP)
    return str(rounded) if rounded else str(abs(rounded))


def plain_number(amount: Decimal) -> int | float:
    """A JSON number as PHP prints it: no decimals where there are none."""
    whole = int(amount)
    return whole if whole == amount else float(amount)


def local_text(moment: datetime | None, *, site: Site) -> str | None:
    """The moment in the store's zone, naive, whole seconds."""
    return moment.astimezone(site.zone).replace(tzinfo=None).isoformat(timespec="seconds") if moment else None


def gmt_text(moment: datetime | None) -> str | None:
    """The moment in GMT, naive, whole seconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") if moment else None


def links(url: str, *, collection: str, read_only: bool = False, **more: str) -> Body:
    """The `_links` object; `more` are further relations by name. What is `read_only` can be deleted, not changed."""
    allow = ["GET", "DELETE"] if read_only else ["GET", "POST", "PUT", "PATCH", "DELETE"]
    found: Body = {"self": [{"href": url, "targetHints": {"allow": allow}}], "collection": [{"href": collection}]}
    for name, href in more.items():
        found[name] = [{"href": href}]
    return found


def avatar(email: str, *, size: int = 96) -> str:
    """Address of the picture that WordPress shows for an e-mail address."""
    return f"https://secure.gravatar.com/avatar/{sha256(email.strip().lower().encode()).hexdigest()}?s={size}&d=mm&r=g"


def meta(*, id: int, key: str, value: Any) -> Body:
    """A `meta_data` entry of an order, refund, product, customer or coupon; `value` may be a list or an object."""
    return {"id": id, "key": key, "value": value}


def item_meta(
    *, id: int, key: str, value: str, display_key: str | None = None, display_value: str | None = None
) -> Body:
    """A `meta_data` entry of a line of an order."""
    return {
        "id": id,
        "key": key,
        "value": value,
        "display_key": key if display_key is None else display_key,
        "display_value": value if display_value is None else display_value,
    }
