"""
Renewing what is due, from wallets, exactly once: set-based in chunks, one by one where one fails.
"""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

import structlog
from django.db import Error as DatabaseError
from django.db import transaction
from django.utils import timezone

from accounts import customers
from accounts.models import User
from crm_billing import crash, outbox
from crm_billing.transactions import LOST_RACES, money_transaction, sqlstate
from packages import due, outcomes
from packages.due import Decided
from packages.models import RenewalRun, Subscription
from packages.models.subscriptions import MOST_FAILURES
from packages.prices import Prices
from wallet import queries
from wallet.ledger import InsufficientFunds, MoneyFrozen

log = structlog.get_logger(__name__)

CHUNK = 1000


@dataclass(slots=True)
class RenewalReport:
    """
    What one sweep did with everything it looked at: the counts add up to it.

    ok: renewed. insufficient: the wallet did not have enough. waiting: announced too late, or the
    customer is frozen. failed: an error. ended: not to be renewed, or unpaid to the last. paused:
    not renewed now, as the customer wished.
    """

    ok: int = 0
    insufficient: int = 0
    waiting: int = 0
    failed: int = 0
    ended: int = 0
    paused: int = 0

    def add(self, other: "RenewalReport") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def looked_at(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


def sweep(*, at: datetime, rehearse: bool = False, run: RenewalRun | None = None) -> RenewalReport:
    """
    Renew, end or dun everything whose moment has come; a second sweep finds nothing left to do.

    Several sweeps may run at once: each takes what no other holds. What fails is counted, put off
    and parked after MOST_FAILURES tries; the others go on.

    rehearse: decide and count, write nothing.
    run: kept up to date with the counts as the work goes on.
    """
    report = RenewalReport()
    if queries.money_is_frozen():
        log.warning("renewals.money_is_frozen")
        return report
    prices = Prices()
    after: tuple[datetime, int] | None = None
    while True:
        done, alone, after = _sweep_chunk(after, prices, at, rehearse)
        crash.point("renewals_after_chunk")
        for subscription_id in alone:
            done.add(_renew_alone(subscription_id, at, prices, is_swept=True))
        report.add(done)
        if run is not None and done.looked_at:
            _keep(run, report)
        if after is None:
            break
    if report.looked_at and not rehearse:
        log.info(
            "renewals.swept", **{one.name: getattr(report, one.name) for one in fields(report)}
        )
    return report


def renew(
    *, subscription_id: int, at: datetime, paid_until: datetime | None = None
) -> RenewalReport:
    """
    Renew, end or dun one subscription if its term is over; else change nothing.

    paid_until: as the caller saw it; when it has moved on, nothing is done.
    raises: what the wallet or the database refuses.
    """
    return _one(subscription_id=subscription_id, at=at, prices=Prices(), paid_until=paid_until)


def retry(*, customer_id: int, at: datetime) -> RenewalReport:
    """
    Try again at once what a customer could not pay, because money has come.
    """
    report, prices = RenewalReport(), Prices()
    for subscription_id in _unpaid(customer_id):
        report.add(_renew_alone(subscription_id, at, prices))
    return report


def run(*, at: datetime, rehearse: bool = False, by: User | None = None) -> RenewalRun:
    """
    Sweep, and keep what it did for staff to see. Of runs that found nothing only the last is kept.
    """
    kept = RenewalRun.objects.create(
        at=at, is_rehearsal=rehearse, started_at=timezone.now(), started_by=by
    )
    _keep(kept, sweep(at=at, rehearse=rehearse, run=kept))
    RenewalRun.objects.filter(pk=kept.pk).update(finished_at=timezone.now())
    nothing = {field.name: 0 for field in fields(RenewalReport)}
    RenewalRun.objects.filter(
        pk__lt=kept.pk, started_by=None, finished_at__isnull=False, **nothing
    ).delete()
    kept.refresh_from_db()
    return kept


@money_transaction
def unpark(*, subscription_id: int, at: datetime) -> None:
    """
    Let the sweep look again at a subscription it had given up.
    """
    Subscription.objects.filter(pk=subscription_id, failures__gte=MOST_FAILURES).update(
        failures=0, next_try_at=at
    )


@money_transaction
def _sweep_chunk(
    after: tuple[datetime, int] | None, prices: Prices, at: datetime, rehearse: bool
) -> tuple[RenewalReport, list[int], tuple[datetime, int] | None]:
    """
    Do one chunk; return what was done, what must be done alone, and where to go on.
    """
    ids, last = due.listed(after, at, limit=CHUNK)
    if not ids:
        return RenewalReport(), [], None
    rows = due.read(ids) if rehearse else due.claimed(ids, at, is_swept=True)
    if rehearse:
        return _counted(due.decide(rows, prices, at)), [], last
    alone: list[int] = []
    try:
        with transaction.atomic():
            decided = due.decide(rows, prices, at)
            outcomes.write(decided, at)
            report = _counted(decided)
    except Exception as error:
        if isinstance(error, DatabaseError) and sqlstate(error) in LOST_RACES:
            raise
        log.warning("renewals.chunk_refused", rows=len(rows), reason=str(error))
        alone, report = [row.id for row in rows], RenewalReport()
    crash.point("renewals_before_commit")
    return report, alone, last


@money_transaction
def _unpaid(customer_id: int) -> list[int]:
    """
    Return a customer's unpaid subscriptions, those included that a sweep is just finding unpaid.
    """
    customers.lock(customer_id)
    unpaid = Subscription.objects.live().filter(customer_id=customer_id, past_due_at__isnull=False)
    return list(unpaid.order_by("past_due_at", "pk").values_list("pk", flat=True))


def _renew_alone(
    subscription_id: int, at: datetime, prices: Prices, *, is_swept: bool = False
) -> RenewalReport:
    """
    Do one subscription, whatever comes of it.

    is_swept: leave it alone when another sweep has dealt with it since it was listed.
    """
    try:
        return _one(subscription_id=subscription_id, at=at, prices=prices, is_swept=is_swept)
    except MoneyFrozen:
        return RenewalReport(waiting=1)
    except Exception as error:
        log.exception("renewals.failed", subscription=subscription_id, reason=str(error))
        _count_failure(subscription_id, at)
        return RenewalReport(failed=1)


@money_transaction
def _one(
    *,
    subscription_id: int,
    at: datetime,
    prices: Prices,
    paid_until: datetime | None = None,
    is_swept: bool = False,
) -> RenewalReport:
    rows = due.claimed([subscription_id], at, wait=True, is_swept=is_swept)
    if paid_until is not None:
        rows = [row for row in rows if row.paid_until == paid_until]
    decided = due.decide(rows, prices, at)
    try:
        with transaction.atomic():
            outcomes.write(decided, at)
    except InsufficientFunds:
        # Credit that has expired counts in the balance until the clockwork takes it out.
        decided.lacking += [(row, price) for row, price, _notice in decided.paid]
        decided.paid.clear()
        outcomes.write(decided, at)
    return _counted(decided)


@transaction.atomic
def _count_failure(subscription_id: int, at: datetime) -> None:
    subscription = Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
    if not subscription.is_live or subscription.next_try_at > at:
        return  # counted by another sweep
    subscription.failures += 1
    subscription.next_try_at = at + due.AGAIN * subscription.failures
    subscription.save(update_fields=["failures", "next_try_at"])
    if subscription.failures >= MOST_FAILURES:
        log.error("renewals.parked", subscription=subscription.number)
        outbox.put(
            topic="renewal.parked",
            key=f"{subscription.pk}:{subscription.paid_until.isoformat()}",
            payload={"subscription_id": subscription.pk},
            at=at,
        )


def _counted(decided: Decided) -> RenewalReport:
    return RenewalReport(
        ok=len(decided.paid),
        ended=len(decided.ended),
        insufficient=len(decided.lacking),
        waiting=len(decided.waiting),
        paused=len(decided.pausing),
    )


def _keep(run: RenewalRun, report: RenewalReport) -> None:
    RenewalRun.objects.filter(pk=run.pk).update(**asdict(report))
