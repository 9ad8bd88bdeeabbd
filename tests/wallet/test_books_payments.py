"""
The invariants about payments are seen to fire, as tests/wallet/test_books.py does for the others.
"""

from datetime import timedelta

import pytest
from django.db import connection

from tests.factories import open_customer
from tests.wallet.topup_setting import deliver, now, submitted
from wallet import books

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.tampers,
    pytest.mark.usefixtures("fake_gateway"),
]


def tamper(*statements: str) -> set[str]:
    """
    Change data as a superuser would who first switches every guard off; return what fires.

    Indexes and checks cannot be switched off, so they are dropped for the moment of looking.
    """
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table, name in IN_THE_WAY:
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
                cursor.execute(f"DROP INDEX IF EXISTS {name}")
            for statement in statements:
                cursor.execute(statement)
                assert cursor.rowcount, f"touches nothing: {statement}"
            return {code for code in INVARIANTS if count(cursor, code)}
        finally:
            cursor.execute("ROLLBACK")


INVARIANTS = ("I7", "I8", "I9")
IN_THE_WAY = (
    ("wallet_gatewaypayment", "wallet_payment_one_credited_per_topup"),
    ("wallet_gatewaypayment", "wallet_payment_once_per_gateway_number"),
    ("wallet_gatewaypayment", "wallet_gatewaypayment_entry_id_key"),
    ("wallet_topup", "wallet_topup_entry_id_key"),
    ("wallet_topup", "wallet_topup_paid_iff_entry"),
)


def count(cursor, code: str) -> int:
    cursor.execute(f"SELECT count(*) FROM ({books.INVARIANTS[code][1]}) AS violation")
    return cursor.fetchone()[0]


@pytest.fixture
def paid(fake_gateway):
    """
    Two paid top-ups of different customers, and one that is still open.
    """
    for _ in range(2):
        topup = submitted(open_customer())
        deliver(fake_gateway.pay(topup.number))
    submitted(open_customer())
    with connection.cursor() as cursor:
        assert not any(count(cursor, code) for code in INVARIANTS)


FIRST = "(SELECT min(id) FROM wallet_topup)"
OPEN = "(SELECT max(id) FROM wallet_topup)"
PAYMENT = "(SELECT min(id) FROM wallet_gatewaypayment)"
COPY = (
    "INSERT INTO wallet_gatewaypayment (gateway, external_id, attempt_id, topup_id, number,"
    " merchant_id, amount, amount_currency, paid_at, received_at, learned_by, entry_id)"
    " SELECT gateway, {external_id}, attempt_id, topup_id, number, merchant_id, amount,"
    " amount_currency, paid_at, received_at, learned_by, {entry_id}"
    f" FROM wallet_gatewaypayment WHERE id = {PAYMENT}"
)


@pytest.mark.usefixtures("paid")
class TestOnce:
    def test_a_payment_credited_twice_is_caught(self):
        assert "I7" in tamper(COPY.format(external_id="external_id", entry_id="entry_id"))

    def test_a_payment_credited_by_two_entries_is_caught(self):
        other = "(SELECT max(id) FROM wallet_journalentry WHERE kind = 'TOP_UP')"
        assert "I7" in tamper(COPY.format(external_id="external_id", entry_id=other))

    def test_a_topup_credited_by_two_payments_is_caught(self):
        assert "I7" in tamper(COPY.format(external_id="'another'", entry_id="entry_id"))

    def test_a_paid_topup_without_a_credited_payment_is_caught(self):
        assert "I7" in tamper(
            f"UPDATE wallet_gatewaypayment SET entry_id = NULL WHERE id = {PAYMENT}"
        )

    def test_a_topup_called_paid_although_nothing_came_is_caught(self):
        assert "I7" in tamper(f"UPDATE wallet_topup SET state = 'PAID' WHERE id = {OPEN}")

    @pytest.mark.parametrize("state", ["PENDING", "EXPIRED", "CANCELLED"])
    def test_a_credited_topup_that_is_not_called_paid_is_caught(self, state):
        assert "I7" in tamper(f"UPDATE wallet_topup SET state = '{state}' WHERE id = {FIRST}")

    def test_a_topup_that_forgot_its_entry_is_caught(self):
        assert "I7" in tamper(f"UPDATE wallet_topup SET entry_id = NULL WHERE id = {FIRST}")

    def test_a_topup_with_the_entry_of_another_is_caught(self):
        assert "I7" in tamper(
            "UPDATE wallet_topup SET entry_id = (SELECT max(entry_id) FROM wallet_topup)"
            f" WHERE id = {FIRST}"
        )

    def test_an_entry_of_a_topup_without_a_payment_is_caught(self):
        assert "I7" in tamper(
            "INSERT INTO wallet_journalentry (reference, kind, description, customer_id,"
            " occurred_at, content_sha256) SELECT 'topup:nobody', kind, description, customer_id,"
            " occurred_at, content_sha256 FROM wallet_journalentry WHERE kind = 'TOP_UP' LIMIT 1"
        )


