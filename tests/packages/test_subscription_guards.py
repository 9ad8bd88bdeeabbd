"""
What the database refuses about subscriptions, whoever asks.
"""

import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.errors import Error

from packages.models import Charge, PriceQuote
from packages.states import TRANSITIONS
from tests.factories import cny, funded_customer, open_customer
from tests.packages.buying import MARCH_FIRST, bought, on_sale
from wallet import spending

pytestmark = pytest.mark.django_db

COPY_PERIOD = (
    "INSERT INTO packages_subscriptionperiod (subscription_id, number, previous_number, starts_at,"
    " ends_at, price_version_id, seats, is_trial, amount_minor, created_at)"
    " SELECT subscription_id, {number}, {previous}, {starts}, {ends}, price_version_id, seats,"
    " {trial}, {amount}, created_at FROM packages_subscriptionperiod"
)


def period(number=2, previous="1", starts="ends_at", ends="ends_at + interval '1 month'", **more):
    facts = {"trial": "false", "amount": 0} | more
    return COPY_PERIOD.format(number=number, previous=previous, starts=starts, ends=ends, **facts)


COPY_CHARGE = (
    "INSERT INTO packages_charge (customer_id, kind, subscription_id, period_number,"
    " price_version_id, entry_id, consent_id, currency, amount_minor, lines, charged_at)"
    " SELECT {customer}, '{kind}', subscription_id, {number}, price_version_id, {entry},"
    " consent_id, currency, {amount}, lines, charged_at FROM packages_charge"
)

# statement about one subscription of a month at 99.00 -> the constraint that refuses it
REFUSED = {
    "DELETE FROM packages_subscription": "packages_subscription_stays",
    "UPDATE packages_subscription SET customer_id = customer_id + 1": "packages_subscription_fixed",
    "UPDATE packages_subscription SET zone = 'UTC'": "packages_subscription_fixed",
    "UPDATE packages_subscription SET had_trial = true": "packages_subscription_fixed",
    "UPDATE packages_subscription SET seats = 0": "packages_subscription_has_seats",
    "UPDATE packages_subscription SET consent_id = NULL": (
        "packages_subscription_renews_by_consent_only"
    ),
    "UPDATE packages_subscription SET cancelled_at = now()": (
        "packages_subscription_cancelled_renews_no_more"
    ),
    "UPDATE packages_subscription SET state = 'ENDED'": "packages_subscription_ended_iff_stamped",
    "UPDATE packages_subscription SET ended_at = now()": "packages_subscription_ended_iff_stamped",
    "UPDATE packages_subscription SET next_try_at = NULL": (
        "packages_subscription_ended_iff_stamped"
    ),
    "UPDATE packages_subscription SET state = 'TRIAL'": "packages_subscription_state_follows",
    "UPDATE packages_subscription SET state = 'SUSPENDED'": "packages_subscription_state_follows",
    "UPDATE packages_subscription SET anchor_number = 0": (
        "packages_subscription_periods_follow_the_anchor"
    ),
    "UPDATE packages_subscription SET anchor_number = 2": (
        "packages_subscription_periods_follow_the_anchor"
    ),
    "UPDATE packages_subscription SET paid_until = paid_until + interval '1 day'": (
        "packages_subscription_is_paid_until_its_last_period_ends"
    ),
    "UPDATE packages_subscription SET period_number = 2": (
        "packages_subscription_is_paid_until_its_last_period_ends"
    ),
    "UPDATE packages_subscription SET price_version_id = (SELECT id FROM packages_priceversion"
    " WHERE package_id <> packages_subscription.package_id)": (
        "packages_subscription_is_of_its_price"
    ),
    "DELETE FROM packages_subscriptionperiod": "packages_period_stays",
    "UPDATE packages_subscriptionperiod SET amount_minor = 1": "packages_period_is_cut_once",
    "UPDATE packages_subscriptionperiod SET ends_at = ends_at + interval '1 day', cut_at = now()": (
        "packages_period_is_cut_once"
    ),
    "UPDATE packages_subscriptionperiod SET ends_at = ends_at - interval '1 day'": (
        "packages_period_is_cut_once"
    ),
    "UPDATE packages_subscriptionperiod SET ends_at = starts_at - interval '1 day',"
    " cut_at = now()": "packages_period_begins_before_it_ends",
    period(number=1, previous="NULL"): "packages_period_once_per_subscription",
    period(number=0, previous="NULL"): "packages_period_follows_the_one_before",
    period(number=3): "packages_period_follows_the_one_before",
    period(number=3, previous="2"): "packages_period_begins_where_the_last_ended",
    period(number=3, previous="NULL"): "packages_period_leaves_no_gap",
    period(starts="ends_at + interval '1 day'"): "packages_period_begins_where_the_last_ended",
    period(starts="ends_at - interval '1 day'"): "packages_period_begins_where_the_last_ended",
    period(previous="NULL"): "packages_period_leaves_no_gap",
    period(previous="NULL", starts="ends_at - interval '1 day'"): "packages_period_leaves_no_gap",
    period(ends="ends_at"): "packages_period_begins_before_it_ends",
    period(amount=-1): "packages_period_costs_nothing_in_trial",
    period(amount=1, trial="true"): "packages_period_costs_nothing_in_trial",
    "UPDATE packages_charge SET amount_minor = 1": "packages_charge_append_only",
    "DELETE FROM packages_charge": "packages_charge_append_only",
    "UPDATE packages_subscription SET past_due_at = now()": (
        "packages_subscription_past_due_iff_since_when"
    ),
    "UPDATE packages_subscription SET state = 'PAST_DUE'": (
        "packages_subscription_past_due_iff_since_when"
    ),
    "UPDATE accounts_consent SET text = 'x'": "accounts_consent_append_only",
    "DELETE FROM accounts_consent": "accounts_consent_append_only",
    "UPDATE packages_pricequote SET due_minor = 1": "packages_quote_fixed",
    "UPDATE packages_pricequote SET expires_at = expires_at + interval '1 day'": (
        "packages_quote_fixed"
    ),
    "UPDATE packages_pricequote SET accepted_at = made_at": "packages_quote_accepted_in_time",
    "UPDATE packages_pricequote SET accepted_at = expires_at, consent_id = (SELECT min(id) FROM"
    " accounts_consent), subscription_id = (SELECT min(id) FROM packages_subscription)": (
        "packages_quote_accepted_in_time"
    ),
}


