"""The audit log: who did what in which store."""

from typing import Any

from django.http import HttpRequest

from stores.models import AuditEvent, Store, User


def record(
    store: Store | None,
    action: str,
    *,
    actor: User | str,
    target: str = "",
    diff: dict[str, Any] | None = None,
    request: HttpRequest | None = None,
) -> AuditEvent:
    """Append one line, in the present transaction. `action` is dotted ("review.hide"); never put secrets in `diff`."""
    return AuditEvent.objects.create(
        store=store,
        user=actor if isinstance(actor, User) else None,
        actor=actor.email if isinstance(actor, User) else actor,
        action=action,
        target=target,
        diff=diff or {},
        ip=request.META.get("REMOTE_ADDR") or None if request else None,
    )
