"""
What the database refuses, whoever asks.
"""

import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.errors import Error

from packages import catalogue
from tests.factories import open_customer
from tests.packages.shelf import LATER, basic, by_year, drafted, offer, published, repriced, terms

pytestmark = pytest.mark.django_db

# statement about the published package 'pro' -> the constraint that refuses it
REFUSED = {
    "UPDATE packages_priceversion SET trial_days = 5": "packages_price_immutable_once_published",
    "UPDATE packages_priceversion SET published_at = NULL, valid_from = NULL": (
        "packages_price_immutable_once_published"
    ),
    "UPDATE packages_priceversion SET valid_from = '2020-01-01'": (
        "packages_price_immutable_once_published"
    ),
    "UPDATE packages_priceversion SET customer_id = NULL, number = 9": (
        "packages_price_immutable_once_published"
    ),
    "DELETE FROM packages_priceversion": "packages_price_immutable_once_published",
    "UPDATE packages_priceversion SET valid_to = '2025-02-01', closed_at = '2025-03-02'": (
        "packages_price_ends_after_it_begins_and_was_decided"
    ),
    "UPDATE packages_priceversion SET valid_to = '2025-04-01', closed_at = '2025-05-01'": (
        "packages_price_ends_after_it_begins_and_was_decided"
    ),
    "UPDATE packages_priceversion SET valid_to = '2025-04-01'": (
        "packages_price_ends_after_it_begins_and_was_decided"
    ),
    "UPDATE packages_pricecomponent SET amount_minor = 1": (
        "packages_component_immutable_once_published"
    ),
    "DELETE FROM packages_pricecomponent": "packages_component_immutable_once_published",
    "INSERT INTO packages_pricecomponent (version_id, position, kind, code, name, name_en, unit,"
    " unit_en, amount_minor, model, tiers, included) SELECT id, 9, 'FEATURE', 'x', 'x', 'x', '',"
    " '', 0, '', '[]', 0 FROM packages_priceversion": "packages_component_immutable_once_published",
    "UPDATE packages_package SET name = 'x'": "packages_package_fixed_once_published",
    "UPDATE packages_package SET published_at = now()": "packages_package_fixed_once_published",
    "UPDATE packages_package SET state = 'DRAFT', published_at = NULL": (
        "packages_package_state_follows"
    ),
    "DELETE FROM packages_package": "packages_package_stays",
    "INSERT INTO packages_package (code, kind, state, name, name_en, summary, summary_en, position,"
    " created_at, published_at) VALUES ('x', 'PLAN', 'PUBLISHED', 'x', 'x', '', '', 0, now(),"
    " now())": "packages_package_begins_as_draft",
}
COPY = (
    "INSERT INTO packages_priceversion (package_id, number, currency, interval, customer_id,"
    " trial_days, terms_version, created_at) SELECT package_id, number + 1, {facts}, 0, 'x',"
    " created_at FROM packages_priceversion WHERE number = 1 RETURNING id"
)


