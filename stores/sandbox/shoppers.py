"""Invented people who buy at the sandbox store. Addresses are at example.com and example.org only."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal

from stores.sandbox.dice import dice
from stores.sandbox.documents import Address

SHOPPERS = 1

Account = Literal["guest", "late", "registered"]


@dataclass(frozen=True)
class Country:
    """What goes with a country; towns are (name, state, postcode), `phone` takes one number below 1,000."""

    share: int
    language: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    towns: tuple[tuple[str, str, str], ...]
    streets: tuple[str, ...]
    phone: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES: Mapping[str, Country] = {
    "RO": Country(
        45,
        "ro",
        _words("Ana Andrei Bogdan Cristina Dan Elena Gabriel Ioana Ion Irina Mihai Raluca Radu Ștefan Sînziana Vlad"),
        _words("Popescu Ionescu Enache Oprea Dumitru Stan Rusu Munteanu Georgescu Țăranu Lupu Moldovan Barbu Șerban"),
        (
            ("București", "B", "010011"),
            ("Cluj-Napoca", "CJ", "400001"),
            ("Iași", "IS", "700004"),
            ("Timișoara", "TM", "300006"),
            ("Brașov", "BV", "500001"),
            ("Sibiu", "SB", "550003"),
            ("Horezu", "VL", "245800"),
        ),
        ("Str. Olarilor", "Str. Teilor", "Bd. Unirii", "Str. Mihai Eminescu", "Aleea Castanilor", "Str. Lungă"),
        "+40700000{:03d}",
    ),
    "ID": Country(
        30,
        "id",
        _words("Adi Agus Ayu Bayu Citra Dewi Dian Eko Fitri Gita Indah Joko Kartika Putri Rizky Sari Wayan Yudi"),
        _words("Santoso Wijaya Pratama Lestari Hidayat Nugroho Saputra Utami Kusuma Halim Siregar Wibowo"),
        (
            ("Jakarta Selatan", "JK", "12110"),
            ("Bandung", "JB", "40115"),
            ("Surabaya", "JI", "60271"),
            ("Yogyakarta", "YO", "55281"),
            ("Denpasar", "BA", "80113"),
            ("Medan", "SU", "20112"),
        ),
        ("Jl. Melati", "Jl. Kenanga", "Jl. Sudirman", "Jl. Diponegoro", "Jl. Anggrek", "Jl. Raya Ubud"),
        "+628120000{:03d}",
    ),
    "DE": Country(
        10,
        "de",
        _words("Anja Jürgen Katrin Lukas Lena Matthias Nele Paul Sabine Thomas Uwe Jörg Hannah Felix"),
        _words("Müller Schäfer Weiß Becker Hoffmann Krüger Lehmann König Vogel Braun Jäger Winkler"),
        (
            ("Berlin", "DE-BE", "10115"),
            ("Hamburg", "DE-HH", "20095"),
            ("Köln", "DE-NW", "50667"),
            ("München", "DE-BY", "80331"),
            ("Leipzig", "DE-SN", "04109"),
        ),
        ("Lindenstraße", "Töpfergasse", "Hauptstraße", "Am Markt", "Gartenweg"),
        "+493023125{:03d}",
    ),
    "US": Country(
        10,
        "en",
        _words("Alice Ben Chloe Daniel Emma Grace Henry Isabel Jack Maya Noah Olivia Sam Zoë"),
        _words("Walker Johnson Brown Garcia Miller O'Neill Clark Reed Hughes Patel Nguyen Brooks"),
        (
            ("Portland", "OR", "97205"),
            ("Austin", "TX", "78701"),
            ("Brooklyn", "NY", "11201"),
            ("Seattle", "WA", "98101"),
            ("Asheville", "NC", "28801"),
        ),
        ("Oak Ave", "Hill Rd", "Maple St", "River Rd", "Park Blvd"),
        "+12025550{:03d}",
    ),
    "AE": Country(
        5,
        "ar",
        ("أحمد", "فاطمة", "ليلى", "محمد", "مريم", "نورة", "يوسف", "خالد", "سارة", "عمر"),
        ("المنصوري", "الهاشمي", "النعيمي", "الكعبي", "الشامسي", "السويدي", "المزروعي"),
        (("دبي", "DU", ""), ("أبوظبي", "AZ", ""), ("الشارقة", "SH", ""), ("العين", "AZ", "")),
        ("شارع الوصل", "شارع الخليج", "شارع الزهور", "شارع النخيل"),
        "+971500000{:03d}",
    ),
}
CODES = tuple(COUNTRIES)
SHARES = tuple(country.share for country in COUNTRIES.values())
PLAIN = str.maketrans("ăâîșțäöüßëé'", "aaistaousee-")


@dataclass(frozen=True)
class Shopper:
    """One person, known to the store by one e-mail address.

    account: "guest" never registers, "late" registers with the second order, "registered" with the first.
    """

    number: int
    country: str
    language: str
    account: Account
    opted_in: bool
    refill_pick: int
    billing: Address


@lru_cache(maxsize=4096)
def shopper(seed: int, number: int) -> Shopper:
    """The person with this number; always the same for the same seed."""
    chance = dice(seed, SHOPPERS, number)
    code = chance.choices(CODES, SHARES)[0]
    country = COUNTRIES[code]
    drawn = chance.random()
    account: Account = "guest" if drawn < 0.29 else "late" if drawn < 0.40 else "registered"
    return Shopper(
        number=number,
        country=code,
        language=country.language,
        account=account,
        opted_in=chance.random() < 0.4,
        refill_pick=chance.randrange(1000),
        billing=_address(chance, code, country, number),
    )


def _address(chance: Random, code: str, country: Country, number: int) -> Address:
    first, last = chance.choice(country.first_names), chance.choice(country.last_names)
    town, state, postcode = chance.choice(country.towns)
    street, house = chance.choice(country.streets), chance.randrange(1, 180)
    local = f"{first}.{last}".lower().translate(PLAIN)
    if not local.isascii():
        local = "shopper"
    domain = "example.com" if chance.random() < 0.7 else "example.org"
    return Address(
        first_name=first,
        last_name=last,
        address_1=f"{house} {street}" if code == "US" else f"{street} {house}",
        city=town,
        state=state,
        postcode=postcode,
        country=code,
        email=f"{local}.{number + 1}@{domain}",
        phone=country.phone.format(chance.randrange(1000) if code != "US" else 100 + chance.randrange(100)),
    )
