"""
What the database refuses about bills for use and what was allowed, whoever asks.
"""

import pytest
from django.db import connection

from packages import billing
from tests.factories import cny
from tests.packages.buying import bought
from tests.packages.renewing import announced, swept
from tests.packages.test_subscription_guards import refused
from tests.packages.using import MARCH_10, allowed, billed, capped, final, metered, used
from wallet.spending import spend

pytestmark = pytest.mark.django_db


def copy(table: str, where: str = "true", /, **facts: str) -> str:
    """
    Return a statement that adds rows like others but for some columns, given as SQL.
    """
    sequence = f"nextval(pg_get_serial_sequence('{table}', 'id'))"
    other = ", ".join(f"'{name}', {value}" for name, value in {"id": sequence, **facts}.items())
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(x, jsonb_build_object({other}))).*"
        f" FROM {table} AS x WHERE {where}"
    )


BILL, SHARE = "packages_usagebill", "packages_usageshare"
RULE, CAP = "packages_overage", "packages_spendingcap"
SMS = "(SELECT id FROM packages_overage WHERE code = 'sms')"
OPEN = {"settled_at": "NULL", "charge_id": "NULL", "next_try_at": "made_at"}
NEXT = OPEN | {"period_number": "2"}
SPENT = "(SELECT id FROM wallet_journalentry WHERE reference LIKE '%:beside')"

# statement about a bill of 5.00 for the first of two terms, settled -> what refuses it
REFUSED = {
    f"UPDATE {RULE} SET policy = 'ALLOW'": "packages_overage_append_only",
    f"DELETE FROM {RULE}": "packages_overage_append_only",
    copy(RULE, policy="'MAYBE'"): "packages_overage_policy_is_known",
    copy(RULE, policy="'CAP_AMOUNT'"): "packages_overage_amount_iff_capped",
    copy(RULE, policy="'CAP_AMOUNT'", most_minor="0"): "packages_overage_amount_iff_capped",
    copy(RULE, most_minor="5"): "packages_overage_amount_iff_capped",
    copy(RULE, consent_id="NULL"): "packages_overage_needs_a_consent",
    copy(RULE, consent_id="(SELECT max(id) FROM accounts_consent)"): (
        "packages_overage_consent_is_its_customers"
    ),
    copy(RULE, spent_minor="-1"): "packages_overage_owes_nothing_negative",
    copy(RULE, period_number="9"): "packages_overage_is_its_subscriptions",
    copy(RULE, subscription_id="(SELECT max(id) FROM packages_subscription)"): (
        "packages_overage_is_its_subscriptions"
    ),
    f"UPDATE {CAP} SET most_minor = NULL": "packages_cap_append_only",
    f"TRUNCATE {CAP}": "packages_cap_append_only",
    copy(CAP, most_minor="-1"): "packages_cap_is_not_negative",
    copy(CAP, month="'2025-03-02'::date"): "packages_cap_counts_whole_months",
    copy(CAP, made_in="'2025-03-02'::date"): "packages_cap_counts_whole_months",
    copy(CAP, month="'2025-03-01'::date", most_minor="NULL"): "packages_cap_counts_whole_months",
    f"UPDATE {BILL} SET lines = '[]'": "packages_bill_fixed",
    f"UPDATE {BILL} SET amount_minor = 1": "packages_bill_fixed",
    f"UPDATE {BILL} SET settled_at = now()": "packages_bill_settled_once",
    f"DELETE FROM {BILL}": "packages_bill_stays",
    copy(BILL, **OPEN): "packages_bill_once_per_period",
    copy(BILL, **NEXT): "packages_bill_is_its_periods",
    copy(BILL, **NEXT, customer_id="(SELECT max(id) FROM accounts_customer)"): (
        "packages_bill_is_its_periods"
    ),
    copy(BILL, **OPEN, amount_minor="501"): "packages_bill_takes_no_more_than_the_price",
    copy(BILL, made_at="ends_at + interval '71 h'"): "packages_bill_waits_for_late_use",
    copy(BILL, settled_at="NULL"): "packages_bill_is_settled_by_its_charge",
    copy(BILL, charge_id="NULL"): "packages_bill_is_settled_by_its_charge",
    copy(BILL, charge_id="(SELECT min(id) FROM packages_charge)"): (
        "packages_bill_is_settled_in_full"
    ),
    f"UPDATE {SHARE} SET amount_minor = 1": "packages_share_append_only",
    f"DELETE FROM {SHARE}": "packages_share_append_only",
    copy(SHARE): "packages_share_billed_once",
    copy(SHARE, code="'sms'", amount_minor="501"): "packages_share_takes_no_more_than_the_price",
    copy(SHARE, code="'sms'", ends_at="starts_at"): "packages_share_takes_no_more_than_the_price",
    copy(SHARE, code="'sms'", overage_id="NULL"): "packages_share_was_allowed",
    copy(SHARE, code="'sms'", starts_at="starts_at - interval '1 s'"): (
        "packages_share_lies_in_its_bill"
    ),
    copy(SHARE, code="'sms'", ends_at="ends_at + interval '1 s'"): (
        "packages_share_lies_in_its_bill"
    ),
    copy(SHARE, code="'sms'", month="'2025-02-01'::date"): "packages_share_lies_in_its_bill",
    copy(SHARE, code="'sms'", customer_id="(SELECT max(id) FROM accounts_customer)"): (
        "packages_share_lies_in_its_bill"
    ),
    copy(SHARE, code="'sms'"): "packages_share_names_its_rule",
    copy(SHARE, code="'sms'", amount_minor="0", overage_id="NULL"): "packages_bill_is_its_shares",
    copy(SHARE, code="'sms'", overage_id=SMS, amount_minor="101"): (
        "packages_share_was_allowed_in_its_term"
    ),
    copy(SHARE, code="'sms'", overage_id=SMS, amount_minor="1"): "packages_share_is_below_its_cap",
    copy("packages_charge", "kind = 'USAGE'", entry_id=SPENT): (
        "packages_charge_use_once_per_period"
    ),
    copy("packages_charge", "kind = 'USAGE'", entry_id=SPENT, period_number="2"): (
        "packages_charge_of_use_was_billed"
    ),
}


@pytest.fixture
def settled():
    subscription = metered()
    rule = allowed(subscription)
    rule.pk, rule.code, rule.policy, rule.most_minor = None, "sms", "CAP_AMOUNT", 100
    rule.save()
    capped(subscription, "5.00")
    used(subscription, 1500, at=MARCH_10)
    announced(subscription)
    swept(subscription.paid_until)
    billed(subscription)
    billing.settle(at=final(subscription))
    spend(
        customer=subscription.customer,
        amount=cny("5.00"),
        reference="beside",
        description="x",
        at=final(subscription),
    )
    bought(version=subscription.price_version)  # another customer's, with the last consent of all
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing is pending, as after COMMIT
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    return subscription


def test_the_database_refuses(settled):
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


def test_a_bill_is_for_a_term_even_where_no_trigger_looks(settled):
    asleep = f"ALTER TABLE {BILL} DISABLE TRIGGER packages_bill_is_its_periods"
    assert refused(f"{asleep}; {copy(BILL, **NEXT)}") == "packages_bill_is_its_shares"
    nowhere = copy(BILL, **(OPEN | {"period_number": "9"}))
    assert refused(f"{asleep}; {nowhere}") == "packages_bill_is_for_a_period"
