"""The ledger and the programmes, for the operator to look at."""

from django.contrib import admin

from loyalty.models import Account, Award, EarnRule, Entry, Program, Redemption, Reward
from loyalty.resources import EntryResource
from stores.admin import ReadOnly


@admin.register(Program)
class ProgramAdmin(ReadOnly):
    list_display = ("name", "store", "is_on", "started_at", "point_value", "pending_days")


@admin.register(EarnRule)
class EarnRuleAdmin(ReadOnly):
    list_display = ("program", "kind", "version", "points", "created_at", "ended_at")


@admin.register(Reward)
class RewardAdmin(ReadOnly):
    list_display = ("name", "program", "points", "amount", "valid_days", "is_on")


@admin.register(Account)
class AccountAdmin(ReadOnly):
    list_display = ("customer", "store", "usable", "pending", "joined_at")
    list_filter = ("store",)
    search_fields = ("customer__email_key",)


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    resource_classes = [EntryResource]
    list_display = ("at", "store", "customer", "kind", "points", "reason", "by")
    list_filter = ("store", "kind")
    list_select_related = ("store", "account__customer", "by")
    search_fields = ("account__customer__email_key", "key")
    ordering = ("-pk",)

    @admin.display(description="customer")
    def customer(self, entry: Entry) -> str:
        return str(entry.account.customer)


@admin.register(Award)
class AwardAdmin(ReadOnly):
    list_display = ("subject", "store", "state", "target", "posted", "owed", "usable_at")
    list_filter = ("store", "state")


@admin.register(Redemption)
class RedemptionAdmin(ReadOnly):
    list_display = ("reward", "store", "points", "status", "coupon", "at")
    list_filter = ("store", "status")
