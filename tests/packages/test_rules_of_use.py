"""
What the database wants of use, its bills and packs among each other: each trigger alone, each of
its conditions.
"""

import pytest

from tests.packages.awake import Rule, check
from tests.packages.rows import FIFTH, FOURTH, SECOND, THIRD
from tests.packages.test_rules_of_prices import COMPONENT
from tests.packages.test_rules_of_terms import (
    CHARGE,
    CUSTOMER,
    DOLLARS,
    OTHERS,
    PERIOD,
    SUBSCRIPTION,
    VERSION,
    named,
)

pytestmark = pytest.mark.django_db

METER, EVENT = "packages_meter", "packages_usageevent"
BILL, SHARE, RULE, CAP = (
    "packages_usagebill",
    "packages_usageshare",
    "packages_overage",
    "packages_spendingcap",
)
PACK = "packages_extrapack"
SETTLED = {"settled_at": SECOND, "next_try_at": None, "charge_id": 1}
OF_USE = {"kind": "USAGE", "amount_minor": 5}
ALLOWED = {"policy": "ALLOW", "consent_id": 1}
CAPPED = ALLOWED | {"policy": "CAP_AMOUNT"}
OF_PACK = {"kind": "PACK", "amount_minor": 400}
WITH_PACK = {
    "kind": "METERED",
    "code": "calls",
    "amount_minor": None,
    "model": "PER_UNIT",
    "pack_units": 5,
    "pack_minor": 400,
}
FIVE = {"quantity": 5, "value_minor": 500, "currency": "CNY"}
FEB, APRIL = "2025-02-20 12:00+00", "2025-04-05 12:00+00"

BESIDE = {"bill_id": 2, "starts_at": SECOND, "ends_at": THIRD, "amount_minor": 5, "overage_id": 1}

METERING = [
    Rule(
        "packages_usage_rolls_up",
        EVENT,
        {METER: {"carries_value": True}, CUSTOMER: {}, EVENT: FIVE},
        {
            "event_id": "less",
            "corrects": "told",
            "quantity": -5,
            "value_minor": -500,
            "currency": "CNY",
        },
        {
            "packages_usage_fits_its_meter": [
                {METER: {"id": 2}},
                {CUSTOMER: {"id": 2}},
                {METER: {"carries_value": False}},
                {CUSTOMER: DOLLARS},
                {METER: {"retired_at": FOURTH}},
            ],
            "packages_usage_corrects_its_like": [
                {EVENT: {"event_id": "other"}},
                {EVENT: {"customer_id": 2}},
                {EVENT: {"meter_id": 2}},
                {EVENT: DOLLARS},
                {EVENT: {"occurred_at": THIRD, "counts_at": THIRD}},
            ],
            "packages_usage_corrects_no_more": [
                {"act": {"quantity": -6}},
                {"act": {"value_minor": -501}},
            ],
        },
        [{}, {METER: {"retired_at": FIFTH}}],
    ),
]

