"""What a text may say about a person and an order: plain dicts of words and addresses, in the recipient's language.

Always there: shop, customer, message, links, delivery, parcels, points, picks, reach, extra. Only where the message has it:
order, review, coupon. A value that is not known is None, so that `{% if %}` hides it; nothing is guessed. What each variable
means stands in `campaigns.variables`, which a test holds to this.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import consent, counted, preferences, shopping
from campaigns.models import Message
from campaigns.rendering import one_line
from campaigns.web import web
from loyalty import earning, ledger
from loyalty.models import EarnRule, Program
from postpurchase import colours, links, money
from reviews import asking, cases
from reviews.models import ReviewRequest
from stores import public
from stores.models import Coupon, Customer, Order, OrderLine, Shipment, Store

LANGUAGES = dict(settings.LANGUAGES)
_IN_LANGUAGE = {"en": "In English", "ro": "În română", "id": "Dalam bahasa Indonesia"}
_REACH = ("phone", "whatsapp", "chat", "email", "hours")


def language_of(customer: Customer, order: Order | None = None) -> str:
    """The language to write in: the one chosen, else the order's, the customer's, the store's, English. One query."""
    for wanted in (
        preferences.language_of(customer),
        order.language if order else "",
        customer.language,
        customer.store.language,
    ):
        short = wanted.replace("_", "-").split("-")[0].lower()
        if short in LANGUAGES:
            return short
    return "en"


