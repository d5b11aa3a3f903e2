"""All addresses. Each app lists its own; the shell adds sign-in, home, the API's root and the operator's admin."""

from django.contrib import admin
from django.urls import include, path

import campaigns.urls
import loyalty.urls
import reviews.urls
import stores.urls
from postpurchase import accounts, health, home, search, store_settings, views

apps = [stores.urls, loyalty.urls, reviews.urls, campaigns.urls]

urlpatterns = [
    path("", views.root, name="root"),
    path("favicon.ico", views.favicon),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("accounts/", include("allauth.urls")),
    path("account/", accounts.account, name="account"),
    path("account/look/", accounts.look, name="look"),
    path("setup/", accounts.setup, name="setup"),
    path("admin/", admin.site.urls),
    path("api/", include("postpurchase.api")),
    path(
        "app/<slug:store>/",
        include(
            [
                path("", home.home, name="home"),
                path("search/", search.search, name="search"),
                path("settings/", store_settings.page, name="settings"),
                *(p for app in apps for p in app.dashboard),
            ]
        ),
    ),
    *(pattern for app in apps for pattern in app.public),
]
