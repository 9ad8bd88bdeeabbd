"""
Errands after commit: mails, documents, messages to other systems (R11).

`put` writes the errand in the transaction that causes it, so neither happens without the other.
A worker relays it at least once; a handler must bear being called twice.
"""

import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from crm_billing.logs import redact_text
from crm_billing.models import Outbox

Handler = Callable[..., None]

LEASE = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)

log = structlog.get_logger(__name__)
_handlers: dict[str, Handler] = {}


@dataclass(frozen=True, slots=True)
class Relayed:
    """
    What one relay did.
    """

    sent: int = 0
    failed: int = 0
    parked: int = 0


def handles(topic: str) -> Callable[[Handler], Handler]:
    """
    Register the decorated function to run the errands of `topic`.

    It is called as `handler(payload, at=...)`, in a worker, outside any transaction of ours. An
    exception means "again later". Register where `AppConfig.ready` imports it.
    """

    def register(handler: Handler) -> Handler:
        known = _handlers.get(topic)
        if known is not None and known.__qualname__ != handler.__qualname__:
            raise ValueError(f"{topic} is handled by {known.__qualname__} already")
        _handlers[topic] = handler
        return handler

    return register


def put(*, topic: str, key: str, payload: dict[str, Any], at: datetime) -> bool:
    """
    Write an errand down, to be run once this transaction commits; return whether it is new.

    The same topic and key again change nothing. A worker is told after commit; should that get
    lost, the next sweep finds the errand.

    payload: ids and plain values, nothing secret: it is kept and shown to staff.
    """
    return put_many(topic=topic, errands={key: payload}, at=at) == 1


def put_many(*, topic: str, errands: Mapping[str, dict[str, Any]], at: datetime) -> int:
    """
    Write many errands of a topic down in one statement, as `put` does; return how many are new.

    errands: key -> payload.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_billing_outbox
                (topic, key, payload, created_at, next_try_at, attempts, last_error)
            SELECT %s, e.key, e.value::jsonb, %s, %s, 0, ''
            FROM json_each(%s::json) AS e
            ON CONFLICT (topic, key) DO NOTHING
            """,
            [
                topic,
                at,
                at,
                json.dumps(errands, allow_nan=False),
            ],
        )
        new = cursor.rowcount
    if new:
        _hint_after_commit()
    return new


def relay(*, at: datetime, limit: int = 100, topics: Collection[str] | None = None) -> Relayed:
    """
    Run up to `limit` due errands, oldest first; several relays may run at once.

    Each is claimed with a lease in one statement, run outside any transaction, and marked. A
    failure is tried again with growing pauses and parked after OUTBOX_MAX_ATTEMPTS starts; a
    worker that dies is found by its expired lease. Errands nobody here handles stay untouched.

    at: the clock at the start; it advances with the work.
    """
    started = time.monotonic()
    wanted = [topic for topic in _handlers if topics is None or topic in topics]
    sent = failed = 0
    parked = _park_abandoned(at=at, topics=wanted)
    for _ in range(limit):
        now = at + timedelta(seconds=time.monotonic() - started)
        errand = _claim(at=now, topics=wanted)
        if errand is None:
            break
        structlog.contextvars.bind_contextvars(outbox_id=errand.pk, outbox_topic=errand.topic)
        try:
            _handlers[errand.topic](errand.payload, at=now)
        except SoftTimeLimitExceeded as error:
            _fail(errand, error, at=now)
            raise
        except Exception as error:
            gave_up = _fail(errand, error, at=now)
            failed, parked = failed + 1, parked + gave_up
        else:
            _mark_sent(errand, at=now)
            sent += 1
        finally:
            structlog.contextvars.unbind_contextvars("outbox_id", "outbox_topic")
    return Relayed(sent=sent, failed=failed, parked=parked)


def unpark(ids: Iterable[int], *, at: datetime) -> int:
    """
    Send parked errands on their way again, with a fresh count of attempts; return how many.
    """
    count = parked().filter(pk__in=list(ids)).update(parked_at=None, next_try_at=at, attempts=0)
    if count:
        _hint_after_commit()
    return count


