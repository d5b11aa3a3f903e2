"""What every API resource shares: the key's store, cursor pages, problem answers, idempotent POSTs."""

import hashlib
import json
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, models, transaction
from django.http import Http404
from rest_framework import exceptions, mixins, status, viewsets
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores.models import ApiKey, IdempotencyKey, Store

KEPT = timedelta(hours=24)
# What to do about an error, by its code; BusinessError messages already say it.
FIXES = {
    "not_authenticated": "Send the header `Authorization: Bearer pp_...` with a key made under Developers.",
    "authentication_failed": "Make a new key under Developers; the old one is unknown, revoked or expired.",
    "permission_denied": "Use a key whose scopes include what this address needs.",
    "not_found": "Check the id; objects of other stores are never visible to this key.",
    "method_not_allowed": "This resource cannot be written here; see the API description.",
    "invalid": "Mend the named fields and send the request again; nothing was stored.",
    "parse_error": "Send valid JSON with the header `Content-Type: application/json`.",
    "throttled": "Wait the seconds that the header Retry-After names.",
    "idempotency_conflict": "Use a new Idempotency-Key for a different request.",
    "idempotency_needed": "Send an Idempotency-Key header, such as a random UUID, with every POST.",
}


def problem(
    code: str, *, http_status: int, detail: str, fix: str = "", errors: list[dict[str, Any]] | None = None
) -> Response:
    """An `application/problem+json` answer (RFC 9457)."""
    body: dict[str, Any] = {
        "type": f"{settings.PUBLIC_URL}/api/docs/errors/{code}/",
        "title": code.replace("_", " ").capitalize(),
        "status": http_status,
        "code": code,
        "detail": detail,
        "fix": fix or FIXES.get(code, ""),
        "errors": errors or [],
    }
    return Response(body, status=http_status, content_type="application/problem+json")


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal as a problem, bugs left to rise."""
    set_rollback()
    if isinstance(error, BusinessError):
        return problem(error.code, http_status=status.HTTP_409_CONFLICT, detail=error.message)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    if isinstance(error, exceptions.ValidationError):
        return problem(
            "invalid",
            http_status=error.status_code,
            detail="The request has fields that cannot be accepted. Nothing was stored.",
            errors=list(_field_errors(error.get_full_details())),
        )
    code = str(error.default_code)
    response = problem(code, http_status=error.status_code, detail=str(error.detail))
    wait = getattr(error, "wait", None)
    if wait:
        response["Retry-After"] = str(int(wait) + 1)
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        response["WWW-Authenticate"] = 'Bearer realm="api"'
    return response


def _field_errors(details: Any, field: str = "") -> Any:
    if isinstance(details, dict) and "message" in details:
        yield {"field": field, "code": details["code"], "detail": str(details["message"])}
    elif isinstance(details, dict):
        for name, inner in details.items():
            yield from _field_errors(inner, f"{field}.{name}" if field else str(name))
    else:
        for inner in details:
            yield from _field_errors(inner, field)


class Pages(CursorPagination):
    """`{"next", "previous", "results"}`, newest first, `?page_size=` up to 200."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering: Any = ("-pk",)


class StoreViewSet(viewsets.GenericViewSet):
    """A resource of the key's store. Subclasses set `scope`, `model`, `serializer_class` and, when needed, `ordering`."""

    scope: str
    model: type[models.Model]
    related: tuple[str, ...] = ()
    prefetched: tuple[str, ...] = ()
    pagination_class: type[Pages] | None = Pages

    @property
    def store(self) -> Store:
        """The store of the key that asks."""
        key = self.request.auth
        assert isinstance(key, ApiKey)
        return key.store

    def get_queryset(self) -> models.QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return self.model._default_manager.none()
        rows = self.model._default_manager.filter(store=self.store)
        return rows.select_related(*self.related).prefetch_related(*self.prefetched)


class ReadOnly(mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """List and detail, nothing to write."""


class Idempotent(StoreViewSet):
    """Mixin for POST: a repeated Idempotency-Key gets the stored answer; with another body it is refused."""

    def once(self, request: Request, act: Any) -> Response:
        """Run `act() -> (body, status)` once for the request's Idempotency-Key, in one transaction with its answer."""
        name = request.headers.get("Idempotency-Key", "").strip()
        if not name or len(name) > 120:
            return problem(
                "idempotency_needed",
                http_status=400,
                detail="Every POST needs an Idempotency-Key of 1 to 120 characters.",
            )
        digest = hashlib.sha256(json.dumps(request.data, sort_keys=True).encode()).hexdigest()
        known = self._known(name, digest)
        if known is not None:
            return known
        try:
            with transaction.atomic():
                body, http_status = act()
                IdempotencyKey.objects.create(
                    store=self.store, key=name, body_sha256=digest, status=http_status, answer=body
                )
        except IntegrityError:
            # Two at once with one key: the other one has stored its answer; ours was rolled back.
            known = self._known(name, digest)
            if known is None:
                raise
            return known
        return Response(body, status=http_status)

    def _known(self, name: str, digest: str) -> Response | None:
        row = IdempotencyKey.objects.filter(store=self.store, key=name, at__gt=clock.now() - KEPT).first()
        if row is None:
            IdempotencyKey.objects.filter(store=self.store, key=name).delete()
            return None
        if row.body_sha256 != digest:
            return problem(
                "idempotency_conflict",
                http_status=409,
                detail="This Idempotency-Key was used for another request within 24 hours. Nothing was done.",
            )
        return Response(row.answer, status=row.status)
