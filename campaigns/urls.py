"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from campaigns.views import shopper

dashboard: list[URLPattern | URLResolver] = []
public: list[URLPattern | URLResolver] = [
    path("p/<str:token>/", shopper.preferences_page, name="preferences"),
    path("u/<str:token>/", shopper.unsubscribe, name="unsubscribe"),
    path("d/<str:token>/", shopper.confirm, name="confirm"),
    path("c/<str:token>/", shopper.follow, name="counted"),
]
api: list[tuple[str, type, str]] = []
