"""Filling an installation: an owner, a connected store, the programme and the first two flows switched on."""

from decimal import Decimal

from campaigns import library
from campaigns.models import Flow
from loyalty import programs
from stores import connect
from stores.models import Membership, Store, User

REACH_US = {
    "phone": "+40 264 000 000",
    "email": "hello@atelier-lut.example.com",
    "hours": "Mon to Fri, 9:00 to 17:00",
}
RECIPES = ("R01", "R06")
# What a check of a real shop makes a coupon for, in the shop's currency.
SMALL = Decimal(1)


def owner(email: str, password: str) -> User:
    """The person who owns the demo; an existing one keeps the password."""
    found = User.objects.filter(email__iexact=email).first()
    return found or User.objects.create_superuser(email, password, name="Ioana Pop")


def open_store(url: str, *, key: str, secret: str, user: User) -> Store:
    """Connect the store, once; a second call mends what is missing and starts nothing anew."""
    store = Store.objects.filter(base_url=url, members=user).first()
    if store is None or store.state == Store.State.NEW:
        store = connect.connect(url, key=key, secret=secret, user=user)
    Membership.objects.get_or_create(store=store, user=user, defaults={"role": Membership.Role.OWNER})
    dress(store)
    return store


def dress(store: Store) -> None:
    """How the shop speaks: sender, address, colours, mapped meta; the programme and the flows on."""
    Store.objects.filter(pk=store.pk).update(
        name="Atelier Lut",
        accent="#8A3F24",
        country="RO",
        language="ro",
        mail_from="hello@atelier-lut.example.com",
        mail_reply_to="hello@atelier-lut.example.com",
        postal_address="Atelier Lut SRL\nStrada Olarilor 14, 400000 Cluj-Napoca",
        reach_us=REACH_US,
        opt_in_meta_key="_marketing_opt_in",
        language_meta_key="wpml_language",
        soft_opt_in_countries=["RO", "ID", "DE"],
    )
    store.refresh_from_db()
    programs.start(store, actor="demo", name="Clubul Lut")
    install_flows(store)


def install_flows(store: Store) -> None:
    """The first two flows, switched on."""
    for recipe in RECIPES:
        library.install(store, recipe, state=Flow.State.ON, actor="demo")
