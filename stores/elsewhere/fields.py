"""What an order from elsewhere says, and how it is read: one sentence for each value that cannot be."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase import clock
from postpurchase import money as amounts
from stores.models import Store
from stores.woo.payloads import CouponLinePayload, LinePayload, OrderPayload
from stores.woo.payloads.orders import RefundSummary
from stores.woo.payloads.values import email_key, text

# Our fields under the merchant's words, in the order of the mapper. Those of `LINE` make up one line.
FIELDS: dict[str, Any] = {
    "external_id": gettext_lazy("Order id there"),
    "created_at": gettext_lazy("Ordered at"),
    "total": gettext_lazy("Total with tax and shipping"),
    "email": gettext_lazy("Email (this or the phone is needed)"),
    "phone": gettext_lazy("Phone"),
    "number": gettext_lazy("Order number"),
    "status": gettext_lazy("Status"),
    "currency": gettext_lazy("Currency"),
    "tax": gettext_lazy("Tax"),
    "shipping": gettext_lazy("Shipping"),
    "discount": gettext_lazy("Discount"),
    "refunded": gettext_lazy("Refunded so far"),
    "paid_at": gettext_lazy("Paid at"),
    "delivered_at": gettext_lazy("Delivered at"),
    "first_name": gettext_lazy("First name"),
    "last_name": gettext_lazy("Last name"),
    "country": gettext_lazy("Country (two letters)"),
    "region": gettext_lazy("State or county"),
    "city": gettext_lazy("City"),
    "language": gettext_lazy("Language (two letters)"),
    "payment_method": gettext_lazy("Paid with"),
    "shipping_method": gettext_lazy("Shipped with"),
    "line_sku": gettext_lazy("Item SKU"),
    "line_name": gettext_lazy("Item name"),
    "line_quantity": gettext_lazy("Item quantity"),
    "line_total": gettext_lazy("Item total without tax"),
}
NEEDED = ("external_id", "created_at", "total")
LINE = {"line_sku": "sku", "line_name": "name", "line_quantity": "quantity", "line_total": "total"}
_STATUSES = {
    "pending": "pending unpaid awaiting_payment",
    "on-hold": "on-hold on_hold hold",
    "processing": "processing paid open confirmed unshipped unfulfilled",
    "completed": "completed complete shipped sent fulfilled delivered done closed",
    "cancelled": "cancelled canceled void",
    "refunded": "refunded returned",
    "failed": "failed declined",
}
STATUSES = {word: status for status, words in _STATUSES.items() for word in words.split()}
_PAID = {"processing", "completed", "refunded"}
_LONGEST = Decimal("1e11")
# A clock that runs ahead is forgiven this much.
_AHEAD = timedelta(days=1)
_DAY = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$")
_AMOUNT = re.compile(r"-?\d[\d.,]*$")
_SPACES = re.compile(r"[\s\u00a0\u202f']")
_AROUND = re.compile(r"^[^\d.,-]+|[^\d]+$")


@dataclass(frozen=True)
class Style:
    """How the source writes: the decimal sign, whether the day stands before the month, and the usual currency."""

    decimal: str = "."
    day_first: bool = True
    currency: str = ""


@dataclass(frozen=True)
class Fault:
    """Why a value cannot be taken, for the person who mends it."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True)
class Read:
    """An order that can be taken: as a payload of the mirror, its id there, and when it was delivered, if told."""

    external_id: str
    order: OrderPayload
    delivered: datetime | None
    shipping_method: str
    language: str


