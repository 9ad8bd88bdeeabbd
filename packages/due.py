"""
What is due and what is to be done with it. Reads and locks; writes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import F

from accounts.models import Customer
from packages import periods
from packages.dunning import Way
from packages.models import Notice
from packages.models.moves import PRICE_NOTICE
from packages.models.subscriptions import MOST_FAILURES
from packages.notices import NOTICE_AGE
from packages.prices import EachTerm, Prices
from packages.ways import Ways
from wallet import queries

AGAIN = timedelta(hours=1)  # before a failure, a missing notice or a frozen customer is seen again


class Row(NamedTuple):
    """
    A due subscription, as the sweep reads it, with the price, the seats and the coupon of its next
    term. is_first: that is the first paid one of its package. withdrawn_from: a term that begins
    then or later is not sold at this price any more; has_agreed: to the one announced instead.
    ways: shared by what was read together.
    """

    id: int
    customer_id: int
    customer_status: str
    price_version_id: int
    package_id: int
    interval: str
    is_new_term: bool
    is_first: bool
    currency: str
    seats: int
    auto_renew: bool
    zone: str
    anchor_on: date
    anchor_number: int
    period_number: int
    paid_until: datetime
    past_due_at: datetime | None
    next_try_at: datetime
    name: str
    coupon_use_id: int | None
    coupon_id: int | None
    pause_until: datetime | None
    pause_begun_at: datetime | None
    withdrawn_from: datetime | None
    has_agreed: bool
    ways: Ways

    @property
    def next_number(self) -> int:
        return self.period_number + 1

    @property
    def is_to_pause(self) -> bool:
        return self.pause_until is not None and self.pause_begun_at is None

    def starts_at(self, at: datetime) -> datetime:
        """
        Return when the next term begins, should it be paid now: where the last one ended; after a
        pause when that ends; after a suspension today.
        """
        if self.pause_until is not None and self.pause_begun_at is not None:
            return self.pause_until
        if self.past_due_at is not None and self.way(at).is_off(at=at):
            today = periods.instant(periods.day_in(at, self.zone), self.zone)
            return max(today, self.paid_until)
        return self.paid_until

    def way(self, at: datetime) -> Way:
        """
        Return the way of what is unpaid, or would be if it could not be paid now.
        """
        return self.ways.of(self.past_due_at or at)

    def anchor(self, at: datetime) -> tuple[date, int]:
        """
        Return the day the next term is counted from, and the number of the period begun on it.
        """
        starts_at = self.starts_at(at)
        if self.is_new_term or starts_at > self.paid_until:
            return periods.day_in(starts_at, self.zone), self.next_number
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
    pausing: list[Row]


def listed(
    after: tuple[datetime, int] | None, at: datetime, *, limit: int
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
            [at, MOST_FAILURES, moment, number, limit],
        )
        rows = cursor.fetchall()
    return [id for id, _moment in rows], (rows[-1][1], rows[-1][0]) if rows else None


def claimed(ids: Collection[int], at: datetime, *, is_swept: bool, wait: bool = False) -> list[Row]:
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
    return [row for row in read(locked) if row.starts_at(at) <= at]


def read(ids: Collection[int]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                s.id, s.customer_id, c.status, v.id, v.package_id, v.interval,
                v.interval <> was.interval, last.is_trial OR v.package_id <> s.package_id,
                s.currency, coalesce(counted.to_seats, s.seats),
                s.auto_renew, s.zone, s.anchor_on, s.anchor_number,
                s.period_number, s.paid_until, s.past_due_at, s.next_try_at,
                CASE WHEN c.locale LIKE 'en%%' THEN p.name_en ELSE p.name END,
                coupon.id, coupon.coupon_id, pause.until, pause.begun_at,
                CASE WHEN mail.sent_at IS NOT NULL AND mail.bounced_at IS NULL
                    THEN greatest(asked.holds_from, mail.sent_at + %s)
                END, asked.consent_id IS NOT NULL
            FROM packages_subscription AS s
            INNER JOIN accounts_customer AS c ON c.id = s.customer_id
            INNER JOIN packages_subscriptionperiod AS last
                ON last.subscription_id = s.id AND last.number = s.period_number
            LEFT JOIN packages_subscriptionchange AS priced
                ON priced.subscription_id = s.id AND priced.to_version_id IS NOT NULL
                    AND priced.applied_at IS NULL AND priced.revoked_at IS NULL
            LEFT JOIN packages_subscriptionchange AS counted
                ON counted.subscription_id = s.id AND counted.to_seats IS NOT NULL
                    AND counted.applied_at IS NULL AND counted.revoked_at IS NULL
            LEFT JOIN packages_pause AS pause
                ON pause.subscription_id = s.id
                    AND pause.revoked_at IS NULL AND pause.ended_at IS NULL
            INNER JOIN packages_priceversion AS was ON was.id = s.price_version_id
            INNER JOIN packages_priceversion AS v
                ON v.id = coalesce(priced.to_version_id, s.price_version_id)
            INNER JOIN packages_package AS p ON p.id = v.package_id
            LEFT JOIN packages_couponuse AS coupon
                ON coupon.subscription_id = s.id AND coupon.ended_at IS NULL
            LEFT JOIN packages_pricemove AS move
                ON move.from_version_id = v.id AND move.revoked_at IS NULL AND NOT move.is_no_worse
            LEFT JOIN packages_priceannouncement AS asked
                ON asked.move_id = move.id AND asked.subscription_id = s.id
                    AND asked.replaced_at IS NULL
            LEFT JOIN packages_notice AS mail ON mail.id = asked.notice_id
            WHERE s.id = ANY (%s)
            ORDER BY s.next_try_at, s.id
            """,
            [PRICE_NOTICE, list(ids)],
        )
        ways = Ways()
        return [Row(*row, ways=ways) for row in cursor.fetchall()]


def decide(rows: list[Row], prices: Prices, at: datetime) -> Decided:
    """
    Sort what is due by what is to be done with it. Reads only.
    """
    decided = Decided(paid=[], ended=[], lacking=[], waiting=[], pausing=[])
    announced = _announced([row for row in rows if row.auto_renew])
    free = _free(rows)
    for row in rows:
        if not row.auto_renew:
            decided.ended.append(row)
            continue
        if row.is_to_pause:
            decided.pausing.append(row)
            continue
        if row.withdrawn_from is not None and row.starts_at(at) >= row.withdrawn_from:
            if row.has_agreed:
                decided.waiting.append((row, at + AGAIN))
            else:
                decided.ended.append(row)
            continue
        price = prices.each_term(
            row.price_version_id, row.seats, row.coupon_id, is_first=row.is_first
        )
        wanted = price.minor
        if row.customer_status != Customer.Status.ACTIVE:
            decided.waiting.append((row, at + AGAIN))
        elif not wanted:
            decided.paid.append((row, price, None))
        else:
            notice_id, good_from = _best(announced.get(row.id, []), wanted)
            if good_from is None or good_from > at:
                decided.waiting.append((row, good_from or at + AGAIN))
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
        bounced_at=None,
    ).values_list("subscription_id", "pk", "amount_minor", "sent_at", "due_at")
    pauses = {row.id: row.pause_until for row in rows if row.pause_until is not None}
    found: dict[int, list[tuple[int, int, datetime | None]]] = {}
    for subscription_id, pk, amount, sent_at, due_at in known.order_by("pk"):
        if due_at < pauses.get(subscription_id, due_at):
            continue  # it told of a renewal before the pause
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
