"""
Answers about entitlements, kept in the cache for as long as they would come out the same.

An answer depends on rows and on the time. So it is kept with the state of all those rows, which
the next who asks compares, and only until the first moment that could change it by itself. There is
nothing to invalidate and no event to miss. source: docs/adr/0020-kept-answers.md
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog
from django.core.cache import cache
from django.db import connection
from django.db.models import DateTimeField, Model
from redis.exceptions import RedisError

from accounts.models import Customer
from crm_billing.sql import planned_once
from crm_billing.transactions import snapshot
from packages.models import (
    ExtraPack,
    Meter,
    Overage,
    Package,
    PriceVersion,
    SpendingCap,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    UsageBill,
    UsageMark,
    UsageShare,
)
from packages.models.usage import EARLIEST
from packages.used_terms import LONGEST_WAIT
from wallet.models import LedgerAccount

A = TypeVar("A")
log = structlog.get_logger(__name__)

# As a question within the question, so that PostgreSQL plans for all customers alike, and once.
_ASKED = """
    WITH asked AS (SELECT %(customer)s::bigint AS customer_id, %(at)s::timestamptz AS at)
"""
_CUSTOMER, _AT = "(SELECT customer_id FROM asked)", "(SELECT at FROM asked)"
ITS_OWN = f"customer_id = {_CUSTOMER}"
OF_ITS_SUBSCRIPTIONS = f"subscription_id IN (SELECT id FROM packages_subscription WHERE {ITS_OWN})"  # noqa: S608
EVERYBODYS = "TRUE"
# What an answer is worked out from, or more; a test compares it with what is read. Events and their
# hours are in the mark, and what a published price is made of never changes.
ROWS: dict[type[Model], str] = {
    Customer: f"id = {_CUSTOMER}",
    LedgerAccount: ITS_OWN,
    Subscription: ITS_OWN,
    SubscriptionPeriod: OF_ITS_SUBSCRIPTIONS,
    SubscriptionChange: OF_ITS_SUBSCRIPTIONS,
    ExtraPack: OF_ITS_SUBSCRIPTIONS,
    Overage: OF_ITS_SUBSCRIPTIONS,
    SpendingCap: ITS_OWN,
    UsageBill: ITS_OWN,
    UsageShare: ITS_OWN,
    UsageMark: ITS_OWN,
    Meter: EVERYBODYS,
    Package: EVERYBODYS,
    PriceVersion: f"published_at IS NOT NULL AND (valid_to IS NULL OR valid_to > {_AT})"
    f" AND (customer_id IS NULL OR {ITS_OWN})",
}


def _of_each_table(columns: Callable[[type[Model]], str]) -> str:
    """
    Return the SQL that selects something of all ROWS.
    """
    return " UNION ALL ".join(
        f"SELECT {columns(model)} FROM {model._meta.db_table} WHERE {which}"  # noqa: S608
        for model, which in ROWS.items()
    )


def _moments(model: type[Model]) -> str:
    moments = [one.attname for one in model._meta.fields if isinstance(one, DateTimeField)]
    return f"unnest(ARRAY[{', '.join(moments)}]::timestamptz[]) AS moment"


def _intervals(*spans: timedelta) -> str:
    return f"unnest('{{{','.join(f'{one.total_seconds()} s' for one in spans)}}}'::interval[])"


# PostgreSQL never alters a version of a row: each change makes one with another xmin or ctid. After
# a restore transactions are counted again from an earlier one, on another timeline, with which the
# name of a piece of the log begins.
_STATE = f"""
    {_ASKED}
    SELECT
        left(pg_walfile_name(pg_current_wal_lsn()), 8)
        || md5(string_agg(concat_ws(' ', r.of, r.xmin, r.ctid), ',' ORDER BY r.of, r.ctid))
    FROM ({_of_each_table(lambda _model: "tableoid AS of, xmin, ctid")}) AS r