class _Reader:
    def __init__(self, store: Store, raw: Mapping[str, Any], style: Style) -> None:
        self.store, self.raw, self.style = store, raw, style
        self.faults: list[Fault] = []

    def fault(self, field: str, code: str, detail: str) -> None:
        self.faults.append(Fault(field, code, detail))

    def text(self, field: str, limit: int) -> str:
        raw = self.raw.get(field)
        if raw is not None and not isinstance(raw, str | int | float | Decimal):
            self.fault(field, "not_text", _("This has to be a text."))
            return ""
        found = text(str(raw) if isinstance(raw, Decimal) else raw, limit + 1)
        if len(found) > limit:
            self.fault(field, "too_long", _("Longer than %(n)s characters.") % {"n": limit})
        return found

    def amount(self, field: str, raw: Any, *, default: Decimal | None = None) -> Decimal:
        if raw is None or str(raw).strip() == "":
            if default is None:
                self.fault(field, "missing", _("It is missing. An order needs it."))
            return default or Decimal(0)
        try:
            found = read_amount(str(raw), self.style.decimal)
        except ValueError:
            self.fault(field, "no_amount", _("“%(raw)s” is no amount of money.") % {"raw": str(raw)[:40]})
            return Decimal(0)
        if found < 0:
            self.fault(field, "negative", _("“%(raw)s” is below zero.") % {"raw": str(raw)[:40]})
        elif int(found.as_tuple().exponent) < -4:
            self.fault(field, "too_fine", _("“%(raw)s” has more than four decimals.") % {"raw": str(raw)[:40]})
        return found

    def time(self, field: str) -> datetime | None:
        raw = self.text(field, 60)
        if not raw:
            return None
        try:
            at = read_time(raw, self.store, day_first=self.style.day_first)
        except ValueError:
            self.fault(
                field,
                "no_time",
                _("“%(raw)s” is no date that can be read. Write 2026-11-20 14:05.") % {"raw": raw[:40]},
            )
            return None
        if at > clock.now() + _AHEAD:
            self.fault(field, "in_future", _("“%(raw)s” is still to come.") % {"raw": raw[:40]})
        return at

    def letters(self, field: str, count: int, what: str) -> str:
        raw = self.text(field, 40)
        if raw and not (len(raw) == count and raw.isascii() and raw.isalpha()):
            self.fault(field, "no_code", what % {"raw": raw[:40]})
        return raw.upper()

    def person(self) -> tuple[str, str]:
        """The address as typed and the phone number in international form, or what was typed."""
        email = self.text("email", 254)
        if email:
            try:
                validate_email(email)
            except ValidationError:
                self.fault("email", "no_email", _("“%(raw)s” is no email address.") % {"raw": email[:80]})
        phone = self.text("phone", 40)
        if phone and sum(sign.isdigit() for sign in phone) < 7:
            self.fault("phone", "no_phone", _("“%(raw)s” is no phone number.") % {"raw": phone})
        if not email and not phone:
            self.fault(
                "email", "nobody", _("There is neither email nor phone, so it is not known whose order this is.")
            )
        return email, phone

    def lines(self) -> tuple[LinePayload, ...]:
        given = self.raw.get("lines") or []
        if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
            self.fault("lines", "no_lines", _("The lines have to be a list of objects."))
            return ()
        found = []
        for place, one in enumerate(given, 1):
            field = f"lines.{place - 1}"
            quantity = self.amount(f"{field}.quantity", one.get("quantity"), default=Decimal(1))
            if quantity == 0:
                self.fault(f"{field}.quantity", "nothing", _("The quantity is zero."))
            total = self.amount(f"{field}.total", one.get("total"))
            sku, name = text(one.get("sku"), 120), text(one.get("name"), 300)
            found.append(_line(place, sku, name or sku or _("Item"), quantity, total))
        return tuple(found)


def _line(place: int, sku: str, name: str, quantity: Decimal, total: Decimal) -> LinePayload:
    return LinePayload(place, 0, 0, name, sku, quantity, total, total, Decimal(0), "")


def read(store: Store, raw: Mapping[str, Any], style: Style) -> Read | list[Fault]:
    """Read one order; all that is wrong with it when it cannot be taken."""
    reader = _Reader(store, raw, style)
    external_id = reader.text("external_id", 120)
    if not external_id:
        reader.fault(
            "external_id", "missing", _("It is missing. Without it a repeat could not be told from a new order.")
        )
    created = reader.time("created_at")
    if created is None and not any(fault.field == "created_at" for fault in reader.faults):
        reader.fault("created_at", "missing", _("It is missing. An order needs it."))
    total = reader.amount("total", raw.get("total"))
    tax, shipping, discount, refunded = (
        reader.amount(field, raw.get(field), default=Decimal(0))
        for field in ("tax", "shipping", "discount", "refunded")
    )
    if 0 <= total < refunded:
        reader.fault("refunded", "too_much", _("More was refunded than the order's total."))
    word = reader.text("status", 40)
    status = STATUSES.get(re.sub(r"[\s_]+", "_", word.lower())) if word else "completed"
    if status is None:
        reader.fault(
            "status",
            "no_status",
            _("The status “%(raw)s” is not known. Known are: %(known)s.")
            % {"raw": word, "known": ", ".join(_STATUSES)},
        )
    email, phone = reader.person()
    paid, delivered = reader.time("paid_at"), reader.time("delivered_at")
    currency = reader.letters("currency", 3, _("“%(raw)s” is no currency. Write three letters, such as EUR."))
    country = reader.letters("country", 2, _("“%(raw)s” is no country. Write two letters, such as RO."))
    language = reader.letters("language", 2, _("“%(raw)s” is no language. Write two letters, such as ro.")).lower()
    lines = reader.lines()
    number = reader.text("number", 60) or external_id[:60]
    names = [reader.text(field, limit) for field, limit in _PLAIN.items()]
    if reader.faults or created is None or status is None:
        return reader.faults
    first_name, last_name, region, city, payment, shipping_method = names
    paid = paid or (created if status in _PAID else None)
    if not lines:
        # Points are earned by lines: an order that tells none has one, over its goods.
        goods = max(total - tax - shipping, Decimal(0))
        lines = (_line(1, "", _("Order %(number)s") % {"number": number}, Decimal(1), goods),)
    order = OrderPayload(
        woo_id=0,
        number=number,
        status=status,
        currency=currency or style.currency or store.currency,
        total=total,
        tax=tax,
        shipping=shipping,
        discount=discount,
        customer_id=0,
        email=email,
        email_key=email_key(email),
        first_name=first_name,
        last_name=last_name,
        phone=phone,
        country=country,
        region=region,
        city=city,
        payment_method="",
        payment_title=payment,
        created_via="",
        created=created,
        modified=created,
        paid=paid,
        completed=paid if status == "completed" else None,
        lines=lines,
        coupon_lines=tuple[CouponLinePayload, ...](),
        fees=(),
        shipping_lines=(),
        # The sum stands for the refund's id, so that each further refund is a fact of its own.
        refunds=(RefundSummary(int(refunded * 10_000), refunded, ""),) if refunded else (),
        fulfilments=(),
        needs_processing=True,
        meta={},
        notices=(),
    )
    return Read(external_id, order, delivered, shipping_method, language)


