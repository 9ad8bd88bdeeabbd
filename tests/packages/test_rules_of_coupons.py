"""
What the database wants of coupons, disputes and letters of expiry among what they are about: each
trigger alone, each of its conditions.
"""

import pytest

from tests.packages.awake import Rule, check
from tests.packages.rows import FIRST, SECOND
from tests.packages.test_rules_of_terms import (
    CHARGE,
    OTHERS,
    PERIOD,
    SUBSCRIPTION,
    VERSION,
    named,
)

pytestmark = pytest.mark.django_db

COUPON, USED, SCOPE = "packages_coupon", "packages_couponuse", "packages_coupon_packages"
DISPUTE, CASE = "packages_dispute", "wallet_case"
LETTER, REMINDER, LOT = "wallet_expiryletter", "wallet_expiryreminder", "wallet_lot"

COUPONS = [
    Rule(
        "packages_couponuse_is_allowed",
        USED,
        {COUPON: {"published_at": FIRST, "terms": 3, "used": 1}, SUBSCRIPTION: {}},
        {"terms_left": 3},
        {
            "packages_couponuse_is_its_customers": [{SUBSCRIPTION: OTHERS}],
            "packages_couponuse_is_of_a_published_coupon": [
                {COUPON: {"published_at": None, "used": 0}, "act": {"number": 1}}
            ],
            "packages_couponuse_is_in_its_currency": [
                {COUPON: {"bps": None, "amount_minor": 1, "currency": "USD"}}
            ],
            "packages_couponuse_is_counted": [{COUPON: {"used": 2}}],
            "packages_couponuse_within_the_customers_limit": [{"act": {"nth": 2}}],
            "packages_couponuse_begins_whole": [
                {"act": {"terms_left": 2}},
                {"act": {"terms_left": None}},
                {"act": {"ended_at": SECOND}},
            ],
        },
        [{}, {COUPON: {"most_per_customer": 2}, "act": {"nth": 2}}],
    ),
    Rule(
        "packages_coupon_count_is_its_uses",
        COUPON,
        {COUPON: {"published_at": FIRST}, USED: {}},
        f"UPDATE {COUPON} SET used = 1",
        {"packages_coupon_count_is_its_uses": [{USED: {"coupon_id": 2}}, {USED: {"number": 2}}]},
    ),
    Rule(
        "packages_couponuse_terms_are_its_periods",
        USED,
        {COUPON: {"terms": 3}, USED: {"terms_left": 3}, PERIOD: {"coupon_use_id": 1}},
        f"UPDATE {USED} SET terms_left = 2",
        {
            "packages_couponuse_terms_are_its_periods": [
                {PERIOD: {"coupon_use_id": None}},
                {COUPON: {"terms": 4}},
                {"act": f"UPDATE {USED} SET terms_left = 1"},
            ]
        },
    ),
    Rule(
        "packages_period_takes_a_term_of_its_coupon",
        PERIOD,
        {COUPON: {"terms": 3}, USED: {"terms_left": 2}},
        {"coupon_use_id": 1},
        {"packages_couponuse_terms_are_its_periods": [{USED: {"terms_left": 3}}]},
    ),
    Rule(
        "packages_period_coupon_holds",
        PERIOD,
        {USED: {}, VERSION: {}},
        {"coupon_use_id": 1},
        {
            "packages_period_coupon_holds": [
                {USED: {"subscription_id": 2}},
                {USED: {"ended_at": FIRST}},
                {USED: {"id": 2}},
                {VERSION: {"id": 2}},
                {SCOPE: {"package_id": 2}},
                {SCOPE: {"package_id": 2}, f"{SCOPE} other": {"id": 2, "coupon_id": 2}},
            ]
        },
        [{}, {SCOPE: {}}, {SCOPE: {"coupon_id": 2, "package_id": 2}}],
    ),
]

OTHERWISE = [
    Rule(
        "packages_dispute_one_at_a_time",
        DISPUTE,
        {CHARGE: {}, CASE: {}},
        {},
        {
            "packages_dispute_has_its_case": [
                {CASE: {"kind": "CHARGE_SUSPECT"}},
                {CASE: OTHERS},
                {"act": {"charge_id": 2}},
                {"act": {"case_id": 2}},
            ],
            "packages_dispute_one_at_a_time": [
                {DISPUTE: {"case_id": 2}, f"{CASE} other": {"id": 2, "key": "other"}},
            ],
        },
        [
            {},
            {
                DISPUTE: {"case_id": 2, "charge_id": 2},
                f"{CASE} other": {"id": 2, "key": "other"},
            },
            {
                DISPUTE: {"case_id": 2, "number": 2},
                f"{CASE} other": {
                    "id": 2,
                    "key": "other",
                    "state": "RESOLVED",
                    "resolved_at": SECOND,
                    "resolved_by_id": 1,
                    "resolution": "x",
                },
            },
        ],
    ),
    Rule(
        "wallet_expiryreminder_is_its_customers",
        REMINDER,
        {LETTER: {}, LOT: {}},
        {},
        {
            "wallet_expiryreminder_is_its_customers": [
                {LOT: OTHERS},
                {LOT: {"expires_at": SECOND}},
                {LOT: {"expires_at": None}},
                {"act": {"lot_id": 2}},
                {"act": {"letter_id": 2}},
            ]
        },
    ),
]


@pytest.mark.parametrize("rule", named([*COUPONS, *OTHERWISE]))
def test_the_database_wants(rule):
    check(rule)
