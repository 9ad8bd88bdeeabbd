"""
Each invariant is seen to fire: the data are tampered with past every guard, and it is caught.
"""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tests.factories import NOON, cny, funded_customer
from tests.wallet.tampering import settle, tamper
from wallet import books, holds, ledger, seal, spending
from wallet.models import Lot, SealBlock

pytestmark = [pytest.mark.django_db, pytest.mark.tampers]


def without_check(table: str, constraint: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def fired() -> set[str]:
    return {code for code, rows in books.violations().items() if rows}


@pytest.fixture
def book():
    """
    A book with a bit of everything: credit, charge, reversal, an open and a captured hold.
    """
    now = timezone.now()
    customer = funded_customer("100.00", bonus="20.00", at=now)
    _one, two = (
        spending.spend(
            customer=customer, amount=cny("15.00"), reference=f"{i}", description="x", at=now
        )
        for i in (1, 2)
    )
    ledger.reverse(entry_id=two.pk, reason="x", occurred_at=now)
    holds.place(customer=customer, amount=cny("8.00"), reference="open", at=now)
    caught = holds.place(customer=customer, amount=cny("7.00"), reference="caught", at=now)
    holds.capture(hold_id=caught.pk, amount=cny("6.00"), at=now)
    assert not fired()
    return customer


FIRST = "(SELECT min(id) FROM wallet_posting)"
PRINCIPAL = "(SELECT id FROM wallet_ledgeraccount WHERE kind = 'PRINCIPAL')"


@pytest.mark.parametrize(
    ("codes", "sql"),
    [
        ("I1", f"DELETE FROM wallet_posting WHERE id = {FIRST}"),
        ("I1 I2 I3", f"UPDATE wallet_posting SET amount_minor = 1 WHERE id = {FIRST}"),
        (
            "I1",
            "INSERT INTO wallet_journalentry (reference, kind, description, occurred_at,"
            " content_sha256) VALUES ('empty', 'TRANSFER', 'x', now(), '')",
        ),
        ("I2", f"UPDATE wallet_posting SET amount_minor = amount_minor + 1 WHERE id = {FIRST}"),
        ("I3", f"UPDATE wallet_ledgeraccount SET balance_minor = 1 WHERE id = {PRINCIPAL}"),
        ("I3", f"UPDATE wallet_ledgeraccount SET version = 99 WHERE id = {PRINCIPAL}"),
        (
            "I4",
            "UPDATE wallet_posting SET balance_after_minor = balance_after_minor + 1"
            f" WHERE account_id = {PRINCIPAL} AND account_version = 1",
        ),
        (
            "I4",
            "UPDATE wallet_posting SET account_version = 50"
            f" WHERE account_id = {PRINCIPAL} AND account_version = 1",
        ),
        ("I5", "UPDATE wallet_ledgeraccount SET held_minor = 1 WHERE kind = 'BONUS'"),
        ("I5", "UPDATE wallet_holdlot SET amount_minor = amount_minor + 1"),
        ("I5", f"UPDATE wallet_ledgeraccount SET minimum_minor = 99999 WHERE id = {PRINCIPAL}"),
        ("I6", "UPDATE wallet_hold SET captured_minor = 500 WHERE reference = 'caught'"),
        (
            "I6",
            "UPDATE wallet_hold SET state = 'RELEASED', entry_id = NULL, captured_minor = 0"
            " WHERE reference = 'caught'",
        ),
        ("I11", "UPDATE wallet_lot SET remaining_minor = remaining_minor - 1"),
        ("I11", "UPDATE wallet_lot SET granted_minor = granted_minor + 1"),
        ("I11", "DELETE FROM wallet_lotuse WHERE id = (SELECT min(id) FROM wallet_lotuse)"),
        (
            "I15",
            "INSERT INTO crm_billing_outbox (topic, key, payload, created_at, next_try_at,"
            " attempts, last_error) VALUES ('t', 'k', '{}', now() - interval '16 minutes', now(),"
            " 0, '')",
        ),
        (
            "I16",
            "UPDATE wallet_posting SET amount_minor = amount_minor * 2 WHERE entry_id ="
            " (SELECT id FROM wallet_journalentry WHERE kind = 'REVERSAL')",
        ),
        (
            "I16",
            "UPDATE wallet_journalentry SET kind = 'SPEND' WHERE kind = 'REVERSAL'",
        ),
        (
            "I17",
            "UPDATE wallet_journalentry SET kind = 'ADJUSTMENT' WHERE kind = 'GRANT'",
        ),
        (
            "I24",
            "UPDATE wallet_journalentry SET created_at = created_at - interval '11 minutes'",
        ),
        ("I21", f"UPDATE wallet_posting SET currency = 'USD' WHERE id = {FIRST}"),
        ("I21", "UPDATE wallet_lot SET kind = 'POINTS' WHERE kind = 'BONUS'"),
    ],
)
def test_is_caught(book, codes, sql):
    for table, constraint in [
        ("wallet_hold", "wallet_hold_captured_iff_entry"),
        ("wallet_ledgeraccount", "wallet_account_covers_minimum_and_holds"),
    ]:
        without_check(table, constraint)
    tamper(sql)
    assert set(codes.split()) <= fired()


def test_a_second_pot_of_the_same_kind_is_caught(book):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX wallet_account_once_per_customer_currency_kind")
    tamper(
        "INSERT INTO wallet_ledgeraccount (book, code, kind, currency, sign, customer_id,"
        " balance_minor, held_minor, minimum_minor, version) SELECT book, 'W:again', kind,"
        " currency, sign, customer_id, 0, 0, 0, 0 FROM wallet_ledgeraccount WHERE kind = 'BONUS'"
    )
    assert "I21" in fired()


def test_a_second_reversal_is_caught(book):
    without_check("wallet_journalentry", "wallet_journalentry_reverses_id_key")
    tamper(
        "INSERT INTO wallet_journalentry (reference, kind, description, customer_id, occurred_at,"
        " reverses_id, content_sha256) SELECT 'again', kind, description, customer_id,"
        " occurred_at, reverses_id, '' FROM wallet_journalentry WHERE kind = 'REVERSAL'"
    )
    assert "I16" in fired()


def test_a_finished_key_without_answer_is_caught():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid ="
            " 'crm_billing_idempotencykey'::regclass"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE crm_billing_idempotencykey DROP CONSTRAINT {name}")
    tamper(
        "INSERT INTO crm_billing_idempotencykey (scope, key, fingerprint, status, body,"
        " created_at) VALUES ('s', 'k', 'f', 200, NULL, now())"
    )
    assert "I22" in fired()


def test_a_block_without_the_one_before_it_is_caught(book):
    for _ in range(2):
        settle()
        seal.seal(at=timezone.now())
        funded_customer("1.00")
    assert "I19" not in fired()
    tamper("DELETE FROM wallet_sealblock WHERE id = (SELECT min(id) FROM wallet_sealblock)")
    assert "I19" in fired()


class TestViolations:
    def test_may_take_longer_than_a_page(self):
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("30s",)
            books.violations()
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == (books.STATEMENT_LIMIT,)


class TestExamples:
    def test_are_ids_of_the_rows_to_look_at(self, book):
        tamper("UPDATE wallet_lot SET remaining_minor = remaining_minor - 1 WHERE kind = 'BONUS'")
        lot = Lot.objects.get(kind="BONUS")
        assert set(books.examples("I11")) == {lot.pk, lot.account_id}
        assert len(books.examples("I11", limit=1)) == 1


class TestCommand:
    def test_prints_every_invariant_and_succeeds(self, book, capsys):
        call_command("check_books", json=True)
        printed = json.loads(capsys.readouterr().out)
        assert set(printed) == set(books.INVARIANTS)
        assert not any(printed.values())

    def test_exits_1_when_one_is_violated(self, book):
        tamper("UPDATE wallet_lot SET remaining_minor = remaining_minor - 1")
        with pytest.raises(SystemExit) as end:
            call_command("check_books")
        assert end.value.code == 1


class TestSeal:
    """
    Inside a test's one transaction nothing is settled, so entries are given older transactions.
    """

    def sealed(self):
        settle()
        return seal.seal(at=timezone.now())

    def test_covers_everything_settled_once(self, book):
        assert self.sealed() == 1
        assert seal.seal(at=NOON) == 0
        assert seal.verify() == []

    def test_chains_blocks(self, book):
        self.sealed()
        funded_customer("1.00")
        assert self.sealed() == 1
        assert seal.verify() == []
        first, second = SealBlock.objects.order_by("pk")
        assert second.prev_sha256 == first.sha256

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE wallet_posting SET amount_minor = amount_minor + 1",
            "UPDATE wallet_posting SET account_id = account_id + 1000",
            "UPDATE wallet_journalentry SET description = 'other'",
            "UPDATE wallet_journalentry SET occurred_at = occurred_at + interval '1 day'",
            "UPDATE wallet_journalentry SET customer_id = NULL",
            "UPDATE wallet_lotuse SET amount_minor = amount_minor + 1",
            "DELETE FROM wallet_journalentry WHERE id = (SELECT max(id) FROM wallet_journalentry)",
            "UPDATE wallet_sealblock SET prev_sha256 = repeat('1', 64)",
        ],
    )
    def test_names_the_block_that_was_tampered_with(self, book, sql):
        self.sealed()
        tamper(sql)
        assert len(seal.verify()) == 1
        with pytest.raises(SystemExit):
            call_command("verify_seal")

    def test_waits_for_running_transactions(self, book):
        assert seal.seal(at=NOON) == 0
