"""What leads from a mail back into the shop: buying again, paying, and what else may suit."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from django.utils.translation import gettext as _

from campaigns.rendering import one_line
from campaigns.web import web
from postpurchase import money
from stores.insights import recommend
from stores.models import Coupon, Customer, Order, OrderLine, Store

# Products that a checkout link can put into the basket: no choice has to be made for them.
_LINKABLE = frozenset({"simple", "variation"})
_CHECKOUT_LINK_SINCE = 10


def has_checkout_links(store: Store) -> bool:
    """WooCommerce 10 and later has `/checkout-link/`; of an unknown version nothing is promised."""
    major = str(store.capabilities.get("woo_version", "")).partition(".")[0]
    return major.isdigit() and int(major) >= _CHECKOUT_LINK_SINCE


def reorder_url(store: Store, lines: list[OrderLine], coupon: Coupon | None = None) -> str | None:
    """The basket of an order again, with the coupon in it; None when not one of its products can be bought that way.

    What is sold out, gone, or sold with choices to be made is left out: the basket shows what is in it.
    """
    base = web(store.base_url)
    if base is None or not has_checkout_links(store):
        return None
    wanted: dict[int, int] = {}
    for line in lines:
        product = line.product
        if product is None or product.kind not in _LINKABLE or product.status != "publish":
            continue
        if product.trashed_at or product.deleted_at or product.stock_status == "outofstock":
            continue
        quantity = int(line.quantity) if line.quantity == line.quantity.to_integral_value() else 0
        if quantity > 0:
            wanted[product.woo_id] = wanted.get(product.woo_id, 0) + quantity
    if not wanted:
        return None
    query = {"products": ",".join(f"{woo_id}:{quantity}" for woo_id, quantity in wanted.items())}
    if coupon:
        query["coupon"] = coupon.code
    return f"{base.rstrip('/')}/checkout-link/?{urlencode(query, safe=',:')}"


def pay_url(store: Store, order: Order) -> str | None:
    """Where an unpaid order is paid, as the shop says it; None when it is paid or the address is not the shop's."""
    raw = order.raw if isinstance(order.raw, dict) else {}
    if order.paid_gmt is not None or not raw.get("needs_payment"):
        return None
    address = web(str(raw.get("payment_url") or ""))
    host = urlsplit(store.base_url).hostname
    return address if address and host and urlsplit(address).hostname == host else None


def picks(store: Store, customer: Customer, order: Order | None) -> dict[str, Any]:
    """What may suit this person, each with its reason in words. Five queries; asked for only where a text uses it."""
    words = {
        recommend.CROSS_SELL: _("Goes with %(name)s"),
        recommend.UPSELL: _("If you liked %(name)s"),
        recommend.TOGETHER: _("Often bought together with %(name)s"),
        recommend.RELATED: _("Similar to %(name)s"),
    }
    items: list[dict[str, str | None]] = []
    for pick in recommend.picks(store, customer, order):
        name = one_line(pick.product.name, length=120)
        items.append(
            {
                "name": name,
                "price": money.show(pick.product.price, store.currency, store.language) if pick.product.price else None,
                "image": web(pick.product.image_url),
                "alt": name,
                "url": web(pick.product.permalink),
                "why": words[pick.source] % {"name": one_line(pick.because, length=80)},
            }
        )
    return {"items": items, "pictures": any(item["image"] for item in items)}
