"""
What PostgreSQL refuses whoever asks: each rule by raw SQL, as a bug or a person at psql would.
"""

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import NOON, balances, cny, funded_customer, open_customer
from wallet import chart, ledger, spending
from wallet.models import LedgerAccount

pytestmark = pytest.mark.django_db


def refused(sql: str, *params) -> str:
    """
    Run SQL that must fail at once or at COMMIT; return the name of the rule that refused it.
    """
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(sql, params or None)
        connection.check_constraints()
    return error.value.__cause__.diag.constraint_name


def new_entry(customer=None, kind="TRANSFER", reference="x") -> str:
    return (
        "INSERT INTO wallet_journalentry"
        " (reference, kind, description, customer_id, occurred_at, content_sha256)"
        f" VALUES ('{reference}', '{kind}', 'x', {customer.pk if customer else 'NULL'}, now(), '')"
        " RETURNING id"
    )


def posting(account, amount, balance="NULL", version="NULL", entry="(SELECT id FROM e)") -> str:
    return f"({entry}, {account.pk}, '{account.currency}', {amount}, {balance}, {version})"


def insert(entry: str, *postings: str) -> str:
    return (
        f"WITH e AS ({entry}) INSERT INTO wallet_posting"
        " (entry_id, account_id, currency, amount_minor, balance_after_minor, account_version)"
        f" VALUES {', '.join(postings)}"
    )


@pytest.fixture
def spent():
    return chart.system("SPENT", "CNY")


@pytest.fixture
def suspense():
    return chart.system("SUSPENSE", "CNY")


class TestEntries:
    def test_without_postings_are_refused(self):
        assert refused(new_entry()) == "wallet_entry_balances"

    def test_with_one_posting_are_refused(self, spent):
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self.write(new_entry(), spent, [(spent, 5)])
        assert error.value.__cause__.diag.constraint_name == "wallet_entry_balances"

    def test_that_do_not_sum_to_zero_are_refused(self, spent, suspense):
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self.write(new_entry(), spent, [(spent, 5), (suspense, -4)])
        assert error.value.__cause__.diag.constraint_name == "wallet_entry_balances"

    def test_that_balance_only_across_currencies_are_refused(self, spent):
        usd = chart.system("SPENT", "USD")
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self.write(new_entry(), spent, [(spent, 5), (usd, -5)])
        assert error.value.__cause__.diag.constraint_name == "wallet_entry_balances"

    def test_that_move_another_customers_money_are_refused(self, spent):
        owner, stranger = funded_customer("10.00"), open_customer()
        principal = chart.wallet_accounts(owner, "CNY")["PRINCIPAL"]
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE wallet_ledgeraccount SET balance_minor = 900, version = 2"
                    " WHERE id = %s",
                    [principal.pk],
                )
            self.write(new_entry(stranger), spent, [(principal, 100, 900, 2), (spent, -100)])
        assert error.value.__cause__.diag.constraint_name == "wallet_entry_concerns_one_customer"

    def test_charges_of_a_frozen_customer_are_refused(self, spent):
        customer = funded_customer("10.00")
        type(customer).objects.filter(pk=customer.pk).update(status="FROZEN")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            ledger.post(
                reference="x",
                kind="SPEND",
                description="x",
                postings={principal.pk: cny("1"), spent.pk: cny("-1")},
                occurred_at=NOON,
            )
            connection.check_constraints()
        rule = error.value.__cause__.diag.constraint_name
        assert rule == "wallet_frozen_customer_spends_nothing"

    def test_reversals_that_are_no_mirror_are_refused(self, spent, suspense):
        original = ledger.post(
            reference="o",
            kind="TRANSFER",
            description="x",
            postings={spent.pk: cny("1"), suspense.pk: cny("-1")},
            occurred_at=NOON,
        )
        entry = new_entry(kind="REVERSAL").replace(
            "content_sha256)", "content_sha256, reverses_id)"
        )
        entry = entry.replace("'')", f"'', {original.pk})")
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self.write(entry, spent, [(spent, -2), (suspense, 2)])
        assert error.value.__cause__.diag.constraint_name == "wallet_reversal_mirrors_its_entry"

    @pytest.mark.parametrize(
        ("reference", "kind", "names", "rule"),
        [
            ("", "TRANSFER", None, "wallet_entry_reference_is_given"),
            ("x", "REVERSAL", None, "wallet_entry_reversal_iff_reverses"),
            ("x", "TRANSFER", "reverses_id", "wallet_entry_reversal_iff_reverses"),
            ("x", "REVERSAL", "reverses_id", "wallet_reversal_mirrors_its_entry"),
            ("x", "TRANSFER", "policy_id", "wallet_entry_policy_is_there"),
        ],
    )
    def test_that_name_what_is_not_there_are_refused(
        self, spent, suspense, reference, kind, names, rule
    ):
        entry = new_entry(reference=reference, kind=kind)
        if names:
            entry = entry.replace("content_sha256)", f"content_sha256, {names})")
            entry = entry.replace("now(), '')", "now(), '', 999999)")
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self.write(entry, spent, [(spent, 5), (suspense, -5)])
        assert error.value.__cause__.diag.constraint_name == rule

    def test_of_a_customer_without_that_customers_money_are_refused(self, spent, suspense):
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            self.write(new_entry(open_customer()), spent, [(spent, 5), (suspense, -5)])
        assert error.value.__cause__.diag.constraint_name == "wallet_entry_concerns_one_customer"

    def write(self, entry, spent, lines):
        with connection.cursor() as cursor:
            cursor.execute(entry)
            [entry_id] = cursor.fetchone()
            cursor.execute(
                "INSERT INTO wallet_posting (entry_id, account_id, currency, amount_minor,"
                " balance_after_minor, account_version) VALUES "
                + ", ".join(posting(*line, entry=entry_id) for line in lines)
            )
        connection.check_constraints()


