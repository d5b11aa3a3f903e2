"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from loyalty.api import LedgerViewSet, MemberViewSet
from loyalty.views import dashboard as pages
from loyalty.views import public as shopper

dashboard: list[URLPattern | URLResolver] = [
    path("loyalty/", pages.program, name="loyalty"),
    path("loyalty/save/", pages.program_save, name="loyalty-save"),
    path("loyalty/members/", pages.members, name="loyalty-members"),
    path("loyalty/members/<int:account>/", pages.member, name="loyalty-member"),
    path("loyalty/members/<int:account>/adjust/", pages.adjust, name="loyalty-adjust"),
    path("loyalty/ledger/", pages.entries, name="loyalty-ledger"),
]
public: list[URLPattern | URLResolver] = [path("l/<str:token>/", shopper.member, name="member-page")]
api: list[tuple[str, type, str]] = [
    ("ledger", LedgerViewSet, "api-ledger"),
    ("members", MemberViewSet, "api-members"),
]
