"""A dry run over the API: the numbers at once, or the job that counts them where the store is large."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.simulation import kept, running
from stores.api_base import Idempotent
from stores.api_jobs import JobSerializer


class NewDryRun(serializers.Serializer[Any]):
    days = serializers.IntegerField(min_value=1, max_value=kept.MOST_DAYS, default=running.DAYS)
    draft = serializers.BooleanField(default=False)


class DryRunAnswer(serializers.Serializer[Any]):
    """Either `result`, or the `job` that makes it; read the job until it is done and ask again."""

    result = serializers.DictField(allow_null=True)
    job = JobSerializer(allow_null=True)


class Simulates(Idempotent):
    """Mixin for the resource of flows."""

    @extend_schema(request=NewDryRun, responses={200: DryRunAnswer, 202: DryRunAnswer})
    @action(detail=True, methods=["post"])
    def simulate(self, request: Request, pk: str) -> Response:
        """What the flow would have done in the last days, on the store's own history. Sends and changes nothing."""
        flow = self.get_object()
        form = NewDryRun(data=request.data)
        form.is_valid(raise_exception=True)

        def act() -> tuple[dict[str, Any], int]:
            made = kept.start(flow, draft=form.validated_data["draft"], days=form.validated_data["days"])
            if made.job:
                return {"result": None, "job": dict(JobSerializer(made.job).data)}, 202
            return {"result": made.report.as_json(), "job": None}, 200

        return self.once(request, act)
