"""
Who changed a row and where: what pghistory keeps beside every version of a tracked row.

pghistory's own middleware puts two statements in one, which server-side binding refuses;
this says the same in a statement of its own, and only before writes to tracked tables.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from uuid import uuid4

from django.apps import apps
from django.db import connection, transaction

_WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)


def who_and_where(get_response):
    """
    Note the person and the path of the request beside each tracked change it makes.
    """

    def middleware(request):
        def facts() -> dict:
            key = getattr(request, "auth", None)
            return {
                "user": request.user.pk,
                "url": request.path,
                "request_id": getattr(request, "request_id", ""),
            } | ({"api_key": str(key)} if key else {})

        with noting(facts):
            return get_response(request)

    return middleware


@contextmanager
def noting(facts: Callable[[], dict]) -> Iterator[None]:
    """
    Keep `facts()` beside every tracked change made inside.

    facts: asked at each change, so that it may name a person who has just signed in.
    """
    context_id = str(uuid4())

    def note(execute, sql, params, many, context):
        write = _WRITE.match(sql) if isinstance(sql, str) else None
        if write is None or write[1] not in _tracked_tables():
            return execute(sql, params, many, context)
        alone = nullcontext() if connection.in_atomic_block else transaction.atomic()
        with alone, connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('pghistory.context_id', %s, true),"
                " set_config('pghistory.context_metadata', %s, true)",
                [context_id, json.dumps(facts())],
            )
            return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield


@cache
def _tracked_tables() -> frozenset[str]:
    tracked = (getattr(model, "pgh_tracked_model", None) for model in apps.get_models())
    return frozenset(model._meta.db_table for model in tracked if model)
