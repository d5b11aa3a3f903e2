"""What a load balancer, a container or a person asks: does it live, and can it do its work? No secrets in the answers."""

from datetime import timedelta

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from postpurchase import clock, due, queue

# The tick comes each minute, with a resolution of half a minute; three missed ones are no accident.
TICK_STALE = timedelta(minutes=4)
LAG_BAD = timedelta(minutes=15)

_migrated = False


def migrations_applied() -> bool:
    """Whether the database has all migrations of this code. Once it has, this process does not ask again."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def tick_age() -> timedelta | None:
    """Time since the last tick of the worker; None when there was none yet."""
    last = queue.last_beat()
    return None if last is None else max(clock.now() - last, timedelta(0))


def lag() -> timedelta:
    """How long the row that has waited longest is over its time, over all kinds of work."""
    times = [oldest for model in due.all_models() if (oldest := due.oldest_due(model))]
    return clock.now() - min(times) if times else timedelta(0)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when this process lives and the database answers, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except Error:
        return JsonResponse({"status": "down", "database": "does not answer"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database is migrated, the worker ticks, and nothing has waited too long; else 503 and which."""
    try:
        if not migrations_applied():
            return JsonResponse({"status": "not ready", "problems": ["migrations are missing"]}, status=503)
        age, late = tick_age(), lag()
    except Error:
        return JsonResponse({"status": "not ready", "problems": ["the database does not answer"]}, status=503)
    problems = []
    if age is None or age > TICK_STALE:
        problems.append("the worker does not tick")
    if late > LAG_BAD:
        problems.append("work has waited too long")
    return JsonResponse(
        {
            "status": "not ready" if problems else "ok",
            "problems": problems,
            "tick_age_seconds": None if age is None else int(age.total_seconds()),
            "oldest_due_seconds": int(late.total_seconds()),
        },
        status=503 if problems else 200,
    )
