from celery import shared_task
from django.utils import timezone

from reports import alarms


@shared_task
def report_parked() -> None:
    alarms.report_parked(at=timezone.now())


@shared_task
def escalate_approvals() -> None:
    alarms.escalate_approvals(at=timezone.now())
