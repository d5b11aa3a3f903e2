"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver

from loyalty.api import LedgerViewSet, MemberViewSet

dashboard: list[URLPattern | URLResolver] = []
public: list[URLPattern | URLResolver] = []
api: list[tuple[str, type, str]] = [
    ("ledger", LedgerViewSet, "api-ledger"),
    ("members", MemberViewSet, "api-members"),
]
