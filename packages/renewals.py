"""
Renewing what is due, from wallets, exactly once: set-based in chunks, one by one where one fails.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import structlog
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts import customers
from accounts.models import Customer, User
from crm_billing import crash, outbox
from crm_billing.money import to_minor
from crm_billing.transactions import LOST_RACES, money_transaction, sqlstate
from packages import dunning, notices, periods, wording
from packages.models import Notice, RenewalRun, Subscription
from packages.models.subscriptions import MOST_FAILURES
from packages.notices import NOTICE_AGE, Told
from packages.prices import EachTerm, Prices
from packages.subscriptions import reference
from wallet import queries, spending
from wallet.ledger import InsufficientFunds, MoneyFrozen

log = structlog.get_logger(__name__)

CHUNK = 1000
PAUSE = timedelta(hours=1)  # before a failure, a missing notice or a frozen customer is seen again


@dataclass(slots=True)
class RenewalReport:
    """
    What one sweep did with everything it looked at: the counts add up to it.

    ok: renewed. insufficient: the wallet did not have enough. waiting: announced too late, or the
    customer is frozen. failed: an error. ended: not to be renewed, or unpaid to the last.
    """

    ok: int = 0
    insufficient: int = 0
    waiting: int = 0
    failed: int = 0
    ended: int = 0

    def add(self, other: "RenewalReport") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def looked_at(self) -> int:
        return self.ok + self.insufficient + self.waiting + self.failed + self.ended


class Row(NamedTuple):
    """
    A due subscription, as the sweep reads it, with the price and the seats of its next term.
    """

    id: int
    customer_id: int
    customer_status: str
    price_version_id: int
    package_id: int
    interval: str
    is_new_term: bool
    currency: str
    seats: int
    auto_renew: bool
    consent_id: int | None
    zone: str
    anchor_on: date
    anchor_number: int
    period_number: int
    paid_until: datetime
    past_due_at: datetime | None
    next_try_at: datetime
    name: str

    @property
    def next_number(self) -> int:
        return self.period_number + 1

    @property
    def anchor(self) -> tuple[date, int]:
        """
        Return the day the next term is counted from, and the number of the period begun on it.
        """
        if self.is_new_term:
            return periods.day_in(self.paid_until, self.zone), self.next_number
        return self.anchor_on, self.anchor_number


@dataclass(slots=True)
class Decided:
    """
    What is to be done with a chunk, before anything is written.
    """

    paid: list[tuple[Row, EachTerm, int | None]]
    ended: list[Row]
    lacking: list[tuple[Row, EachTerm]]
    waiting: list[tuple[Row, datetime]]


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


def renew(*, subscription_id: int, at: datetime, due: datetime | None = None) -> RenewalReport:
    """
    Renew, end or dun one subscription if its term is over; else change nothing.

    due: the end of the term the caller saw; when it has moved on, nothing is done.
    raises: what the wallet or the database refuses.
    """
    return _one(subscription_id=subscription_id, at=at, prices=Prices(), due=due)


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
    ids, last = _due(after, at)
    if not ids:
        return RenewalReport(), [], None
    rows = _read(ids) if rehearse else _claimed(ids, at, is_swept=True)
    if rehearse:
        return _counted(_decide(rows, prices, at)), [], last
    alone: list[int] = []
    try:
        with transaction.atomic():
            decided = _decide(rows, prices, at)
            _write(decided, at)
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
    due: datetime | None = None,
    is_swept: bool = False,
) -> RenewalReport:
    rows = _claimed([subscription_id], at, wait=True, is_swept=is_swept)
    if due is not None:
        rows = [row for row in rows if row.paid_until == due]
    decided = _decide(rows, prices, at)
    try:
        with transaction.atomic():
            _write(decided, at)
    except InsufficientFunds:
        # Credit that has expired counts in the balance until the clockwork takes it out.
        decided.lacking += [(row, price) for row, price, _notice in decided.paid]
        decided.paid.clear()
        _write(decided, at)
    return _counted(decided)


@transaction.atomic
def _count_failure(subscription_id: int, at: datetime) -> None:
    subscription = Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
    if not subscription.is_live or subscription.next_try_at > at:
        return  # counted by another sweep
    subscription.failures += 1
    subscription.next_try_at = at + PAUSE * subscription.failures
    subscription.save(update_fields=["failures", "next_try_at"])
    if subscription.failures >= MOST_FAILURES:
        log.error("renewals.parked", subscription=subscription.number)
        outbox.put(
            topic="renewal.parked",
            key=f"{subscription.pk}:{subscription.paid_until.isoformat()}",
            payload={"subscription_id": subscription.pk},
            at=at,
        )


def _due(
    after: tuple[datetime, int] | None, at: datetime
) -> tuple[list[int], tuple[datetime, int] | None]:
    """
    Return the next due subscriptions, each once in a sweep, oldest moment first.
    """
    moment, number = after or (datetime.min.replace(tzinfo=at.tzinfo), 0)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, next_try_at FROM packages_subscription
            WHERE next_try_at <= %s AND failures < %s AND (next_try_at, id) > (%s, %s)
            ORDER BY next_try_at, id
            LIMIT %s
            """,
            [at, MOST_FAILURES, moment, number, CHUNK],
        )
        rows = cursor.fetchall()
    return [id for id, _moment in rows], (rows[-1][1], rows[-1][0]) if rows else None


