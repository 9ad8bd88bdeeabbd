"""
One legal row of each table, written past triggers and foreign keys, for what it points at need not
be there: what refuses another row like it is the one thing that was changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from psycopg import sql

from tests.packages.test_subscription_guards import refused

Facts = dict[str, Any]

DAYS = [f"2025-03-{day:02} 12:00+00" for day in range(1, 10)]
FIRST, SECOND, THIRD, FOURTH, FIFTH = DAYS[:5]

ROWS: dict[str, Facts] = {
    "accounts_consent": {
        "customer_id": 1,
        "purpose": "CHANGE",
        "text": "x",
        "text_sha256": "x",
        "version": "x",
        "locale": "en",
        "given_at": FIRST,
        "user_agent": "",
        "control": "",
    },
    "packages_charge": {
        "customer_id": 1,
        "kind": "CHANGE",
        "subscription_id": 1,
        "period_number": 1,
        "price_version_id": 1,
        "entry_id": 1,
        "consent_id": 1,
        "currency": "CNY",
        "amount_minor": 1,
        "lines": "[]",
        "charged_at": FIRST,
    },
    "packages_chargescan": {"at": SECOND, "since": FIRST, "found": 1, "opened": 1},
    "packages_coupon": {
        "code": "SPRING20",
        "name": "春",
        "name_en": "Spring",
        "bps": 2_000,
        "currency": "",
        "most_per_customer": 1,
        "used": 0,
        "valid_from": FIRST,
        "created_at": FIRST,
    },
    "packages_coupon_packages": {"coupon_id": 1, "package_id": 1},
    "packages_couponuse": {
        "coupon_id": 1,
        "customer_id": 1,
        "subscription_id": 1,
        "number": 1,
        "nth": 1,
        "terms_left": 1,
        "used_at": FIRST,
    },
    "packages_dispute": {
        "charge_id": 1,
        "case_id": 1,
        "number": 1,
        "words": "x",
        "made_at": FIRST,
        "made_by_id": 1,
    },
    "packages_extrapack": {
        "customer_id": 1,
        "subscription_id": 1,
        "period_number": 1,
        "code": "calls",
        "nth": 1,
        "units": 5,
        "charge_id": 1,
        "bought_at": FIRST,
    },
    "packages_meter": {
        "code": "calls",
        "name": "调用",
        "name_en": "Calls",
        "unit": "",
        "unit_en": "",
        "aggregation": "SUM",
        "carries_value": False,
        "created_at": FIRST,
    },
    "packages_notice": {
        "customer_id": 1,
        "subscription_id": 1,
        "kind": "RENEWAL",
        "period_number": 1,
        "step": 1,
        "code": "",
        "currency": "CNY",
        "amount_minor": 1,
        "due_at": FIFTH,
        "locale": "en",
        "subject": "one",
        "text": "one",
        "created_at": SECOND,
        "sent_to": "[]",
    },
    "packages_overage": {
        "customer_id": 1,
        "subscription_id": 1,
        "code": "calls",
        "policy": "BLOCK",
        "period_number": 1,
        "spent_minor": 0,
        "made_at": FIRST,
    },
    "packages_package": {
        "code": "pro",
        "kind": "PLAN",
        "state": "DRAFT",
        "name": "专业",
        "name_en": "Pro",
        "summary": "",
        "summary_en": "",
        "position": 0,
        "created_at": FIRST,
    },
    "packages_pause": {
        "subscription_id": 1,
        "until": FIFTH,
        "consent_id": 1,
        "asked_at": FIRST,
    },
    "packages_pricecomponent": {
        "version_id": 1,
        "position": 0,
        "kind": "RECURRING",
        "code": "base",
        "name": "x",
        "name_en": "x",
        "unit": "",
        "unit_en": "",
        "amount_minor": 1,
        "model": "",
        "tiers": "[]",
        "included": 0,
    },
    "packages_pricequote": {
        "code": "a" * 24,
        "customer_id": 1,
        "price_version_id": 1,
        "seats": 1,
        "has_trial": False,
        "currency": "CNY",
        "due_minor": 1,
        "each_term_minor": 1,
        "made_at": FIRST,
        "expires_at": FIFTH,
        "auto_renew": False,
    },
    "packages_priceversion": {
        "package_id": 1,
        "number": 1,
        "currency": "CNY",
        "interval": "month",
        "trial_days": 0,
        "terms_version": "x",
        "created_at": FIRST,
    },
    "packages_renewalrun": {
        "at": FIRST,
        "is_rehearsal": False,
        "started_at": FIRST,
        **dict.fromkeys(("ok", "insufficient", "waiting", "failed", "ended", "paused"), 0),
    },
    "packages_spendingcap": {
        "customer_id": 1,
        "code": "",
        "currency": "CNY",
        "most_minor": 1,
        "month": "2025-03-01",
        "made_in": "2025-03-01",
        "spent_minor": 0,
        "made_at": FIRST,
    },
    "packages_subscription": {
        "number": "S1",
        "customer_id": 1,
        "package_id": 1,
        "price_version_id": 1,
        "currency": "CNY",
        "seats": 1,
        "state": "ACTIVE",
        "auto_renew": False,
        "had_trial": False,
        "zone": "Asia/Shanghai",
        "anchor_on": "2025-03-01",
        "anchor_number": 1,
        "period_number": 1,
        "paid_until": FIFTH,
        "next_try_at": FIFTH,
        "failures": 0,
        "created_at": FIRST,
    },
    "packages_subscriptionchange": {
        "subscription_id": 1,
        "from_version_id": 1,
        "from_seats": 1,
        "to_seats": 2,
        "consent_id": 1,
        "made_at": FIRST,
    },
    "packages_subscriptionperiod": {
        "subscription_id": 1,
        "number": 1,
        "starts_at": FIRST,
        "ends_at": FIFTH,
        "price_version_id": 1,
        "seats": 1,
        "is_trial": False,
        "amount_minor": 1,
        "created_at": FIRST,
    },
    "packages_topupoffer": {"version_id": 1, "amount_minor": 1, "bonus_minor": 0},
    "packages_usagebill": {
        "customer_id": 1,
        "subscription_id": 1,
        "period_number": 1,
        "price_version_id": 1,
        "starts_at": FIRST,
        "ends_at": SECOND,
        "currency": "CNY",
        "rated_minor": 5,
        "amount_minor": 5,
        "lines": "[]",
        "made_at": DAYS[8],
        "next_try_at": DAYS[8],
    },
    "packages_usageevent": {
        "customer_id": 1,
        "event_id": "told",
        "meter_id": 1,
        "quantity": 1,
        "occurred_at": FOURTH,
        "received_at": FOURTH,
        "counts_at": FOURTH,
        "corrects": "",
        "subject": "",
        "currency": "",
    },
    "packages_usagehour": {
        "customer_id": 1,
        "meter_id": 1,
        "starts_at": FIRST,
        "events": 1,
        "total": 1,
        "value_minor": 0,
        "largest": 1,
        "last": 1,
        "last_at": FIRST,
        "last_event": "told",
    },
    "packages_usageshare": {
        "bill_id": 1,
        "customer_id": 1,
        "code": "calls",
        "month": "2025-03-01",
        "starts_at": FIRST,
        "ends_at": SECOND,
        "rated_minor": 5,
        "amount_minor": 0,
    },
    "packages_waitingchange": {
        "subscription_id": 1,
        "from_version_id": 1,
        "from_seats": 1,
        "to_version_id": 2,
        "to_seats": 1,
        "due_minor": 1,
        "consent_id": 1,
        "topup_id": 1,
        "agreed_at": FIRST,
        "expires_at": SECOND,
        "closed_because": "",
    },
    "wallet_expiryletter": {
        "customer_id": 1,
        "on_day": "2025-03-02",
        "created_at": SECOND,
        "locale": "en",
        "subject": "",
        "text": "",
        "sent_to": "[]",
    },
    "wallet_expiryreminder": {"letter_id": 1, "lot_id": 1, "step": 30, "amount_minor": 1},
}


def row(table: str, facts: Facts | None = None) -> str:
    """
    Return a statement that adds the row of a table, but for some columns.
    """
    wanted = ROWS[table] | (facts or {})
    return (
        sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        .format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, wanted)),
            sql.SQL(", ").join(map(sql.Literal, wanted.values())),
        )
        .as_string()
    )


@contextmanager
def no_triggers() -> Iterator[None]:
    """
    Switch triggers and foreign keys off; what a row says of itself is still looked at.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


def write(table: str, facts: Facts | None = None) -> None:
    """
    Add the row of a table, but for some columns, which must be legal.
    """
    with no_triggers():
        assert refused(row(table, facts)) is None
