"""Flows, messages and consent, for the operator to look at."""

from django.contrib import admin

from campaigns.models import (
    Consent,
    ConsentEvent,
    Enrolment,
    Flow,
    FlowVersion,
    Message,
    MessageTemplate,
    Suppression,
    TemplateVersion,
)
from stores.admin import ReadOnly


@admin.register(Flow)
class FlowAdmin(ReadOnly):
    list_display = ("name", "store", "klass", "state", "edited_at")
    list_filter = ("store", "state", "klass")


@admin.register(FlowVersion)
class FlowVersionAdmin(ReadOnly):
    list_display = ("flow", "number", "published_at")


@admin.register(Enrolment)
class EnrolmentAdmin(ReadOnly):
    list_display = ("flow", "store", "customer", "order", "status", "step", "state", "due_at", "attempts", "error_code")
    list_filter = ("store", "status", "state")
    search_fields = ("customer__email_key",)
    ordering = ("-pk",)


@admin.register(Message)
class MessageAdmin(ReadOnly):
    list_display = ("template", "store", "customer", "status", "reason", "planned_for", "accepted_at", "attempts")
    list_filter = ("store", "status", "klass")
    search_fields = ("to", "customer__email_key")
    ordering = ("-pk",)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(ReadOnly):
    list_display = ("name", "store", "klass", "purpose", "created_at")


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnly):
    list_display = ("template", "language", "number", "subject", "created_at")


@admin.register(Consent)
class ConsentAdmin(ReadOnly):
    list_display = ("customer", "store", "channel", "purpose", "state", "source", "at")
    list_filter = ("store", "purpose", "state")
    search_fields = ("customer__email_key",)


@admin.register(ConsentEvent)
class ConsentEventAdmin(ReadOnly):
    list_display = ("customer", "store", "channel", "purpose", "state", "source", "at")
    list_filter = ("store", "purpose", "state")
    search_fields = ("customer__email_key",)
    ordering = ("-pk",)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnly):
    list_display = ("address_key", "store", "reason", "at")
    list_filter = ("store",)
