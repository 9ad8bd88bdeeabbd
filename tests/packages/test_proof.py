"""
Each part of each promise about subscriptions finds what it is there for, and nothing else.
"""

import pytest
from django.db import connection

from tests.packages.awake import Changes
from tests.packages.planting import write
from tests.packages.rows import DAYS, FIFTH, FIRST, FOURTH, SECOND, THIRD, Facts
from tests.packages.test_rules_of_prices import COMPONENT
from tests.packages.test_rules_of_terms import CHANGE, CHARGE, NOTICE, PERIOD, POSTING, SUBSCRIPTION
from tests.packages.test_rules_of_use import BILL, SHARE, WITH_PACK
from wallet import books

pytestmark = [pytest.mark.django_db, pytest.mark.tampers]

SEVENTH = DAYS[6]
RUN = "packages_renewalrun"
NEXT, LAST, EARLIER = f"{PERIOD} next", f"{CHARGE} last", f"{CHANGE} earlier"
PAID, OTHER = f"{POSTING} last", f"{BILL} other"
METERED = {"kind": "METERED", "amount_minor": None, "model": "PER_UNIT"}
PERCENTAGE = {"kind": "PERCENTAGE", "model": "", "bps": 60}
NOT_BILLED = {BILL: None, SHARE: None, CHARGE: None}
CHANGED = {"to_version_id": 2, "applied_at": FIRST}
OPEN = {"charge_id": None, "settled_at": None, "next_try_at": FIFTH}
FAR = {"starts_at": "2024-11-25 11:59+00", "ends_at": "2024-11-25 14:00:01+00"}

# what is as it should be: promise -> rows there are
SOUND: dict[str, dict[str, Facts]] = {
    # two terms, the second renewed, announced five days before
    "I13": {
        SUBSCRIPTION: {"period_number": 2},
        PERIOD: {"ends_at": THIRD},
        NEXT: {
            "id": 2,
            "number": 2,
            "previous_number": 1,
            "starts_at": THIRD,
            "amount_minor": 2,
        },
        CHARGE: {"kind": "FIRST"},
        LAST: {
            "id": 2,
            "kind": "RENEWAL",
            "period_number": 2,
            "entry_id": 2,
            "amount_minor": 2,
            "notice_id": 1,
            "charged_at": SEVENTH,
        },
        POSTING: {},
        PAID: {"id": 2, "entry_id": 2, "amount_minor": 2, "account_version": 2},
        NOTICE: {"period_number": 2, "amount_minor": 2, "sent_at": SECOND},
    },
    # the last sweep came ten minutes after what is due
    "I14": {
        SUBSCRIPTION: {"next_try_at": "2025-03-05 12:00+00", "failures": 4},
        RUN: {"at": "2025-03-05 12:10+00", "finished_at": FIFTH},
    },
    # a term billed and paid; bills of terms that ended 74 hours ago are made
    "I25": {
        PERIOD: {"ends_at": SECOND},
        COMPONENT: METERED,
        BILL: {"made_at": FIFTH, "charge_id": 1, "settled_at": FIFTH, "next_try_at": None},
        SHARE: {"amount_minor": 5, "overage_id": 1},
        CHARGE: {"kind": "USAGE", "amount_minor": 5},
        OTHER: {
            "id": 2,
            "subscription_id": 2,
            "rated_minor": 0,
            "amount_minor": 0,
            "made_at": "2025-03-05 14:00:01+00",
            "settled_at": FIFTH,
            "next_try_at": None,
        },
    },
}