def _claimed(
    ids: Collection[int], at: datetime, *, is_swept: bool, wait: bool = False
) -> list[Row]:
    """
    Lock subscriptions, their customers first, and read those whose term is over.

    is_swept: leave out those whose next moment is not here (any more), and what is parked.
    wait: for locks others hold; else what they hold is left to them.
    """
    skip = "" if wait else "SKIP LOCKED"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.id FROM accounts_customer AS c
            WHERE c.id IN (SELECT s.customer_id FROM packages_subscription AS s
                WHERE s.id = ANY (%s))
            ORDER BY c.id FOR NO KEY UPDATE {skip}
            """,  # noqa: S608
            [list(ids)],
        )
        customer_ids = [id for (id,) in cursor.fetchall()]
        cursor.execute(
            f"""
            SELECT s.id FROM packages_subscription AS s
            WHERE s.id = ANY (%s) AND s.customer_id = ANY (%s) AND s.state <> 'ENDED'
                AND s.paid_until <= %s
                AND (NOT %s OR (s.next_try_at <= %s AND s.failures < %s))
            ORDER BY s.id FOR NO KEY UPDATE {skip}
            """,  # noqa: S608
            [list(ids), customer_ids, at, is_swept, at, MOST_FAILURES],
        )
        locked = [id for (id,) in cursor.fetchall()]
    return _read(locked)


def _read(ids: Collection[int]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                s.id, s.customer_id, c.status, v.id, v.package_id, v.interval,
                v.interval <> was.interval, s.currency, coalesce(counted.to_seats, s.seats),
                s.auto_renew, s.consent_id, s.zone, s.anchor_on, s.anchor_number,
                s.period_number, s.paid_until, s.past_due_at, s.next_try_at,
                CASE WHEN c.locale LIKE 'en%%' THEN p.name_en ELSE p.name END
            FROM packages_subscription AS s
            INNER JOIN accounts_customer AS c ON c.id = s.customer_id
            LEFT JOIN packages_subscriptionchange AS priced
                ON priced.subscription_id = s.id AND priced.to_version_id IS NOT NULL
                    AND priced.applied_at IS NULL AND priced.revoked_at IS NULL
            LEFT JOIN packages_subscriptionchange AS counted
                ON counted.subscription_id = s.id AND counted.to_seats IS NOT NULL
                    AND counted.applied_at IS NULL AND counted.revoked_at IS NULL
            INNER JOIN packages_priceversion AS was ON was.id = s.price_version_id
            INNER JOIN packages_priceversion AS v
                ON v.id = coalesce(priced.to_version_id, s.price_version_id)
            INNER JOIN packages_package AS p ON p.id = v.package_id
            WHERE s.id = ANY (%s)
            ORDER BY s.next_try_at, s.id
            """,
            [list(ids)],
        )
        return [Row(*row) for row in cursor.fetchall()]


def _decide(rows: list[Row], prices: Prices, at: datetime) -> Decided:
    """
    Sort what is due by what is to be done with it. Reads only.
    """
    decided = Decided(paid=[], ended=[], lacking=[], waiting=[])
    announced = _announced([row for row in rows if row.auto_renew])
    free = _free(rows)
    for row in rows:
        if not row.auto_renew:
            decided.ended.append(row)
            continue
        price = prices.each_term(row.price_version_id, row.seats)
        wanted = to_minor(price.amount)
        if row.customer_status != Customer.Status.ACTIVE:
            decided.waiting.append((row, at + PAUSE))
        elif not wanted:
            decided.paid.append((row, price, None))
        else:
            notice_id, good_from = _best(announced.get(row.id, []), wanted)
            if good_from is None or good_from > at:
                decided.waiting.append((row, good_from or at + PAUSE))
            elif free.get((row.customer_id, row.currency), 0) < wanted:
                decided.lacking.append((row, price))
            else:
                free[row.customer_id, row.currency] -= wanted
                decided.paid.append((row, price, notice_id))
    return decided


