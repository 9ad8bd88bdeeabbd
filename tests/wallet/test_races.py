"""
Many at once on real PostgreSQL: locks give each of them a good answer.

Every race that relies on a lock has a control run without it. There people do get errors, which
shows that the race is real; yet the books prove, because the constraints hold without any lock.
What relies on a unique reference instead goes as well without locks.
"""

import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection

from crm_billing.errors import DomainError
from tests.factories import NOON, balances, cny, fund, funded_customer
from tests.wallet.racing import prove, race, without_locks
from tests.wallet.settling import wait_until_settled
from wallet import chart, holds, ledger, lots, seal, spending
from wallet.models import Hold, JournalEntry, SealBlock

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 40
SQL_LOCKS = ("wallet_post_one", "wallet_post_many", "wallet_spend_one", "wallet_spend_many")


@pytest.fixture
def no_python_locks(monkeypatch):
    """
    Commands that look before they write no longer lock what they look at.
    """
    monkeypatch.setattr(ledger, "lock_accounts", lambda account_ids: time.sleep(0.02))


def spending_of(customer, amount, *, reference="", at=NOON):
    def spend(name):
        return lambda: spending.spend(
            customer=customer, amount=cny(amount), reference=name, description="x", at=at
        )

    return [spend(reference or f"race {place}") for place in range(MANY)]


class TestSpendingMoreThanHalf:
    def test_succeeds_once(self):
        customer = funded_customer("100.00")

        result = race(spending_of(customer, "50.01"))

        assert (len(result.won), result.refused) == (1, {"insufficient_funds"})
        assert not result.broken and not result.lost
        assert balances(customer) == ("49.99", "0.00", "0.00")

    def test_without_locks_fails_but_never_overdraws(self):
        customer = funded_customer("100.00")

        with without_locks(*SQL_LOCKS):
            result = race(spending_of(customer, "50.01"))

        assert len(result.won) == 1
        assert result.of(IntegrityError)
        assert balances(customer) == ("49.99", "0.00", "0.00")
        prove()


class TestTheSameReference:
    def test_moves_money_once(self):
        customer = funded_customer("100.00")

        result = race(spending_of(customer, "1.00", reference="one and the same"))

        assert len(result.won) == MANY and len({entry.pk for entry in result.won}) == 1
        assert not result.lost
        assert balances(customer) == ("99.00", "0.00", "0.00")

    def test_without_locks_moves_it_once_too(self):
        customer = funded_customer("100.00")

        with without_locks(*SQL_LOCKS):
            result = race(spending_of(customer, "1.00", reference="one and the same"))

        # the reference is unique: whoever comes second waits for the first, and is answered as it
        assert len(result.won) == MANY and not result.lost
        assert len({entry.pk for entry in result.won}) == 1
        assert balances(customer) == ("99.00", "0.00", "0.00")
        prove()


class TestHolds:
    """
    Two customers with 20 holds of 2.00 each over bonus and principal.
    """

    def customers(self):
        return [funded_customer("40.00", bonus="10.00") for _ in range(2)]

    def ending(self, customers):
        """
        Return calls that end the holds of both crosswise, and place new ones meanwhile.
        """
        placed = [
            holds.place(customer=customer, amount=cny("2.00"), reference=f"{place}", at=NOON)
            for place in range(20)
            for customer in customers
        ]

        def end(place, hold):
            if place % 4 == 3:
                return lambda: holds.release(hold_id=hold.pk, at=NOON)
            return lambda: holds.capture(hold_id=hold.pk, amount=cny("1.50"), at=NOON)

        def place(customer):
            return lambda: holds.place(
                customer=customer, amount=cny("5.00"), reference="new", at=NOON
            )

        calls = [end(place, hold) for place, hold in enumerate(placed)]
        return calls[::2] + calls[1::2][::-1] + [place(customer) for customer in customers]

    def test_of_two_customers_end_crosswise_without_deadlock(self):
        customers = self.customers()

        result = race(self.ending(customers))

        assert not result.broken and not result.lost and not result.refused
        # the first five holds of each lie on bonus; of one customer every second is released
        assert balances(customers[0]) == ("17.50", "2.50", "5.00")
        assert balances(customers[1]) == ("29.50", "5.50", "5.00")

    def test_twice_of_more_than_half_succeeds_once(self):
        customer = funded_customer("100.00")

        result = race(self.placing(customer))

        assert (len(result.won), result.refused) == (1, {"insufficient_funds"})
        assert not result.broken and not result.lost
        assert balances(customer) == ("100.00", "0.00", "60.00")

    def test_without_locks_fail_but_never_promise_too_much(self, no_python_locks):
        customer = funded_customer("100.00")

        result = race(self.placing(customer))

        assert len(result.won) == 1
        assert result.of(IntegrityError)
        assert balances(customer) == ("100.00", "0.00", "60.00")
        prove()

    def placing(self, customer):
        def place(reference):
            return lambda: holds.place(
                customer=customer, amount=cny("60.00"), reference=reference, at=NOON
            )

        return [place(f"{number}") for number in range(MANY)]

    def test_and_charges_of_the_same_money_succeed_once(self):
        customer = funded_customer("100.00")

        result = race(self.placing(customer)[::2] + spending_of(customer, "60.00")[::2])

        assert (len(result.won), result.refused) == (1, {"insufficient_funds"})
        assert not result.broken and not result.lost
        held, spent = isinstance(result.won[0], Hold), isinstance(result.won[0], JournalEntry)
        assert held != spent
        assert balances(customer) == (
            ("100.00", "0.00", "60.00") if held else ("40.00", "0.00", "0.00")
        )

    def test_and_charges_without_locks_fail_but_never_take_both(self, no_python_locks):
        customer = funded_customer("100.00")

        with without_locks(*SQL_LOCKS):
            result = race(self.placing(customer)[::2] + spending_of(customer, "60.00")[::2])

        assert len(result.won) == 1
        assert result.of(IntegrityError)
        prove()


