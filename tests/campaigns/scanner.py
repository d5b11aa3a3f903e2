"""Every link of every mail of the library, and what of the database may not change when a machine follows them."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings

from campaigns import consent, content
from campaigns.models import Message
from stores.models import Store
from tests.campaigns.mails import ana, lut, mail, pots

HREF = re.compile(r'href="([^"]+)"')
APPS = ("stores", "loyalty", "reviews", "campaigns")
# What a GET may append to: raw access, and the counter that slows a flood of requests down.
RAW = {"stores.hit", "stores.ratelimit", "stores.counter", "campaigns.linkvisit", "stores.heartbeat"}


def letters() -> tuple[Store, list[str]]:
    """A shop, and the addresses of ours in all mails of its library, with the unsubscribe link of the header."""
    store = lut(email_url="")
    customer = ana(store, orders_count=1)
    order = pots(store, customer, woo_id=1042)
    found: dict[str, None] = {}
    for number, name in enumerate(content.names()):
        html = mail(store, customer, order, name, "en", fields={"key": f"scan:{number}"}).html
        for address in HREF.findall(html):
            if address.startswith(settings.PUBLIC_URL):
                found[address.replace("&amp;", "&")] = None
        purpose = Message.objects.get(key=f"scan:{number}").purpose
        found[consent.unsubscribe_url(store, customer, channel="email", purpose=purpose)] = None
    return store, [urlsplit(address)._replace(scheme="", netloc="", fragment="").geturl() for address in found]


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of our tables but the raw ones."""
    return {
        model._meta.label_lower: sorted(map(repr, model._base_manager.values_list()))
        for app in APPS
        for model in apps.get_app_config(app).get_models()
        if model._meta.label_lower not in RAW
    }
