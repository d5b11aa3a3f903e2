"""Which class a purpose has in a country. T always goes out, S to buyers unless they objected, M after consent only.

A country that is not listed counts as one where everything but the order itself needs consent.
"""

PURPOSES = ("order", "service", "review", "survey", "loyalty", "marketing", "ads")
CHANNELS = ("email", "sms", "whatsapp", "push")

_COMMON = {
    "order": "T",
    "service": "S",
    "review": "S",
    "survey": "S",
    "loyalty": "S",
    "marketing": "M",
    "ads": "M",
}
# Courts there treat asking for a rating as advertising.
_RATING_IS_ADVERTISING = _COMMON | {"review": "M", "survey": "M"}
_UNKNOWN = {purpose: "T" if purpose == "order" else "M" for purpose in PURPOSES}

# Countries whose rules let a shop write to its buyers about what they bought; the merchant answers for the rest.
_TABLE: dict[str, dict[str, str]] = {
    "DE": _RATING_IS_ADVERTISING,
    "AT": _RATING_IS_ADVERTISING,
} | dict.fromkeys(
    [
        "AE",
        "AU",
        "BE",
        "BG",
        "CA",
        "CH",
        "CY",
        "CZ",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "HR",
        "HU",
        "ID",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MD",
        "MT",
        "MY",
        "NL",
        "NO",
        "NZ",
        "PL",
        "PT",
        "RO",
        "SE",
        "SG",
        "SI",
        "SK",
        "US",
    ],
    _COMMON,
)


def klass(purpose: str, country: str) -> str:
    """T, S or M for a purpose in a country (two letters); ValueError for a purpose that does not exist."""
    if purpose not in PURPOSES:
        raise ValueError(f"unknown purpose {purpose!r}")
    return _TABLE.get(country.upper(), _UNKNOWN)[purpose]