_PLAIN = {
    "first_name": 120,
    "last_name": 120,
    "region": 60,
    "city": 120,
    "payment_method": 200,
    "shipping_method": 200,
}


def read_amount(raw: str, decimal: str = ".") -> Decimal:
    """ "1.234,56", "1,234.56", "12,50 lei" or "€ 12"; ValueError for what is no amount.

    Of two different signs the later is the decimal one. A single sign before exactly three digits could be either, so
    there the source's habit decides.
    """
    bare = _AROUND.sub("", _SPACES.sub("", raw))
    if not _AMOUNT.match(bare):
        raise ValueError(f"{raw!r} is no amount")
    comma, point = bare.rfind(","), bare.rfind(".")
    if comma >= 0 and point >= 0:
        sign = "," if comma > point else "."
    else:
        sign = "," if comma >= 0 else "."
        grouped = bare.count(sign) > 1 or (len(bare) - bare.rfind(sign) - 1 == 3 and sign != decimal)
        if sign in bare and grouped:
            sign = "." if sign == "," else ","
    group = "." if sign == "," else ","
    whole, _sign, rest = bare.partition(sign)
    parts = whole.lstrip("-").split(group)
    if sign in rest or group in rest or any(len(part) != 3 for part in parts[1:]) or len(parts[0]) < 1:
        raise ValueError(f"{raw!r} is no amount")
    if len(parts) > 1 and len(parts[0]) > 3:
        raise ValueError(f"{raw!r} is no amount")
    return amounts.parse(f"{whole.replace(group, '')}.{rest or '0'}")


def read_time(raw: str, store: Store, *, day_first: bool = True) -> datetime:
    """A moment in UTC: ISO with or without offset, or 20.11.2026 14:05; without offset in the store's zone."""
    try:
        at = datetime.fromisoformat(raw)
    except ValueError:
        found = _DAY.match(raw)
        if found is None:
            raise
        first, middle, last = int(found[1]), int(found[3]), int(found[4])
        if len(found[1]) == 4:
            year, month, day = first, middle, last
        elif len(found[4]) == 4:
            # Points are written only where the day stands first.
            year = last
            day, month = (first, middle) if day_first or found[2] == "." else (middle, first)
        else:
            raise
        at = datetime(year, month, day, int(found[5] or 0), int(found[6] or 0), int(found[7] or 0))  # noqa: DTZ001
    if not 1990 <= at.year <= 2200:
        raise ValueError(f"{raw!r} is no time of an order")
    return (at if at.tzinfo else at.replace(tzinfo=store.tz)).astimezone(UTC)


def phone_identity(phone: str, country: str) -> str:
    """The number in one form, whoever wrote it ("+40712345678"); its digits when it is no number of any country."""
    try:
        parsed = phonenumbers.parse(phone.replace("00", "+", 1) if phone.startswith("00") else phone, country or None)
    except phonenumbers.NumberParseException:
        return "".join(sign for sign in phone if sign.isdecimal())
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
