"""
What stays as it was written, whoever asks: rows, columns that never change, columns set once.
"""

import pytest
from django.db import connection

from tests.packages.planting import write
from tests.packages.rows import FIRST, SECOND, Facts
from tests.packages.test_subscription_guards import refused

pytestmark = pytest.mark.django_db

# table -> the trigger that keeps its rows, and as an `append_only` one what they say
STAYS = {
    "accounts_consent": "accounts_consent_append_only",
    "packages_charge": "packages_charge_append_only",
    "packages_chargescan": "packages_scan_append_only",
    "packages_coupon": "packages_coupon_stays",
    "packages_couponuse": "packages_couponuse_stays",
    "packages_dispute": "packages_dispute_append_only",
    "packages_dunningpolicy": "packages_dunningpolicy_append_only",
    "packages_extrapack": "packages_pack_append_only",
    "packages_notice": "packages_notice_stays",
    "packages_overage": "packages_overage_append_only",
    "packages_packageevent": "packages_packageevent_append_only",
    "packages_pause": "packages_pause_stays",
    "packages_pricequote": "packages_quote_stays",
    "packages_priceversionevent": "packages_priceversionevent_append_only",
    "packages_spendingcap": "packages_cap_append_only",
    "packages_subscription": "packages_subscription_stays",
    "packages_subscriptionchange": "packages_change_stays",
    "packages_subscriptionperiod": "packages_period_stays",
    "packages_usagebill": "packages_bill_stays",
    "packages_usageevent": "packages_usage_is_append_only",
    "packages_usageshare": "packages_share_append_only",
    "packages_waitingchange": "packages_waiting_stays",
    "wallet_expiryletter": "wallet_expiryletter_stays",
    "wallet_expiryreminder": "wallet_expiryreminder_append_only",
}


# table whose rows may go, a draft's or of what did nothing -> what keeps it from being emptied
NEVER_EMPTIED = {
    "packages_coupon_packages": "packages_coupon_scope_is_never_emptied",
    "packages_pricecomponent": "packages_component_is_never_emptied",
    "packages_renewalrun": "packages_run_is_never_emptied",
    "packages_topupoffer": "packages_offer_is_never_emptied",
}


@pytest.mark.parametrize("table", NEVER_EMPTIED)
def test_tables_are_never_emptied(table):
    assert refused(f"TRUNCATE {table}") == NEVER_EMPTIED[table]


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"finished_at": SECOND}, None),
        ({}, "packages_run_stays"),
        ({"finished_at": SECOND, "started_by_id": 1}, "packages_run_stays"),
        *(
            ({"finished_at": SECOND, count: 1}, "packages_run_stays")
            for count in ("ok", "insufficient", "waiting", "failed", "ended", "paused")
        ),
    ],
)
def test_only_a_run_of_the_clockwork_that_found_nothing_goes(facts, name):
    write("packages_renewalrun", facts)
    assert refused("DELETE FROM packages_renewalrun") == name


@pytest.mark.parametrize("table", STAYS)
def test_rows_stay(table):
    assert refused(f"DELETE FROM {table}") == STAYS[table]
    assert refused(f"TRUNCATE {table} CASCADE") == STAYS[table]
    if STAYS[table].endswith("append_only"):
        assert refused(f"UPDATE {table} SET id = id") == STAYS[table]


