"""The sidebar entries of this app."""

from django.utils.translation import gettext_lazy as _

from stores import registries
from stores.access import CUSTOMERS_PII, ORDERS_VIEW, STORE_CONNECT, SYSTEM_VIEW, TEAM_MANAGE
from stores.registries import NavEntry


def register() -> None:
    """Called once from `StoresConfig.ready`."""
    registries.add_nav(NavEntry(0, _("Home"), "home", "home", ORDERS_VIEW))
    registries.add_nav(NavEntry(20, _("Orders"), "orders", "orders", ORDERS_VIEW))
    registries.add_nav(NavEntry(30, _("Customers"), "people", "customers", CUSTOMERS_PII))
    registries.add_nav(NavEntry(31, _("Segments"), "people", "segments", CUSTOMERS_PII, parent="customers"))
    registries.add_nav(NavEntry(71, _("Coupons"), "ticket", "coupons", ORDERS_VIEW, parent="loyalty"))
    registries.add_nav(NavEntry(80, _("Retention"), "chart", "retention", ORDERS_VIEW))
    registries.add_nav(NavEntry(88, _("Settings"), "gear", "settings", STORE_CONNECT, group="settings"))
    registries.add_nav(NavEntry(89, _("Developers"), "key", "developers", TEAM_MANAGE, group="settings"))
    registries.add_nav(NavEntry(90, _("System"), "system", "system", SYSTEM_VIEW, group="settings"))