class TestPostings:
    def test_may_not_come_after_the_others_of_their_entry(self, spent, suspense):
        entry = ledger.post(
            reference="o",
            kind="TRANSFER",
            description="x",
            postings={spent.pk: cny("1"), suspense.pk: cny("-1")},
            occurred_at=NOON,
        )
        third, fourth = chart.system("EXPIRED", "CNY"), chart.system("ADJUSTMENT", "CNY")
        assert (
            refused(
                "INSERT INTO wallet_posting (entry_id, account_id, currency, amount_minor) VALUES"
                f" ({entry.pk}, {third.pk}, 'CNY', 5), ({entry.pk}, {fourth.pk}, 'CNY', -5)"
            )
            == "wallet_posting_joins_only_a_new_entry"
        )

    def test_may_not_come_in_two_parts(self, spent, suspense):
        third, fourth = chart.system("EXPIRED", "CNY"), chart.system("ADJUSTMENT", "CNY")
        with connection.cursor() as cursor:
            cursor.execute(new_entry())
            [entry_id] = cursor.fetchone()
            columns = "entry_id, account_id, currency, amount_minor"
            halves = [
                f"INSERT INTO wallet_posting ({columns})"
                f" VALUES ({entry_id}, {one.pk}, 'CNY', 5), ({entry_id}, {other.pk}, 'CNY', -5)"
                for one, other in ((spent, suspense), (third, fourth))
            ]
            cursor.execute(halves[0])
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            connection.cursor().execute(halves[1])
        assert error.value.__cause__.diag.constraint_name == "wallet_posting_joins_only_a_new_entry"

    def test_without_an_entry_are_refused(self, spent, suspense):
        assert (
            refused(
                "INSERT INTO wallet_posting (entry_id, account_id, currency, amount_minor) VALUES"
                f" (999999, {spent.pk}, 'CNY', 5), (999999, {suspense.pk}, 'CNY', -5)"
            )
            == "wallet_posting_belongs_to_an_entry"
        )

    def test_of_many_entries_are_looked_at_each(self, spent, suspense):
        sql = (
            "WITH e AS (INSERT INTO wallet_journalentry"
            " (reference, kind, description, occurred_at, content_sha256)"
            " SELECT 'n' || n, 'TRANSFER', 'x', now(), '' FROM generate_series(1, 3) AS n"
            " RETURNING id, reference) INSERT INTO wallet_posting"
            " (entry_id, account_id, currency, amount_minor)"
            " SELECT e.id, v.account, 'CNY', v.amount + (e.reference = '{broken}')::integer"
            " FROM e CROSS JOIN (VALUES ({spent}, 5), ({suspense}, -5)) AS v (account, amount)"
            " ORDER BY e.id, v.account"
        )
        ids = {"spent": spent.pk, "suspense": suspense.pk}
        with connection.cursor() as cursor:
            cursor.execute(sql.format(broken="none", **ids))
        connection.check_constraints()
        for broken in ("n1", "n2", "n3"):
            other = sql.replace("'n' ||", "'m' ||").replace("{broken}", "m" + broken[1:])
            assert refused(other.format(**ids)) == "wallet_entry_balances"

    def test_of_two_books_in_one_entry_are_refused(self, spent):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO wallet_ledgeraccount (book, code, kind, currency, sign)"
                " VALUES ('OTHER', 'other', 'SPENT', 'CNY', -1) RETURNING id"
            )
            other = LedgerAccount.objects.get(pk=cursor.fetchone()[0])
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            TestEntries().write(new_entry(), spent, [(spent, 5), (other, -5)])
        assert error.value.__cause__.diag.constraint_name == "wallet_entry_balances"

    def test_count_on_customer_accounts_and_only_there(self, spent, suspense):
        customer = funded_customer("10.00")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        for lines in (
            [(spent, 5, 5, 1), (suspense, -5)],
            [(spent, 5, 5, "NULL"), (suspense, -5)],
            [(spent, 5, "NULL", 1), (suspense, -5)],
            [(principal, 100), (spent, -100)],
            [(principal, 100, 1100, "NULL"), (spent, -100)],
            [(principal, 100, "NULL", 2), (spent, -100)],
        ):
            with pytest.raises(DatabaseError) as error, transaction.atomic():
                TestEntries().write(new_entry(customer), spent, lines)
            rule = error.value.__cause__.diag.constraint_name
            assert rule == "wallet_posting_counts_iff_customer"

    @pytest.mark.parametrize("balance", [0, 1000, 900])
    @pytest.mark.parametrize("version", [-1, 0, 2])
    def test_may_not_come_without_their_account(self, spent, balance, version):
        customer = funded_customer("10.00")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            TestEntries().write(
                new_entry(customer), spent, [(principal, 100, balance, version), (spent, -100)]
            )
        rule = error.value.__cause__.diag.constraint_name
        assert rule == "wallet_posting_continues_running_balance"

    @pytest.mark.parametrize(("balance", "version"), [(901, 2), (899, 2), (900, 3)])
    def test_must_be_named_when_they_break_the_running_balance(self, spent, balance, version):
        customer = funded_customer("10.00")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE wallet_ledgeraccount SET balance_minor = %s, version = %s"
                    " WHERE id = %s",
                    [balance, version, principal.pk],
                )
            TestEntries().write(
                new_entry(customer), spent, [(principal, 100, balance, version), (spent, -100)]
            )
        rule = error.value.__cause__.diag.constraint_name
        assert rule == "wallet_posting_continues_running_balance"

    def test_must_continue_the_running_balance(self, spent):
        customer = funded_customer("10.00")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        for balance, version in [(900, 3), (901, 2), (900, 1)]:
            with pytest.raises(DatabaseError), transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(
                        "UPDATE wallet_ledgeraccount SET balance_minor = 900, version = 2"
                        " WHERE id = %s",
                        [principal.pk],
                    )
                TestEntries().write(
                    new_entry(customer), spent, [(principal, 100, balance, version), (spent, -100)]
                )

    def test_of_zero_are_refused(self, spent, suspense):
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            TestEntries().write(new_entry(), spent, [(spent, 0), (suspense, 0)])
        assert error.value.__cause__.diag.constraint_name == "wallet_posting_nonzero"

    def test_in_another_currency_than_the_account_are_refused(self, spent, suspense):
        usd = LedgerAccount(pk=spent.pk, currency="USD")
        with pytest.raises(DatabaseError) as error, transaction.atomic():
            TestEntries().write(new_entry(), spent, [(usd, 5), (suspense, -5)])
        assert (
            error.value.__cause__.diag.constraint_name == "wallet_posting_currency_is_its_accounts"
        )