# trigger -> table, what its row says, and the columns that never change from then on
FIXED: dict[str, tuple[str, Facts, str]] = {
    "packages_bill_fixed": (
        "packages_usagebill",
        {},
        "id customer_id subscription_id period_number price_version_id starts_at ends_at currency"
        " rated_minor amount_minor lines made_at",
    ),
    "packages_change_fixed": (
        "packages_subscriptionchange",
        {},
        "id subscription_id from_version_id from_seats to_version_id to_seats consent_id made_at"
        " made_by_id",
    ),
    "packages_coupon_is_fixed_once_published": (
        "packages_coupon",
        {"published_at": FIRST},
        "id code name name_en bps amount_minor currency terms most_uses most_per_customer"
        " valid_from valid_to created_at created_by_id published_at published_by_id",
    ),
    "packages_couponuse_fixed": (
        "packages_couponuse",
        {},
        "id coupon_id customer_id subscription_id number nth used_at used_by_id",
    ),
    "packages_notice_fixed": (
        "packages_notice",
        {},
        "id customer_id subscription_id kind period_number step code currency amount_minor due_at"
        " locale subject text created_at",
    ),
    "packages_pause_fixed": (
        "packages_pause",
        {},
        "id subscription_id until consent_id asked_at asked_by_id",
    ),
    "packages_quote_fixed": (
        "packages_pricequote",
        {},
        "id code customer_id price_version_id seats coupon_id has_trial currency due_minor"
        " each_term_minor made_at made_by_id expires_at",
    ),
    "packages_run_fixed": (
        "packages_renewalrun",
        {},
        "id at is_rehearsal started_at started_by_id",
    ),
    "packages_subscription_fixed": (
        "packages_subscription",
        {},
        "id number customer_id currency zone had_trial trial_of_id created_at created_by_id",
    ),
    "packages_waiting_fixed": (
        "packages_waitingchange",
        {},
        "id subscription_id from_version_id from_seats to_version_id to_seats due_minor consent_id"
        " topup_id agreed_at agreed_by_id expires_at",
    ),
    "wallet_expiryletter_fixed": ("wallet_expiryletter", {}, "id customer_id on_day created_at"),
}
SENT = {"sent_at": SECOND, "text": "one"}
WHY = {"bounce_reason": "why"}
LETTER = "sent_at dropped_at sent_to locale subject text"
# what is fixed only once something happened: trigger -> the columns, each way it happens
DECIDED: list[tuple[str, str, Facts, str]] = [
    (
        "packages_notice_bounced_fixed",
        "packages_notice",
        {"bounced_at": SECOND} | WHY,
        "sent_to bounced_to bounce_reason",
    ),
    (
        "packages_run_finished_fixed",
        "packages_renewalrun",
        {"finished_at": SECOND},
        "finished_at ok insufficient waiting failed ended paused",
    ),
    ("wallet_expiryletter_sent_once", "wallet_expiryletter", SENT, LETTER),
    ("wallet_expiryletter_sent_once", "wallet_expiryletter", {"dropped_at": SECOND}, LETTER),
]
OTHER = {
    "bigint": "coalesce({0}, 0) + 1",
    "integer": "coalesce({0}, 0) + 1",
    "character varying": "'x'",
    "text": "'x'",
    "boolean": "NOT {0}",
    "date": "{0} + 1",
    "timestamp with time zone": "coalesce({0} + interval '1 day', now())",
    "jsonb": "'[1]'",
}


def other(table: str, column: str) -> str:
    """
    Return an expression for another value of a column than it has.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_name = %s AND column_name = %s",
            [table, column],
        )
        [kind] = cursor.fetchone()
    return OTHER[kind].format(column)


@pytest.mark.parametrize(
    ("trigger", "table", "facts", "columns"),
    [*((trigger, *rule) for trigger, rule in FIXED.items()), *DECIDED],
)
def test_columns_never_change(trigger, table, facts, columns):
    write(table, facts)
    for column in columns.split():
        statement = f"UPDATE {table} SET {column} = {other(table, column)}"
        assert refused(statement) == trigger, column


# trigger -> table, the columns that are set once, and what else the row says then
ONCE: list[tuple[str, str, Facts, Facts]] = [
    (
        "packages_bill_settled_once",
        "packages_usagebill",
        {"settled_at": SECOND, "charge_id": 1},
        {"next_try_at": None},
    ),
    ("packages_change_decided_once", "packages_subscriptionchange", {"applied_at": SECOND}, {}),
    ("packages_change_decided_once", "packages_subscriptionchange", {"revoked_at": SECOND}, {}),
    ("packages_coupon_ended_once", "packages_coupon", {"ended_at": SECOND, "ended_by_id": 1}, {}),
    (
        "packages_couponuse_ended_once",
        "packages_couponuse",
        {"ended_at": SECOND, "ended_by_id": 1},
        {},
    ),
    ("packages_notice_sent_once", "packages_notice", {"sent_at": SECOND}, {}),
    ("packages_notice_sent_once", "packages_notice", {"dropped_at": SECOND}, {}),
    ("packages_notice_sent_once", "packages_notice", {"bounced_at": SECOND}, WHY),
    ("packages_pause_decided_once", "packages_pause", {"begun_at": FIRST, "ended_at": SECOND}, {}),
    ("packages_pause_decided_once", "packages_pause", {"revoked_at": SECOND}, {}),
    (
        "packages_quote_decided_once",
        "packages_pricequote",
        {"accepted_at": SECOND, "subscription_id": 1},
        {"consent_id": 1},
    ),
    (
        "packages_subscription_ends_once",
        "packages_subscription",
        {"ended_at": SECOND},
        {"state": "ENDED", "next_try_at": None},
    ),
    ("packages_waiting_decided_once", "packages_waitingchange", {"change_id": 1}, {}),
    (
        "packages_waiting_decided_once",
        "packages_waitingchange",
        {"closed_at": SECOND},
        {"closed_because": "STALE"},
    ),
]


@pytest.mark.parametrize(("trigger", "table", "decided", "more"), ONCE)
def test_columns_are_set_once(trigger, table, decided, more):
    write(table, decided | more)
    for column in decided:
        assert refused(f"UPDATE {table} SET {column} = NULL") == trigger, column
