"""API resources: reviews (read; publish and hide), help cases (read)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from reviews import moderation
from reviews.models import Case, Review
from stores.api_base import Idempotent, ReadOnly, StoreViewSet


class ReviewSerializer(serializers.ModelSerializer[Review]):
    class Meta:
        model = Review
        fields = [
            "id",
            "order",
            "product",
            "customer",
            "item_name",
            "rating",
            "title",
            "text",
            "display_name",
            "language",
            "rewarded",
            "state",
            "hide_reason",
            "submitted_at",
            "edited_at",
            "auto_publish_at",
            "decided_at",
            "woo_id",
            "store_status",
            "published_at",
        ]


class HideReason(serializers.Serializer[Any]):
    """Why: never that it is negative."""

    reason = serializers.ChoiceField(choices=Review.HideReason.choices)


class ReviewViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """Reviews, newest first. Nobody changes what a buyer said; POST publishes or hides."""

    scope = "reviews"
    model = Review
    serializer_class = ReviewSerializer
    filterset_fields = {"state": ["exact"], "rating": ["exact"], "product": ["exact"], "customer": ["exact"]}

    def _actor(self) -> str:
        return f"API key {self.request.auth.prefix}"  # type: ignore[union-attr]

    @extend_schema(request=None, responses={200: ReviewSerializer})
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Publish here and in the store."""
        review = self.get_object()
        return self.once(
            request, lambda: (dict(ReviewSerializer(moderation.publish(review, by=self._actor())).data), 200)
        )

    @extend_schema(request=HideReason, responses={200: ReviewSerializer})
    @action(detail=True, methods=["post"])
    def hide(self, request: Request, pk: str) -> Response:
        """Hide here and in the store, for one of the reasons."""
        review = self.get_object()
        form = HideReason(data=request.data)
        form.is_valid(raise_exception=True)
        reason = form.validated_data["reason"]
        return self.once(
            request,
            lambda: (dict(ReviewSerializer(moderation.hide(review, reason=reason, by=self._actor())).data), 200),
        )


class CaseSerializer(serializers.ModelSerializer[Case]):
    reference = serializers.CharField(read_only=True)

    class Meta:
        model = Case
        fields = [
            "id",
            "reference",
            "order",
            "customer",
            "kind",
            "wish",
            "line_ids",
            "state",
            "opened_at",
            "resolved_at",
            "confirmed_at",
        ]


class CaseViewSet(ReadOnly):
    """Help cases, newest first."""

    scope = "reviews"
    model = Case
    serializer_class = CaseSerializer
    filterset_fields = {"state": ["exact"], "kind": ["exact"], "order": ["exact"], "customer": ["exact"]}