class TestTheJournal:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE wallet_posting SET amount_minor = 2",
            "DELETE FROM wallet_posting",
            "TRUNCATE wallet_posting CASCADE",
            "UPDATE wallet_journalentry SET description = 'other'",
            "DELETE FROM wallet_journalentry",
            "TRUNCATE wallet_journalentry CASCADE",
            "UPDATE wallet_lotuse SET amount_minor = 2",
            "DELETE FROM wallet_lotuse",
            "DELETE FROM wallet_lot",
            "DELETE FROM wallet_ledgeraccount",
            "UPDATE wallet_walletpolicy SET max_topup_minor = 1",
            "DELETE FROM wallet_sealblock",
        ],
    )
    def test_is_append_only(self, sql):
        customer = funded_customer("10.00")
        spending.spend(customer=customer, amount=cny("1"), reference="1", description="x", at=NOON)
        connection.check_constraints()
        assert refused(sql).endswith(("_append_only", "_stays"))
        assert balances(customer) == ("9.00", "0.00", "0.00")

    def test_is_not_written_while_money_is_frozen(self, spent, suspense):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO wallet_freeze (reason, at) VALUES ('x', now())")
        with pytest.raises(ledger.MoneyFrozen):
            ledger.post(
                reference="o",
                kind="TRANSFER",
                description="x",
                postings={spent.pk: cny("1"), suspense.pk: cny("-1")},
                occurred_at=NOON,
            )
