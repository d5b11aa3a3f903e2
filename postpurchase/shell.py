"""What every dashboard page shows around its content: look, navigation, stores, freshness."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation

from postpurchase.health import TICK_STALE, tick_age
from stores import registries
from stores.access import SYSTEM_VIEW
from stores.models import Job, Store, User
from stores.registries import NavEntry

# What the bar at the foot of a phone holds beside its Menu button: the first four of these that a person may see.
PHONE = ("home", "cases", "orders", "reviews", "customers")


@dataclass
class Link:
    """A sidebar entry of one request."""

    entry: NavEntry
    url: str
    count: int = 0
    current: bool = False
    children: list["Link"] = field(default_factory=list)

    @property
    def opened(self) -> bool:
        """Whether this entry or one below it is the present page; then those below are shown."""
        return self.current or any(child.current for child in self.children)


@dataclass(frozen=True)
class Work:
    """The ring of the top bar: how many long jobs run, how far they are together, and the page that tells more."""

    count: int
    percent: int
    url: str


class Shell:
    """Computed when a template asks for it, so that pages without a shell pay nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.store: Store | None = getattr(request, "store", None)
        self.version = settings.VERSION

    @cached_property
    def links(self) -> list[Link]:
        """The sidebar: main entries with those below them, marked where the person stands."""
        store = self.store
        if store is None:
            return []
        entries = registries.nav(getattr(self.request, "permissions", frozenset()))
        links = [Link(entry, reverse(entry.url_name, args=[store.slug])) for entry in entries]
        home = reverse("home", args=[store.slug])
        path = self.request.path
        fitting = [link for link in links if path == link.url or (link.url != home and path.startswith(link.url))]
        if fitting:
            max(fitting, key=lambda link: len(link.url)).current = True
        by_name = {link.entry.url_name: link for link in links}
        for link in links:
            link.count = link.entry.count(store) if link.entry.count else 0
            if link.entry.parent and link.entry.parent in by_name:
                by_name[link.entry.parent].children.append(link)
        return [link for link in links if not link.entry.parent or link.entry.parent not in by_name]

    def group(self, name: str) -> list[Link]:
        return [link for link in self.links if link.entry.group == name]

    @property
    def main(self) -> list[Link]:
        return self.group("main")

    @property
    def settings(self) -> list[Link]:
        return self.group("settings")

    @property
    def phone(self) -> list[Link]:
        """The entries of the phone's bottom bar."""
        by_name = {link.entry.url_name: link for link in self.links}
        return [by_name[name] for name in PHONE if name in by_name][:4]

    @cached_property
    def stores(self) -> list[Store]:
        """The stores that the person may switch to."""
        user = self.request.user
        found = Store.objects.all() if user.is_superuser else Store.objects.filter(members=user)  # type: ignore[misc]
        return list(found.only("slug", "name").order_by("name", "pk")[:50])

    @property
    def synced_at(self) -> datetime | None:
        """When the shop last told or answered us."""
        if self.store is None:
            return None
        return max(filter(None, (self.store.polled_at, self.store.hooked_at)), default=None)

    @cached_property
    def work(self) -> Work | None:
        """Long jobs under way; None when there are none, or for those who may not see them."""
        if self.store is None or not getattr(self.store, "working", True):
            return None
        if SYSTEM_VIEW not in getattr(self.request, "permissions", frozenset()):
            return None
        running = self.store.jobs.filter(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])
        found = list(running.values_list("pk", "done", "total")[:20])
        if not found:
            return None
        done, total = sum(min(row[1], row[2]) for row in found), sum(row[2] for row in found)
        slug = self.store.slug
        url = reverse("job", args=[slug, found[0][0]]) if len(found) == 1 else reverse("jobs", args=[slug])
        return Work(len(found), done * 100 // total if total else 0, url)

    @cached_property
    def worker_alive(self) -> bool:
        """Whether the worker ticked lately; the same bound as /readyz has."""
        age = tick_age()
        return age is not None and age <= TICK_STALE


@dataclass(frozen=True)
class Look:
    """Theme and density, set by the server so that no page flashes in the wrong colours."""

    theme: str
    density: str


def look(request: HttpRequest) -> Look:
    """The person's choice; signed out, what the cookie of this browser remembers."""
    user = getattr(request, "user", None)
    if isinstance(user, User) or (user is not None and user.is_authenticated):
        return Look(user.theme, user.density)
    theme = request.COOKIES.get("theme", "system")
    return Look(theme if theme in {"light", "dark"} else "system", "comfortable")


def of(request: HttpRequest) -> Shell:
    """The request's shell; the same one however often it is asked for."""
    found = getattr(request, "_shell", None)
    if found is None:
        found = request._shell = Shell(request)  # type: ignore[attr-defined]
    return cast(Shell, found)


def context(request: HttpRequest) -> dict[str, Any]:
    """Template context of every page."""
    return {"look": look(request), "shell": of(request), "site_name": settings.SITE_NAME}


def user_language(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the dashboard speaks the language that the signed-in person chose, on every device."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(("/app/", "/accounts/")) and request.user.is_authenticated:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language() or settings.LANGUAGE_CODE
        return get_response(request)

    return middleware
