"""
Dealing with gateways: send an attempt out, and ask when nobody calls. Callbacks are in `inbox`.

Every network call stands between two transactions: the intent is committed before it, the answer
after it. A call whose outcome is not known leaves the attempt to the janitor, never to FAILED.

source: docs/adr on gateways | money.md §5 | reliability.md R8, R10
"""

import time
from datetime import datetime, timedelta
from typing import overload

import structlog
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from crm_billing import crash
from wallet import cases, gateways
from wallet.facts import SETTLING_IN, Settled, settle
from wallet.gateways.base import (
    ClientAction,
    Gateway,
    GatewayFact,
    GatewayRefused,
    GatewayUnknown,
    PaymentOrder,
    PaymentStatus,
)
from wallet.inbox import Received, process, process_received, receive
from wallet.models import Case, PaymentAttempt, TopUp

__all__ = [
    "Received",
    "Settled",
    "ask",
    "process",
    "process_received",
    "receive",
    "resolve_open",
    "settle",
    "submit",
]

State = PaymentAttempt.State

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)
PATIENCE = timedelta(hours=24)
WAITING = (State.SUBMITTED, State.PENDING, State.UNKNOWN)

log = structlog.get_logger(__name__)


# Sending


def submit(*, attempt_id: int, at: datetime) -> PaymentAttempt:
    """
    Send a new attempt to its gateway, once, and return it as it is afterwards.

    PENDING with a client action, FAILED by a definite no, or UNKNOWN until the janitor has asked.
    An attempt that was sent before, or whose top-up is no longer open, is returned untouched.
    Must not be called inside a transaction.

    raises UnknownGateway: it was switched off; nothing was sent.
    """
    attempt = PaymentAttempt.objects.select_related("topup__customer").get(pk=attempt_id)
    gateway = gateways.get(attempt.gateway)
    with transaction.atomic(durable=True):
        attempt = _lock(attempt_id)
        if attempt.state != State.CREATED or not attempt.topup.is_open:
            return attempt
        attempt.state, attempt.submitted_at = State.SUBMITTED, at
        attempt.next_query_at = at + SETTLING_IN
        attempt.save(update_fields=["state", "submitted_at", "next_query_at"])
    crash.point("submit_after_intent")
    return _send(attempt, gateway, at=at)


def _send(attempt: PaymentAttempt, gateway: Gateway, *, at: datetime) -> PaymentAttempt:
    """
    Open the order at the gateway and record the answer; the same number again is the same order.
    """
    action, state, failure = None, State.PENDING, ""
    try:
        action = gateway.create(_order(attempt), at=at)
    except GatewayRefused as refusal:
        state, failure = State.FAILED, str(refusal)[:300]
    except GatewayUnknown as doubt:
        state, failure = State.UNKNOWN, str(doubt)[:300]
    crash.point("submit_after_call")
    log.info("payment.sent", number=attempt.number, state=str(state), failure=failure)
    return _record(attempt.pk, action=action, state=state, failure=failure, at=at)


@transaction.atomic
def _record(
    attempt_id: int, *, action: ClientAction | None, state: str, failure: str, at: datetime
) -> PaymentAttempt:
    attempt = _lock(attempt_id)
    if attempt.state not in (State.SUBMITTED, State.UNKNOWN, State.PENDING):
        return attempt  # a callback was faster
    if state == State.PENDING and action is not None:
        attempt.client_action = action.as_json()
        attempt.external_id = attempt.external_id or action.external_id
        if attempt.topup.state == TopUp.State.CREATED:
            attempt.topup.state = TopUp.State.PENDING
            attempt.topup.save(update_fields=["state"])
    attempt.state, attempt.failure = state, failure
    attempt.next_query_at = at + _pause(attempt.queries)
    if state == State.FAILED:
        attempt.finished_at, attempt.next_query_at = at, None
    attempt.save(
        update_fields=[
            "state",
            "client_action",
            "external_id",
            "failure",
            "finished_at",
            "next_query_at",
        ]
    )
    return attempt


def _order(attempt: PaymentAttempt) -> PaymentOrder:
    topup = attempt.topup
    with translation.override(topup.customer.locale):
        subject = _("%(brand)s top-up %(number)s") % {
            "brand": settings.BRAND_NAME,
            "number": topup.number,
        }
    callback = reverse("wallet:gateway-callback", args=[attempt.gateway])
    back = reverse("wallet:topup-return", args=[topup.number])
    return PaymentOrder(
        number=attempt.number,
        amount=attempt.amount,
        subject=subject,
        notify_url=f"{settings.SITE_URL}{callback}",
        return_url=f"{settings.SITE_URL}{back}",
        expires_at=topup.expires_at,
        locale=topup.customer.locale,
    )


# Asking


def ask(*, attempt_id: int, at: datetime) -> PaymentAttempt:
    """
    Ask the gateway about an attempt now, act on the answer, and return the attempt.

    While its top-up is open the order is queried, and opened again where it never arrived.
    Afterwards it is closed at the gateway; if it turns out paid, it is credited.
    Must not be called inside a transaction.

    raises UnknownGateway: it was switched off.
    """
    attempt = _claim(attempt_id, at=at, due_only=False)
    return _asked(attempt, at=at) if attempt else PaymentAttempt.objects.get(pk=attempt_id)


