"""
What the database wants of trials: how they go on, and what the first paid term takes.
"""

import pytest

from tests.packages.awake import Rule, check
from tests.packages.rows import DAYS, FIFTH

pytestmark = pytest.mark.django_db

SUBSCRIPTION, PERIOD = "packages_subscription", "packages_subscriptionperiod"
CHANGE = "packages_subscriptionchange"
VERSION, COMPONENT = "packages_priceversion", "packages_pricecomponent"
CHARGE = "packages_charge"
TRIED = {
    PERIOD: {"is_trial": True, "amount_minor": 0},
    SUBSCRIPTION: {"trial_of_id": 1, "had_trial": True},
    VERSION: {"trial_days": 14},
}
OTHER = {"id": 2, "number": "S2", "package_id": 3}
LEFT = {CHANGE: {"subscription_id": 2, "from_version_id": 2}}
HAD = [
    {f"{SUBSCRIPTION} had": OTHER | {"package_id": 2}},
    LEFT | {f"{SUBSCRIPTION} left": OTHER, f"{VERSION} left": {"id": 2, "package_id": 2}},
]
NOT_HAD = [
    {f"{SUBSCRIPTION} another's": OTHER | {"package_id": 2, "customer_id": 2}},
    LEFT | {f"{SUBSCRIPTION} left": OTHER, f"{VERSION} left": {"id": 2, "package_id": 3}},
]
RULES = [
    Rule(
        "packages_trial_is_of_what_is_new",
        SUBSCRIPTION,
        {},
        {"number": "S9", "package_id": 2, "trial_of_id": 2, "had_trial": True},
        {"packages_trial_is_of_what_is_new": HAD},
        [{}, *NOT_HAD, HAD[1] | {"act": {"trial_of_id": None, "had_trial": False}}],
    ),
    Rule(
        "packages_trial_goes_on_with_what_is_tried",
        SUBSCRIPTION,
        TRIED,
        f"UPDATE {SUBSCRIPTION} SET package_id = 2 WHERE id = 1",
        {"packages_trial_goes_on_with_what_is_tried": [{VERSION: {"trial_days": 0}}, *HAD]},
        [
            {},
            {PERIOD: {"is_trial": False}, VERSION: {"trial_days": 0}},
            {SUBSCRIPTION: {"trial_of_id": 2}},
            {
                VERSION: {"trial_days": 0},
                "act": f"UPDATE {SUBSCRIPTION} SET package_id = 2, period_number = 2",
            },
            {VERSION: {"trial_days": 0}, "act": f"UPDATE {SUBSCRIPTION} SET package_id = 1"},
            *NOT_HAD,
        ],
    ),
    Rule(
        "packages_charge_has_what_is_paid_once",
        CHARGE,
        {
            f"{PERIOD} trial": TRIED[PERIOD] | {"id": 2},
            PERIOD: {"number": 2, "previous_number": 1, "starts_at": FIFTH, "ends_at": DAYS[5]},
            COMPONENT: {"kind": "ONE_OFF", "code": "setup"},
        },
        {"kind": "RENEWAL", "notice_id": 1, "period_number": 2, "lines": '[{"code": "base"}]'},
        {"packages_charge_has_what_is_paid_once": [{}]},
        [
            {"act": {"lines": '[{"code": "base"}, {"code": "setup"}]'}},
            {"act": {"kind": "USAGE", "notice_id": None}},
            {f"{PERIOD} trial": {"is_trial": False}},
            {COMPONENT: {"kind": "FEATURE"}},
            {COMPONENT: {"amount_minor": 0}},
            {COMPONENT: {"version_id": 2}},
        ],
    ),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.trigger)
def test_each_condition_of_a_rule_refuses_alone(rule):
    check(rule)
