from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from crm_billing import idempotency, outbox


@shared_task
def relay_outbox(*, topics: list[str] | None = None) -> None:
    outbox.relay(at=timezone.now(), topics=topics)


@shared_task
def purge_idempotency_keys(*, days: int = 90) -> None:
    idempotency.purge(timezone.now() - timedelta(days=days))
