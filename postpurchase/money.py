"""Money: Decimal from strings, with its currency. Never a float, never a guess."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from babel.numbers import format_currency, get_currency_precision


def parse(raw: object) -> Decimal:
    """A store's amount ("12.90", "-3", 7) as Decimal; ValueError for what is no finite amount ("", None, "1,5", NaN)."""
    if isinstance(raw, bool) or raw is None:
        raise ValueError(f"{raw!r} is no amount")
    try:
        amount = Decimal(str(raw).strip())
    except InvalidOperation as error:
        raise ValueError(f"{raw!r} is no amount") from error
    if not amount.is_finite() or abs(amount) >= Decimal("1e11"):
        raise ValueError(f"{raw!r} is no amount")
    return amount


def quantise(amount: Decimal, currency: str) -> Decimal:
    """Round half up to the currency's decimals (JPY 0, RON 2, KWD 3)."""
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)


def show(amount: Decimal, currency: str, locale: str = "en") -> str:
    """For people: "1.234,50 lei" in Romanian, "Rp150.000" without decimals for rupiah."""
    decimals = 0 if currency == "IDR" else get_currency_precision(currency)
    rounded = amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    if currency == "RON":
        locale_number = format_currency(rounded, currency, "#,##0.00", locale=locale, currency_digits=False)
        return f"{locale_number} lei"
    return format_currency(rounded, currency, locale=locale, currency_digits=False)
