"""Addresses under /api/: the resources of all apps, their description, and a page for each error code."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView
from rest_framework.routers import DefaultRouter

import campaigns.urls
import loyalty.urls
import reviews.urls
import stores.urls
from stores.api_base import FIXES

router = DefaultRouter(use_regex_path=False)
router.include_root_view = False
for app in (stores.urls, loyalty.urls, reviews.urls, campaigns.urls):
    for prefix, viewset, basename in app.api:
        router.register(prefix, viewset, basename=basename)


def error_page(request: HttpRequest, code: str) -> HttpResponse:
    """What an error code means and what to do about it; the `type` of every problem answer points here."""
    if not code.replace("_", "").isalpha():
        raise Http404
    fix = FIXES.get(code, "The answer's `detail` says what happened, what was not lost and what to do.")
    return render(request, "api_error.html", {"code": code, "fix": fix})


OPEN: dict[str, Any] = {"authentication_classes": [], "permission_classes": []}

urlpatterns = [
    path("v1/", include(router.urls)),
    path("schema/", SpectacularAPIView.as_view(**OPEN), name="schema"),
    path("docs/", SpectacularRedocView.as_view(url_name="schema", **OPEN), name="api-docs"),
    path("docs/errors/<slug:code>/", error_page, name="api-error"),
]
