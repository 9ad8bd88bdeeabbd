"""
What gateways say, compared with what was ordered: it becomes credit, a case, or a note.

Nothing else may turn a payment into credit. A fact is authenticated before it comes here.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts import customers
from crm_billing import crash, outbox
from crm_billing.money import plain, to_minor
from crm_billing.transactions import money_transaction
from wallet import cases, chart, events, gateways, lots, receipts
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import (
    Case,
    GatewayCallback,
    GatewayPayment,
    JournalEntry,
    Lot,
    PaymentAttempt,
    TopUp,
)

State = PaymentAttempt.State
Outcome = GatewayCallback.Outcome

# Until then a create call may still be on its way, and "no such order" means nothing.
SETTLING_IN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Settled:
    """
    What became of a fact. `attempt` is None for a number we never gave out.
    """

    outcome: str
    attempt: PaymentAttempt | None = None
    payment: GatewayPayment | None = None


@money_transaction
def settle(
    fact: GatewayFact, *, at: datetime, learned_by: str, callback: GatewayCallback | None = None
) -> Settled:
    """
    Act on an authenticated fact: credit what fits, open a case for what does not, once.

    A verified payment is money, so it is credited even when the top-up has expired or was
    cancelled and even when the customer is frozen.

    learned_by: CALLBACK or QUERY. callback: its outcome is recorded in the same transaction.
    raises MoneyFrozen: the books do not prove; the fact must be brought again later.
    """
    if fact.status is PaymentStatus.PAID:
        settled = _settle_payment(fact, at=at, learned_by=learned_by, callback=callback)
    else:
        settled = _settle_news(fact, at=at)
    if callback is not None:
        _record_outcome(callback, settled)
    return settled


def _record_outcome(callback: GatewayCallback, settled: Settled) -> None:
    # A twin that comes second must not hide what the first one did.
    weaker = [Outcome.RECEIVED]
    if settled.outcome != Outcome.REPEATED:
        weaker.append(Outcome.CASE)
    GatewayCallback.objects.filter(pk=callback.pk, outcome__in=weaker).update(
        outcome=settled.outcome, attempt=settled.attempt, last_error=""
    )


def _settle_payment(
    fact: GatewayFact, *, at: datetime, learned_by: str, callback: GatewayCallback | None
) -> Settled:
    if not (fact.external_id and fact.amount and fact.paid_at):
        raise ValueError(f"a PAID fact of {fact.gateway} lacks its number, amount or time")
    attempt = _lock(fact.number)
    payment, new = GatewayPayment.objects.get_or_create(
        gateway=fact.gateway,
        external_id=fact.external_id,
        defaults={
            "attempt": attempt,
            "topup": attempt.topup if attempt else None,
            "number": fact.number,
            "merchant_id": fact.merchant_id,
            "amount": fact.amount,
            "paid_at": fact.paid_at,
            "received_at": at,
            "learned_by": learned_by,
        },
    )
    if not new and not _contradicts(payment, fact):
        if attempt is not None and payment.entry_id is None:
            _leave_to_people(attempt)
        return Settled(Outcome.REPEATED, attempt, payment)
    problem = Case.Kind.CONTRADICTION if not new else attempt and _problem(payment, attempt)
    if attempt is not None and problem is None:
        _credit(attempt, payment, at=at)
        return Settled(Outcome.CREDITED, attempt, payment)
    _put_before_people(
        problem or Case.Kind.UNKNOWN_NUMBER,
        fact=fact,
        attempt=attempt,
        payment=payment,
        callback=callback,
        at=at,
    )
    return Settled(Outcome.CASE, attempt, payment)


def _lock(number: str) -> PaymentAttempt | None:
    """
    Lock customer, top-up and attempt, in this order; None when the number is not ours.
    """
    found = PaymentAttempt.objects.select_related("topup").filter(number=number).first()
    if found is None:
        return None
    customer = customers.lock(found.topup.customer_id)
    topup = TopUp.objects.select_for_update(no_key=True).get(pk=found.topup_id)
    topup.customer = customer
    attempt = PaymentAttempt.objects.select_for_update(no_key=True).get(pk=found.pk)
    attempt.topup = topup
    return attempt


def _contradicts(payment: GatewayPayment, fact: GatewayFact) -> bool:
    """
    Tell whether the gateway now says something else about a payment it told us of before.
    """
    before = (payment.number, payment.merchant_id, payment.amount)
    return before != (fact.number, fact.merchant_id, fact.amount)


def _problem(payment: GatewayPayment, attempt: PaymentAttempt) -> str | None:
    """
    Compare what was paid with what was ordered; None when all of it agrees.
    """
    kind = Case.Kind
    if payment.gateway != attempt.gateway:
        return kind.GATEWAY_MISMATCH
    if payment.merchant_id != gateways.get(payment.gateway).merchant_id:
        return kind.MERCHANT_MISMATCH
    if payment.amount.currency != attempt.amount.currency:
        return kind.CURRENCY_MISMATCH
    if to_minor(payment.amount) != to_minor(attempt.amount):
        return kind.AMOUNT_MISMATCH
    if attempt.topup.state == TopUp.State.PAID:
        return kind.SURPLUS
    return None


def _credit(attempt: PaymentAttempt, payment: GatewayPayment, *, at: datetime) -> None:
    topup, customer = attempt.topup, attempt.topup.customer
    currency = payment.amount.currency.code
    crash.point("in_tx_before_post")
    lot = lots.grant(
        customer=customer,
        amount=payment.amount,
        kind=Lot.Kind.PRINCIPAL,
        origin=Lot.Origin.TOP_UP,
        reference=f"topup:{attempt.number}",
        at=at,
        refundable=True,
        source=chart.system("CLEARING", currency, payment.gateway),
        entry_kind=JournalEntry.Kind.TOP_UP,
        policy_id=topup.policy_id,
    )
    if topup.promised_bonus:
        days = topup.promised_bonus_days
        lots.grant(
            customer=customer,
            amount=topup.promised_bonus,
            kind=Lot.Kind.BONUS,
            origin=Lot.Origin.PROMOTION,
            reference=f"topup-bonus:{attempt.number}",
            at=at,
            expires_at=None if days is None else at + timedelta(days=days),
            policy_id=topup.policy_id,
        )
    crash.point("in_tx_after_post")
    topup.state, topup.paid_at, topup.entry = TopUp.State.PAID, payment.paid_at, lot.entry
    topup.save(update_fields=["state", "paid_at", "entry"])
    _succeed(attempt, payment, at=at)
    payment.entry = lot.entry
    payment.save(update_fields=["entry"])
    # Another attempt of the same top-up must not be paid as well: what was never sent ends here,
    # what the gateway knows of is closed there by the janitor.
    topup.attempts.filter(state=State.CREATED).update(state=State.CLOSED, finished_at=at)
    topup.attempts.unresolved().update(next_query_at=at)
    receipt = receipts.issue(topup=topup, payment=payment, at=at)
    outbox.put(
        topic="receipt.issued", key=receipt.number, payload={"receipt_id": receipt.pk}, at=at
    )
    customer_id = customer.pk
    transaction.on_commit(
        lambda: events.funds_arrived.send_robust(sender=None, customer_id=customer_id), robust=True
    )


def _succeed(attempt: PaymentAttempt, payment: GatewayPayment, *, at: datetime) -> None:
    if attempt.state == State.SUCCEEDED:
        return
    if attempt.state == State.CREATED:
        # Its sending was lost to us, yet the gateway was paid: it must have been sent.
        PaymentAttempt.objects.filter(pk=attempt.pk).update(state=State.SUBMITTED, submitted_at=at)
    attempt.state, attempt.finished_at, attempt.next_query_at = State.SUCCEEDED, at, None
    attempt.external_id, attempt.failure = payment.external_id, ""
    attempt.save(update_fields=["state", "finished_at", "next_query_at", "external_id", "failure"])


def _put_before_people(
    kind: str,
    *,
    fact: GatewayFact,
    attempt: PaymentAttempt | None,
    payment: GatewayPayment,
    callback: GatewayCallback | None,
    at: datetime,
) -> None:
    said = _said(fact)
    key = f"{fact.gateway}:{fact.external_id}"
    if kind == Case.Kind.CONTRADICTION:
        key += ":" + hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()[:16]
    facts: dict[str, Any] = {"said": said}
    if attempt is not None:
        facts["ordered"] = {
            "number": attempt.number,
            "gateway": attempt.gateway,
            "amount": plain(attempt.amount),
            "currency": attempt.amount.currency.code,
            "topup": attempt.topup.number,
            "topup_state": attempt.topup.state,
        }
        if kind == Case.Kind.SURPLUS:
            _succeed(attempt, payment, at=at)
        else:
            _leave_to_people(attempt)
    cases.open_once(
        kind=kind,
        key=key,
        at=at,
        customer=attempt.topup.customer if attempt else None,
        attempt=attempt,
        payment=payment,
        callback=callback,
        facts=facts,
    )


def _leave_to_people(attempt: PaymentAttempt) -> None:
    # Asking the gateway again would teach us nothing.
    PaymentAttempt.objects.filter(pk=attempt.pk).update(next_query_at=None)


def _said(fact: GatewayFact) -> dict[str, str]:
    return {
        "gateway": fact.gateway,
        "merchant_id": fact.merchant_id,
        "number": fact.number,
        "external_id": fact.external_id,
        "amount": plain(fact.amount) if fact.amount else "",
        "currency": fact.amount.currency.code if fact.amount else "",
        "paid_at": fact.paid_at.isoformat() if fact.paid_at else "",
    }


def _settle_news(fact: GatewayFact, *, at: datetime) -> Settled:
    """
    Note on the attempt that it is open, failed, closed or unknown at the gateway.

    Only an attempt we still wait for listens; it never un-pays one that succeeded.
    """
    attempt = _lock(fact.number)
    if attempt is None or attempt.gateway != fact.gateway:
        return Settled(Outcome.NOTED)
    state = _state_after(attempt, fact.status, at)
    if state is None:
        return Settled(Outcome.NOTED, attempt)
    attempt.state = state
    if state == State.PENDING:
        _await_payment(attempt.topup)
    else:
        attempt.finished_at, attempt.next_query_at = at, None
        attempt.failure = str(fact.raw.get("failure", "") or fact.status)[:300]
    attempt.save(update_fields=["state", "finished_at", "next_query_at", "failure"])
    return Settled(Outcome.NOTED, attempt)


def _state_after(attempt: PaymentAttempt, said: PaymentStatus, at: datetime) -> str | None:
    """
    Return the state an attempt takes on hearing this, None to leave it as it is.
    """
    if attempt.state not in (State.SUBMITTED, State.PENDING, State.UNKNOWN):
        return None
    over = State.FAILED if attempt.state == State.SUBMITTED else State.CLOSED
    match said:
        case PaymentStatus.PENDING:
            waiting = attempt.state != State.PENDING and attempt.client_action
            return State.PENDING if waiting else None
        case PaymentStatus.FAILED:
            return State.FAILED
        case PaymentStatus.CLOSED:
            return over
        case PaymentStatus.NOT_FOUND:
            sent_at = attempt.submitted_at
            if attempt.topup.is_open or (sent_at and at - sent_at < SETTLING_IN):
                return None
            return over
    return None


def _await_payment(topup: TopUp) -> None:
    if topup.state == TopUp.State.CREATED:
        topup.state = TopUp.State.PENDING
        topup.save(update_fields=["state"])
