"""Keys for machines: made once, kept as a digest, scoped, bound to one store."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission

from postpurchase import clock
from stores.models import ApiKey, Store

if TYPE_CHECKING:
    from rest_framework.request import Request

READ_SCOPES = frozenset(
    {
        "orders:read",
        "customers:read",
        "ledger:read",
        "reviews:read",
        "coupons:read",
        "health:read",
        "jobs:read",
        "flows:read",
        "messages:read",
        "events:read",
    }
)
WRITE_SCOPES = frozenset(
    {
        "orders:write",
        "ledger:write",
        "reviews:write",
        "coupons:write",
        "jobs:write",
        "flows:write",
        "messages:write",
        "events:write",
    }
)
SCOPES = READ_SCOPES | WRITE_SCOPES


def create_api_key(
    store: Store, *, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its secret text, which is shown once and not kept."""
    unknown = set(scopes) - SCOPES
    if unknown or not scopes:
        raise ValueError(f"unknown scopes {sorted(unknown)}; known: {', '.join(sorted(SCOPES))}")
    prefix, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        store=store,
        name=name,
        prefix=prefix,
        digest=hashlib.sha256(secret.encode()).hexdigest(),
        scopes=sorted(scopes),
        expires_at=expires_at,
    )
    return key, f"pp_{prefix}_{secret}"


def revoke_api_key(key: ApiKey) -> bool:
    """End a key at once; False when it had been revoked before."""
    return bool(ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now()))


def read_api_key(text: str) -> ApiKey | None:
    """The live key that this text belongs to."""
    mark, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    if mark != "pp" or not secret:
        return None
    key = ApiKey.objects.select_related("store").filter(prefix=prefix, revoked_at=None).first()
    if key is None or not hmac.compare_digest(key.digest, hashlib.sha256(secret.encode()).hexdigest()):
        return None
    if key.expires_at and key.expires_at <= clock.now():
        return None
    if key.last_used_at is None or key.last_used_at < clock.now() - timedelta(minutes=5):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=clock.now())
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer pp_...`; the key decides the store (`request.auth.store`)."""

    def authenticate(self, request: "Request") -> tuple[ApiKey, ApiKey] | None:
        parts = get_authorization_header(request).decode(errors="replace").split()
        if not parts:
            return None
        key = read_api_key(parts[1]) if len(parts) == 2 and parts[0].lower() == "bearer" else None
        if key is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired. Make a new one under Developers.")
        return key, key

    def authenticate_header(self, request: "Request") -> str:
        return 'Bearer realm="api"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description tells of the keys; found by the description because it exists."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key of one store: pp_..., made under Developers."}


class HasScope(BasePermission):
    """The key must carry `<view.scope>:read` for safe methods, `:write` for others."""

    def has_permission(self, request: "Request", view: Any) -> bool:
        key = request.auth
        scope = getattr(view, "scope", None)
        if not isinstance(key, ApiKey) or scope is None:
            return False
        action = "read" if request.method in {"GET", "HEAD", "OPTIONS"} else "write"
        return f"{scope}:{action}" in key.scopes