"""  # noqa: S608

_AHEAD = (timedelta(0), EARLIEST)  # of now: where answers look at use
# Every moment these rows know, as near and as far as answers look at it, and the first events ahead
# of the clock: what counts until now, and what counts until a little later.
_NEXT_MOMENT = f"""
    {_ASKED}
    SELECT min(n.moment) FROM (
        SELECT r.moment + away AS moment
        FROM ({_of_each_table(_moments)}) AS r
        CROSS JOIN {_intervals(timedelta(0), -EARLIEST, LONGEST_WAIT)} AS away
        UNION ALL
        SELECT l.counts_at - ahead
        FROM packages_meter AS m
        CROSS JOIN {_intervals(*_AHEAD)} AS ahead
        CROSS JOIN LATERAL (
            SELECT e.counts_at FROM packages_usageevent AS e
            WHERE e.customer_id = {_CUSTOMER} AND e.meter_id = m.id
                AND e.counts_at >= {_AT} + ahead
            ORDER BY e.counts_at LIMIT 1
        ) AS l
    ) AS n
    WHERE n.moment >= {_AT}
"""  # noqa: S608

# In every zone a day begins on a quarter of an hour, and with it terms and months, caps and all.
QUARTER = timedelta(minutes=15)
_ANY_QUARTER = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[A]):
    """
    An answer that is right from `since` until before `until`, while the state is the same.
    """

    state: str
    since: datetime
    until: datetime
    answer: A


def kept(customer: Customer, question: str, answer: Callable[[], A], *, at: datetime) -> A:
    """
    Return the kept answer to a question about a customer; work it out when there is none.

    question: a text that says all of it. answer: works it out from ROWS and `at` alone.
    In somebody's transaction it is worked out and not kept, for others may never see its rows.
    """
    if connection.in_atomic_block:
        return answer()
    asked = hashlib.sha256(f"{_RELEASE} {customer.pk} {question}".encode())
    key = f"entitlement:{asked.hexdigest()}"
    try:
        known: _Kept[A] | None = cache.get(key)
    except (RedisError, OSError) as error:
        log.warning("entitlements.cache_away", exc_info=error)
        return answer()
    if (
        known is not None
        and known.since <= at < known.until
        and known.state == state(customer, at=at)
    ):
        return known.answer
    with snapshot():
        new = _Kept(state(customer, at=at), at, _until(customer, at), answer())
    if new.until > at:
        _keep(key, new)
    return new.answer


def state(customer: Customer, *, at: datetime) -> str:
    """
    Return a name for all rows an answer is worked out from; it never comes again once one changed.
    """
    return _asked(_STATE, customer, at)


def next_moment(customer: Customer, *, at: datetime) -> datetime | None:
    """
    Return the first moment from `at` on that these rows know of; None when all have passed.
    """
    return _asked(_NEXT_MOMENT, customer, at)


def _keep(key: str, new: _Kept) -> None:
    try:
        cache.set(key, new, timeout=QUARTER.total_seconds())
    except (RedisError, OSError) as error:
        log.warning("entitlements.cache_away", exc_info=error)


def _until(customer: Customer, at: datetime) -> datetime:
    """
    Return the first moment from `at` on which could change an answer though no row changes.
    """
    quarter = min((_ANY_QUARTER - ahead - at) % QUARTER for ahead in _AHEAD)
    return min(at + quarter, next_moment(customer, at=at) or at + quarter)


def _asked(query: str, customer: Customer, at: datetime) -> Any:
    with connection.cursor() as cursor, planned_once():
        cursor.execute(query, {"customer": customer.pk, "at": at})
        [found] = cursor.fetchone()
        return found


def _release() -> str:
    """
    Return a name for this program: what another release has kept is nothing to go by.
    """
    root = Path(__file__).parent.parent
    code = [one for app in _FLOORS for one in sorted((root / app).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest()[:12]


_FLOORS = ("crm_billing", "accounts", "wallet", "packages")  # what an answer is worked out by
_RELEASE = _release()
