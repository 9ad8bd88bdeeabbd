"""
One request, one effect: repeating a request returns the first answer (R6).

The key is inserted in the transaction of the effect, so both commit or neither does. A twin that
comes meanwhile waits on the unique index and then replays. The durable guard stays the unique
reference of what is written; this one spares the caller from knowing it.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext

from crm_billing.errors import DomainError
from crm_billing.models import IdempotencyKey
from crm_billing.transactions import retried

# 96: with any prefix of ours a key still fits the references made from it
_KEY = re.compile(r"[\x21-\x7e]{1,96}")


class IdempotencyConflict(DomainError):
    """
    The key was used before for another request.
    """

    code = "idempotency_conflict"


class BadIdempotencyKey(DomainError):
    """
    The key is not 1 to 96 plain characters without blanks.
    """

    code = "bad_idempotency_key"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What to tell the caller; `replayed` when it was told before.
    """

    status: int
    body: Any
    replayed: bool


def fingerprint(*, method: str, path: str, body: Any) -> str:
    """
    Return what two requests must share to be the same request.

    body: parsed JSON (the order of its keys does not matter), text or bytes.
    """
    if isinstance(body, bytes):
        canonical = body
    else:
        canonical = json.dumps(
            body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        ).encode()
    digest = hashlib.sha256()
    for part in (method.upper().encode(), path.encode(), canonical):
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


@retried
def run(
    *,
    scope: str,
    key: str,
    fingerprint: str,
    at: datetime,
    act: Callable[[], tuple[int, Any]],
    refusal: Callable[[DomainError], tuple[int, Any]] | None = None,
) -> Answer:
    """
    Call `act` once per scope and key, in one transaction with the memory of its answer.

    act: does the work and returns status and JSON body.
    refusal: turns a DomainError raised by `act` into the answer to keep, after undoing `act`'s
        writes; without it the error passes through and nothing is kept.
    An answer of 500 or more, and any other exception, undoes everything: the caller may try the
    same key again. A lost race is tried again here, `act` included, at most three times in all.

    raises IdempotencyConflict: the key was used for another request.
    raises BadIdempotencyKey: the key is empty, too long or not plain ASCII.
    """
    with transaction.atomic():
        if answer := once(scope=scope, key=key, fingerprint=fingerprint, at=at):
            return answer
        status, body = _act(act, refusal)
        if status >= 500:
            transaction.set_rollback(True)
        else:
            finish(scope=scope, key=key, status=status, body=body, at=at)
    return Answer(status=status, body=body, replayed=False)


def replay(*, scope: str, key: str, fingerprint: str) -> Answer | None:
    """
    Return the answer given before, without taking the key: for work whose effect cannot be one
    transaction, like a call to a gateway, and which guards itself.

    raises IdempotencyConflict, BadIdempotencyKey: as `run`.
    """
    _require_key(key)
    known = IdempotencyKey.objects.filter(scope=scope, key=key).first()
    if known is None or known.status is None:
        return None
    if known.fingerprint != fingerprint:
        raise IdempotencyConflict(
            gettext("This idempotency key was already used for another request."), key=key
        )
    return Answer(status=known.status, body=known.body, replayed=True)


def once(*, scope: str, key: str, fingerprint: str, at: datetime) -> Answer | None:
    """
    Take the key, or return the answer given before; waits for a twin that is at work.

    Call it inside the transaction of the effect, and `finish` before that commits.

    raises IdempotencyConflict, BadIdempotencyKey: as `run`.
    """
    _require_key(key)
    while not _taken(scope=scope, key=key, fingerprint=fingerprint, at=at):
        known = IdempotencyKey.objects.filter(scope=scope, key=key).first()
        if known is None:  # purged between our two statements
            continue
        if known.fingerprint != fingerprint:
            raise IdempotencyConflict(
                gettext("This idempotency key was already used for another request."), key=key
            )
        if known.status is None:  # taken earlier in this very transaction
            raise RuntimeError(f"{key} is still being answered")
        return Answer(status=known.status, body=known.body, replayed=True)
    return None


def _require_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise BadIdempotencyKey(
            gettext("An idempotency key is 1 to 96 plain characters without blanks.")
        )


def finish(*, scope: str, key: str, status: int, body: Any, at: datetime) -> None:
    """
    Keep the answer for every repetition.

    body: JSON; None is kept as an empty object.
    """
    answer = {} if body is None else body
    IdempotencyKey.objects.filter(scope=scope, key=key, finished_at=None).update(
        status=status, body=answer, finished_at=at
    )


def purge(before: datetime) -> int:
    """
    Forget the answers of requests first made before `before`; return how many.
    """
    count, _ = IdempotencyKey.objects.filter(created_at__lt=before).delete()
    return count


def _taken(*, scope: str, key: str, fingerprint: str, at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_billing_idempotencykey (scope, key, fingerprint, created_at)
            VALUES (%s, %s, %s, %s)
            ON CONFLICT (scope, key) DO NOTHING
            """,
            [scope, key, fingerprint, at],
        )
        return cursor.rowcount == 1


def _act(
    act: Callable[[], tuple[int, Any]],
    refusal: Callable[[DomainError], tuple[int, Any]] | None,
) -> tuple[int, Any]:
    try:
        with transaction.atomic():
            return act()
    except DomainError as error:
        if refusal is None:
            raise
        return refusal(error)
