"""Jobs over the API: the same start, pause, resume and cancel as in the dashboard and on the command line."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from stores import audit, jobs
from stores.api_base import Idempotent, StoreViewSet
from stores.models import ApiKey, Job


class JobSerializer(serializers.ModelSerializer[Job]):
    seconds_left = serializers.SerializerMethodField()
    waits_until = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "status",
            "phase",
            "done",
            "total",
            "rate",
            "seconds_left",
            "waits_until",
            "last_item",
            "errors_count",
            "error",
            "sentence",
            "created_at",
            "finished_at",
        ]

    def get_seconds_left(self, job: Job) -> list[int] | None:
        """At least and at most; null until there is enough to go by."""
        found = jobs.left(job)
        return [round(found[0]), round(found[1])] if found else None

    def get_waits_until(self, job: Job) -> str | None:
        """Until when the job waits for the store; null when it does not."""
        found = jobs.waits_until(job)
        return found.isoformat().replace("+00:00", "Z") if found else None

    def get_sentence(self, job: Job) -> str:
        return str(job.result.get("sentence", ""))


class NewJob(serializers.Serializer[Any]):
    """A kind of work that can be started by its name."""

    kind = serializers.CharField(max_length=40)


class JobViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """Long work of the store: how far it is, and pausing, resuming, cancelling it."""

    scope = "jobs"
    model = Job
    serializer_class = JobSerializer
    filterset_fields = ["kind", "status"]

    @extend_schema(request=NewJob, responses={201: JobSerializer})
    def create(self, request: Request) -> Response:
        form = NewJob(data=request.data)
        form.is_valid(raise_exception=True)
        starter = jobs.starters.get(form.validated_data["kind"])
        if starter is None:
            raise serializers.ValidationError({"kind": f"One of {', '.join(sorted(jobs.starters))}."})

        def act() -> tuple[dict[str, Any], int]:
            return self._shown(starter(self.store)), 201

        return self.once(request, act)

    @extend_schema(request=None, responses={200: JobSerializer})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str | None = None) -> Response:
        """Stop after the step in hand; nothing is lost."""
        return self._act(request, "pause")

    @extend_schema(request=None, responses={200: JobSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str | None = None) -> Response:
        """Go on where it stopped, also after a failure."""
        return self._act(request, "resume")

    @extend_schema(request=None, responses={200: JobSerializer})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """End it. What it has done stays."""
        return self._act(request, "cancel")

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    @action(detail=True, methods=["get"])
    def errors(self, request: Request, pk: str | None = None) -> HttpResponse:
        """What was put aside, as CSV."""
        return HttpResponse(jobs.error_csv(self.get_object()), content_type="text/csv; charset=utf-8")

    def _act(self, request: Request, name: str) -> Response:
        job = self.get_object()
        key = request.auth
        assert isinstance(key, ApiKey)

        def act() -> tuple[dict[str, Any], int]:
            jobs.ACTIONS[name](job)
            audit.record(self.store, f"job.{name}", actor=f"API key {key.name}", target=str(job))
            return self._shown(job), 200

        return self.once(request, act)

    def _shown(self, job: Job) -> dict[str, Any]:
        return dict(JobSerializer(job).data)