def refused(statement: str) -> str | None:
    """
    Return the name of the constraint that refuses a statement at the latest at COMMIT.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except IntegrityError as error:
        assert isinstance(error.__cause__, Error)
        return error.__cause__.diag.constraint_name
    return None


@pytest.fixture
def subscription():
    on_sale(code="max")
    subscription = bought()
    PriceQuote.objects.create(
        code="a" * 24,
        customer=subscription.customer,
        price_version=subscription.price_version,
        seats=1,
        has_trial=False,
        currency="CNY",
        due_minor=9900,
        each_term_minor=9900,
        made_at=MARCH_FIRST,
        expires_at=MARCH_FIRST.replace(day=2),
    )
    return subscription


def test_the_database_refuses(subscription):
    assert {statement: refused(statement) for statement in REFUSED} == REFUSED


def test_the_database_lets_the_next_period_follow(subscription):
    assert refused(period()) is None


def test_the_database_refuses_a_second_subscription_to_the_same_package(subscription):
    assert (
        refused(
            "INSERT INTO packages_subscription (number, customer_id, package_id, price_version_id,"
            " currency, seats, state, auto_renew, had_trial, zone, anchor_on, anchor_number,"
            " period_number, paid_until, next_try_at, failures, created_at) SELECT 'S2',"
            " customer_id, package_id, price_version_id, currency, seats, state, false, false,"
            " zone, anchor_on, 1, 1, paid_until, next_try_at, 0, created_at"
            " FROM packages_subscription"
        )
        == "packages_subscription_once_per_package"
    )


class TestCharge:
    def test_is_what_its_entry_took(self, subscription):
        other = funded_customer("100.00")
        taken = [
            spending.spend(
                customer=customer, amount=cny("5"), reference="x", description="x", at=MARCH_FIRST
            ).pk
            for customer in (subscription.customer, other)
        ]
        known = Charge.objects.get()
        facts = {"customer": known.customer_id, "amount": 500}
        period_2 = period(amount=500)
        for wrong in (
            {"entry": taken[0], "amount": 501},
            {"entry": taken[1]},
            {"entry": taken[1], "customer": other.pk},
        ):
            statement = COPY_CHARGE.format(**facts | {"number": 2, "kind": "FIRST"} | wrong)
            assert refused(f"{period_2}; {statement}") == "packages_charge_is_its_entry"
        fine = COPY_CHARGE.format(**facts | {"entry": taken[0], "number": 2, "kind": "FIRST"})
        assert refused(f"{period_2}; {fine}") is None

    def test_is_for_a_period_and_once(self, subscription):
        entry = spending.spend(
            customer=subscription.customer,
            amount=cny("5"),
            reference="x",
            description="x",
            at=MARCH_FIRST,
        )
        facts = {"customer": subscription.customer_id, "kind": "FIRST", "entry": entry.pk}
        assert (
            refused(COPY_CHARGE.format(**facts, number=1, amount=500))
            == "packages_charge_once_per_period"
        )
        assert (
            refused(COPY_CHARGE.format(**facts, number=2, amount=500))
            == "packages_charge_is_for_a_period"
        )


def test_a_consent_is_its_customers(subscription):
    other = open_customer("别家")
    text = (
        "INSERT INTO accounts_consent (customer_id, purpose, text, text_sha256, version, locale,"
        f" given_at, user_agent, control) VALUES ({other.pk}, 'AUTO_RENEW', 'x', 'x', 'x', 'en',"
        " now(), '', '');"
        " UPDATE packages_subscription SET consent_id = (SELECT max(id) FROM accounts_consent)"
    )
    assert refused(text) == "packages_subscription_consent_is_its_customers"


def test_states_are_those_of_python():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgname = 'packages_subscription_state_follows'"
        )
        [definition] = cursor.fetchone()
    pairs = {tuple(part.split(">")) for part in definition.split("'") if ">" in part}
    assert pairs == set(TRANSITIONS["packages_subscription"])