BILLS = [
    Rule(
        "packages_overage_is_its_subscriptions",
        RULE,
        {SUBSCRIPTION: {}, PERIOD: {}},
        {},
        {
            "packages_overage_is_its_subscriptions": [
                {SUBSCRIPTION: OTHERS},
                {SUBSCRIPTION: {"id": 2}, PERIOD: {"subscription_id": 2}},
                {PERIOD: {"subscription_id": 2}},
                {"act": {"period_number": 3}},
            ]
        },
        [{}, {"act": {"period_number": 2}}],
    ),
    Rule(
        "packages_bill_is_its_periods",
        BILL,
        {SUBSCRIPTION: {}, VERSION: {}, PERIOD: {"ends_at": SECOND}},
        {},
        {
            "packages_bill_is_its_periods": [
                {SUBSCRIPTION: OTHERS},
                {SUBSCRIPTION: DOLLARS},
                {SUBSCRIPTION: {"id": 2}, PERIOD: {"subscription_id": 2, "ends_at": SECOND}},
                {VERSION: DOLLARS},
                {VERSION: {"id": 2}},
                {PERIOD: {"starts_at": "2025-02-28 12:00+00"}},
                {PERIOD: {"ends_at": THIRD}},
                {PERIOD: {"number": 2}},
                {PERIOD: {"subscription_id": 2}},
                {PERIOD: {"is_trial": True, "amount_minor": 0}},
            ]
        },
    ),
    *(
        Rule(
            "packages_bill_is_settled_in_full",
            BILL,
            {CHARGE: OF_USE, **more},
            act,
            {
                "packages_bill_is_settled_in_full": [
                    {CHARGE: {"kind": "CHANGE"}},
                    {CHARGE: {"subscription_id": 2}},
                    {CHARGE: {"period_number": 2}},
                    {CHARGE: {"amount_minor": 4}},
                    {CHARGE: {"lines": "[1]"}},
                    {CHARGE: {"id": 2}},
                ]
            },
        )
        for more, act in (
            ({}, SETTLED),
            (
                {BILL: {}},
                f"UPDATE {BILL} SET charge_id = 1, settled_at = now(), next_try_at = NULL",
            ),
        )
    ),
    Rule(
        "packages_charge_of_use_was_billed",
        CHARGE,
        {BILL: {}, RULE: ALLOWED},
        OF_USE,
        {
            "packages_charge_of_use_was_billed": [
                {BILL: {"subscription_id": 2}},
                {BILL: {"period_number": 2}},
                {BILL: {"amount_minor": 4}},
                {BILL: {"lines": "[1]"}},
                {RULE: {"subscription_id": 2}},
                {RULE: {"consent_id": 2}},
            ]
        },
        [{}, {BILL: {"period_number": 2}, "act": {"kind": "CHANGE"}}],
    ),
    Rule(
        "packages_share_is_within_limits",
        SHARE,
        {BILL: {}, SUBSCRIPTION: {}, RULE: ALLOWED},
        {"amount_minor": 5, "overage_id": 1},
        {
            "packages_share_lies_in_its_bill": [
                {"act": OTHERS},
                {BILL: {"starts_at": "2025-03-01 12:01+00"}},
                {BILL: {"ends_at": "2025-03-02 11:59+00"}},
                {BILL: {"starts_at": FEB}, "act": {"starts_at": "2025-02-28 15:59+00"}},
                {
                    BILL: {"ends_at": APRIL, "made_at": "2025-04-09 12:00+00"},
                    "act": {"ends_at": "2025-03-31 16:01+00"},
                },
            ],
            "packages_share_names_its_rule": [
                {RULE: {"subscription_id": 2}},
                {RULE: {"code": "sms"}},
                {RULE: {"made_at": SECOND}},
                {f"{RULE} later": ALLOWED | {"id": 2}},
            ],
            "packages_share_was_allowed_in_its_term": [
                {RULE: {"policy": "BLOCK"}},
                {RULE: {"policy": "BLOCK", "spent_minor": 5, "period_number": 2}},
                {RULE: CAPPED | {"most_minor": 4}},
                {
                    RULE: CAPPED | {"most_minor": 9},
                    BILL: {"ends_at": FIFTH},
                    f"{SHARE} other": {
                        "starts_at": SECOND,
                        "ends_at": THIRD,
                        "amount_minor": 5,
                        "overage_id": 1,
                    },
                },
            ],
            "packages_share_is_below_its_cap": [
                {CAP: {"most_minor": 4}},
                {CAP: {"most_minor": 4, "code": "calls"}},
                {CAP: {"most_minor": 4, "month": None}},
                {CAP: {"most_minor": 4, "spent_minor": 5, "made_in": "2025-02-01", "month": None}},
                {CAP: {}, f"{CAP} later": {"id": 2, "most_minor": 4}},
                {
                    CAP: {"most_minor": 9},
                    BILL: {"ends_at": FIFTH},
                    f"{SHARE} other": {
                        "starts_at": SECOND,
                        "ends_at": THIRD,
                        "amount_minor": 5,
                        "overage_id": 1,
                    },
                },
            ],
        },
        [
            {},
            {BILL: {"starts_at": FEB}, "act": {"starts_at": "2025-02-28 16:00+00"}},
            {
                BILL: {"ends_at": APRIL, "made_at": "2025-04-09 12:00+00"},
                "act": {"ends_at": "2025-03-31 16:00+00"},
            },
            {RULE: {"policy": "BLOCK", "spent_minor": 5}},
            {RULE: CAPPED | {"most_minor": 5}},
            {CAP: {"most_minor": 5}},
            {CAP: {"most_minor": 4, "spent_minor": 5}},
            {CAP: {"most_minor": 4, "code": "sms"}},
            {CAP: {"most_minor": 4, "customer_id": 2}},
            {CAP: {"most_minor": 4, "month": "2025-04-01"}},
            {CAP: {"most_minor": 4, "made_at": "2025-03-31 16:00+00"}},
            {CAP: {"most_minor": 4}, f"{CAP} later": {"id": 2, "most_minor": None, "month": None}},
            {CAP: {"most_minor": 5}, f"{SHARE} other": BESIDE | OTHERS},
            {CAP: {"most_minor": 5, "code": "calls"}, f"{SHARE} other": BESIDE | {"code": "sms"}},
            {CAP: {"most_minor": 5}, f"{SHARE} other": BESIDE | {"month": "2025-04-01"}},
        ],
    ),
    Rule(
        "packages_bill_is_its_shares",
        BILL,
        {SHARE: {"bill_id": 9, "amount_minor": 5, "overage_id": 1}},
        {},
        {
            "packages_bill_is_its_shares": [
                {SHARE: {"rated_minor": 6}},
                {SHARE: {"amount_minor": 4}},
                {SHARE: {"bill_id": 2}},
            ]
        },
    ),
    Rule(
        "packages_share_is_of_its_bill",
        SHARE,
        {BILL: {}},
        {"amount_minor": 5, "overage_id": 1},
        {
            "packages_bill_is_its_shares": [
                {BILL: {"rated_minor": 6}},
                {BILL: {"amount_minor": 4}},
            ]
        },
    ),
    Rule(
        "packages_pack_is_sold_and_paid",
        PACK,
        {CHARGE: OF_PACK, COMPONENT: WITH_PACK},
        {},
        {
            "packages_pack_is_sold_and_paid": [
                {COMPONENT: {"code": "sms"}},
                {COMPONENT: {"version_id": 2}},
                {COMPONENT: {"pack_units": 6}},
                {COMPONENT: {"pack_minor": 401}},
                {CHARGE: {"kind": "CHANGE"}},
                {CHARGE: OTHERS},
                {CHARGE: {"subscription_id": 2}},
                {CHARGE: {"period_number": 2}},
                {"act": {"charge_id": 2}},
            ]
        },
    ),
]


@pytest.mark.parametrize("rule", named([*METERING, *BILLS]))
def test_the_database_wants(rule):
    check(rule)
