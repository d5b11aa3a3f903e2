"""API resources: flows (read, file out and in, switch), messages (read, approve, cancel, retry), all sending (pause, test)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import actions, flows, mail_tests
from campaigns.api_simulate import Simulates
from campaigns.models import Flow, Message
from postpurchase.errors import BusinessError
from stores.api_base import Idempotent, StoreViewSet

REFUSED = "Nothing was changed: the message has moved on, or a worker has it in hand. Read it again."


class FlowSerializer(serializers.ModelSerializer[Flow]):
    version = serializers.IntegerField(source="live.number", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Flow
        fields = ["id", "slug", "name", "recipe", "klass", "state", "version", "created_at", "edited_at"]


class FlowFile(serializers.Serializer[Any]):
    """A flow as YAML: what export gives is what import takes."""

    file = serializers.CharField(max_length=200_000, trim_whitespace=False)


class FlowImport(FlowFile):
    slug = serializers.SlugField(max_length=60, required=False, help_text="By default made from the flow's name.")


class FlowState(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=Flow.State.choices)


class FlowViewSet(Simulates, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """Flows, newest first."""

    scope = "flows"
    model = Flow
    related = ("live",)
    serializer_class = FlowSerializer
    filterset_fields = {"state": ["exact"], "recipe": ["exact"], "slug": ["exact"]}

    @extend_schema(responses={200: FlowFile})
    @action(detail=True, methods=["get"])
    def export(self, request: Request, pk: str) -> Response:
        """The live version as a flow file."""
        return Response({"file": flows.export_file(self.get_object())})

    @extend_schema(request=FlowImport, responses={201: FlowSerializer})
    @action(detail=False, methods=["post"], url_path="import", url_name="import")
    def take_in(self, request: Request) -> Response:
        """Publish a flow file; a new flow is off. All faults of the file are told at once, and nothing is changed then."""
        form = FlowImport(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data

        def act() -> tuple[dict[str, Any], int]:
            flow = flows.import_file(self.store, said["file"], actor=_actor(request), slug=said.get("slug", ""))
            return dict(FlowSerializer(flow).data), 201

        return self.once(request, act)

    @extend_schema(request=FlowState, responses={200: FlowSerializer})
    @action(detail=True, methods=["post"])
    def state(self, request: Request, pk: str) -> Response:
        """Switch it off, on, or to review first. Off keeps people where they are."""
        flow = self.get_object()
        form = FlowState(data=request.data)
        form.is_valid(raise_exception=True)

        def act() -> tuple[dict[str, Any], int]:
            flows.set_state(flow, form.validated_data["state"], actor=_actor(request))
            return dict(FlowSerializer(flow).data), 200

        return self.once(request, act)


class MessageSerializer(serializers.ModelSerializer[Message]):
    trace = serializers.ListField(
        child=serializers.ListField(), read_only=True, help_text="[[passed, rule, what was seen], ...]"
    )

    class Meta:
        model = Message
        fields = [
            "id",
            "flow",
            "step",
            "customer",
            "order",
            "channel",
            "klass",
            "purpose",
            "template",
            "subject",
            "language",
            "status",
            "reason",
            "trace",
            "planned_for",
            "due_at",
            "useful_until",
            "accepted_at",
            "delivered_at",
            "bounced_at",
            "complained_at",
            "clicked_at",
        ]


class MessageViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """Every message, sent or not, newest first, with the reason and what each rule saw."""

    scope = "messages"
    model = Message
    serializer_class = MessageSerializer
    filterset_fields = {
        "status": ["exact"],
        "flow": ["exact"],
        "customer": ["exact"],
        "order": ["exact"],
        "planned_for": ["gt", "lt"],
    }

    def get_queryset(self) -> Any:
        return super().get_queryset().defer("html", "text", "context")

    def _do(self, request: Request, act: Any) -> Response:
        message = self.get_object()

        def once() -> tuple[dict[str, Any], int]:
            if not act(self.store, Message.objects.filter(pk=message.pk), actor=_actor(request)):
                raise BusinessError(REFUSED, "message_moved_on")
            message.refresh_from_db()
            return dict(MessageSerializer(message).data), 200

        return self.once(request, once)

    @extend_schema(request=None, responses={200: MessageSerializer})
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """One that waits for approval goes out as soon as caps and hours allow."""
        return self._do(request, actions.approve)

    @extend_schema(request=None, responses={200: MessageSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """It is not sent, now or later."""
        return self._do(request, actions.cancel)

    @extend_schema(request=None, responses={200: MessageSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """A failed or unclear one is tried again; an unclear one may then arrive twice."""
        return self._do(request, actions.retry)


class SendingState(serializers.Serializer[Any]):
    paused = serializers.BooleanField()


class TestMail(serializers.Serializer[Any]):
    """A test of a message, to an address of yours."""

    message = serializers.CharField(max_length=80, help_text="Name of the text, such as R06.review_request.")
    to = serializers.EmailField()
    language = serializers.CharField(max_length=8, required=False)
    customer = serializers.CharField(max_length=254, required=False, help_text="Order number or email to write as for.")


class TestSent(serializers.Serializer[Any]):
    to = serializers.CharField()
    subject = serializers.CharField()


class SendingViewSet(Idempotent):
    """All sending of the store: the kill switch, and tests."""

    scope = "messages"
    model = Message
    serializer_class = SendingState

    def _switch(self, request: Request, switch: Any) -> Response:
        def act() -> tuple[dict[str, Any], int]:
            switch(self.store, actor=_actor(request))
            return {"paused": self.store.sending_paused}, 200

        return self.once(request, act)

    @extend_schema(request=None, responses={200: SendingState})
    @action(detail=False, methods=["post"])
    def pause(self, request: Request) -> Response:
        """No message leaves until resume; what becomes due waits."""
        return self._switch(request, flows.pause_sending)

    @extend_schema(request=None, responses={200: SendingState})
    @action(detail=False, methods=["post"])
    def resume(self, request: Request) -> Response:
        """Send again, unless something has made a message wrong or too late meanwhile."""
        return self._switch(request, flows.resume_sending)

    @extend_schema(request=TestMail, responses={200: TestSent})
    @action(detail=False, methods=["post"])
    def test(self, request: Request) -> Response:
        """Send a message to an address of yours; it counts nowhere."""
        form = TestMail(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        return self.once(
            request,
            lambda: (
                mail_tests.send_named(
                    self.store,
                    said["message"],
                    to=said["to"],
                    language=said.get("language", ""),
                    who=said.get("customer", ""),
                    actor=_actor(request),
                ),
                200,
            ),
        )


def _actor(request: Request) -> str:
    return f"API key {request.auth.prefix}"  # type: ignore[union-attr]
