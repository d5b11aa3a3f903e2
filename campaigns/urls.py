"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from campaigns.views import inbox, shopper

dashboard: list[URLPattern | URLResolver] = [
    path("mail/", inbox.inbox, name="inbox"),
    path("mail/<int:pk>/", inbox.mail, name="inbox-mail"),
    path("mail/<int:pk>/body/", inbox.mail_body, name="inbox-mail-body"),
]
public: list[URLPattern | URLResolver] = [
    path("p/<str:token>/", shopper.preferences_page, name="preferences"),
    path("u/<str:token>/", shopper.unsubscribe, name="unsubscribe"),
    path("d/<str:token>/", shopper.confirm, name="confirm"),
    path("c/<str:token>/", shopper.follow, name="counted"),
]
api: list[tuple[str, type, str]] = []
