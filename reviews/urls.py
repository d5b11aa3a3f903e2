"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from reviews.views import shopper

dashboard: list[URLPattern | URLResolver] = []
public: list[URLPattern | URLResolver] = [
    path("r/<str:token>/", shopper.review, name="review"),
    path("h/<str:token>/", shopper.help_page, name="help"),
    path("photos/<str:name>/", shopper.photo, name="photo"),
]
api: list[tuple[str, type, str]] = []