def _announced(rows: Collection[Row]) -> dict[int, list[tuple[int, int, datetime | None]]]:
    """
    Return the notices of the coming periods: subscription -> id, amount, when each is old enough.
    """
    known = Notice.objects.filter(
        subscription__in=[row.id for row in rows],
        period_number=F("subscription__period_number") + 1,
        kind=Notice.Kind.RENEWAL,
        dropped_at=None,
    ).values_list("subscription_id", "pk", "amount_minor", "sent_at")
    found: dict[int, list[tuple[int, int, datetime | None]]] = {}
    for subscription_id, pk, amount, sent_at in known.order_by("pk"):
        good_from = sent_at and sent_at + NOTICE_AGE
        found.setdefault(subscription_id, []).append((pk, amount, good_from))
    return found


def _best(
    told: list[tuple[int, int, datetime | None]], wanted: int
) -> tuple[int | None, datetime | None]:
    """
    Return the notice that covers an amount soonest, and from when on it does.
    """
    good = [(good_from, pk) for pk, minor, good_from in told if good_from and minor >= wanted]
    good_from, notice_id = min(good, default=(None, None))
    return notice_id, good_from


def _free(rows: Collection[Row]) -> dict[tuple[int, str], int]:
    free: dict[tuple[int, str], int] = {}
    for currency in {row.currency for row in rows}:
        ids = {row.customer_id for row in rows if row.currency == currency}
        having = queries.available_minor(ids, currency)
        free |= {(customer_id, currency): minor for customer_id, minor in having.items()}
    return free


def _counted(decided: Decided) -> RenewalReport:
    return RenewalReport(
        ok=len(decided.paid),
        ended=len(decided.ended),
        insufficient=len(decided.lacking),
        waiting=len(decided.waiting),
    )


def _write(decided: Decided, at: datetime) -> None:
    _extend(decided.paid, at)
    _end(decided.ended, at)
    _put_off(decided.waiting)
    _dun(decided.lacking, at)


def _extend(paid: list[tuple[Row, EachTerm, int | None]], at: datetime) -> None:
    """
    Charge and extend, all in six statements.
    """
    if not paid:
        return
    ends = [_next_end(row) for row, _price, _notice in paid]
    charged = [
        (row, price, notice_id, ends_at)
        for (row, price, notice_id), ends_at in zip(paid, ends, strict=True)
        if notice_id is not None
    ]
    posted = (
        spending.spend_many(
            [
                spending.Spend(
                    customer_id=row.customer_id,
                    amount=price.amount,
                    reference=reference("renewal", row.id, row.paid_until, row.zone),
                    description=wording.term(
                        row.name, starts_at=row.paid_until, ends_at=ends_at, zone=row.zone
                    ),
                )
                for row, price, _notice, ends_at in charged
            ],
            at=at,
        )
        if charged
        else []
    )
    crash.point("renewals_after_post")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO packages_subscriptionperiod
                (subscription_id, number, previous_number, starts_at, ends_at, price_version_id,
                 seats, is_trial, amount_minor, created_at)
            SELECT s.id, s.period_number + 1, s.period_number, s.paid_until, u.ends_at,
                u.price_version_id, u.seats, false, u.amount_minor, %s
            FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::integer[])
                AS u (id, ends_at, amount_minor, price_version_id, seats)
            INNER JOIN packages_subscription AS s ON s.id = u.id
            """,
            [
                at,
                [row.id for row, _price, _notice in paid],
                ends,
                [to_minor(price.amount) for _row, price, _notice in paid],
                [row.price_version_id for row, _price, _notice in paid],
                [row.seats for row, _price, _notice in paid],
            ],
        )
        cursor.execute(
            """
            UPDATE packages_subscription AS s SET
                price_version_id = u.price_version_id,
                package_id = u.package_id,
                seats = u.seats,
                anchor_on = u.anchor_on,
                anchor_number = u.anchor_number,
                period_number = s.period_number + 1,
                paid_until = u.ends_at,
                next_try_at = u.ends_at,
                state = 'ACTIVE',
                past_due_at = NULL,
                failures = 0
            FROM unnest(
                %s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::integer[],
                %s::date[], %s::integer[]
            ) AS u (id, ends_at, price_version_id, package_id, seats, anchor_on, anchor_number)
            WHERE s.id = u.id
            """,
            [
                [row.id for row, _price, _notice in paid],
                ends,
                [row.price_version_id for row, _price, _notice in paid],
                [row.package_id for row, _price, _notice in paid],
                [row.seats for row, _price, _notice in paid],
                [row.anchor[0] for row, _price, _notice in paid],
                [row.anchor[1] for row, _price, _notice in paid],
            ],
        )
        cursor.execute(
            "UPDATE packages_subscriptionchange SET applied_at = %s"
            " WHERE subscription_id = ANY (%s) AND applied_at IS NULL AND revoked_at IS NULL",
            [at, [row.id for row, _price, _notice in paid]],
        )
    _explain(charged, [entry.pk for entry in posted], at)


def _explain(
    charged: list[tuple[Row, EachTerm, int, datetime]],
    entry_ids: list[int],
    at: datetime,
) -> None:
    if not charged:
        return
    different = dict.fromkeys(price.lines for _row, price, *_rest in charged)
    lines = {text: place for place, text in enumerate(different, start=1)}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO packages_charge
                (customer_id, kind, subscription_id, period_number, price_version_id, entry_id,
                 consent_id, notice_id, currency, amount_minor, lines, charged_at)
            SELECT s.customer_id, 'RENEWAL', s.id, s.period_number, s.price_version_id,
                u.entry_id, s.consent_id, u.notice_id, s.currency, u.amount_minor,
                (%s::jsonb[])[u.place], %s
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[])
                AS u (id, entry_id, notice_id, amount_minor, place)
            INNER JOIN packages_subscription AS s ON s.id = u.id
            """,
            [
                list(lines),
                at,
                [row.id for row, *_rest in charged],
                entry_ids,
                [notice_id for _row, _price, notice_id, _ends in charged],
                [to_minor(price.amount) for _row, price, *_rest in charged],
                [lines[price.lines] for _row, price, *_rest in charged],
            ],
        )
    outbox.put_many(
        topic="renewal.done",
        errands={
            f"{row.id}:{row.next_number}": {"subscription_id": row.id, "number": row.next_number}
            for row, *_rest in charged
        },
        at=at,
    )


