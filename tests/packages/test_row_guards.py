"""
What the database refuses to have in a row, whoever writes it.
"""

import pytest

from tests.packages.planting import no_triggers, row
from tests.packages.rows import FIFTH, FIRST, FOURTH, ROWS, SECOND, THIRD
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

SEATS = 1_000_000
SET = FIRST  # a moment, where only being there counts
BEYOND = "2200-01-02 00:00+00"
ENDED = {"state": "ENDED", "ended_at": SECOND, "next_try_at": None}
SEAT = {"kind": "SEAT", "amount_minor": None, "model": "PER_UNIT"}
METERED = SEAT | {"kind": "METERED"}
PERCENTAGE = {"kind": "PERCENTAGE", "amount_minor": None, "bps": 60}
PUBLISHED = {"published_at": FIRST, "valid_from": SECOND}
CORRECTION = {"corrects": "other", "quantity": -1}
EMPTY = {"largest": None, "last": None, "last_at": None, "last_event": "", "events": 0}
STALE = {"closed_at": SET, "closed_because": "STALE"}
PAID = {"charge_id": 1, "settled_at": SET, "next_try_at": None}
FREE = {"amount_minor": 0, "settled_at": SET, "next_try_at": None}

# table -> what rows say, each legal, up to the edge
LEGAL = {
    "packages_chargescan": [{"found": 0, "opened": 0}],
    "packages_coupon": [
        {"bps": None, "amount_minor": 1, "currency": "CNY", "terms": 1},
        {"bps": 1, "most_uses": 1, "used": 1, "published_at": FIRST},
        {"bps": 10_000, "published_at": FIRST, "ended_at": FIRST, "valid_to": SECOND},
    ],
    "packages_couponuse": [{"terms_left": 0, "ended_at": SET}, {"terms_left": None}],
    "packages_extrapack": [{"units": "0.5"}],
    "packages_meter": [{"retired_at": FIRST}],
    "packages_notice": [
        {"amount_minor": 0, "sent_at": SECOND},
        {"kind": "QUOTA", "code": "calls", "dropped_at": SET},
        {"sent_at": SECOND, "bounced_at": SECOND, "bounce_reason": "x"},
        {"bounced_at": SECOND, "bounce_reason": "x"},
    ],
    "packages_overage": [{"policy": "CAP_AMOUNT", "most_minor": 1, "consent_id": 1}],
    "packages_package": [
        {"state": "PUBLISHED", "published_at": FIRST},
        {"state": "RETIRED", "published_at": FIRST, "retired_at": SECOND},
    ],
    "packages_pause": [{"begun_at": SECOND, "ended_at": SECOND}],
    "packages_pricecomponent": [
        {"amount_minor": 0},
        METERED | {"pack_units": "0.5", "pack_minor": 1, "hard_limit": 0},
        METERED | {"model": "PACKAGE", "package_size": "0.5", "tiers": f"[{'0,' * 99}0]"},
        SEAT,
        PERCENTAGE | {"bps": 0, "least_minor": 0, "most_minor": 0},
        PERCENTAGE | {"bps": 10_000, "period_least_minor": 0, "period_most_minor": 0},
    ],
    "packages_pricequote": [
        {"consent_id": 1, "topup_id": 1, "seats": SEATS},
        {"accepted_at": SECOND, "consent_id": 1, "subscription_id": 1},
        {"due_minor": 0, "each_term_minor": 0},
    ],
    "packages_priceversion": [
        {"published_at": FIRST, "valid_from": FIRST, "trial_days": 366},
        PUBLISHED | {"closed_at": SECOND, "valid_to": SECOND},
    ],
    "packages_spendingcap": [{"most_minor": 0}],
    "packages_subscription": [
        ENDED,
        {"state": "PAST_DUE", "past_due_at": SET, "seats": SEATS},
        {"had_trial": True, "trial_of_id": 1, "anchor_number": 2},
    ],
    "packages_subscriptionchange": [{"to_seats": 1}, {"to_seats": SEATS}],
    "packages_subscriptionperiod": [{"amount_minor": 0}, {"is_trial": True, "amount_minor": 0}],
    "packages_topupoffer": [{"bonus_days": 1}, {"bonus_days": 36_500}],
    "packages_usagebill": [PAID, PAID | {"amount_minor": 1}, FREE, {"amount_minor": 1}],
    "packages_usageevent": [
        CORRECTION | {"value_minor": 0, "currency": "CNY"},
        CORRECTION | {"counts_at": FIRST},
        {"occurred_at": FIRST, "counts_at": FIRST},
        {"received_at": "2025-03-04 11:55+00"},
        {"quantity": 0, "value_minor": 0, "currency": "CNY"},
    ],
    "packages_usagehour": [EMPTY, EMPTY | {"total": 0}],
    "packages_usageshare": [{"amount_minor": 5, "overage_id": 1}],
    "packages_waitingchange": [STALE, {"change_id": 1, "to_seats": SEATS}],
    "wallet_expiryletter": [{"sent_at": SECOND, "text": "x"}, {"dropped_at": SET}],
}

