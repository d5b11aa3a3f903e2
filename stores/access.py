"""Who may do what: people's roles, and the view decorator that starts every query from a store."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from stores.models import Job, Membership, Store, User

ORDERS_VIEW = "orders.view"
ORDERS_CHANGE = "orders.change"
CUSTOMERS_PII = "customers.pii"
FLOWS_EDIT = "flows.edit"
FLOWS_PUBLISH = "flows.publish"
MESSAGES_APPROVE = "messages.approve"
LOYALTY_EDIT = "loyalty.edit"
LEDGER_ADJUST = "ledger.adjust"
COUPONS_ISSUE = "coupons.issue"
REVIEWS_MODERATE = "reviews.moderate"
CASES_WORK = "cases.work"
RETURNS_REFUND = "returns.refund"
DATA_EXPORT = "data.export"
DATA_ERASE = "data.erase"
STORE_CONNECT = "store.connect"
TEAM_MANAGE = "team.manage"
SYSTEM_VIEW = "system.view"

ALL = frozenset(value for name, value in list(vars().items()) if name.isupper() and isinstance(value, str))

_SUPPORT = frozenset(
    {ORDERS_VIEW, ORDERS_CHANGE, CUSTOMERS_PII, MESSAGES_APPROVE, REVIEWS_MODERATE, CASES_WORK, SYSTEM_VIEW}
)
_MARKETER = frozenset(
    {
        ORDERS_VIEW,
        CUSTOMERS_PII,
        FLOWS_EDIT,
        FLOWS_PUBLISH,
        MESSAGES_APPROVE,
        LOYALTY_EDIT,
        COUPONS_ISSUE,
        REVIEWS_MODERATE,
        DATA_EXPORT,
        SYSTEM_VIEW,
    }
)
PERMISSIONS: dict[str, frozenset[str]] = {
    Membership.Role.OWNER: ALL,
    Membership.Role.MANAGER: ALL - {TEAM_MANAGE, DATA_ERASE},
    Membership.Role.MARKETER: _MARKETER,
    Membership.Role.SUPPORT: _SUPPORT,
    Membership.Role.VIEWER: frozenset({ORDERS_VIEW, SYSTEM_VIEW}),
}


class StoreRequest(HttpRequest):
    """A request inside a store: what `store_view` adds. Queries start from `request.store`."""

    user: User
    store: Store
    role: str
    permissions: frozenset[str]


View = Callable[..., HttpResponse]


def permissions_of(user: User, store: Store) -> frozenset[str] | None:
    """What the person may do in the store; None for an outsider. The operator may do all."""
    membership = Membership.objects.filter(user=user, store=store).first()
    return _granted(user, membership.role if membership else None)


def _granted(user: User, role: str | None) -> frozenset[str] | None:
    if user.is_superuser:
        return ALL
    return PERMISSIONS[role] if role else None


def _inside(user: User, slug: str) -> Any:
    """The store with the person's role in it and whether long work runs there: what every page asks, in one query."""
    running = Job.objects.filter(store=OuterRef("pk"), status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
    role = Membership.objects.filter(store=OuterRef("pk"), user=user).values("role")[:1]
    return Store.objects.filter(slug=slug).annotate(role=Subquery(role), working=Exists(running)).first()


def store_view(permission: str) -> Callable[[View], View]:
    """Wrap a dashboard view under `/app/<store>/`: `view(request, **rest)` gets `request.store`.

    Not signed in: the sign-in page. Outsiders: 404, as if the store did not exist. Members without the right: 403.
    """
    if permission not in ALL:
        raise ValueError(f"unknown permission {permission!r}")

    def decorate(view: View) -> View:
        @wraps(view)
        @login_required
        def inner(request: HttpRequest, store: str, **rest: Any) -> HttpResponse:
            user = cast(User, request.user)
            found = _inside(user, store)
            granted = _granted(user, found.role) if found else None
            if found is None or granted is None:
                raise Http404
            if permission not in granted:
                raise PermissionDenied(permission)
            inside = cast(StoreRequest, request)
            inside.store, inside.permissions = found, granted
            with timezone.override(found.tz):
                return view(inside, **rest)

        inner.permission = permission  # type: ignore[attr-defined]
        return inner

    return decorate


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: the first-run page makes the owner, owners invite others."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
