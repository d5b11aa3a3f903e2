"""Sales channels outside WooCommerce."""

from django.utils.translation import gettext as _

from postpurchase.errors import BusinessError
from stores.elsewhere.taking import set_contact
from stores.models import Channel, Order, Store
from stores.models.orders import WOOCOMMERCE


def open_channel(store: Store, name: str, *, contact: str | None = None) -> Channel:
    """The channel of this name, made if it is new; its policy changes where `contact` is given.

    BusinessError for the shop's own name, ValidationError for a name or policy that cannot be one.
    """
    name = name.strip().lower()
    if name == WOOCOMMERCE:
        raise BusinessError(
            _("“woocommerce” is the shop itself. Nothing was stored. Give the other channel a name of its own."),
            "channel_taken",
        )
    channel = Channel.objects.filter(store=store, name=name).first()
    if channel is None:
        channel = Channel(store=store, name=name, contact=contact or Order.Contact.ORDER_ONLY)
        channel.full_clean()
        channel.save()
    elif contact and contact != channel.contact:
        channel.contact = contact
        channel.full_clean()
        set_contact(channel, contact)
    return channel
