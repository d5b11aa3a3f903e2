"""Addresses of this app: `dashboard` under /app/<store>/, `public` at the root, `api` under /api/v1/."""

from django.urls import URLPattern, URLResolver, path

from stores.api import CouponViewSet, CustomerViewSet, HealthViewSet, OrderViewSet
from stores.api_events import EventViewSet
from stores.api_jobs import JobViewSet
from stores.views import (
    approve,
    conditions,
    connect,
    coupons,
    customers,
    deliveries,
    developers,
    elsewhere,
    jobs,
    orders,
    overlap,
    reconcile,
    retention,
    segments,
    system,
    webhooks,
    write_backs,
)

dashboard: list[URLPattern | URLResolver] = [
    path("orders/", orders.orders, name="orders"),
    path("orders/import/", elsewhere.upload, name="orders_import"),
    path("orders/import/<int:pk>/", elsewhere.order_file, name="order_file"),
    path("orders/<int:pk>/", orders.order, name="order"),
    path("orders/<int:pk>/delivered/", orders.order_delivered, name="order_delivered"),
    path("orders/<int:pk>/note/", write_backs.order_note, name="order_note"),
    path("orders/<int:pk>/status/", write_backs.order_status, name="order_status"),
    path("customers/", customers.customers, name="customers"),
    path("customers/<int:pk>/", customers.customer, name="customer"),
    path("conditions/", conditions.conditions, name="conditions"),
    path("segments/", segments.listed, name="segments"),
    path("segments/new/", segments.new, name="segment_new"),
    path("segments/count/", segments.count, name="segment_count"),
    path("segments/<int:pk>/", segments.segment, name="segment"),
    path("segments/<int:pk>/people.csv/", segments.export, name="segment_export"),
    path("segments/<int:pk>/delete/", segments.delete, name="segment_delete"),
    path("coupons/", coupons.coupons, name="coupons"),
    path("insights/retention/", retention.retention, name="retention"),
    path("connect/", connect.again, name="connect"),
    path("connect/result/", connect.result, name="connect-result"),
    path("settings/system/", system.system, name="system"),
    path("settings/system/audit/", system.audit_log, name="audit"),
    path("settings/system/deliveries/", system.deliveries, name="deliveries"),
    path("settings/system/deliveries/<int:pk>/", deliveries.delivery, name="delivery"),
    path("settings/system/deliveries/<int:pk>/replay/", deliveries.replay, name="delivery-replay"),
    path("settings/system/marked/", reconcile.marked, name="marked"),
    path("settings/system/reconcile/", reconcile.start, name="reconcile"),
    path("settings/system/reconciliations/<int:pk>/", reconcile.question, name="reconciliation"),
    path("settings/system/write-backs/", write_backs.listed, name="write_backs"),
    path("settings/system/write-backs/<int:pk>/", write_backs.write_back, name="write_back"),
    path("settings/system/write-backs/<int:pk>/choose/", write_backs.choose, name="write_back_choose"),
    path("settings/system/quarantine/", system.quarantine, name="quarantine"),
    path("settings/overlap/", overlap.page, name="overlap"),
    path("settings/developers/", developers.developers, name="developers"),
    path("settings/developers/<int:pk>/revoke/", developers.revoke_key, name="api-key-revoke"),
    path("jobs/", jobs.listed, name="jobs"),
    path("jobs/ring/", jobs.ring, name="jobs_ring"),
    path("jobs/<int:pk>/", jobs.job, name="job"),
    path("jobs/<int:pk>/action/", jobs.job_action, name="job_action"),
    path("jobs/<int:pk>/errors/", jobs.job_errors, name="job_errors"),
]
public: list[URLPattern | URLResolver] = [
    path("setup/connect/", connect.first, name="connect-first"),
    path("setup/connect/callback/", approve.callback, name="connect-callback"),
    path("setup/connect/return/", approve.come_back, name="connect-return"),
    path("setup/connect/<int:pk>/", approve.attempt, name="connect-attempt"),
    path("hooks/woo/<str:token>/", webhooks.woo, name="woo-hook"),
]
api: list[tuple[str, type, str]] = [
    ("orders", OrderViewSet, "api-orders"),
    ("customers", CustomerViewSet, "api-customers"),
    ("coupons", CouponViewSet, "api-coupons"),
    ("health", HealthViewSet, "api-health"),
    ("jobs", JobViewSet, "api-jobs"),
    ("events", EventViewSet, "api-events"),
]