def build_context(
    store: Store,
    customer: Customer,
    order: Order | None = None,
    *,
    message: Message,
    language: str,
    review_request: ReviewRequest | None = None,
    coupon: Coupon | None = None,
    wants: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Everything the message may say. `message` may be unsaved (a preview): then nothing is written, no link is counted
    and the unsubscribe link leads nowhere.

    Reads the database a fixed number of times and writes the row behind the unsubscribe link; call it outside of
    a transaction that may be rolled back. `wants` (`rendering.wants`) names what costs queries of its own: "picks".
    """
    payload = message.context | (message.request.payload if message.request else {})
    with translation.override(language):
        context: dict[str, Any] = {
            "shop": shop_of(store),
            "customer": {
                "first_name": one_line(customer.first_name, length=40) or None,
                "name": one_line(customer.name, length=80),
                "email": customer.email,
            },
            "message": {
                "why": _why(store, order, message),
                "purpose": message.purpose,
                "klass": message.klass,
                "language": language,
            },
            "links": _links(store, customer, order, message, language, review_request, payload),
            "delivery": {"window": None, "words": None, "label": None, "to": None},
            "parcels": [],
            "points": {"words": _points(customer)},
            "picks": shopping.picks(store, customer, order) if "picks" in wants else {"items": [], "pictures": False},
            "reach": reach(store),
            "extra": {"reference": None, "answer": None, "url": None}
            | {key: value for key, value in payload.items() if isinstance(value, str | int | bool)},
        }
        if order:
            parcels = list(order.shipments.all())
            context["order"] = _order(store, order, language, coupon)
            context["delivery"] = _delivery(store, order, parcels, language)
            context["parcels"] = [_parcel(parcel) for parcel in parcels if parcel.number]
            context["links"]["track"] = next((url for parcel in parcels if (url := web(parcel.url))), None)
        if review_request:
            context["review"] = _review(review_request)
        if coupon:
            context["coupon"] = _coupon(store, coupon, language)
    return context


def shop_of(store: Store) -> dict[str, Any]:
    """The shop as its mails show it. No query."""
    brand = colours.brand(store.accent)
    return {
        "name": one_line(store.name),
        "url": web(store.base_url),
        "logo": web(store.logo_url),
        "reply_to": store.mail_reply_to or store.mail_from,
        "accent": brand.light,
        "accent_on": brand.on_light,
        "accent_night": brand.night,
        "accent_night_on": brand.on_night,
        "address": [one_line(line) for line in public.postal_lines(store)],
    }


def own_name(language: str) -> str:
    """ "În română": how the mail names the way to another language."""
    return _IN_LANGUAGE.get(language, language)


def day_words(day: date, language: str) -> str:
    """ "20 Nov 2026"."""
    return format_date(day, "d MMM y", locale=language)


def _day(at: datetime, store: Store, language: str) -> str:
    return day_words(at.astimezone(store.tz).date(), language)


def _why(store: Store, order: Order | None, message: Message) -> str:
    shop = one_line(store.name)
    if order and message.purpose == "review":
        return _(
            "You get this email because you bought from %(shop)s, order %(number)s. We remind you once at most."
        ) % {
            "shop": shop,
            "number": order.number,
        }
    if message.purpose == "loyalty":
        return _("You get this email because you collect points at %(shop)s.") % {"shop": shop}
    if message.purpose == "marketing":
        return _("You get this email because you agreed to news and offers from %(shop)s.") % {"shop": shop}
    if order:
        return _("You get this email because you placed order %(number)s on %(date)s.") % {
            "number": order.number,
            "date": _day(order.created_gmt, store, translation.get_language() or "en"),
        }
    return _("You get this email because you are a customer of %(shop)s.") % {"shop": shop}


def _links(
    store: Store,
    customer: Customer,
    order: Order | None,
    message: Message,
    language: str,
    review_request: ReviewRequest | None,
    payload: dict[str, Any],
) -> dict[str, str | None]:
    preferences = links.url("p", customer.pk, version=customer.link_version)
    other = "en" if language == store.language else store.language
    shop = web(store.base_url)
    review = asking.review_url(review_request) if review_request else None
    reply = store.mail_reply_to or store.mail_from
    fresh = payload.get("link")
    confirm = payload.get("consent_event")
    return {
        "preferences": preferences,
        "unsubscribe": _unsubscribe(store, customer, message) if message.klass != "T" else None,
        "other_language": f"{preferences}?lang={other}",
        "other_language_name": own_name(other),
        "review": review,
        "help": cases.help_url(order) if order else (f"mailto:{reply}" if reply else preferences),
        "shop": counted.url(message, place="shop", destination=shop) if shop and message.pk else shop,
        "track": None,
        "fresh": public.current_url(fresh["purpose"], fresh["row"]) if isinstance(fresh, dict) else None,
        "confirm": links.url("d", confirm) if isinstance(confirm, int) else None,
    }


def _unsubscribe(store: Store, customer: Customer, message: Message) -> str:
    if message.pk is None:
        return f"{settings.PUBLIC_URL}/u/preview/"
    return consent.unsubscribe_url(store, customer, channel=message.channel, purpose=message.purpose)


def _pieces(quantity: Decimal) -> str:
    if quantity != quantity.to_integral_value():
        return f"{quantity.normalize():f}"
    return ngettext("%(n)d piece", "%(n)d pieces", int(quantity)) % {"n": int(quantity)}


def _line_image(line: OrderLine) -> str | None:
    return web(line.image_url) or (web(line.product.image_url) if line.product else None)


def _order(store: Store, order: Order, language: str, coupon: Coupon | None) -> dict[str, Any]:
    def show(amount: Decimal) -> str:
        return money.show(amount, order.currency, store.language)

    gross = _gross(order)
    items, goods = [], Decimal(0)
    lines = list(order.lines.select_related("product").order_by("pk"))
    for line in lines:
        amount = gross["lines"].get(line.woo_id, line.subtotal)
        goods += amount
        name = one_line(line.name, length=120)
        items.append(
            {
                "name": name,
                "pieces": _pieces(line.quantity),
                "total": show(amount),
                "image": _line_image(line),
                "alt": name,
                "url": web(line.product.permalink) if line.product else None,
            }
        )
    rows = [(_("Discount"), -gross["discount"]), (_("Delivery"), gross["shipping"]), (_("Tax"), gross["tax"])]
    # Whatever else the shop put on the order (fees, gift wrapping): the column adds up, or the receipt is wrong.
    rows.append((_("Fees"), order.total - goods - sum(amount for _label, amount in rows)))
    due = order.paid_gmt is None
    return {
        "number": one_line(order.number, length=40),
        "date": _day(order.created_gmt, store, language),
        "items": items,
        "pictures": any(item["image"] for item in items),
        "lines": [{"label": label, "amount": show(amount)} for label, amount in rows if amount],
        "total": show(order.total),
        "amount": order.total,
        "currency": order.currency,
        "placed_on": order.created_gmt.astimezone(store.tz).date().isoformat(),
        "reorder_url": shopping.reorder_url(store, lines, coupon),
        "pay_url": shopping.pay_url(store, order),
        "total_label": _total_label(order),
        "is_paid": not due,
        "cash_due": show(order.total) if order.payment_method == "cod" else None,
        "transfer_due": show(order.total) if due and order.payment_method == "bacs" else None,
    }


def _gross(order: Order) -> dict[str, Any]:
    """Amounts as the shop showed them: with tax inside where it prices so, else apart with a line of its own."""
    raw = order.raw if isinstance(order.raw, dict) else {}
    if not raw.get("prices_include_tax"):
        return {"lines": {}, "discount": order.discount, "shipping": order.shipping, "tax": order.tax}

    def both(body: dict[str, Any], one: str, two: str) -> Decimal:
        return money.parse(body.get(one) or "0") + money.parse(body.get(two) or "0")

    return {
        "lines": {line["id"]: both(line, "subtotal", "subtotal_tax") for line in raw.get("line_items", [])},
        "discount": both(raw, "discount_total", "discount_tax"),
        "shipping": both(raw, "shipping_total", "shipping_tax"),
        "tax": Decimal(0),
    }


def _total_label(order: Order) -> str:
    if order.payment_method == "cod":
        return _("To pay at the door")
    if order.paid_gmt is None:
        return _("Total")
    how = one_line(order.payment_title, length=60)
    return _("Paid: %(how)s") % {"how": how} if how else _("Paid")


def _delivery(store: Store, order: Order, parcels: list[Shipment], language: str) -> dict[str, str | None]:
    promised = [(p.promised_from, p.promised_to) for p in parcels if p.promised_from and p.promised_to]
    if promised:
        span: tuple[date, date] | None = (min(a for a, _b in promised), max(b for _a, b in promised))
    else:
        span = _span_by_table(store, order)
    shipping = order.raw.get("shipping") if isinstance(order.raw, dict) else None
    place = shipping if isinstance(shipping, dict) else {}
    who = one_line(f"{place.get('first_name', '')} {place.get('last_name', '')}", length=80)
    city = one_line(str(place.get("city", "")), length=60)
    to = ", ".join(part for part in (who, city) if part)
    window = window_words(*span, language) if span else None
    several = span is not None and span[0] != span[1]
    sentence = _("arriving %(window)s") if several else _("arriving on %(window)s")
    return {
        "window": window,
        "words": sentence % {"window": window} if window else None,
        "label": _("Arriving") if several else _("Arriving on"),
        "to": _("to %(who)s") % {"who": to} if to else None,
    }


def _span_by_table(store: Store, order: Order) -> tuple[date, date] | None:
    """The merchant's own table of working days, or nothing: a guess would be a promise."""
    days = store.delivery_days.get(order.shipping_method) if order.shipping_method else None
    if not isinstance(days, dict) or not {"min", "max"} <= days.keys():
        return None
    start = (order.paid_gmt or order.created_gmt).astimezone(store.tz).date()
    handling = store.handling_days
    return _working_days(start, handling + int(days["min"])), _working_days(start, handling + int(days["max"]))


def _working_days(start: date, days: int) -> date:
    at = start
    while days > 0:
        at += timedelta(days=1)
        days -= at.weekday() < 5
    return at


def window_words(first: date, last: date, language: str) -> str:
    """ "Tue 24 to Thu 26 Nov", "marți 24 și joi 26 nov."; one day stands alone."""
    weekday = "EEE" if language == "en" else "EEEE"
    end = format_date(last, f"{weekday} d MMM", locale=language)
    if first == last:
        return end
    start = format_date(first, f"{weekday} d" if first.month == last.month else f"{weekday} d MMM", locale=language)
    return _("%(first)s to %(last)s") % {"first": start, "last": end}


def _parcel(parcel: Shipment) -> dict[str, str | None]:
    words = _("Parcel %(number)s with %(carrier)s") if parcel.carrier else _("Parcel %(number)s")
    return {
        "words": words % {"number": one_line(parcel.number), "carrier": one_line(parcel.carrier)},
        "url": web(parcel.url),
    }


def _points(customer: Customer) -> str | None:
    """ "You have 320 points, worth 16,00 lei.", where the programme runs and there are any."""
    have = ledger.balance(customer)
    if have.usable <= 0 or not Program.objects.filter(store=customer.store, is_on=True).exists():
        return None
    return ngettext(
        "You have %(n)d point, worth %(worth)s.", "You have %(n)d points, worth %(worth)s.", have.usable
    ) % {"n": have.usable, "worth": money.show(have.money, have.currency, customer.store.language)}


def _points_for_a_review(store: Store) -> str | None:
    program = Program.objects.filter(store=store, is_on=True).first()
    rule = earning.live_rule(program, EarnRule.Kind.REVIEW) if program else None
    if rule is None:
        return None
    points = int(rule.points)
    return ngettext(
        "You get the same points for any rating: %(n)d per review.",
        "You get the same points for any rating: %(n)d per review.",
        points,
    ) % {"n": points}


def reach(store: Store) -> list[dict[str, str | None]]:
    """The ways to reach the shop that the merchant has named. No query."""
    words = {
        "phone": _("Phone"),
        "whatsapp": _("WhatsApp"),
        "chat": _("Chat"),
        "email": _("Email"),
        "hours": _("Hours"),
    }
    rows = []
    for key in _REACH:
        value = one_line(str(store.reach_us.get(key) or ""))
        if not value:
            continue
        digits = "".join(part for part in value if part.isdigit())
        url = {"phone": f"tel:+{digits}", "whatsapp": f"https://wa.me/{digits}", "email": f"mailto:{value}"}.get(key)
        rows.append({"label": words[key], "value": value, "url": url or web(value)})
    return rows


def _review(request: ReviewRequest) -> dict[str, Any]:
    url = asking.review_url(request)
    items = asking.pending_items(request)
    return {
        "url": url,
        "items_words": ngettext("%(n)d item", "%(n)d items", len(items)) % {"n": len(items)},
        "points_words": _points_for_a_review(request.store),
        "items": [
            {
                "name": (name := one_line(item.name, length=120)),
                "image": web(item.image_url),
                "alt": name,
                "url": f"{url}#i{item.line.woo_id}",
                "stars": [
                    {
                        "value": value,
                        "url": f"{star}#i{item.line.woo_id}",
                        "title": _("%(n)d of 5 for %(name)s") % {"n": value, "name": name},
                    }
                    for value, star in enumerate(asking.star_urls(request, item), 1)
                ],
            }
            for item in items
        ],
    }


def _coupon(store: Store, coupon: Coupon, language: str) -> dict[str, str | None]:
    worth = (
        f"{coupon.amount.normalize():f} %"
        if coupon.kind == "percent"
        else money.show(coupon.amount, store.currency, store.language)
    )
    conditions = []
    if coupon.minimum:
        least = money.show(coupon.minimum, store.currency, store.language)
        conditions.append(_("From an order of %(amount)s.") % {"amount": least})
    if coupon.expires_on:
        until = format_date(coupon.expires_on, "d MMM y", locale=language)
        conditions.append(_("Valid until %(date)s.") % {"date": until})
    if coupon.emails:
        conditions.append(_("Works with this email address."))
    return {
        "code": coupon.code,
        "worth": worth,
        "worth_words": _("%(worth)s off your order") % {"worth": worth},
        "until": format_date(coupon.expires_on, "d MMM y", locale=language) if coupon.expires_on else None,
        "conditions": " ".join(conditions) or None,
    }
