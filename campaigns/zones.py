"""In which time zones a person may be, and the hours that are day in all of them.

The country and state of the parcel say it, else the region of the phone, else the shop's own zone. Where they leave more
than one zone open (a country without a state, a parcel here and a phone from there), only the common hours count.
"""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import phonenumbers

from campaigns import times

# Countries of several zones in which the state tells the zone: the usual one, and states (codes as WooCommerce has them)
# with another. A state across two zones counts with the larger part of its people.
_STATES: dict[str, tuple[str, dict[str, str]]] = {
    "US": (
        "",
        {
            "America/New_York": "CT DC DE FL GA IN KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV",
            "America/Chicago": "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI",
            "America/Denver": "CO ID MT NM UT WY",
            "America/Phoenix": "AZ",
            "America/Los_Angeles": "CA NV OR WA",
            "America/Anchorage": "AK",
            "Pacific/Honolulu": "HI",
        },
    ),
    "CA": (
        "",
        {
            "America/St_Johns": "NL",
            "America/Halifax": "NB NS PE",
            "America/Toronto": "ON QC NU",
            "America/Winnipeg": "MB",
            "America/Regina": "SK",
            "America/Edmonton": "AB NT",
            "America/Vancouver": "BC",
            "America/Whitehorse": "YT",
        },
    ),
    "AU": (
        "",
        {
            "Australia/Sydney": "ACT NSW VIC TAS",
            "Australia/Brisbane": "QLD",
            "Australia/Adelaide": "SA",
            "Australia/Darwin": "NT",
            "Australia/Perth": "WA",
        },
    ),
    "ID": (
        "",
        {
            "Asia/Jakarta": "AC SU SB RI KR JA SS BB BE LA JK JB BT JT JI YO KB KT",
            "Asia/Makassar": "BA NB NT KI KS KU SA ST SG SR SN GO",
            "Asia/Jayapura": "MA MU PA PB",
        },
    ),
    "BR": (
        "America/Sao_Paulo",
        {
            "America/Rio_Branco": "AC",
            "America/Manaus": "AM RO RR",
            "America/Cuiaba": "MT",
            "America/Campo_Grande": "MS",
        },
    ),
    "MX": (
        "America/Mexico_City",
        {
            "America/Tijuana": "BC",
            "America/Mazatlan": "BS NA SI",
            "America/Hermosillo": "SO",
            "America/Chihuahua": "CH",
            "America/Cancun": "QR",
        },
    ),
    "ES": ("Europe/Madrid", {"Atlantic/Canary": "GC TF"}),
}
# Where the table of zones knows one that hardly anybody lives by.
_ONE = {"CN": "Asia/Shanghai", "DE": "Europe/Berlin"}
# Looked for so long; after that the hours have nothing in common.
_SPAN = timedelta(days=3)


@cache
def _table() -> dict[str, tuple[str, ...]]:
    """Country to its zones, from the table that comes with the time zone data."""
    found: dict[str, list[str]] = {}
    for line in resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _place, zone = line.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


@cache
def of_place(country: str, state: str = "") -> tuple[ZoneInfo, ...]:
    """The zones that a country, or one of its states, may mean; those with the same clocks once. Empty when unknown."""
    country, state = country.upper(), state.upper().strip()
    if country in _ONE:
        return (ZoneInfo(_ONE[country]),)
    if country in _STATES and state:
        usual, others = _STATES[country]
        zone = next((zone for zone, states in others.items() if state in states.split()), usual)
        if zone:
            return (ZoneInfo(zone),)
    clocks: dict[tuple[timedelta | None, ...], ZoneInfo] = {}
    for name in _table().get(country, ()):
        zone_info = ZoneInfo(name)
        seasons = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))
        clocks.setdefault(tuple(at.astimezone(zone_info).utcoffset() for at in seasons), zone_info)
    return tuple(clocks.values())


@cache
def of_phone(phone: str) -> tuple[ZoneInfo, ...]:
    """The zones of an international number's region; a number without its country says nothing."""
    number = phone.strip()
    if number.startswith("00"):
        number = f"+{number[2:]}"
    if not number.startswith("+"):
        return ()
    try:
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return ()
    return of_place(region) if region else ()


def of_recipient(shop: ZoneInfo, *, country: str, state: str = "", phone: str = "") -> tuple[ZoneInfo, ...]:
    """Where clocks may stand for this person; never empty. The parcel's place comes first."""
    place, by_phone = of_place(country, state), of_phone(phone)
    if not place:
        return by_phone or (shop,)
    if not by_phone or set(place) & set(by_phone):
        return place
    return place + by_phone


def into_window(at: datetime, start: time, end: time, zones: tuple[ZoneInfo, ...]) -> datetime:
    """The moment itself when it lies in [start, end) in every zone, else the next such moment.

    Where the zones have no such moment in common, only the first counts.
    """
    found = at
    while found - at < _SPAN:
        later = max(times.into_window(found, start, end, zone) for zone in zones)
        if later == found:
            return found
        found = later
    return times.into_window(at, start, end, zones[0])
