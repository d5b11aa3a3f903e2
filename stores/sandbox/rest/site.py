"""The index, settings/general and system_status."""

from __future__ import annotations

from typing import Any

from ..auth import require
from ..store import Store
from ..wire import Body, Request, Response, RestError, encode, json_response
from . import collection

# (id without its prefix, type, default, value); the values of currency and place come from the store.
_GENERAL: tuple[tuple[str, str, Any, Any], ...] = (
    ("store_address", "text", "", "1 Test Street"),
    ("store_address_2", "text", "", ""),
    ("store_city", "text", "", "New York"),
    ("default_country", "select", "US:CA", "US:NY"),
    ("store_postcode", "text", "", "10001"),
    ("allowed_countries", "select", "all", "all"),
    ("all_except_countries", "multiselect", "", ""),
    ("specific_allowed_countries", "multiselect", "", ""),
    ("ship_to_countries", "select", "", ""),
    ("specific_ship_to_countries", "multiselect", "", ""),
    ("default_customer_address", "select", "base", "base"),
    ("address_autocomplete_enabled", "checkbox", "no", "no"),
    ("calc_taxes", "checkbox", "no", "yes"),
    ("enable_coupons", "checkbox", "yes", "yes"),
    ("calc_discounts_sequentially", "checkbox", "no", "no"),
    ("currency", "select", "USD", "USD"),
    ("currency_pos", "select", "left", "left"),
    ("price_thousand_sep", "text", ",", ","),
    ("price_decimal_sep", "text", ".", "."),
    ("price_num_decimals", "number", "2", "2"),
)
_SYMBOLS_BEFORE = ("USD", "EUR", "GBP")


def _general(store: Store) -> list[Body]:
    own = {
        "currency": store.site.currency,
        "currency_pos": "left" if store.site.currency in _SYMBOLS_BEFORE else "right_space",
        "price_num_decimals": str(store.site.decimals),
        "default_country": "RO" if store.site.currency == "RON" else "US:NY",
        "store_city": "București" if store.site.currency == "RON" else "New York",
        "calc_taxes": "no",
    }
    address = f"{store.site.api}/settings/general"
    written = store.storage.option("settings") or {}
    return [
        {
            "id": f"woocommerce_{name}",
            "type": kind,
            "default": default,
            "value": written.get(name, own.get(name, value)),
            "_links": {
                "self": [
                    {
                        "href": f"{address}/woocommerce_{name}",
                        "targetHints": {"allow": ["GET", "POST", "PUT", "PATCH"]},
                    }
                ],
                "collection": [{"href": address}],
            },
        }
        for name, kind, default, value in _GENERAL
    ]


def list_settings(store: Store, request: Request) -> Response:
    require(request, "view")
    rows = _general(store)
    asked = collection.fields_asked(request)
    return json_response(request, encode([collection.pick(row, asked) for row in rows] if asked else rows))


def _setting(store: Store, name: str) -> Body:
    found = [row for row in _general(store) if row["id"] == name]
    if not found:
        raise RestError("rest_setting_setting_invalid", "Invalid setting.", 404)
    row = found[0]
    links = row.pop("_links")
    return {**row, "group_id": "general", "_links": links}


def get_setting(store: Store, request: Request, name: str) -> Response:
    require(request, "view")
    return collection.one(store, request, "setting", encode(_setting(store, name)))


def update_setting(store: Store, request: Request, name: str) -> Response:
    require(request, "edit")
    row = _setting(store, name)
    given = request.json()
    if "value" in given:
        row["value"] = str(given["value"])
        written = store.storage.option("settings") or {}
        store.storage.option("settings", {**written, name.removeprefix("woocommerce_"): row["value"]})
    return collection.one(store, request, "setting", encode(row))


# The shop's mails to customers, and whether they are on from the start.
_MAILS = {
    "customer_on_hold_order": "yes",
    "customer_processing_order": "yes",
    "customer_completed_order": "yes",
    "customer_refunded_order": "yes",
    "customer_review_request": "no",
}


def set_mail_switch(store: Store, request: Request, name: str) -> Response:
    """Switch a mail on or off, as its page in WooCommerce does."""
    require(request, "edit")
    given = request.json()
    if "value" in given and name in {**_MAILS, **(store.storage.option("mails") or {})}:
        value = str(given["value"])
        if value not in {"yes", "no"}:
            raise RestError("rest_setting_value_invalid", "An invalid setting value was passed.", 400)
        store.storage.option("mails", {**(store.storage.option("mails") or {}), name: value})
    return get_mail_switch(store, request, name)


def get_mail_switch(store: Store, request: Request, name: str) -> Response:
    """settings/email_<mail>/enabled; the option "mails" of the storage changes it."""
    require(request, "view")
    switches = {**_MAILS, **(store.storage.option("mails") or {})}
    if name not in switches:
        raise RestError("rest_setting_setting_group_invalid", "Invalid setting group.", 404)
    body = {"id": "enabled", "type": "checkbox", "default": "yes", "value": switches[name], "group_id": f"email_{name}"}
    return collection.one(store, request, "setting", encode(body))


