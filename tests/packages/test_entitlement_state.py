"""
The state a kept answer is compared with holds every row the answer can depend on.
"""

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from packages import billing, entitlement_cache, packs, prices, subscriptions
from packages.entitlement_cache import ROWS, next_moment
from packages.models import Meter, Package, PriceVersion, Subscription
from packages.models.usage import EARLIEST
from packages.used_terms import LONGEST_WAIT
from tests.factories import cny, funded_customer
from tests.packages.asking import answers
from tests.packages.buying import bought, on_sale
from tests.packages.metering import event, meter, record, recorded
from tests.packages.renewing import announced, now, swept
from tests.packages.shelf import basic, feature, fee, published, seats, terms
from tests.packages.using import MARCH_10, allowed, calls, capped, final, metered, used

pytestmark = pytest.mark.django_db
EVERYBODYS = {Meter, Package, PriceVersion}
# what is read and not in ROWS -> the trigger for which it need not be
HELD_BY = {
    "packages_usageevent": "packages_usage_sets_mark",
    "packages_usagehour": "packages_usage_hour_follows",
    "packages_pricecomponent": "packages_component_immutable_once_published",
    "packages_topupoffer": "packages_offer_immutable_once_published",
}


@pytest.fixture
def lived() -> Subscription:
    """
    A subscription in its second term, with a row in each of the tables.
    """
    meter("seats", "LAST")
    meter("visitors", "UNIQUE")
    meter("collection", carries_value=True)
    counted = replace(calls(), pack_units=Decimal(500), pack_price=cny("4.00"))
    visitors = calls(5, code="visitors")
    one = metered(counted, visitors, fee(), seats(1), feature(), balance="900.00")
    for code in ("api_calls", "collection"):
        allowed(one, code=code)
    capped(one, "90.00")
    used(one, 1700, at=MARCH_10)
    recorded(
        one.customer,
        event(1, meter="collection", value=cny("10.00"), at=MARCH_10),
        event(1, meter="visitors", subject="a", at=MARCH_10),
        event(1, meter="seats", at=MARCH_10),
        at=MARCH_10,
    )
    bigger = on_sale(terms(basic("150.00"), counted, fee(), seats(1)), code="big")
    subscriptions.change(subscription_id=one.pk, price_version=bigger, at=MARCH_10)
    packs.buy(
        subscription_id=one.pk,
        code="api_calls",
        nth=1,
        period_number=1,
        price_version_id=bigger.pk,
        at=MARCH_10,
    )
    published(terms(basic("999.00"), calls(90_000)), code="huge")
    announced(now(one))
    swept(one.paid_until)
    billing.close(at=final(one))
    return now(one)


def state(one: Subscription, at) -> str:
    return entitlement_cache.state(one.customer, at=at)


class TestTables:
    def test_are_all_those_an_answer_is_read_from(self, lived):
        at = lived.paid_until + timedelta(days=1)  # in grace, with a bill not settled yet
        prices.terms_of.cache_clear()
        with CaptureQueriesContext(connection) as asked:
            answers(lived.customer, at)
        read = named(" ".join(one["sql"] for one in asked))
        kept = {model._meta.db_table for model in ROWS}
        assert read - kept == HELD_BY.keys()
        assert kept - read == {"packages_usagemark"}

    def test_that_are_left_out_are_held_by_triggers(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
                " WHERE tgname = ANY (%s) AND tgenabled = 'O'",
                [list(HELD_BY.values())],
            )
            assert set(cursor.fetchall()) == set(HELD_BY.items())

    @pytest.mark.parametrize("model", ROWS)
    def test_change_the_state_with_each_of_their_rows(self, lived, model):
        at, other = final(lived), bought(funded_customer("900.00"), version=lived.price_version)
        rows = model._meta.db_table, model._meta.pk.column
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # whoever it is
            before, others = state(lived, at), state(other, at)
            cursor.execute("UPDATE {0} SET {1} = {1} WHERE {2}".format(*rows, of(lived, model)))
            assert cursor.rowcount > 0
            assert state(lived, at) != before
            assert (state(other, at) != others) is (model in EVERYBODYS)
            cursor.execute("SET LOCAL session_replication_role = origin")

    @pytest.mark.parametrize("away", [timedelta(0), -EARLIEST, LONGEST_WAIT])
    def test_know_the_moments_at_which_they_count(self, lived, away):
        for moment in (lived.paid_until + away, MARCH_10 + away):
            early = moment - timedelta(seconds=1)
            assert early <= next_moment(lived.customer, at=early) <= moment
            assert next_moment(lived.customer, at=moment) == moment


class TestMark:
    def test_is_set_with_each_event(self, lived):
        before = state(lived, final(lived))
        used(lived, 1, at=final(lived))
        assert state(lived, final(lived)) != before

    def test_is_left_alone_by_what_was_known(self, lived):
        told = event(1, at=final(lived))
        recorded(lived.customer, told, at=final(lived))
        before = state(lived, final(lived))
        assert record(lived.customer, told, at=final(lived)).duplicates == 1
        assert state(lived, final(lived)) == before


def of(one: Subscription, model) -> str:
    """
    Return which rows of a table are this customer's, as SQL.
    """
    if model in EVERYBODYS:
        return "TRUE"
    columns = {field.column for field in model._meta.fields}
    if "customer_id" in columns:
        return f"customer_id = {one.customer_id}"
    return (
        f"subscription_id = {one.pk}" if "subscription_id" in columns else f"id = {one.customer_id}"
    )


def named(sql: str) -> set[str]:
    """
    Return the tables that SQL reads, those in our SQL functions included.
    """
    words = set(re.findall(r"\w+", sql))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prosrc FROM pg_proc WHERE proname = ANY (%s)"
            " AND pronamespace = 'public'::regnamespace",
            [list(words)],
        )
        words |= {word for (source,) in cursor.fetchall() for word in re.findall(r"\w+", source)}
        return words & set(connection.introspection.table_names(cursor))