def run(sql: str, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchone() if cursor.description else None


def refusal(sql: str, *values) -> str | None:
    """
    Return the name of the constraint that refuses a statement.
    """
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        run(sql, *values)
    cause = refused.value.__cause__
    assert isinstance(cause, Error)
    return cause.diag.constraint_name


def test_a_published_package_stays_as_it_was_sold():
    published()
    assert {sql: refusal(sql) for sql in REFUSED} == REFUSED


def test_an_offer_stays_as_it_was_made():
    published(offer(), kind="TOP_UP")
    for sql in (
        "UPDATE packages_topupoffer SET bonus_minor = 0",
        "DELETE FROM packages_topupoffer",
    ):
        assert refusal(sql) == "packages_offer_immutable_once_published"


def test_the_end_of_a_price_is_decided_once():
    version = published().prices.get()
    catalogue.end(price_version_id=version.pk, valid_to=LATER, at=LATER, by=None)
    for value in ("NULL", "'2025-06-01'"):
        sql = f"UPDATE packages_priceversion SET valid_to = {value}"
        sql += ", closed_at = NULL" if value == "NULL" else ""
        assert refusal(sql) == "packages_price_ends_once"


def test_a_retired_package_does_not_come_back():
    package = published()
    catalogue.retire(package_id=package.pk, at=LATER, by=None)
    sql = "UPDATE packages_package SET state = 'PUBLISHED', retired_at = NULL"
    assert refusal(sql) == "packages_package_state_follows"
    assert refusal("UPDATE packages_package SET retired_at = now()") == (
        "packages_package_retired_once"
    )


class TestOnePriceAtATime:
    PUBLISH = (
        "UPDATE packages_priceversion SET published_at = '2025-03-02', valid_from = %s"
        " WHERE id = %s"
    )

    def copy(self, facts: str) -> int:
        """
        Write a draft beside the published price, with a component of its own.
        """
        made = run(COPY.format(facts=facts))[0]
        run(
            "INSERT INTO packages_pricecomponent (version_id, position, kind, code, name, name_en,"
            " unit, unit_en, amount_minor, model, tiers, included)"
            " VALUES (%s, 0, 'RECURRING', 'base', 'x', 'x', '', '', 1, '', '[]', 0)",
            made,
        )
        return made

    def test_refuses_two_open_prices(self):
        published()
        made = self.copy("currency, interval, customer_id")
        assert refusal(self.PUBLISH, "2025-05-01", made) == "packages_price_one_at_a_time"

    @pytest.mark.parametrize(
        "facts",
        ["'USD', interval, customer_id", "currency, 'year', customer_id", "currency, interval, %s"],
    )
    def test_lets_other_currencies_terms_and_customers_be(self, facts):
        published()
        customer = open_customer()
        made = self.copy(facts.replace("%s", str(customer.pk)))
        run(self.PUBLISH, "2025-05-01", made)

    def test_lets_one_begin_when_the_other_ends(self):
        package = published()
        assert repriced(package, terms(basic("1.00"))).valid_from == LATER


class TestWhatAPriceSells:
    def test_is_published(self):
        drafted()
        sql = "UPDATE packages_priceversion SET published_at = now(), valid_from = now()"
        assert refusal(sql) == "packages_price_sells_a_published_package"

    @pytest.mark.parametrize(
        "spoil",
        ["DELETE FROM packages_pricecomponent", "UPDATE packages_priceversion SET interval = ''"],
    )
    def test_fits_its_package(self, spoil):
        drafted(terms())
        run(spoil)
        run("UPDATE packages_package SET state = 'PUBLISHED', published_at = '2025-03-01'")
        sql = "UPDATE packages_priceversion SET published_at = now(), valid_from = now()"
        assert refusal(sql) == "packages_price_fits_its_package"


class TestComponents:
    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ("amount_minor = NULL", "packages_component_amount_iff_fixed"),
            ("amount_minor = -1", "packages_component_amount_iff_fixed"),
            ("kind = 'SEAT', amount_minor = NULL", "packages_component_tiers_iff_counted"),
            ("model = 'PER_UNIT'", "packages_component_tiers_iff_counted"),
            ("package_size = 5", "packages_component_size_iff_in_packages"),
            ("bps = 5", "packages_component_share_iff_percentage"),
            (
                "kind = 'PERCENTAGE', amount_minor = NULL",
                "packages_component_share_iff_percentage",
            ),
            ("included = -1", "packages_component_limits_are_ordered"),
            ("included = 5, hard_limit = 4", "packages_component_limits_are_ordered"),
        ],
    )
    def test_have_what_their_kind_needs(self, change, name):
        drafted()
        assert refusal(f"UPDATE packages_pricecomponent SET {change}") == name

    def test_are_there_once(self):
        month = terms()
        drafted(month, by_year(month, "1.00"))
        sql = "UPDATE packages_pricecomponent SET version_id = (SELECT min(id) FROM"
        assert refusal(f"{sql} packages_priceversion)") == "packages_component_once_per_price"
