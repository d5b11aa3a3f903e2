"""API resources of loyalty: members and the ledger; giving points is the only thing that can be written."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import ledger
from loyalty.models import Account, Entry
from stores.api_base import Idempotent, ReadOnly, StoreViewSet
from stores.models import Customer


class EntrySerializer(serializers.ModelSerializer[Entry]):
    customer = serializers.IntegerField(source="account.customer_id", read_only=True)
    order = serializers.IntegerField(source="award.order_id", read_only=True, allow_null=True)

    class Meta:
        model = Entry
        fields = ["id", "customer", "order", "kind", "points", "reason", "note", "at"]


class NewGift(serializers.Serializer[Any]):
    """Points that can be spent at once."""

    customer = serializers.PrimaryKeyRelatedField(queryset=Customer.objects.none())
    points = serializers.IntegerField(min_value=1, max_value=1_000_000)
    reason = serializers.CharField(max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        store = self.context.get("store")
        if store is not None:
            self.fields["customer"].queryset = Customer.objects.filter(store=store)  # type: ignore[attr-defined]


class LedgerViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """The points ledger, newest first. Entries are never changed; POST gives points to a customer."""

    scope = "ledger"
    model = Entry
    serializer_class = EntrySerializer
    related = ("account", "award")
    filterset_fields = {"kind": ["exact"], "account__customer": ["exact"]}

    @extend_schema(request=NewGift, responses={201: EntrySerializer})
    def create(self, request: Request) -> Response:
        form = NewGift(data=request.data, context={"store": self.store})
        form.is_valid(raise_exception=True)
        wanted = form.validated_data

        def act() -> tuple[dict[str, Any], int]:
            key = f"api:{request.headers['Idempotency-Key'].strip()}"
            entry = ledger.give(
                self.store, wanted["customer"], points=wanted["points"], key=key, reason=wanted["reason"]
            ) or Entry.objects.get(store=self.store, key=key)
            return dict(EntrySerializer(entry).data), 201

        return self.once(request, act)


class AccountSerializer(serializers.ModelSerializer[Account]):
    class Meta:
        model = Account
        fields = ["id", "customer", "usable", "pending", "joined_at"]


class MemberViewSet(ReadOnly):
    """Members with their balances."""

    scope = "ledger"
    model = Account
    serializer_class = AccountSerializer
    filterset_fields = ["customer"]