# table -> constraint -> what rows say that it refuses, each legal but for that
REFUSED = {
    "accounts_consent": {
        "accounts_consent_purpose_is_known": [{"purpose": "ODD"}],
        "accounts_consent_has_a_text": [{"text": ""}, {"version": ""}],
    },
    "packages_charge": {
        "packages_charge_amount_positive": [{"amount_minor": 0}],
        "packages_charge_kind_is_known": [{"kind": "ODD"}],
        "packages_charge_of_a_renewal_was_announced": [{"kind": "RENEWAL"}],
    },
    "packages_chargescan": {
        "packages_scan_looks_back": [{"opened": 2}, {"opened": -1}, {"since": SECOND}],
    },
    "packages_coupon": {
        "packages_coupon_can_be_used": [{"used": -1}, {"most_uses": 0}, {"most_per_customer": 0}],
        "packages_coupon_has_two_names": [{"name": ""}, {"name_en": ""}],
        "packages_coupon_is_given_within_the_calendar": [
            {"valid_from": BEYOND},
            {"valid_to": BEYOND},
        ],
        "packages_coupon_takes_a_share_or_an_amount": [
            {"amount_minor": 1},
            {"currency": "CNY"},
            {"bps": None, "currency": "CNY"},
            {"bps": None, "amount_minor": 0, "currency": "CNY"},
            {"bps": None, "amount_minor": 1},
        ],
    },
    "packages_couponuse": {
        "packages_couponuse_counts_from_one": [{"nth": 0}, {"number": 0}],
        "packages_couponuse_ends_with_its_terms": [
            {"terms_left": 0},
            {"terms_left": -1, "ended_at": SET},
        ],
    },
    "packages_dispute": {
        "packages_dispute_says_something": [{"words": ""}, {"number": 0}],
    },
    "packages_extrapack": {"packages_pack_has_units": [{"nth": 0}, {"units": 0}]},
    "packages_meter": {"packages_meter_has_two_names": [{"name": ""}, {"name_en": ""}]},
    "packages_notice": {
        "packages_notice_kind_is_known": [{"kind": "ODD"}],
        "packages_notice_names_a_feature_iff_of_a_quota": [{"kind": "QUOTA"}, {"code": "calls"}],
        "packages_notice_says_something": [{"subject": ""}, {"text": ""}, {"amount_minor": -1}],
        "packages_notice_sent_after_it_was_made": [{"sent_at": FIRST}],
        "packages_notice_sent_or_dropped": [{"sent_at": SECOND, "dropped_at": SET}],
        "packages_notice_bounced_or_dropped": [
            {"bounced_at": SECOND, "bounce_reason": "x", "dropped_at": SET}
        ],
        "packages_notice_bounced_after_it_was_sent": [
            {"bounced_at": FIRST, "bounce_reason": "x"},
            {"sent_at": FIFTH, "bounced_at": SECOND, "bounce_reason": "x"},
        ],
        "packages_notice_bounced_iff_it_says_why": [
            {"bounced_at": SECOND},
            {"bounce_reason": "x"},
        ],
    },
    "packages_overage": {
        "packages_overage_owes_nothing_negative": [{"period_number": 0}, {"spent_minor": -1}],
    },
    "packages_package": {
        "packages_package_code_is_plain": [{"code": "Pro"}, {"code": ""}],
        "packages_package_has_two_names": [{"name": ""}, {"name_en": ""}],
        "packages_package_kind_is_known": [{"kind": "ODD"}],
        "packages_package_state_has_its_stamps": [
            {"published_at": FIRST},
            {"retired_at": SECOND},
            {"published_at": FIRST, "retired_at": SECOND},
            {"state": "PUBLISHED"},
            {"state": "PUBLISHED", "published_at": FIRST, "retired_at": SECOND},
            {"state": "RETIRED", "retired_at": SECOND},
            {"state": "RETIRED", "published_at": FIRST},
        ],
    },
    "packages_pause": {
        "packages_pause_begun_or_revoked": [{"begun_at": SET, "revoked_at": SET}],
        "packages_pause_ends_after_it_began": [
            {"ended_at": SET},
            {"begun_at": SECOND, "ended_at": FIRST},
        ],
        "packages_pause_lies_ahead": [{"until": FIRST}],
    },
    "packages_pricecomponent": {
        "packages_component_has_few_tiers": [SEAT | {"tiers": f"[{'0,' * 100}0]"}],
        "packages_component_amount_iff_fixed": [SEAT | {"amount_minor": 1}, {"kind": "ODD"}],
        "packages_component_limits_are_ordered": [
            {"included": -1},
            METERED | {"included": 5, "hard_limit": 4},
            PERCENTAGE | {"least_minor": -1},
            PERCENTAGE | {"most_minor": -1},
            PERCENTAGE | {"period_least_minor": -1},
            PERCENTAGE | {"period_most_minor": -1},
            PERCENTAGE | {"least_minor": 5, "most_minor": 4},
            PERCENTAGE | {"period_least_minor": 5, "period_most_minor": 4},
        ],
        "packages_component_pack_has_units_and_a_price": [
            METERED | {"pack_minor": 1},
            METERED | {"pack_units": 1},
            {"pack_units": 1, "pack_minor": 1},
            METERED | {"pack_units": 0, "pack_minor": 1},
            METERED | {"pack_units": 1, "pack_minor": 0},
        ],
        "packages_component_share_iff_percentage": [
            PERCENTAGE | {"bps": -1},
            PERCENTAGE | {"bps": 10_001},
            PERCENTAGE | {"bps": None},
            {"bps": 1},
            {"least_minor": 1},
            {"most_minor": 1},
            {"period_least_minor": 1},
            {"period_most_minor": 1},
        ],
        "packages_component_size_iff_in_packages": [
            METERED | {"model": "PACKAGE"},
            METERED | {"model": "PACKAGE", "package_size": 0},
            METERED | {"package_size": 1},
        ],
    },
    "packages_pricequote": {
        "packages_quote_accepted_in_time": [
            {"subscription_id": 1, "consent_id": 1},
            {"accepted_at": SECOND, "consent_id": 1},
            {"accepted_at": SECOND, "subscription_id": 1},
            {"accepted_at": FIFTH, "consent_id": 1, "subscription_id": 1},
        ],
        "packages_quote_amounts_not_negative": [{"due_minor": -1}, {"each_term_minor": -1}],
        "packages_quote_has_seats": [{"seats": 0}, {"seats": SEATS + 1}],
        "packages_quote_tops_up_by_consent_only": [{"topup_id": 1}],
    },
    "packages_priceversion": {
        "packages_price_begins_iff_published": [
            {"published_at": FIRST},
            {"valid_from": FIRST},
            {"valid_to": FIRST, "closed_at": FIRST},
            {"published_at": SECOND, "valid_from": FIRST},
        ],
        "packages_price_currency_is_iso": [{"currency": "cny"}],
        "packages_price_ends_after_it_begins_and_was_decided": [
            PUBLISHED | {"closed_at": THIRD},
            PUBLISHED | {"valid_to": THIRD},
            PUBLISHED | {"closed_at": FIRST, "valid_to": FIRST},
            PUBLISHED | {"closed_at": FOURTH, "valid_to": THIRD},
            {
                "published_at": SECOND,
                "valid_from": SECOND,
                "closed_at": FIRST,
                "valid_to": THIRD,
            },
        ],
        "packages_price_is_sold_within_the_calendar": [
            PUBLISHED | {"valid_from": BEYOND},
            PUBLISHED | {"closed_at": SECOND, "valid_to": BEYOND},
        ],
        "packages_price_term_is_known": [{"interval": "week"}],
        "packages_price_trial_is_bounded": [{"trial_days": -1}, {"trial_days": 367}],
    },
    "packages_renewalrun": {
        "packages_run_counts_not_negative": [
            {count: -1} for count in ("ok", "insufficient", "waiting", "failed", "ended", "paused")
        ],
    },
    "packages_spendingcap": {
        "packages_cap_is_not_negative": [{"most_minor": -1}, {"spent_minor": -1}],
    },
    "packages_subscription": {
        "packages_subscription_ended_iff_stamped": [
            ENDED | {"ended_at": None},
            ENDED | {"next_try_at": SECOND},
            ENDED | {"state": "ACTIVE"},
            {"state": "ENDED"},
            {"ended_at": SECOND},
            {"next_try_at": None},
        ],
        "packages_subscription_has_seats": [{"seats": 0}, {"seats": SEATS + 1}],
        "packages_subscription_paused_goes_on_by_itself": [{"state": "PAUSED"}],
        "packages_subscription_periods_follow_the_anchor": [
            {"anchor_number": 0},
            {"anchor_number": 2},
            {"anchor_number": 3, "had_trial": True, "trial_of_id": 1},
        ],
        "packages_subscription_state_is_known": [{"state": "ODD"}],
        "packages_subscription_tried_iff_trial": [{"had_trial": True}, {"trial_of_id": 1}],
    },
    "packages_subscriptionchange": {
        "packages_change_has_seats": [{"to_seats": 0}, {"to_seats": SEATS + 1}],
    },
    "packages_subscriptionperiod": {
        "packages_period_costs_nothing_in_trial": [{"amount_minor": -1}, {"is_trial": True}],
    },
    "packages_topupoffer": {
        "packages_offer_amounts_make_sense": [{"amount_minor": 0}, {"bonus_minor": -1}],
        "packages_offer_bonus_lives_for_days": [{"bonus_days": 0}, {"bonus_days": 36_501}],
    },
    "packages_usagebill": {
        "packages_bill_is_settled_by_its_charge": [
            {"next_try_at": None},
            {"settled_at": SET},
            {"charge_id": 1},
            {"amount_minor": 0},
            PAID | {"charge_id": None},
            PAID | {"settled_at": None},
            PAID | {"next_try_at": SET},
            PAID | {"amount_minor": 0},
            FREE | {"next_try_at": SET},
            FREE | {"settled_at": None},
        ],
        "packages_bill_takes_no_more_than_the_price": [{"rated_minor": 4}],
    },
    "packages_usageevent": {
        "packages_usage_is_told_in_time": [
            {"occurred_at": FIFTH, "counts_at": FIFTH},
            CORRECTION | {"occurred_at": FIRST, "received_at": FIFTH},
            CORRECTION | {"counts_at": FIRST, "received_at": FIFTH, "occurred_at": FIFTH},
        ],
        "packages_usage_value_has_a_currency_and_its_quantitys_sign": [
            {"value_minor": -1, "currency": "CNY"},
            {"quantity": 0, "value_minor": -1, "currency": "CNY"},
            CORRECTION | {"value_minor": 1, "currency": "CNY"},
        ],
    },
    "packages_usagehour": {
        "packages_usage_hour_has_a_largest_iff_a_last": [
            {"largest": None},
            {"last": None},
            {"last_at": None},
            {"events": 0, "last_event": ""},
            EMPTY | {"events": 1},
            EMPTY | {"largest": 1},
            EMPTY | {"last": 1},
            EMPTY | {"last_at": FIRST},
            EMPTY | {"last_event": "told"},
        ],
        "packages_usage_hour_is_never_below_zero": [{"total": -1}, {"value_minor": -1}],
    },
    "packages_usageshare": {
        "packages_share_takes_no_more_than_the_price": [
            {"amount_minor": -1},
            {"rated_minor": 4, "amount_minor": 5, "overage_id": 1},
            {"ends_at": FIRST},
            {"month": "2025-03-02"},
        ],
    },
    "packages_waitingchange": {
        "packages_waiting_closed_for_a_reason": [
            {"closed_at": SET},
            {"closed_because": "STALE"},
            {"closed_at": SET, "closed_because": "ODD"},
        ],
        "packages_waiting_costs_something": [{"due_minor": 0}],
        "packages_waiting_has_seats": [{"to_seats": 0}, {"to_seats": SEATS + 1}],
        "packages_waiting_made_or_closed": [STALE | {"change_id": 1}],
    },
    "wallet_expiryletter": {
        "wallet_expiryletter_says_something_iff_sent": [
            {"text": "x"},
            {"sent_at": SECOND},
            {"sent_at": FIRST, "text": "x"},
        ],
        "wallet_expiryletter_sent_or_dropped": [
            {"sent_at": SECOND, "text": "x", "dropped_at": SET},
        ],
    },
    "wallet_expiryreminder": {
        "wallet_expiryreminder_is_about_something": [{"amount_minor": 0}],
        "wallet_expiryreminder_steps_are_known": [{"step": 2}],
    },
}


@pytest.mark.parametrize("table", ROWS)
def test_a_row_may_be(table):
    for facts in [{}, *LEGAL.get(table, [])]:
        with no_triggers():
            assert refused(f"DELETE FROM {table}; {row(table, facts)}") is None, facts


@pytest.mark.parametrize(
    ("table", "constraint"), [(table, name) for table, rules in REFUSED.items() for name in rules]
)
def test_a_row_must_make_sense(table, constraint):
    with no_triggers():
        for facts in REFUSED[table][constraint]:
            assert refused(row(table, facts)) == constraint, facts