@pytest.mark.usefixtures("paid")
class TestSame:
    @pytest.mark.parametrize(
        "change",
        [
            f"UPDATE wallet_gatewaypayment SET amount = amount + 0.01 WHERE id = {PAYMENT}",
            f"UPDATE wallet_gatewaypayment SET amount_currency = 'USD' WHERE id = {PAYMENT}",
            f"UPDATE wallet_gatewaypayment SET gateway = 'bank' WHERE id = {PAYMENT}",
            f"UPDATE wallet_topup SET amount = amount - 0.01 WHERE id = {FIRST}",
            f"UPDATE wallet_topup SET amount_currency = 'USD' WHERE id = {FIRST}",
            f"UPDATE wallet_topup SET gateway = 'bank' WHERE id = {FIRST}",
            "UPDATE wallet_topup SET customer_id = (SELECT max(customer_id) FROM wallet_topup)"
            f" WHERE id = {FIRST}",
            "UPDATE wallet_posting SET amount_minor = amount_minor - 1 WHERE amount_minor < 0"
            f" AND entry_id = (SELECT entry_id FROM wallet_topup WHERE id = {FIRST})",
            "UPDATE wallet_posting SET account_version = 9, account_id = (SELECT max(id)"
            " FROM wallet_ledgeraccount WHERE kind = 'PRINCIPAL') WHERE amount_minor < 0"
            f" AND entry_id = (SELECT entry_id FROM wallet_topup WHERE id = {FIRST})",
            "DELETE FROM wallet_posting WHERE amount_minor < 0"
            f" AND entry_id = (SELECT entry_id FROM wallet_topup WHERE id = {FIRST})",
        ],
    )
    def test_what_differs_from_what_was_paid_or_ordered_is_caught(self, change):
        assert "I8" in tamper(change)


def ago(minutes: int) -> str:
    return f"now() - interval '{minutes} minutes'"


class TestForgotten:
    """
    A payment of another amount than ordered: nothing is credited, people have a case.
    """

    @pytest.fixture(autouse=True)
    def mismatch(self, fake_gateway):
        at = now() - timedelta(minutes=16)
        topup = submitted(open_customer(), at=at)
        deliver(fake_gateway.pay(topup.number, amount_minor=1), at=now())

    def test_in_a_case_is_fine_however_old(self):
        assert "I9" not in tamper(f"UPDATE wallet_gatewaypayment SET received_at = {ago(9999)}")

    def test_without_a_case_is_caught_after_fifteen_minutes(self):
        assert "I9" in tamper(
            "DELETE FROM wallet_case",
            f"UPDATE wallet_gatewaypayment SET received_at = {ago(16)}",
        )

    def test_without_a_case_is_given_fifteen_minutes(self):
        assert "I9" not in tamper(
            "DELETE FROM wallet_case",
            f"UPDATE wallet_gatewaypayment SET received_at = {ago(14)}",
        )

    def test_and_a_callback_nobody_acted_on_is_caught(self):
        unread = "UPDATE wallet_gatewaycallback SET outcome = 'RECEIVED', received_at = "
        forget = "DELETE FROM wallet_case"
        assert "I9" in tamper(unread + ago(16), forget)
        assert "I9" not in tamper(unread + ago(14), forget)
        assert "I9" not in tamper(unread + ago(16))  # its case is open
