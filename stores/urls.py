"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from stores.api import CouponViewSet, CustomerViewSet, HealthViewSet, OrderViewSet
from stores.views import customers, orders, system

dashboard: list[URLPattern | URLResolver] = [
    path("orders/", orders.orders, name="orders"),
    path("orders/<int:pk>/", orders.order, name="order"),
    path("customers/<int:pk>/", customers.customer, name="customer"),
    path("settings/system/", system.system, name="system"),
]
public: list[URLPattern | URLResolver] = []
api: list[tuple[str, type, str]] = [
    ("orders", OrderViewSet, "api-orders"),
    ("customers", CustomerViewSet, "api-customers"),
    ("coupons", CouponViewSet, "api-coupons"),
    ("health", HealthViewSet, "api-health"),
]