def resolve_open(*, at: datetime, limit: int = 100, seconds: float = 120) -> int:
    """
    Ask about every attempt that is due, oldest first; return how many were asked.

    Each waits longer than the last time, 10 s to an hour; after a day without an answer it
    becomes a case. Several janitors may run at once.

    seconds: begin no new call after that long, the next sweep goes on.
    """
    started, asked = time.monotonic(), 0
    due = PaymentAttempt.objects.unresolved().filter(next_query_at__lte=at)
    for attempt_id in list(due.order_by("next_query_at").values_list("pk", flat=True)[:limit]):
        if time.monotonic() - started > seconds:
            break
        try:
            if attempt := _claim(attempt_id, at=at, due_only=True):
                asked += 1
                _asked(attempt, at=at)
        except Exception:
            # One attempt that cannot be resolved must not keep the others from it.
            log.exception("payment.not_resolved", attempt_id=attempt_id)
    return asked


@transaction.atomic(durable=True)
def _claim(attempt_id: int, *, at: datetime, due_only: bool) -> PaymentAttempt | None:
    """
    Put off the next question and return the attempt; None when there is nothing to ask.
    """
    attempt = _lock(attempt_id, skip_locked=due_only)
    if attempt is None or attempt.state in (State.CREATED, State.SUCCEEDED):
        return None
    waits = attempt.state in WAITING
    if due_only and not (waits and attempt.next_query_at and attempt.next_query_at <= at):
        return None
    attempt.queries += 1
    attempt.next_query_at = at + _pause(attempt.queries) if waits else None
    attempt.save(update_fields=["queries", "next_query_at"])
    return attempt


def _asked(attempt: PaymentAttempt, *, at: datetime) -> PaymentAttempt:
    gateway = gateways.get(attempt.gateway)
    fact = _answer(attempt, gateway, at=at)
    if fact is None:
        _note_silence(attempt, at=at)
    else:
        settle(fact, at=at, learned_by="QUERY")
        if _must_send_again(attempt, fact, at=at):
            return _send(attempt, gateway, at=at)
    return PaymentAttempt.objects.select_related("topup").get(pk=attempt.pk)


def _answer(attempt: PaymentAttempt, gateway: Gateway, *, at: datetime) -> GatewayFact | None:
    """
    Return what the gateway says, None when there is no answer to believe.
    """
    waits = attempt.state in WAITING
    question = gateway.close if waits and not attempt.topup.is_open else gateway.query
    try:
        return question(_order(attempt), at=at)
    except (GatewayUnknown, GatewayRefused) as doubt:
        log.warning("payment.no_answer", number=attempt.number, reason=str(doubt))
        return None


def _must_send_again(attempt: PaymentAttempt, fact: GatewayFact, *, at: datetime) -> bool:
    """
    Tell whether the order never arrived, or its cashier page was lost on the way back.
    """
    if attempt.state not in WAITING:
        return False
    if not attempt.topup.is_open or attempt.topup.expires_at <= at:
        return False
    sent_at = attempt.submitted_at or attempt.created_at
    if attempt.state == State.SUBMITTED and at - sent_at < SETTLING_IN:
        return False  # another process may be sending it right now
    if fact.status is PaymentStatus.NOT_FOUND:
        return True
    return fact.status is PaymentStatus.PENDING and not attempt.client_action


def _note_silence(attempt: PaymentAttempt, *, at: datetime) -> None:
    """
    Admit that nobody knows; after a day of silence put the attempt before people.
    """
    if attempt.state not in WAITING:
        return
    silent_for = at - (attempt.submitted_at or attempt.created_at)
    with transaction.atomic():
        known = PaymentAttempt.objects.filter(pk=attempt.pk)
        if silent_for >= SETTLING_IN:
            known.filter(state=State.SUBMITTED).update(state=State.UNKNOWN)
        if silent_for >= PATIENCE:
            known.unresolved().update(next_query_at=None)
            cases.open_once(
                kind=Case.Kind.UNRESOLVED,
                key=attempt.number,
                at=at,
                customer=attempt.topup.customer,
                attempt=attempt,
                facts={"number": attempt.number, "gateway": attempt.gateway},
            )


@overload
def _lock(attempt_id: int) -> PaymentAttempt: ...
@overload
def _lock(attempt_id: int, *, skip_locked: bool) -> PaymentAttempt | None: ...
def _lock(attempt_id: int, *, skip_locked: bool = False) -> PaymentAttempt | None:
    """
    Lock a top-up and its attempt; with `skip_locked`, None when somebody else is at it.
    """
    topups = TopUp.objects.select_related("customer").select_for_update(
        of=["self"], no_key=True, skip_locked=skip_locked
    )
    topup = topups.filter(attempts=attempt_id).first()
    if topup is None:
        return None
    attempt = PaymentAttempt.objects.select_for_update(no_key=True).get(pk=attempt_id)
    attempt.topup = topup
    return attempt


def _pause(queries: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** min(queries, 12), LONGEST_PAUSE)
