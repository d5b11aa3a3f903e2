"""The operator's admin: shops, people and roles to edit; what the mirror and the machine hold to look at."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet, URLField
from django.http import HttpRequest
from import_export.admin import ExportMixin

from stores.models import (
    ApiKey,
    AuditEvent,
    Coupon,
    Customer,
    Delivery,
    Event,
    EventDelivery,
    Intent,
    Job,
    Membership,
    Order,
    Product,
    Quarantined,
    Refund,
    Shipment,
    Store,
    User,
)
from stores.resources import CouponResource, CustomerResource, OrderResource

SECRETS = ("consumer_key", "consumer_secret", "email_url")
_DUE = ("state", "due_at", "attempts", "error_code")
_HTTPS: dict[Any, dict[str, Any]] = {URLField: {"assume_scheme": "https"}}


class ReadOnly(ExportMixin, admin.ModelAdmin):
    """To look at and, with `resource_classes`, to export. What is shown here is written by one function elsewhere."""

    show_full_result_count = False
    list_per_page = 50
    formfield_overrides = _HTTPS

    def get_list_select_related(self, request: HttpRequest) -> bool | list[str] | tuple[str, ...]:
        relations = {field.name for field in self.opts.fields if field.is_relation}
        return self.list_select_related or [name for name in self.list_display if name in relations]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.resource_classes) and self.has_view_permission(request)


@admin.register(Store)
class StoreAdmin(admin.ModelAdmin):
    """A shop. Its secrets are written by connecting and are never shown, nor read from the database."""

    list_display = ("name", "slug", "base_url", "state", "polled_at", "sending_paused", "test_mode")
    list_filter = ("state",)
    search_fields = ("name", "slug", "base_url")
    exclude = SECRETS
    formfield_overrides = _HTTPS
    readonly_fields = (
        "base_url",
        "state",
        "state_reason",
        "failures",
        "good_answers",
        "probes",
        "refusals",
        "quiet_until",
        "fingerprint",
        "created_at",
        "auth_mode",
        "can_write",
        "capabilities",
        "probed_at",
        "live_from",
        "polled_at",
        "hooked_at",
        "complete_since",
        "backfilled_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Store]:
        return super().get_queryset(request).defer(*SECRETS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A shop begins with the checks of its connection.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Store | None = None) -> bool:
        # All orders, points and proofs of consent would go with it.
        return False


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    """Who has which role in which shop."""

    list_display = ("user", "store", "role")
    list_filter = ("role", "store")
    list_select_related = ("user", "store")
    search_fields = ("user__email", "store__name")
    autocomplete_fields = ("user", "store")


@admin.register(User)
class PersonAdmin(UserAdmin):
    """People, who sign in with their address."""

    list_display = ("email", "name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    readonly_fields = ("joined_at", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("Look", {"fields": ("language", "theme", "density")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("joined_at", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)


@admin.register(Order)
class OrderAdmin(ReadOnly):
    resource_classes = [OrderResource]
    list_display = ("number", "store", "status", "customer", "total", "currency", "created_gmt")
    list_filter = ("store", "status")
    search_fields = ("number", "email")
    ordering = ("-created_gmt",)


@admin.register(Customer)
class CustomerAdmin(ReadOnly):
    resource_classes = [CustomerResource]
    list_display = ("email", "store", "first_name", "last_name", "country", "orders_count", "spent")
    list_filter = ("store",)
    search_fields = ("email_key", "last_name")


@admin.register(Coupon)
class CouponAdmin(ReadOnly):
    resource_classes = [CouponResource]
    list_display = ("code", "store", "state", "amount", "customer", "ours", "expires_on")
    list_filter = ("store", "state", "ours")
    search_fields = ("code",)


@admin.register(Product)
class ProductAdmin(ReadOnly):
    list_display = ("name", "store", "sku", "kind", "price", "stock_status", "status")
    list_filter = ("store", "kind", "status")
    search_fields = ("name", "sku")


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    list_display = ("order", "store", "amount", "reason", "created_gmt", "deleted_at")
    list_filter = ("store",)


@admin.register(Shipment)
class ShipmentAdmin(ReadOnly):
    list_display = ("order", "store", "promised_from", "promised_to", "source")
    list_filter = ("store",)


@admin.register(Event)
class EventAdmin(ReadOnly):
    list_display = ("name", "store", "key", "at", "historic")
    list_filter = ("store", "name", "historic")
    search_fields = ("key",)
    ordering = ("-pk",)


@admin.register(EventDelivery)
class EventDeliveryAdmin(ReadOnly):
    list_display = ("event", "subscriber", "store", *_DUE)
    list_filter = ("state", "subscriber", "store")
    ordering = ("-pk",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ("topic", "resource_id", "store", "received_at", "outcome", *_DUE)
    list_filter = ("state", "topic", "store")
    exclude = ("endpoint", "body")
    ordering = ("-pk",)


@admin.register(Intent)
class IntentAdmin(ReadOnly):
    list_display = ("kind", "subject_id", "store", "status", *_DUE)
    list_filter = ("status", "kind", "store")
    search_fields = ("key",)
    ordering = ("-pk",)


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("kind", "store", "status", "phase", "done", "total", "created_at", *_DUE)
    list_filter = ("status", "kind", "store")
    ordering = ("-pk",)


@admin.register(Quarantined)
class QuarantinedAdmin(ReadOnly):
    list_display = ("entity", "woo_id", "store", "reason", "times", "last_at", "solved_at")
    list_filter = ("entity", "store")
    ordering = ("-pk",)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "store", "actor", "action", "target", "ip")
    list_filter = ("store",)
    search_fields = ("actor", "action", "target")
    ordering = ("-pk",)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    list_display = ("name", "prefix", "store", "scopes", "last_used_at", "revoked_at")
    list_filter = ("store",)
    exclude = ("digest",)