# promise -> differences that it finds
BROKEN: dict[str, list[Changes]] = {
    "I13": [
        {SUBSCRIPTION: {"paid_until": FOURTH}},
        {SUBSCRIPTION: {"period_number": 3}},
        {SUBSCRIPTION: {"id": 2}},
        {PERIOD: None, CHARGE: None, NEXT: {"previous_number": None}},
        {
            SUBSCRIPTION: {"period_number": 3},
            NEXT: {"number": 3, "previous_number": None},
            LAST: {"period_number": 3},
            NOTICE: {"period_number": 3},
        },
        {PERIOD: {"ends_at": FOURTH}, NEXT: {"previous_number": None}},
        {PERIOD: {"ends_at": SECOND}},
        {PERIOD: {"amount_minor": 2}},
        {PERIOD: {"amount_minor": 0}},
        {CHARGE: None},
        {CHARGE: {"kind": "CHANGE"}},
        {POSTING: {"amount_minor": 2}},
        {POSTING: None},
        {POSTING: {"account_version": None, "balance_after_minor": None}},
        {NOTICE: {"id": 2}},
        {NOTICE: {"subscription_id": 2}},
        {NOTICE: {"period_number": 3}},
        {NOTICE: {"amount_minor": 1}},
        {NOTICE: {"sent_at": None}},
        {NOTICE: {"sent_at": "2025-03-02 12:00:01+00"}},
        {NOTICE: {"bounced_at": SEVENTH, "bounce_reason": "x"}},
    ],
    "I14": [{SUBSCRIPTION: {"next_try_at": "2025-03-05 11:59:59+00"}}],
    "I25": [
        NOT_BILLED,
        NOT_BILLED | {COMPONENT: PERCENTAGE},
        NOT_BILLED | {COMPONENT: {"version_id": 2}, CHANGE: CHANGED},
        NOT_BILLED
        | {
            COMPONENT: {"version_id": 2},
            EARLIER: {"to_version_id": 3, "applied_at": FIRST},
            CHANGE: {"id": 2, "to_version_id": 2, "applied_at": "2025-03-02 11:59+00"},
        },
        NOT_BILLED
        | {
            COMPONENT: {"version_id": 2},
            EARLIER: CHANGED | {"to_version_id": 3},
            CHANGE: CHANGED | {"id": 2},
        },
        NOT_BILLED
        | {
            COMPONENT: {"version_id": 2},
            EARLIER: CHANGED,
            CHANGE: {"id": 2, "applied_at": "2025-03-02 11:59+00"},
        },
        NOT_BILLED | {PERIOD: FAR | {"ends_at": "2024-11-25 14:00:02+00"}},
        {BILL: {"period_number": 2}, CHARGE: {"period_number": 2}},
        {BILL: {"subscription_id": 3}, CHARGE: {"subscription_id": 3}},
        {CHARGE: {"amount_minor": 4}},
        {CHARGE: {"kind": "CHANGE"}},
        {CHARGE: {"subscription_id": 2}},
        {CHARGE: {"period_number": 2}},
        {BILL: OPEN},
        {SHARE: {"amount_minor": 4}},
        {SHARE: {"rated_minor": 6}},
        {SHARE: None},
    ],
}
# promise -> differences that are as they should be too
FINE: dict[str, list[Changes]] = {
    "I13": [
        {},
        {NEXT: {"previous_number": None}},
        {PERIOD: {"ends_at": SECOND}, NEXT: {"previous_number": None}},
        {NOTICE: {"amount_minor": 3}},
        {NOTICE: {"bounced_at": "2025-03-07 12:00:01+00", "bounce_reason": "x"}},
        {
            f"{CHARGE} change": {"id": 3, "entry_id": 3},
            f"{POSTING} change": {"id": 3, "entry_id": 3, "account_version": 3},
        },
        {
            f"{CHARGE} other": {"id": 3, "entry_id": 3, "kind": "FIRST", "subscription_id": 2},
            f"{POSTING} other": {"id": 3, "entry_id": 3, "account_version": 3},
        },
        {CHARGE: {"kind": "TERM"}},
        {LAST: {"kind": "TERM", "notice_id": None}, NOTICE: None},
    ],
    "I14": [
        {},
        {SUBSCRIPTION: {"next_try_at": FIRST, "failures": 5}},
        {SUBSCRIPTION: {"next_try_at": FIRST}, RUN: {"finished_at": None}},
        {SUBSCRIPTION: {"next_try_at": FIRST}, RUN: {"is_rehearsal": True}},
    ],
    "I25": [
        {},
        NOT_BILLED | {PERIOD: {"is_trial": True, "amount_minor": 0}},
        NOT_BILLED | {COMPONENT: WITH_PACK | {"version_id": 2}},
        NOT_BILLED | {COMPONENT: {"kind": "RECURRING", "amount_minor": 1, "model": ""}},
        NOT_BILLED | {CHANGE: CHANGED},
        NOT_BILLED
        | {COMPONENT: {"version_id": 2}, CHANGE: CHANGED | {"applied_at": "2025-03-01 11:59+00"}},
        NOT_BILLED | {COMPONENT: {"version_id": 2}, CHANGE: CHANGED | {"applied_at": SECOND}},
        NOT_BILLED | {COMPONENT: {"version_id": 2}, CHANGE: CHANGED | {"subscription_id": 2}},
        NOT_BILLED | {OTHER: {"made_at": "2025-03-05 14:00+00"}},
        NOT_BILLED | {PERIOD: FAR},
        {BILL: OPEN, CHARGE: None},
        {f"{CHARGE} change": {"id": 3, "entry_id": 3}},
    ],
}


def found(code: str, changes: Changes) -> int:
    """
    Plant what is sound but for some differences, None for rows that are not there, and count what
    a promise finds.
    """
    keys = [*SOUND[code], *(key for key in changes if key not in SOUND[code])]
    for key in keys:
        if changes.get(key, {}) is not None:
            facts = {"id": 1} | SOUND[code].get(key, {}) | changes.get(key, {})
            write(key.split()[0], facts)
    return books.violations()[code]


@pytest.mark.parametrize(
    ("code", "changes"), [(code, one) for code, many in FINE.items() for one in many]
)
def test_a_promise_lets_be(code, changes):
    assert found(code, changes) == 0


@pytest.mark.parametrize(
    ("code", "changes"), [(code, one) for code, many in BROKEN.items() for one in many]
)
def test_a_promise_finds(code, changes):
    assert found(code, changes) > 0


def without(rule: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(rule)


def test_a_promise_finds_a_term_charged_in_two_halves():
    without("DROP INDEX packages_charge_once_per_period")
    halves = {
        f"{CHARGE} half": {"id": 3, "entry_id": 3, "kind": "TERM"},
        f"{POSTING} half": {"id": 3, "entry_id": 3, "account_version": 3},
    }
    assert found("I13", halves | {PERIOD: {"amount_minor": 2}}) == 1


def test_a_promise_finds_a_bill_settled_by_nothing():
    without("ALTER TABLE packages_usagebill DROP CONSTRAINT packages_bill_is_settled_by_its_charge")
    assert found("I25", {BILL: {"charge_id": None}, CHARGE: None}) == 1
