"""Reading single values out of a shop's JSON: strict where a wrong guess would cost money, tolerant everywhere else."""

import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from postpurchase import money as amounts

Body = Mapping[str, Any]

# What the shop writes in place of the address of a person whom it has forgotten.
FORGOTTEN = "deleted@site.invalid"
# The key in the shop's meta_data by which we know what we wrote.
MARK = "_postpurchase_ref"
MAX_ID = 2**63 - 1
LONGEST_TEXT = 10_000
LONGEST_BODY = 200_000
_FINEST = Decimal("0.0001")
# Controls, lone surrogates, and the overrides that turn the reading direction of all that follows them.
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """A body that must not be taken into the mirror. `reason` is for the merchant."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text(raw: object, limit: int, notices: list[str] | None = None, field: str = "") -> str:
    """Text of at most `limit` characters without controls; "" for what is no text. A trim is noted in `notices`."""
    if not isinstance(raw, str):
        return str(raw)[:limit] if isinstance(raw, int | float) and not isinstance(raw, bool) else ""
    if not raw.isprintable():
        raw = _UNWANTED.sub("", raw)
    raw = raw.strip()
    if len(raw) > limit:
        if notices is not None:
            notices.append(f"{field} was longer than {limit} characters and was cut")
        return raw[:limit].rstrip()
    return raw


def name(raw: object, limit: int, notices: list[str] | None = None, field: str = "name") -> str:
    """A text that WooCommerce prints HTML-escaped, decoded exactly once."""
    if isinstance(raw, str) and "&" in raw:
        raw = html.unescape(raw)
    return text(raw, limit, notices, field)


def woo_id(raw: object, what: str) -> int:
    """A positive id; Unreadable otherwise. Ids written as text are taken."""
    found = number(raw)
    if found is None or not 0 < found <= MAX_ID:
        raise Unreadable(f"The {what} has no id ({str(raw)[:40]!r}).")
    return found


def number(raw: object) -> int | None:
    """A whole number, also when written as text or as 5.0; None for anything else."""
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return raw if abs(raw) <= MAX_ID else None
    if isinstance(raw, float):
        return int(raw) if raw.is_integer() and abs(raw) < 2**53 else None
    if isinstance(raw, str) and raw.strip().lstrip("-").isdecimal() and len(raw.strip()) < 20:
        return number(int(raw))
    return None


def small(raw: object) -> int | None:
    """A whole number that fits 32 bits, else None."""
    found = number(raw)
    return found if found is not None and abs(found) < 2**31 else None


def linked_id(raw: object) -> int:
    """An id that may be missing; 0 then."""
    found = number(raw)
    return found if found is not None and found > 0 else 0


def money(raw: object, field: str) -> Decimal:
    """An amount with at most four decimals; Unreadable for what is no amount, which is never taken as zero."""
    try:
        # A history is full of the same few amounts, most of all of "0.00".
        return _amount(raw) if type(raw) is str else _parsed(raw)
    except ValueError as error:
        raise Unreadable(f"{field} is no amount of money ({str(raw)[:40]!r}).") from error


def _parsed(raw: object) -> Decimal:
    amount = amounts.parse(raw)
    return amount if int(amount.as_tuple().exponent) >= -4 else amount.quantize(_FINEST)


_amount = lru_cache(maxsize=4096)(_parsed)


def money_or_none(raw: object, field: str) -> Decimal | None:
    """As `money`, where the shop says "not set" with an empty text or null."""
    return None if raw is None or raw == "" else money(raw, field)


def gmt(raw: object) -> datetime | None:
    """A moment of a `*_gmt` field (naive GMT, or with an offset) in UTC; None for what is no moment."""
    if not isinstance(raw, str) or not raw:
        return None
    try:
        moment = datetime.fromisoformat(raw)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def cost(body: Body) -> Decimal | None:
    """What goods cost the merchant, where the shop keeps that and this key may see it; None otherwise."""
    found = body.get("cost_of_goods_sold")
    if not isinstance(found, Mapping):
        return None
    try:
        return money_or_none(found.get("total_value", found.get("value")), "cost")
    except Unreadable:
        # Nothing hangs on it that would be worth losing the object for.
        return None


def section(body: Body, key: str) -> Body:
    """An object inside the body. PHP prints an empty object as [], and some plugins leave it out."""
    found = body.get(key)
    if type(found) is dict or isinstance(found, Mapping):
        return found
    if found is None or found == [] or found == "":
        return {}
    raise Unreadable(f"{key} has a shape that is not known.")


def rows(body: Body, key: str) -> list[Body]:
    """A list of objects inside the body; also when PHP printed it as an object with numbered keys."""
    found = body.get(key)
    if isinstance(found, list):
        if all(type(row) is dict or isinstance(row, Mapping) for row in found):
            return found
    elif isinstance(found, Mapping):
        return rows({key: list(found.values())}, key)
    elif found is None or found == "":
        return []
    raise Unreadable(f"{key} is no list of objects.")


def ids(body: Body, key: str) -> tuple[int, ...]:
    """The positive ids in a list."""
    found = body.get(key)
    return tuple(i for raw in found if (i := linked_id(raw))) if isinstance(found, list) else ()


def meta(body: Body) -> dict[str, Any]:
    """`meta_data` by key; of a key that is there twice, the later. Values may be lists and objects."""
    found = body.get("meta_data")
    if not isinstance(found, list):
        return {}
    return {
        str(row["key"]): row.get("value")
        for row in found
        if (type(row) is dict or isinstance(row, Mapping)) and "key" in row
    }


def as_object(body: object, what: str) -> Body:
    """The body itself, when it is an object."""
    if type(body) is not dict and not isinstance(body, Mapping):
        raise Unreadable(f"The {what} is no object.")
    return body


def web_address(raw: object) -> str:
    """An http(s) address that may stand in a page; "" for anything else, such as `javascript:`."""
    address = text(raw, 500)
    return address if address.startswith(("https://", "http://")) else ""


def email_key(raw: object) -> str:
    """The identity behind an address: trimmed, lower case; "" for what cannot be an address or is nobody's any more."""
    address = text(raw, 300).lower()
    if address == FORGOTTEN:
        return ""
    return address if 3 <= len(address) <= 254 and "@" in address[1:-1] and " " not in address else ""


def storable(body: Body, *, without: frozenset[str] = frozenset({"_links"})) -> str:
    """The body as JSON text that every database takes: keys sorted, `without` left out, oversized texts cut."""
    kept = {key: value for key, value in body.items() if key not in without}
    try:
        written = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        # Half a character, a number beyond 64 bits, a key that is no text: Python's own takes all of these.
        written = json.dumps(kept, sort_keys=True)
    if "\\u0000" in written or "\\ud" in written or len(written) > LONGEST_BODY:
        written = json.dumps(_storable_value(kept, cut=len(written) > LONGEST_BODY), sort_keys=True, ensure_ascii=False)
    return written


def _storable_value(value: Any, *, cut: bool) -> Any:
    if isinstance(value, str):
        value = _UNSTORABLE.sub("", value)
        return f"{value[:LONGEST_TEXT]}… [cut]" if cut and len(value) > LONGEST_TEXT else value
    if isinstance(value, Mapping):
        return {_UNSTORABLE.sub("", str(key)): _storable_value(inner, cut=cut) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable_value(inner, cut=cut) for inner in value]
    return value