def system_status(store: Store, request: Request) -> Response:
    require(request, "view")
    tables = "OrdersTableDataStore" if store.hpos else "WC_Order_Data_Store_CPT"
    datastore = f"Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\{tables}" if store.hpos else tables
    kinds = {name: name for name in ("external", "grouped", "simple", "variable")}
    terms = ["exclude-from-catalog", "exclude-from-search", "featured", "outofstock", *(f"rated-{n}" for n in "12345")]
    general = {row["id"].removeprefix("woocommerce_"): row["value"] for row in _general(store)}
    body: Body = {
        "environment": {
            "home_url": store.site.base_url,
            "site_url": store.site.base_url,
            "store_id": None,
            "version": store.site.version,
            "log_directory": "/var/www/html/wp-content/uploads/wc-logs/",
            "log_directory_writable": True,
            "wp_version": "7.1",
            "wp_multisite": False,
            "wp_memory_limit": 268435456,
            "wp_debug_mode": False,
            "wp_cron": True,
            "wp_environment_type": "production",
            "language": "en_US",
            "external_object_cache": None,
            "server_info": "sandbox",
            "server_architecture": "Linux x86_64",
            "php_version": "8.2.36",
            "php_post_max_size": 67108864,
            "php_max_execution_time": 60,
            "php_max_input_vars": 1000,
            "curl_version": "7.88.1, OpenSSL/3.0.17",
            "suhosin_installed": False,
            "max_upload_size": 67108864,
            "mysql_version": "10.11.19",
            "mysql_version_string": "10.11.19-MariaDB-0+deb12u1",
            "default_timezone": "UTC",
            "fsockopen_or_curl_enabled": True,
            "soapclient_enabled": True,
            "domdocument_enabled": True,
            "gzip_enabled": True,
            "mbstring_enabled": True,
            "remote_post_successful": True,
            "remote_post_response": 200,
            "remote_get_successful": True,
            "remote_get_response": 200,
        },
        "settings": {
            "api_enabled": False,
            "force_ssl": False,
            "currency": store.site.currency,
            "currency_symbol": "&#36;" if store.site.symbol == "$" else store.site.symbol,
            "currency_position": general["currency_pos"],
            "thousand_separator": general["price_thousand_sep"],
            "decimal_separator": general["price_decimal_sep"],
            "number_of_decimals": store.site.decimals,
            "geolocation_enabled": False,
            "taxonomies": kinds,
            "product_visibility_terms": {term: term for term in terms},
            "woocommerce_com_connected": "no",
            "enforce_approved_download_dirs": True,
            "order_datastore": datastore,
            "HPOS_enabled": store.hpos,
            "HPOS_sync_enabled": False,
            "enabled_features": [
                "analytics",
                *(["custom_order_tables"] if store.hpos else []),
                *(["fulfillments"] if store.fulfilments else []),
                *(store.storage.option("features") or []),
            ],
        },
        "active_plugins": [
            {"plugin": "woocommerce/woocommerce.php", "name": "WooCommerce", "version": store.site.version},
            {
                "plugin": "woocommerce-shipment-tracking/woocommerce-shipment-tracking.php",
                "name": "WooCommerce Shipment Tracking",
                "version": "2.6.0",
            },
        ],
    }
    return collection.one(store, request, "system_status", encode(body))


def current_currency(store: Store, request: Request) -> Response:
    require(request, "view", single=True)
    address = f"{store.site.api}/data/currencies"
    body = {
        "code": store.site.currency,
        "name": {"RON": "Romanian leu", "USD": "United States (US) dollar"}.get(
            store.site.currency, store.site.currency
        ),
        "symbol": "&#36;" if store.site.symbol == "$" else store.site.symbol,
        "_links": {
            "self": [{"href": f"{address}/{store.site.currency}", "targetHints": {"allow": ["GET"]}}],
            "collection": [{"href": address}],
        },
    }
    return collection.one(store, request, "currency", encode(body))


def index(store: Store, request: Request, routes: dict[str, list[str]]) -> Response:
    """GET /wp-json/: who this is, without a key."""
    offset = store.now.astimezone(store.clock.zone).utcoffset()
    hours = offset.total_seconds() / 3600 if offset else 0
    body = {
        "name": store.name,
        "description": "",
        "url": store.site.base_url,
        "home": store.site.base_url,
        "gmt_offset": int(hours) if hours == int(hours) else hours,
        "timezone_string": store.clock.zone_name,
        "page_for_posts": 0,
        "page_on_front": 0,
        "show_on_front": "posts",
        "namespaces": ["wc/v3", "wp/v2"],
        "authentication": {
            "application-passwords": {
                "endpoints": {"authorization": f"{store.site.base_url}/wp-admin/authorize-application.php"}
            }
        },
        "routes": _routes(routes),
    }
    asked = collection.fields_asked(request)
    return json_response(request, encode(collection.pick(body, asked) if asked else body), headers={"Allow": "GET"})


def namespace(store: Store, request: Request, routes: dict[str, list[str]]) -> Response:
    """GET /wp-json/wc/v3: its routes, without a key."""
    body = {"namespace": "wc/v3", "routes": _routes(routes)}
    return json_response(request, encode(body), headers={"Allow": "GET"})


def _routes(routes: dict[str, list[str]]) -> Body:
    return {
        path: {"namespace": "wc/v3", "methods": methods, "endpoints": [{"methods": methods, "args": {}}]}
        for path, methods in routes.items()
    }
