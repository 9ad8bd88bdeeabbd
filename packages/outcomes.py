"""
Writing what became of due subscriptions: extended, ended, put off or dunned, many at a time.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import lru_cache

from django.db import connection

from crm_billing import crash, outbox
from crm_billing.sql import array
from packages import dunning, notices, periods, redemptions, wording
from packages.charging import reference
from packages.due import Decided, Row
from packages.dunning import Standing, Way
from packages.models import Notice, Pause, Subscription
from packages.prices import EachTerm
from packages.telling import Told
from wallet import spending


def write(decided: Decided, at: datetime) -> None:
    _extend(decided.paid, at)
    _end(decided.ended, at)
    _put_off(decided.waiting)
    _pause(decided.pausing, at)
    _dun(decided.lacking, at)


def _extend(paid: list[tuple[Row, EachTerm, int | None]], at: datetime) -> None:
    """
    Charge and extend, all in six statements, and one or two for coupons.
    """
    if not paid:
        return
    ids = array(row.id for row, _price, _notice in paid)
    ends = [_next_end(row, at) for row, _price, _notice in paid]
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
                    reference=reference("renewal", row.id, row.starts_at(at), row.zone),
                    description=wording.term(
                        row.name, starts_at=row.starts_at(at), ends_at=ends_at, zone=row.zone
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
                 seats, is_trial, coupon_use_id, amount_minor, created_at)
            SELECT s.id, s.period_number + 1,
                CASE WHEN u.starts_at = s.paid_until THEN s.period_number END, u.starts_at,
                u.ends_at, u.price_version_id, u.seats, false, u.coupon_use_id, u.amount_minor, %s
            FROM unnest(
                %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[],
                %s::integer[], %s::bigint[]
            ) AS u (id, starts_at, ends_at, amount_minor, price_version_id, seats, coupon_use_id)
            INNER JOIN packages_subscription AS s ON s.id = u.id
            """,
            [
                at,
                ids,
                array(row.starts_at(at) for row, _price, _notice in paid),
                array(ends),
                array(price.minor for _row, price, _notice in paid),
                array(row.price_version_id for row, _price, _notice in paid),
                array(row.seats for row, _price, _notice in paid),
                array(
                    row.coupon_use_id if price.has_coupon else None for row, price, _notice in paid
                ),
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
                ids,
                array(ends),
                array(row.price_version_id for row, _price, _notice in paid),
                array(row.package_id for row, _price, _notice in paid),
                array(row.seats for row, _price, _notice in paid),
                array(row.anchor(at)[0] for row, _price, _notice in paid),
                array(row.anchor(at)[1] for row, _price, _notice in paid),
            ],
        )
        cursor.execute(
            "UPDATE packages_subscriptionchange SET applied_at = %s"
            " WHERE subscription_id = ANY (%s::bigint[])"
            " AND applied_at IS NULL AND revoked_at IS NULL",
            [at, ids],
        )
    used = {row.coupon_use_id: price for row, price, _notice in paid if row.coupon_use_id}
    redemptions.term_begun([id for id, price in used.items() if price.has_coupon], at=at)
    redemptions.end([id for id, price in used.items() if not price.has_coupon], at=at)
    _stop_pauses([row for row, _price, _notice in paid], at)
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
                array(row.id for row, *_rest in charged),
                array(entry_ids),
                array(notice_id for _row, _price, notice_id, _ends in charged),
                array(price.minor for _row, price, *_rest in charged),
                array(lines[price.lines] for _row, price, *_rest in charged),
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
        _stop_pauses(rows, at)


def _pause(rows: list[Row], at: datetime) -> None:
    """
    Let pauses begin: nothing is charged, and the sweep looks again when they are over.
    """
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE packages_pause SET begun_at = %s"
                " WHERE subscription_id = ANY (%s) AND begun_at IS NULL AND revoked_at IS NULL",
                [at, [row.id for row in rows]],
            )
            cursor.execute(
                "UPDATE packages_subscription AS s SET state = 'PAUSED', next_try_at = p.until,"
                " failures = 0 FROM packages_pause AS p"
                " WHERE s.id = ANY (%s) AND p.subscription_id = s.id"
                " AND p.revoked_at IS NULL AND p.ended_at IS NULL",
                [[row.id for row in rows]],
            )


def _stop_pauses(rows: list[Row], at: datetime) -> None:
    ids = [row.id for row in rows if row.pause_until is not None]
    if ids:
        Pause.objects.filter(subscription__in=ids).stop(at)


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
    ways = {row.id: row.way(at) for row, _price in lacking}
    standings = {id: dunning.standing(way, at=at) for id, way in ways.items()}
    over = [id for id, one in standings.items() if one.next_at is None]
    on = {id: one for id, one in standings.items() if one.next_at is not None}
    _step_down(ways, on)
    _end([row for row, _price in lacking if row.id in over], at)
    known = Subscription.objects.select_related("customer", "package").in_bulk(ways)
    notices.write(
        [
            Told(
                subscription=known[row.id],
                kind=Notice.Kind.DUNNING,
                period_number=row.next_number,
                step=standings[row.id].tells or 0,
                amount=price.amount,
                due_at=at,
                way=ways[row.id],
            )
            for row, price in lacking
        ],
        at=at,
    )


def _step_down(ways: dict[int, Way], standings: dict[int, Standing]) -> None:
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
            dunning.PAST_DUE: ["TRIAL", "ACTIVE", "PAUSED", "PAST_DUE"],
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
                        [ways[id].since for id in ids],
                        [standings[id].next_at for id in ids],
                        before,
                    ],
                )


def _next_end(row: Row, at: datetime) -> datetime:
    anchor_on, anchor_number = row.anchor(at)
    return _boundary(anchor_on, row.interval, row.next_number - anchor_number + 1, row.zone)


@lru_cache(maxsize=10_000)
def _boundary(anchor: date, interval: str, n: int, zone: str) -> datetime:
    return periods.instant(periods.boundary(anchor, interval, n), zone)
