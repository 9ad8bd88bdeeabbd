from collections.abc import Callable

import structlog
from celery import current_app
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = structlog.get_logger(__name__)


class NotReady(Exception):
    """
    Something this process needs is missing.
    """


@require_safe
@login_not_required
@never_cache
def livez(request: HttpRequest) -> JsonResponse:
    """
    Say that this process answers; ask nothing of its neighbours.
    """
    return JsonResponse({"status": "ok"})


@require_safe
@login_not_required
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """
    Say whether this process can serve: 200 when everything it needs answers, 503 otherwise.

    Strangers may read it, so it names what failed and the log says why.
    """
    checks = {name: _passes(name, check) for name, check in CHECKS.items()}
    ready = all(checks.values())
    return JsonResponse(
        {
            "status": "ok" if ready else "unavailable",
            "checks": {name: "ok" if passed else "failed" for name, passed in checks.items()},
        },
        status=200 if ready else 503,
    )


def check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_migrations() -> None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        raise NotReady(f"{len(plan)} migrations are not applied")


def check_cache() -> None:
    cache.set("readyz", "ok", timeout=10)
    if cache.get("readyz") != "ok":
        raise NotReady("the cache forgets")


def check_broker() -> None:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=3)


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "migrations": check_migrations,
    "cache": check_cache,
    "broker": check_broker,
}


def _passes(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:  # whatever it is, the answer is "not ready"
        log.exception("health.check_failed", check=name)
        return False
    return True