class TestReverse:
    def charge(self):
        customer = funded_customer("100.00", bonus="20.00")
        entry = spending.spend(
            customer=customer, amount=cny("30.00"), reference="1", description="x", at=NOON
        )
        return customer, [
            lambda: ledger.reverse(entry_id=entry.pk, reason="Twice", occurred_at=NOON)
        ] * MANY

    def test_happens_once(self):
        customer, calls = self.charge()

        result = race(calls)

        assert len(result.won) == MANY and len({entry.pk for entry in result.won}) == 1
        assert not result.lost
        assert balances(customer) == ("100.00", "20.00", "0.00")

    def test_without_locks_happens_once_too(self, no_python_locks):
        customer, calls = self.charge()

        with without_locks(*SQL_LOCKS):
            result = race(calls)

        # by its unique reference
        assert len(result.won) == MANY and not result.lost
        assert JournalEntry.objects.filter(kind="REVERSAL").count() == 1
        assert balances(customer) == ("100.00", "20.00", "0.00")
        prove()


class TestExpiry:
    END = NOON + timedelta(days=30)

    def calls(self):
        """
        Return calls that spend a bonus at its last second, and others that let it expire.
        """
        customer = funded_customer("0.01", bonus="50.00")
        charges = spending_of(customer, "50.00", at=self.END - timedelta(seconds=1))
        return customer, charges[::2] + [lambda: lots.expire(at=self.END)] * (MANY // 2)

    def effects(self, result):
        expired = sum(count for count in result.won if isinstance(count, int))
        return expired + sum(isinstance(answer, JournalEntry) for answer in result.won)

    def test_and_a_charge_in_the_last_second_take_a_bonus_once(self):
        customer, calls = self.calls()

        result = race(calls)

        assert self.effects(result) == 1 and result.refused <= {"insufficient_funds"}
        assert not result.broken and not result.lost
        assert balances(customer) == ("0.01", "0.00", "0.00")

    def test_without_locks_fails_but_takes_it_once(self, no_python_locks):
        customer, calls = self.calls()

        with without_locks(*SQL_LOCKS):
            result = race(calls)

        assert self.effects(result) == 1
        assert result.lost
        assert balances(customer) == ("0.01", "0.00", "0.00")
        prove()


class TestPostMany:
    """
    Batches over the same two customers, every second one in the opposite order.
    """

    def calls(self, customers):
        accounts = [chart.wallet_accounts(customer, "CNY")["PRINCIPAL"] for customer in customers]
        suspense = chart.system("SUSPENSE", "CNY")

        def batch(place):
            order = accounts if place % 2 else accounts[::-1]
            entries = [
                ledger.Entry(
                    reference=f"{place}:{account.pk}",
                    kind="TRANSFER",
                    description="x",
                    postings={account.pk: cny("1.00"), suspense.pk: cny("-1.00")},
                    occurred_at=NOON,
                )
                for account in order
            ]
            return lambda: ledger.post_many(entries)

        return [batch(place) for place in range(MANY)]

    def test_all_go_through_without_deadlock(self):
        customers = [funded_customer("100.00") for _ in range(2)]

        result = race(self.calls(customers))

        assert len(result.won) == MANY and not result.lost
        assert [balances(customer)[0] for customer in customers] == ["60.00", "60.00"]

    def test_without_locks_fail_but_each_moves_all_or_nothing(self):
        customers = [funded_customer("100.00") for _ in range(2)]

        with without_locks("wallet_post_one", "wallet_post_many"):
            result = race(self.calls(customers))

        assert result.broken and result.lost and not result.of(DomainError)
        left = f"{100 - len(result.won)}.00"
        assert [balances(customer)[0] for customer in customers] == [left, left]
        prove()


class TestSeal:
    """
    Twelve settled entries, three in a block, eight workers at once.
    """

    @pytest.fixture(autouse=True)
    def small_blocks(self, monkeypatch):
        upto = "e.xid < pg_snapshot_xmin(pg_current_snapshot())"
        monkeypatch.setattr(seal, "NEXT_BLOCK", seal.HASH_SQL.format(upto=upto, limit="LIMIT 3"))

    def settled_entries(self):
        customer = funded_customer("1.00")
        for _ in range(11):
            fund(customer, "1.00")
        wait_until_settled()

    def test_by_many_at_once_is_one_chain(self):
        self.settled_entries()

        result = race([lambda: seal.seal(at=NOON)] * 8)

        assert not result.broken and not result.lost and sum(result.won) == 4
        assert [block.entries for block in SealBlock.objects.order_by("pk")] == [3, 3, 3, 3]
        assert seal.verify() == []

    def test_without_the_lock_fails_but_does_not_fork(self):
        self.settled_entries()
        with connection.cursor() as cursor:
            # PostgreSQL prefers it to its own, which takes a bigint
            cursor.execute(
                "CREATE FUNCTION pg_advisory_xact_lock(integer) RETURNS void LANGUAGE sql"
                " AS 'SELECT pg_sleep(0.05)'"
            )
        try:
            result = race([lambda: seal.seal(at=NOON)] * 8)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP FUNCTION pg_advisory_xact_lock(integer)")

        assert result.of(IntegrityError)
        assert seal.verify() == []
        assert sum(block.entries for block in SealBlock.objects.all()) <= 12
