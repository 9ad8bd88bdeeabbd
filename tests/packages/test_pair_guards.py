"""
What the database refuses to have in two rows, whoever writes them.
"""

import pytest

from tests.packages.planting import no_triggers, row, write
from tests.packages.rows import FIFTH, FIRST, FOURTH, SECOND
from tests.packages.test_row_guards import ENDED, PAID
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

OPEN = {"published_at": FIRST, "valid_from": FIRST}
TERMS = ("FIRST", "RENEWAL", "TERM")
# constraint -> table, a row, and what another one says that may not be beside it
TWICE = {
    "packages_charge_entry_id_key": ("packages_charge", {}, {}),
    "packages_charge_notice_id_key": (
        "packages_charge",
        {"kind": "RENEWAL", "notice_id": 1},
        {"kind": "RENEWAL", "notice_id": 1, "entry_id": 2, "period_number": 2},
    ),
    "packages_coupon_code_key": ("packages_coupon", {}, {}),
    "packages_couponuse_counted_once": (
        "packages_couponuse",
        {},
        {"subscription_id": 2, "customer_id": 2},
    ),
    "packages_couponuse_counted_by_customer": (
        "packages_couponuse",
        {},
        {"subscription_id": 2, "number": 2},
    ),
    "packages_couponuse_one_per_subscription": (
        "packages_couponuse",
        {},
        {"coupon_id": 2, "number": 2},
    ),
    "packages_coupon_packages_coupon_id_package_id_80edaa01_uniq": (
        "packages_coupon_packages",
        {},
        {},
    ),
    "packages_dispute_case_id_key": ("packages_dispute", {}, {"charge_id": 2}),
    "packages_dispute_numbered_once": ("packages_dispute", {}, {"case_id": 2}),
    "packages_extrapack_charge_id_key": ("packages_extrapack", {}, {"nth": 2}),
    "packages_pack_bought_once": ("packages_extrapack", {}, {"charge_id": 2}),
    "packages_meter_code_key": ("packages_meter", {}, {}),
    "packages_notice_once": ("packages_notice", {}, {}),
    "packages_package_code_key": ("packages_package", {}, {}),
    "packages_pause_one_at_a_time": ("packages_pause", {}, {}),
    "packages_component_once_per_price": ("packages_pricecomponent", {}, {}),
    "packages_pricequote_code_key": ("packages_pricequote", {}, {}),
    "packages_pricequote_subscription_id_key": (
        "packages_pricequote",
        {"accepted_at": SECOND, "consent_id": 1, "subscription_id": 1},
        {"accepted_at": SECOND, "consent_id": 1, "subscription_id": 1, "code": "b"},
    ),
    "packages_price_numbered_once": ("packages_priceversion", {}, {}),
    "packages_price_one_at_a_time": ("packages_priceversion", OPEN, OPEN | {"number": 2}),
    "packages_subscription_number_key": ("packages_subscription", {}, {"package_id": 2}),
    "packages_subscription_once_per_package": ("packages_subscription", {}, {"number": "S2"}),
    "packages_subscription_one_trial_per_package": (
        "packages_subscription",
        ENDED | {"had_trial": True, "trial_of_id": 1},
        ENDED | {"had_trial": True, "trial_of_id": 1, "number": "S2"},
    ),
    "packages_change_one_count_scheduled": ("packages_subscriptionchange", {}, {}),
    "packages_change_one_price_scheduled": (
        "packages_subscriptionchange",
        {"to_seats": None, "to_version_id": 2},
        {"to_seats": None, "to_version_id": 3},
    ),
    "packages_period_once_per_subscription": (
        "packages_subscriptionperiod",
        {},
        {"ends_at": FOURTH},
    ),
    "packages_topupoffer_version_id_key": ("packages_topupoffer", {}, {}),
    "packages_bill_once_per_period": ("packages_usagebill", {}, {}),
    "packages_usagebill_charge_id_key": ("packages_usagebill", PAID, PAID | {"period_number": 2}),
    "packages_usage_told_once": ("packages_usageevent", {}, {}),
    "packages_usage_hour_once": ("packages_usagehour", {}, {}),
    "packages_share_billed_once": ("packages_usageshare", {}, {"bill_id": 2, "ends_at": FIFTH}),
    "packages_waiting_one_per_subscription": ("packages_waitingchange", {}, {}),
    "packages_waitingchange_change_id_key": (
        "packages_waitingchange",
        {"change_id": 1},
        {"change_id": 1},
    ),
    "wallet_expiryletter_once_a_day": ("wallet_expiryletter", {}, {}),
    "wallet_expiryreminder_once_per_step": ("wallet_expiryreminder", {}, {}),
}


@pytest.mark.parametrize("constraint", TWICE)
def test_two_rows_may_not_be(constraint):
    table, first, second = TWICE[constraint]
    write(table, first)
    with no_triggers():
        assert refused(row(table, second)) == constraint


@pytest.mark.parametrize("kind", [*TERMS, "USAGE"])
def test_a_term_is_charged_once(kind):
    once = "packages_charge_use_once_per_period"
    if kind in TERMS:
        once = "packages_charge_once_per_period"
    write("packages_charge", {"kind": kind, "notice_id": 1})
    with no_triggers():
        again = {"kind": kind, "notice_id": 2, "entry_id": 2}
        assert refused(row("packages_charge", again)) == once
