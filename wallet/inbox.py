"""
The inbox of callbacks: verified, kept raw, then acted on. Only then is the gateway answered.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from crm_billing import crash
from crm_billing.logs import redact_text
from wallet import cases, gateways, queries
from wallet.facts import settle
from wallet.gateways.base import Acknowledgement, GatewayFact
from wallet.models import Case, GatewayCallback

Outcome = GatewayCallback.Outcome

GRAVITY: list[str] = [Outcome.REPEATED, Outcome.NOTED, Outcome.CREDITED, Outcome.CASE]

# Tries at 0, 30, 90 and 210 s; people are told at 450 s, well before I9 calls it unprocessed.
FIRST_PAUSE = timedelta(seconds=30)
TRIES = 4
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """
    What became of a callback, and what to answer.
    """

    outcome: str
    acknowledgement: Acknowledgement
    callback: GatewayCallback


def receive(*, gateway: str, body: bytes, headers: Mapping[str, str], at: datetime) -> Received:
    """
    Take in one callback: verify, keep it, act on it; the same body again changes nothing.

    A callback we cannot act on now is kept, answered as not accepted, and acted on by
    `process_received`. Must not be called inside a transaction.

    raises UnknownGateway: nobody by this name.
    raises BadCallback: it must not be believed; nothing was written.
    """
    provider = gateways.get(gateway)
    facts = provider.parse_callback(body=body, headers=headers, at=at)
    callback = _keep(gateway, body, headers, at)
    crash.point("after_callback_stored")
    if callback.outcome == Outcome.RECEIVED:
        _act(callback, facts, at=at)
        crash.point("after_commit_before_answer")
    known = callback.outcome != Outcome.RECEIVED
    return Received(callback.outcome, provider.acknowledgement(ok=known), callback)


def process(*, callback_id: int, at: datetime) -> str:
    """
    Act on a kept callback once more, also on one that was given up; return its outcome.

    raises UnknownGateway: its gateway was switched off.
    """
    # Counted first: a message that takes its worker down must not do so for ever.
    GatewayCallback.objects.filter(pk=callback_id).update(attempts=F("attempts") + 1)
    callback = GatewayCallback.objects.get(pk=callback_id)
    if callback.outcome in (Outcome.RECEIVED, Outcome.CASE):
        # Verified as of the moment it came: by now its timestamp would be stale.
        facts = gateways.get(callback.gateway).parse_callback(
            body=bytes(callback.body), headers=callback.headers, at=callback.received_at
        )
        _act(callback, facts, at=at)
    return callback.outcome


def process_received(*, at: datetime, limit: int = 100) -> int:
    """
    Act on the callbacks that were kept but not finished; return how many came to an end.

    The pauses double; what still fails after TRIES becomes a case. While all money writes are
    stopped nothing is tried.
    """
    if queries.money_is_frozen():
        return 0
    done = 0
    for callback in list(_due(at)[:limit]):
        try:
            if callback.attempts >= TRIES:
                _give_up(callback, at=at)
                done += 1
            else:
                done += process(callback_id=callback.pk, at=at) != Outcome.RECEIVED
        except Exception as error:
            log.exception("callback.not_processed", callback_id=callback.pk)
            _note(callback, error)
    return done


def _keep(gateway: str, body: bytes, headers: Mapping[str, str], at: datetime) -> GatewayCallback:
    """
    Write the callback down in a transaction of its own, or count one more copy of it.
    """
    kept = {
        name.lower(): str(value)
        for name, value in headers.items()
        if name.lower() not in SECRET_HEADERS
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO wallet_gatewaycallback
                (gateway, body, headers, body_sha256, received_at, times, outcome, attempts,
                 last_error)
            VALUES (%s, %s, %s::jsonb, %s, %s, 1, 'RECEIVED', 1, '')
            ON CONFLICT (gateway, body_sha256)
                DO UPDATE SET times = wallet_gatewaycallback.times + 1
            RETURNING id
            """,
            [gateway, body, json.dumps(kept), hashlib.sha256(body).hexdigest(), at],
        )
        [callback_id] = cursor.fetchone()
    return GatewayCallback.objects.get(pk=callback_id)


def _act(callback: GatewayCallback, facts: Sequence[GatewayFact], *, at: datetime) -> None:
    """
    Settle each fact; the callback keeps the gravest outcome, or the error.
    """
    try:
        outcomes = [settle(fact, at=at, learned_by="CALLBACK", callback=callback) for fact in facts]
    except Exception as error:
        log.exception("callback.not_processed", callback_id=callback.pk)
        _note(callback, error)
        return
    gravest = max((one.outcome for one in outcomes), key=GRAVITY.index, default=Outcome.NOTED)
    if len(facts) != 1:
        GatewayCallback.objects.filter(pk=callback.pk).update(outcome=gravest)
    callback.outcome = gravest


def _note(callback: GatewayCallback, error: Exception) -> None:
    reason = redact_text(f"{type(error).__name__}: {error}").replace("\x00", "")[:300]
    GatewayCallback.objects.filter(pk=callback.pk).update(last_error=reason)


def _due(at: datetime) -> QuerySet[GatewayCallback]:
    # At least TRIES: somebody may have tried by hand meanwhile.
    turn = Q(attempts__gte=TRIES, received_at__lte=at - FIRST_PAUSE * (2**TRIES - 1))
    for tried in range(1, TRIES):
        turn |= Q(attempts=tried, received_at__lte=at - FIRST_PAUSE * (2**tried - 1))
    waiting = GatewayCallback.objects.filter(turn, outcome=Outcome.RECEIVED)
    return waiting.order_by("received_at", "pk")


@transaction.atomic
def _give_up(callback: GatewayCallback, *, at: datetime) -> None:
    GatewayCallback.objects.filter(pk=callback.pk).update(outcome=Outcome.CASE)
    cases.open_once(
        kind=Case.Kind.UNPROCESSED,
        key=str(callback.pk),
        at=at,
        attempt=callback.attempt,
        callback=callback,
        facts={"gateway": callback.gateway, "callback": callback.pk, "error": callback.last_error},
    )
