"""Reviews and cases, for the operator to look at."""

from django.contrib import admin

from reviews.models import Case, Review, ReviewRequest
from reviews.resources import ReviewResource
from stores.admin import ReadOnly


@admin.register(Review)
class ReviewAdmin(ReadOnly):
    resource_classes = [ReviewResource]
    list_display = ("item_name", "store", "rating", "display_name", "state", "store_status", "submitted_at")
    list_filter = ("store", "state", "rating")
    search_fields = ("item_name", "display_name")
    ordering = ("-pk",)


@admin.register(ReviewRequest)
class ReviewRequestAdmin(ReadOnly):
    list_display = ("order", "store", "customer", "state", "asked_at", "answered_at")
    list_filter = ("store", "state")
    ordering = ("-pk",)


@admin.register(Case)
class CaseAdmin(ReadOnly):
    list_display = ("reference", "store", "order", "kind", "state", "opened_at", "resolved_at", "confirmed_at")
    list_filter = ("store", "state", "kind")
    ordering = ("-pk",)
