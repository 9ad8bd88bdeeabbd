import contextlib

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from crm_billing.embedded import place
from packages import entitlement_cache
from packages.models import UsageHour
from tests.factories import NOON, cny, fund, open_customer
from tests.packages import metering
from wallet import holds, ledger, queries, seal, spending

pytestmark = pytest.mark.django_db


@contextlib.contextmanager
def acting_as(role):
    """Do things as a member of a group that docs/roles.sql makes."""
    with connection.cursor() as cursor:
        cursor.execute((place.CHECKOUT / "docs" / "roles.sql").read_text())
        cursor.execute(f"SET ROLE {role}")
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the guards of COMMIT, as this role
        cursor.execute("RESET ROLE")


def is_refused(cursor, statement):
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        cursor.execute(statement)


class TestApp:
    def test_moves_money_through_the_commands(self):
        customer = open_customer()
        with acting_as("crm_app"):
            fund(customer, "100.00", bonus="10.00")
            spent = spending.spend(
                customer=customer,
                amount=cny("30.00"),
                reference="order:1",
                description="an order",
                at=NOON,
            )
            hold = holds.place(customer=customer, amount=cny("40.00"), reference="h:1", at=NOON)
            holds.capture(hold_id=hold.pk, amount=cny("15.00"), at=NOON)
            ledger.reverse(entry_id=spent.pk, reason="a mistake", occurred_at=NOON)
            seal.seal(at=NOON)

        assert queries.balance(customer).available == cny("95.00")

    def test_takes_in_usage_and_its_corrections(self):
        metering.meter()
        customer, wrong = open_customer(), metering.event(5)
        with acting_as("crm_app"):
            metering.recorded(customer, wrong, metering.correction(wrong, -2))
            metering.recorded(customer, metering.correction(wrong, -1))

        assert UsageHour.objects.get().total == 2

    def test_sees_whether_an_answer_that_is_kept_still_holds(self):
        customer = open_customer()
        with acting_as("crm_app"):
            before = entitlement_cache.state(customer, at=NOON)
            fund(customer)
            assert entitlement_cache.state(customer, at=NOON) != before

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO wallet_journalentry (reference) VALUES ('mine')",
            "INSERT INTO wallet_posting (amount_minor) VALUES (1)",
            "INSERT INTO wallet_lot (granted_minor) VALUES (1)",
            "INSERT INTO wallet_lotuse (amount_minor) VALUES (1)",
            "UPDATE wallet_ledgeraccount SET balance_minor = balance_minor + 1",
            "UPDATE wallet_ledgeraccount SET minimum_minor = -1",
            "UPDATE wallet_lot SET remaining_minor = remaining_minor + 1",
            "DELETE FROM wallet_journalentry",
            "TRUNCATE wallet_posting CASCADE",
            "UPDATE wallet_sealblock SET sha256 = ''",
            "DELETE FROM packages_usageevent",
            "UPDATE packages_usageevent SET quantity = 0",
            "INSERT INTO packages_usagehour (events) VALUES (1)",
            "DELETE FROM packages_usagemark",
            "DELETE FROM accounts_customerevent",
            "DELETE FROM django_migrations",
            "CREATE TABLE mine ()",
            "DROP TABLE wallet_lot",
            "ALTER TABLE wallet_posting DISABLE TRIGGER ALL",
            "SET session_replication_role = replica",
        ],
    )
    def test_writes_no_money_by_itself(self, statement):
        fund(open_customer())
        with acting_as("crm_app") as cursor:
            if statement.startswith(("DROP", "ALTER")):
                with pytest.raises(ProgrammingError, match="must be owner"), transaction.atomic():
                    cursor.execute(statement)
            else:
                is_refused(cursor, statement)


class TestReadonly:
    def test_sees_the_books_and_no_secret(self):
        fund(open_customer())
        with acting_as("crm_readonly") as cursor:
            cursor.execute("SELECT count(*) FROM wallet_journalentry")
            assert cursor.fetchone() == (1,)
            cursor.execute("SELECT count(email) FROM accounts_user")
            for statement in (
                "SELECT password FROM accounts_user",
                "SELECT key_sha256 FROM accounts_apikey",
                "SELECT token_sha256 FROM accounts_invitation",
                "SELECT * FROM django_session",
                "SELECT * FROM mfa_authenticator",
                "SELECT wallet_post('[]')",
                "DELETE FROM crm_billing_outbox",
            ):
                is_refused(cursor, statement)
