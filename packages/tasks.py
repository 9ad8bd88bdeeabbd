"""
Clockwork: each task reads the clock and makes one call that does what is due, idempotently.
"""

from celery import shared_task
from django.db import InterfaceError, InternalError, OperationalError
from django.utils import timezone

from accounts.models import User
from packages import (
    announcing,
    billing,
    checkout,
    notices,
    quotas,
    renewals,
    sentinel,
    waiting,
)

LOST_CONNECTION = (OperationalError, InterfaceError, InternalError)


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def continue_checkouts(*, customer_id: int | None = None) -> None:
    checkout.go_on(at=timezone.now(), customer_id=customer_id)
    waiting.go_on(at=timezone.now(), customer_id=customer_id)


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def prepare_notices() -> None:
    notices.prepare(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def carry_on_price_moves() -> None:
    announcing.carry_on(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def sweep_renewals() -> None:
    renewals.run(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def retry_renewals(*, customer_id: int) -> None:
    renewals.retry(customer_id=customer_id, at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def run_renewals(*, rehearse: bool, user_id: int) -> None:
    renewals.run(at=timezone.now(), rehearse=rehearse, by=User.objects.get(pk=user_id))


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def bill_use() -> None:
    billing.close(at=timezone.now())
    billing.settle(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def settle_use(*, customer_id: int) -> None:
    billing.settle(at=timezone.now(), customer_id=customer_id)


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def tell_quotas(*, customer_id: int) -> None:
    quotas.tell(customer_id=customer_id, at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def tell_all_quotas() -> None:
    quotas.tell_all(at=timezone.now())


@shared_task(autoretry_for=LOST_CONNECTION, retry_backoff=True, max_retries=5)
def scan_charges() -> None:
    sentinel.scan(at=timezone.now())