def pending() -> QuerySet[Outbox]:
    """
    Errands that wait or are being run.
    """
    return Outbox.objects.filter(sent_at=None, parked_at=None)


def parked() -> QuerySet[Outbox]:
    """
    Errands that failed too often and wait for a person.
    """
    return Outbox.objects.filter(parked_at__isnull=False)


def _claim(*, at: datetime, topics: list[str]) -> Outbox | None:
    claimed = list(
        Outbox.objects.raw(
            """
            -- Materialized: a subquery the planner joins may run again and lease a second errand.
            WITH due AS MATERIALIZED (
                SELECT id FROM crm_billing_outbox
                WHERE sent_at IS NULL AND parked_at IS NULL
                    AND next_try_at <= %s
                    AND (leased_until IS NULL OR leased_until <= %s)
                    AND attempts < %s
                    AND topic = ANY(%s)
                ORDER BY next_try_at, id
                LIMIT 1
                FOR UPDATE SKIP LOCKED
            )
            UPDATE crm_billing_outbox AS errand
            SET leased_until = %s, attempts = errand.attempts + 1
            FROM due
            WHERE errand.id = due.id
            RETURNING errand.*
            """,
            [at, at, settings.OUTBOX_MAX_ATTEMPTS, topics, at + LEASE],
        )
    )
    return claimed[0] if claimed else None


def _mark_sent(errand: Outbox, *, at: datetime) -> None:
    # However long it took: the work is done, even if the lease has passed to another worker.
    pending().filter(pk=errand.pk).update(sent_at=at, leased_until=None, last_error="")


def _fail(errand: Outbox, error: BaseException, *, at: datetime) -> bool:
    """
    Put the errand off, or park it when its attempts are used up; return whether it was parked.
    """
    reason = redact_text(f"{type(error).__name__}: {error}")[:2000]
    give_up = errand.attempts >= settings.OUTBOX_MAX_ATTEMPTS
    outcome = {"parked_at": at} if give_up else {"next_try_at": at + _pause(errand.attempts)}
    # `attempts` fences: once another worker has claimed it, the errand is no longer ours to judge.
    ours = pending().filter(pk=errand.pk, attempts=errand.attempts)
    changed = ours.update(leased_until=None, last_error=reason.replace("\x00", ""), **outcome)
    log.error(
        "outbox.parked" if give_up else "outbox.failed",
        topic=errand.topic,
        key=errand.key,
        attempts=errand.attempts,
        exc_info=error,
    )
    return bool(give_up and changed)


def _park_abandoned(*, at: datetime, topics: list[str]) -> int:
    """
    Park errands whose last permitted start never came back: they take their worker down.
    """
    abandoned = Outbox.objects.raw(
        """
        UPDATE crm_billing_outbox
        SET parked_at = %s, leased_until = NULL, last_error = 'The worker died each time.'
        WHERE sent_at IS NULL AND parked_at IS NULL AND leased_until <= %s
            AND attempts >= %s AND topic = ANY(%s)
        RETURNING *
        """,
        [at, at, settings.OUTBOX_MAX_ATTEMPTS, topics],
    )
    count = 0
    for errand in abandoned:
        log.error("outbox.parked", topic=errand.topic, key=errand.key, attempts=errand.attempts)
        count += 1
    return count


def _pause(attempts: int) -> timedelta:
    """
    Return how long to wait after `attempts` starts: doubling, with jitter so a crowd spreads.
    """
    doubled = min(FIRST_PAUSE * 2 ** min(attempts - 1, 12), LONGEST_PAUSE)
    return doubled * random.uniform(0.5, 1)  # noqa: S311  jitter is no secret


def _hint_after_commit() -> None:
    """
    Wake a worker once this transaction commits; one hint serves all its errands.
    """
    savepoints = set(connection.savepoint_ids)
    for lives_in, *hook in connection.run_on_commit:
        if hook[0] is _hint and lives_in <= savepoints:
            return
    # Robust: a broker that is down must not fail what has been committed.
    transaction.on_commit(_hint, robust=True)


def _hint() -> None:
    current_app.send_task("crm_billing.tasks.relay_outbox", retry=False)
