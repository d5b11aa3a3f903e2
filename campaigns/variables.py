"""Every variable a text may use: what it means, an example, and which message has it.

The examples make a whole context, so that a text can be checked and shown before anybody has bought anything.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import context
from postpurchase import clock, money
from stores.models import Store


@dataclass(frozen=True)
class Variable:
    """`needs` names what the message must be about, else it does not exist there: order, review or coupon."""

    name: str
    meaning: Any
    needs: str = ""

    @property
    def group(self) -> str:
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """What is copied into a text. A value of a list stands inside its loop."""
        path, listed, rest = self.name.partition("[].")
        return f"{{% for item in {path} %}}{{{{ item.{rest} }}}}{{% endfor %}}" if listed else f"{{{{ {path} }}}}"


def _of(group: str, needs: str, rows: dict[str, Any]) -> tuple[Variable, ...]:
    return tuple(Variable(f"{group}.{name}", meaning, needs) for name, meaning in rows.items())


_t = gettext_lazy
VARIABLES: tuple[Variable, ...] = (
    *_of(
        "customer",
        "",
        {
            "first_name": _t("First name; empty when it is not known"),
            "name": _t("Full name, else the address"),
            "email": _t("Email address"),
        },
    ),
    *_of(
        "shop",
        "",
        {
            "name": _t("Name of your store"),
            "url": _t("Address of your store"),
            "logo": _t("Address of your logo"),
            "reply_to": _t("Where answers go"),
            "accent": _t("Your colour, readable on light ground"),
            "accent_on": _t("Words on your colour"),
            "accent_night": _t("Your colour on dark ground"),
            "accent_night_on": _t("Words on your colour on dark ground"),
            "address": _t("Lines of your postal address"),
        },
    ),
    *_of(
        "order",
        "order",
        {
            "number": _t("Order number"),
            "date": _t("Day of the order, in words"),
            "placed_on": _t("Day of the order for the filter day: {{ order.placed_on | day: 'long' }}"),
            "total": _t("What the customer pays, with the currency"),
            "amount": _t("The total as a number, for the filter money: {{ order.amount | money: order.currency }}"),
            "currency": _t("Currency of the order"),
            "total_label": _t("How it is paid, as it stands before the total"),
            "is_paid": _t("Whether it is paid"),
            "cash_due": _t("What to have ready at the door, for cash on delivery"),
            "transfer_due": _t("What to transfer, for bank transfer that has not arrived"),
            "reorder_url": _t("Checkout with the same products; empty when your shop cannot do it"),
            "pay_url": _t("Where an unpaid order is paid"),
            "pictures": _t("Whether any item has a picture"),
            "items[].name": _t("Name of an item"),
            "items[].pieces": _t("How many of it"),
            "items[].total": _t("Its price"),
            "items[].image": _t("Its picture"),
            "items[].alt": _t("Words for the picture"),
            "items[].url": _t("Its page in your shop"),
            "lines[].label": _t("Discount, delivery, tax, fees: the words"),
            "lines[].amount": _t("Discount, delivery, tax, fees: the amount"),
        },
    ),
    *_of(
        "delivery",
        "",
        {
            "window": _t("When it arrives, where that is promised"),
            "words": _t("The same inside a sentence"),
            "label": _t("“Arriving” or “Arriving on”"),
            "to": _t("Who and where it goes to"),
        },
    ),
    Variable("parcels[].words", _t("Number and carrier of a parcel")),
    Variable("parcels[].url", _t("Where the parcel is followed")),
    *_of(
        "links",
        "",
        {
            "track": _t("Where the first parcel is followed"),
            "help": _t("The page that puts something wrong right"),
            "review": _t("The review page; only in messages that ask for a review"),
            "shop": _t("Your store, counted as a click"),
            "preferences": _t("The person's message preferences"),
            "unsubscribe": _t("One-click unsubscribe; empty in messages about an order"),
            "other_language": _t("The preferences in another language"),
            "other_language_name": _t("That language's own name"),
            "fresh": _t("A renewed link, in the message that answers an expired one"),
            "confirm": _t("Yes, it was me: in the message that asks for consent"),
        },
    ),
    Variable("points.words", _t("Points and their worth; empty without points or programme")),
    *_of(
        "picks",
        "",
        {
            "pictures": _t("Whether any of them has a picture"),
            "items[].name": _t("Name of a product that may suit: in stock, not owned"),
            "items[].price": _t("Its price"),
            "items[].image": _t("Its picture"),
            "items[].alt": _t("Words for the picture"),
            "items[].url": _t("Its page in your shop"),
            "items[].why": _t("Why this one: goes with, often bought together, similar"),
        },
    ),
    Variable("reach[].label", _t("A way to reach you: phone, WhatsApp, chat, email, hours")),
    Variable("reach[].value", _t("The number, address or hours")),
    Variable("reach[].url", _t("The same as a link")),
    *_of(
        "review",
        "review",
        {
            "url": _t("The review page"),
            "items_words": _t("How many items can be reviewed"),
            "points_words": _t("Points for a review, the same for any rating"),
            "items[].name": _t("An item to review"),
            "items[].image": _t("Its picture"),
            "items[].alt": _t("Words for the picture"),
            "items[].url": _t("The review page at this item"),
            "items[].stars": _t("Five links, one for each rating"),
        },
    ),
    *_of(
        "coupon",
        "coupon",
        {
            "code": _t("The code, made for this person"),
            "worth": _t("What it is worth"),
            "worth_words": _t("The same as words: “16,00 lei off your order”"),
            "until": _t("Until when it is valid"),
            "conditions": _t("What it asks for"),
        },
    ),
    Variable("extra.reference", _t("Reference of a case, in messages about it")),
    Variable("extra.answer", _t("The answer to a case")),
    Variable("extra.url", _t("A page that the message is about")),
    Variable("message.why", _t("Why the person gets this")),
    Variable("message.purpose", _t("Purpose of the message")),
    Variable("message.klass", _t("Class of the message: T, S or M")),
    Variable("message.language", _t("Language of the message")),
)


def known(purpose: str) -> tuple[Variable, ...]:
    """The variables that a message of this purpose may have, the most used groups first."""
    return tuple(one for one in VARIABLES if one.needs != "review" or purpose == "review")


def example(store: Store, *, language: str, klass: str, purpose: str) -> dict[str, Any]:
    """A context of made-up people and things in this store's looks, in the language. No query, nothing written."""

    def link(letter: str) -> str:
        return f"{settings.PUBLIC_URL}/{letter}/preview/"

    def price(amount: str) -> str:
        return money.show(Decimal(amount), store.currency, store.language)

    today = clock.now().astimezone(store.tz).date()
    with translation.override(language):
        goods = [("Example mug, blue", "89.00"), ("Example bowl", "185.00")]
        shop = context.shop_of(store)
        base = (shop["url"] or "https://shop.example.com").rstrip("/")
        picture = f"{settings.PUBLIC_URL}/static/example.svg"
        things = [
            {"name": name, "image": picture, "alt": name, "url": f"{base}/product/{place}/"}
            for place, (name, _amount) in enumerate(goods, 1)
        ]
        window = context.window_words(today, date.fromordinal(today.toordinal() + 2), language)
        stars = [{"value": n, "url": f"{link('r')}?s={n}", "title": f"{n}"} for n in range(1, 6)]
        return {
            "shop": shop,
            "customer": {"first_name": "Ana", "name": "Ana Popescu", "email": "ana@example.com"},
            "message": {
                "why": _("You get this email because you are a customer of %(shop)s.") % {"shop": shop["name"]},
                "purpose": purpose,
                "klass": klass,
                "language": language,
            },
            "links": {
                "preferences": link("p"),
                "unsubscribe": link("u") if klass != "T" else None,
                "other_language": link("p"),
                "other_language_name": context.own_name("en" if language != "en" else "ro"),
                "review": link("r"),
                "help": link("h"),
                "shop": base,
                "track": "https://carrier.example.com/track/1",
                "fresh": link("l"),
                "confirm": link("d"),
            },
            "delivery": {
                "window": window,
                "words": _("arriving %(window)s") % {"window": window},
                "label": _("Arriving"),
                "to": _("to %(who)s") % {"who": "Ana Popescu, Cluj-Napoca"},
            },
            "parcels": [
                {
                    "words": _("Parcel %(number)s") % {"number": "CC 4410 0093"},
                    "url": "https://carrier.example.com/track/1",
                }
            ],
            "points": {
                "words": ngettext(
                    "You have %(n)d point, worth %(worth)s.", "You have %(n)d points, worth %(worth)s.", 320
                )
                % {"n": 320, "worth": price("16.00")}
            },
            "picks": {
                "items": [
                    thing | {"price": price(amount), "why": _("Goes with %(name)s") % {"name": goods[0][0]}}
                    for thing, (_name, amount) in zip(things, goods, strict=True)
                ],
                "pictures": True,
            },
            "reach": context.reach(store),
            "extra": {"reference": "H-1042", "answer": _("Yes"), "url": base},
            "order": {
                "number": "1042",
                "date": context.day_words(today, language),
                "placed_on": today.isoformat(),
                "items": [
                    thing | {"pieces": ngettext("%(n)d piece", "%(n)d pieces", 1) % {"n": 1}, "total": price(amount)}
                    for thing, (_name, amount) in zip(things, goods, strict=True)
                ],
                "pictures": True,
                "lines": [{"label": _("Delivery"), "amount": price("19.00")}],
                "total": price("293.00"),
                "amount": Decimal("293.00"),
                "currency": store.currency,
                "total_label": _("Paid"),
                "is_paid": True,
                "cash_due": None,
                "transfer_due": None,
                "reorder_url": f"{base}/checkout-link/?products=1:1,2:1",
                "pay_url": None,
            },
            "review": {
                "url": link("r"),
                "items_words": ngettext("%(n)d item", "%(n)d items", 2) % {"n": 2},
                "points_words": None,
                "items": [thing | {"url": link("r"), "stars": stars} for thing in things],
            },
            "coupon": {
                "code": "ANA-7KQ2",
                "worth": price("16.00"),
                "worth_words": _("%(worth)s off your order") % {"worth": price("16.00")},
                "until": context.day_words(today.replace(day=28), language),
                "conditions": _("Works with this email address."),
            },
        }


def shown(variable: Variable, values: dict[str, Any]) -> str:
    """The example of a variable, as the browser of variables shows it."""
    value: Any = values
    for name in variable.name.replace("[]", ".0").split("."):
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            value = value.get(name)
    if isinstance(value, list):
        value = ", ".join(str(part.get("value", "") if isinstance(part, dict) else part) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