def _end(rows: list[Row], at: datetime) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE packages_subscription SET state = 'ENDED', ended_at = %s,"
                " next_try_at = NULL, past_due_at = NULL WHERE id = ANY (%s)",
                [at, [row.id for row in rows]],
            )


def _put_off(waiting: list[tuple[Row, datetime]]) -> None:
    if waiting:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE packages_subscription AS s SET next_try_at = u.next_try_at"
                " FROM unnest(%s::bigint[], %s::timestamptz[]) AS u (id, next_try_at)"
                " WHERE s.id = u.id",
                [[row.id for row, _until in waiting], [until for _row, until in waiting]],
            )


def _dun(lacking: list[tuple[Row, EachTerm]], at: datetime) -> None:
    """
    Take the next step of dunning: a state, the moment of the next try, perhaps a message.
    """
    if not lacking:
        return
    since = {row.id: row.past_due_at or at for row, _price in lacking}
    standings = {id: dunning.standing(moment, at=at) for id, moment in since.items()}
    over = [id for id, one in standings.items() if one.next_at is None]
    on = {id: one for id, one in standings.items() if one.next_at is not None}
    _step_down(since, on)
    _end([row for row, _price in lacking if row.id in over], at)
    known = Subscription.objects.select_related("customer", "package").in_bulk(since)
    notices.write(
        [
            Told(
                subscription=known[row.id],
                kind=Notice.Kind.DUNNING,
                period_number=row.next_number,
                step=standings[row.id].tells or 0,
                amount=price.amount,
                due_at=at,
            )
            for row, price in lacking
        ],
        at=at,
    )


def _step_down(since: dict[int, datetime], standings: dict[int, dunning.Standing]) -> None:
    """
    Write states that only go down, whichever steps were missed in between.
    """
    ladder: Iterable[tuple[str, Callable[[str], bool]]] = (
        (dunning.PAST_DUE, lambda state: True),
        (dunning.RESTRICTED, lambda state: state != dunning.PAST_DUE),
        (dunning.SUSPENDED, lambda state: state == dunning.SUSPENDED),
    )
    for state, reaches in ladder:
        ids = [id for id, one in standings.items() if reaches(one.state)]
        before = {
            dunning.PAST_DUE: ["TRIAL", "ACTIVE", "PAST_DUE"],
            dunning.RESTRICTED: ["PAST_DUE", "RESTRICTED"],
            dunning.SUSPENDED: ["RESTRICTED", "SUSPENDED"],
        }[state]
        if ids:
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE packages_subscription AS s SET state = %s,"
                    " past_due_at = u.past_due_at, next_try_at = u.next_try_at"
                    " FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])"
                    " AS u (id, past_due_at, next_try_at)"
                    " WHERE s.id = u.id AND s.state = ANY (%s)",
                    [
                        state,
                        ids,
                        [since[id] for id in ids],
                        [standings[id].next_at for id in ids],
                        before,
                    ],
                )


def _next_end(row: Row) -> datetime:
    anchor_on, anchor_number = row.anchor
    return _boundary(anchor_on, row.interval, row.next_number - anchor_number + 1, row.zone)


@lru_cache(maxsize=10_000)
def _boundary(anchor: date, interval: str, n: int, zone: str) -> datetime:
    return periods.instant(periods.boundary(anchor, interval, n), zone)


def _keep(run: RenewalRun, report: RenewalReport) -> None:
    RenewalRun.objects.filter(pk=run.pk).update(**asdict(report))
