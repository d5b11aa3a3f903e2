"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path, re_path

from reviews.api import CaseViewSet, ReviewViewSet
from reviews.views import desk, moderate, shopper

dashboard: list[URLPattern | URLResolver] = [
    path("reviews/", moderate.reviews, name="reviews"),
    re_path(
        r"^reviews/(?P<pk>[0-9]{1,18})/(?P<action>publish|hide|reopen|again)/$", moderate.decide, name="review-decide"
    ),
    path("cases/", desk.cases, name="cases"),
    path("cases/<int:pk>/", desk.case, name="case"),
]
public: list[URLPattern | URLResolver] = [
    path("r/<str:token>/", shopper.review, name="review"),
    path("h/<str:token>/", shopper.help_page, name="help"),
    path("photos/<str:name>/", shopper.photo, name="photo"),
]
api: list[tuple[str, type, str]] = [
    ("reviews", ReviewViewSet, "api-reviews"),
    ("cases", CaseViewSet, "api-cases"),
]
