"""
Clockwork: each task reads the clock and makes one call that does what is due, idempotently.
"""

from celery import shared_task
from django.db import InterfaceError, InternalError, OperationalError
from django.utils import timezone

from wallet import expiring, freezes, holds, lots, payments, seal, topups

LOST_CONNECTION = (OperationalError, InterfaceError, InternalError)


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def release_expired_holds() -> None:
    holds.release_expired(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def expire_lots() -> None:
    lots.expire(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def remind_of_expiry() -> None:
    expiring.prepare(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def seal_journal() -> None:
    seal.seal(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def check_books() -> None:
    # After a pause of the workers nothing is sealed yet; that is no reason to stop all money.
    seal.seal(at=timezone.now())
    freezes.check_books(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def verify_seal() -> None:
    freezes.verify_seal(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def resolve_open_attempts() -> None:
    payments.process_received(at=timezone.now())
    payments.resolve_open(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def expire_topups() -> None:
    topups.expire_due(at=timezone.now())
