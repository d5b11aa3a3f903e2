"""API resource of the event log: what happened, and events of the merchant's own systems."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from postpurchase import clock
from stores import custom_events
from stores.api_base import Idempotent, StoreViewSet
from stores.models import Customer, Event, Order


class EventSerializer(serializers.ModelSerializer[Event]):
    class Meta:
        model = Event
        fields = ["id", "name", "key", "at", "historic", "customer", "order", "payload"]


class NewEvent(serializers.Serializer[Any]):
    """An event of your own. The same `key` of the same name again changes nothing and answers 200."""

    name = serializers.RegexField(
        custom_events.NAME.pattern + r"\Z", help_text="custom. and then small letters, digits and _"
    )
    customer = serializers.EmailField(help_text="The e-mail address of a customer whom the store knows.")
    order = serializers.IntegerField(
        required=False, allow_null=True, help_text="The order's id here, if it is about one."
    )
    key = serializers.CharField(max_length=custom_events.MAX_KEY, help_text="Names this event among those of its name.")
    payload = serializers.DictField(required=False, help_text="Texts, whole numbers, true, false, null; up to 4 KB.")
    at = serializers.DateTimeField(required=False, help_text="When it happened; now if it is left out.")

    def validate_payload(self, value: dict[str, Any]) -> dict[str, Any]:
        if faults := custom_events.payload_faults(value):
            raise serializers.ValidationError(faults)
        return value

    def validate_at(self, value: datetime) -> datetime:
        if value > clock.now() + custom_events.AHEAD:
            raise serializers.ValidationError("This time is still to come. Send the event when it has happened.")
        return value


class EventViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """What happened in the store, newest first. POST tells an event of your own, which may start flows."""

    scope = "events"
    model = Event
    serializer_class = EventSerializer
    filterset_fields = ["name", "customer", "order"]

    @extend_schema(request=NewEvent, responses={200: EventSerializer, 201: EventSerializer})
    def create(self, request: Request) -> Response:
        form = NewEvent(data=request.data)
        form.is_valid(raise_exception=True)
        told = form.validated_data
        address = told["customer"].strip().lower()
        customer = Customer.objects.filter(store=self.store, email_key=address, erased_at=None).first()
        if customer is None:
            raise serializers.ValidationError(
                {
                    "customer": [
                        "The store knows no customer of this address. It knows everybody who ordered or signed up."
                    ]
                }
            )
        order = None
        if told.get("order") is not None:
            order = Order.objects.filter(store=self.store, pk=told["order"], customer=customer).first()
            if order is None:
                raise serializers.ValidationError({"order": ["This customer has no order of this id."]})

        def act() -> tuple[dict[str, Any], int]:
            event, new = custom_events.take(
                self.store,
                name=told["name"],
                key=told["key"],
                customer=customer,
                order=order,
                payload=told.get("payload"),
                at=told.get("at"),
            )
            return dict(EventSerializer(event).data), 201 if new else 200

        return self.once(request, act)
