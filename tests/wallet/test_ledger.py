from datetime import timedelta

import pytest
from djmoney.money import Money

from tests.factories import NOON, balances, cny, fund, funded_customer
from wallet import chart, ledger, lots, spending
from wallet.models import JournalEntry, Lot, Posting, WalletPolicy

pytestmark = pytest.mark.django_db


def entry(reference="e", amount="5.00", **changes) -> ledger.Entry:
    return ledger.Entry(
        **{
            "reference": reference,
            "kind": "TRANSFER",
            "description": "x",
            "postings": {
                chart.system("SUSPENSE", "CNY").pk: cny(amount),
                chart.system("EXPIRED", "CNY").pk: -cny(amount),
            },
            "occurred_at": NOON,
        }
        | changes
    )


class TestPost:
    def test_credits_make_lots_and_debits_use_them_earliest_expiry_first(self):
        customer = funded_customer("10.00", bonus="20.00")
        bonus = chart.wallet_accounts(customer, "CNY")["BONUS"]
        lots.grant(
            customer=customer,
            amount=cny("5.00"),
            kind="BONUS",
            origin="PROMOTION",
            reference="sooner",
            at=NOON,
            expires_at=NOON + timedelta(days=1),
        )

        ledger.post(
            reference="raw",
            kind="TRANSFER",
            description="x",
            postings={bonus.pk: cny("6.00"), chart.system("SPENT", "CNY").pk: cny("-6.00")},
            occurred_at=NOON,
        )

        left = Lot.objects.filter(kind="BONUS").order_by("expires_at")
        assert [lot.remaining_minor for lot in left] == [0, 19_00]

    def test_tells_the_balance_after_each_posting(self):
        customer = funded_customer("10.00")
        fund(customer, "2.50")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]

        lines = Posting.objects.filter(account=principal).order_by("account_version")

        assert [
            (line.amount_minor, line.balance_after_minor, line.account_version) for line in lines
        ] == [(-10_00, 10_00, 1), (-2_50, 12_50, 2)]

    @pytest.mark.parametrize(
        "amounts", [("5.00",), ("5.00", "-4.99"), ("0", "0"), ("5.00", "-5.00", "0")]
    )
    def test_refuses_entries_that_do_not_balance(self, amounts):
        accounts = [chart.system(kind, "CNY").pk for kind in ("SPENT", "EXPIRED", "SUSPENSE")]
        with pytest.raises(ledger.UnbalancedEntry):
            ledger.post(
                reference="x",
                kind="TRANSFER",
                description="x",
                postings=dict(zip(accounts, map(cny, amounts), strict=False)),
                occurred_at=NOON,
            )

    def test_refuses_money_of_another_currency(self):
        with pytest.raises(ledger.CurrencyMismatch):
            ledger.post(
                reference="x",
                kind="TRANSFER",
                description="x",
                postings={
                    chart.system("SPENT", "CNY").pk: Money(1, "USD"),
                    chart.system("EXPIRED", "CNY").pk: Money(-1, "USD"),
                },
                occurred_at=NOON,
            )
        assert not JournalEntry.objects.exists()


class TestPostMany:
    def test_posts_in_order_and_answers_repetitions(self):
        first = ledger.post_many([entry("a"), entry("b")])
        again = ledger.post_many([entry("b"), entry("c"), entry("a")])

        assert [e.reference for e in again] == ["b", "c", "a"]
        assert (again[0], again[2]) == (first[1], first[0])
        assert JournalEntry.objects.count() == 3

    def test_posts_a_reference_named_twice_in_one_call_once(self):
        one, two = ledger.post_many([entry("a"), entry("a")])
        assert one == two

    def test_runs_the_balance_through_many_lines_of_one_account(self):
        customer = funded_customer("10.00")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        spent = chart.system("SPENT", "CNY")

        ledger.post_many(
            [
                entry(f"s{i}", postings={principal.pk: cny("1.00"), spent.pk: cny("-1.00")})
                for i in range(7)
            ]
        )

        assert balances(customer)[0] == "3.00"
        after = Posting.objects.filter(account=principal).order_by("account_version")
        assert [line.balance_after_minor for line in after] == [1000, *range(900, 200, -100)]

    def test_refuses_all_when_one_is_refused(self):
        customer = funded_customer("10.00")
        principal = chart.wallet_accounts(customer, "CNY")["PRINCIPAL"]
        spent = chart.system("SPENT", "CNY")

        with pytest.raises(ledger.InsufficientFunds) as refusal:
            ledger.post_many(
                [
                    entry("ok", postings={principal.pk: cny("9.00"), spent.pk: cny("-9.00")}),
                    entry("too much", postings={principal.pk: cny("2.00"), spent.pk: cny("-2.00")}),
                ]
            )

        assert refusal.value.data["ord"] == 2
        assert balances(customer)[0] == "10.00"


class TestReverse:
    def test_gives_back_the_same_lots(self):
        customer = funded_customer("100.00", bonus="20.00")
        charge = spending.spend(
            customer=customer, amount=cny("30.00"), reference="1", description="x", at=NOON
        )

        reversal = ledger.reverse(entry_id=charge.pk, reason="Charged twice", occurred_at=NOON)

        assert balances(customer) == ("100.00", "20.00", "0.00")
        assert [lot.remaining_minor for lot in Lot.objects.order_by("pk")] == [100_00, 20_00]
        assert (reversal.kind, reversal.reverses_id) == ("REVERSAL", charge.pk)

    def test_twice_returns_the_first(self):
        customer = funded_customer("100.00")
        charge = spending.spend(
            customer=customer, amount=cny("30.00"), reference="1", description="x", at=NOON
        )
        first, second = (
            ledger.reverse(entry_id=charge.pk, reason="Charged twice", occurred_at=NOON)
            for _ in range(2)
        )
        assert first == second
        assert balances(customer) == ("100.00", "0.00", "0.00")

    def test_prolongs_a_lot_that_expired_meanwhile(self):
        customer = funded_customer("1.00", bonus="20.00")
        charge = spending.spend(
            customer=customer, amount=cny("20.00"), reference="1", description="x", at=NOON
        )
        later = NOON + timedelta(days=40)

        ledger.reverse(entry_id=charge.pk, reason="Charged twice", occurred_at=later)

        assert lots.expire(at=later) == 0
        assert Lot.objects.get(kind="BONUS").expires_at == later + timedelta(days=30)

    def test_of_a_credit_takes_back_its_own_lot(self):
        customer = funded_customer("100.00")
        fund(customer, "7.00")
        entry = Lot.objects.get(granted_minor=7_00).entry

        ledger.reverse(entry_id=entry.pk, reason="Mistake", occurred_at=NOON)

        assert [lot.remaining_minor for lot in Lot.objects.order_by("pk")] == [100_00, 0]

    def test_of_a_credit_that_is_spent_is_refused(self):
        customer = funded_customer("100.00")
        spending.spend(
            customer=customer, amount=cny("0.01"), reference="1", description="x", at=NOON
        )
        with pytest.raises(ledger.InsufficientFunds):
            ledger.reverse(entry_id=Lot.objects.get().entry_id, reason="Mistake", occurred_at=NOON)
        assert balances(customer) == ("99.99", "0.00", "0.00")

    def test_of_a_reversal_is_refused(self):
        [posted] = ledger.post_many([entry()])
        reversal = ledger.reverse(entry_id=posted.pk, reason="Mistake", occurred_at=NOON)
        with pytest.raises(ledger.NotReversible):
            ledger.reverse(entry_id=reversal.pk, reason="Mistake", occurred_at=NOON)


class TestConsumptionOrders:
    @pytest.mark.parametrize(
        ("order", "left"),
        [
            ("BONUS_FIRST_EARLIEST_EXPIRY", [10_00, 0, 0, 5_00]),
            ("PRINCIPAL_FIRST_FIFO", [0, 0, 5_00, 10_00]),
            ("EARLIEST_EXPIRY_FIRST", [10_00, 0, 0, 5_00]),
        ],
    )
    def test_take_lots_as_they_say(self, order, left):
        self.use(order)
        spending.spend(
            customer=self.four_lots(), amount=cny("25.00"), reference="1", description="x", at=NOON
        )
        assert [lot.remaining_minor for lot in Lot.objects.order_by("pk")] == left

    @pytest.mark.parametrize("order", WalletPolicy.Order.values)
    def test_are_the_same_in_python_and_sql(self, order):
        self.use(order)
        customer = self.four_lots()
        expected, wanted = {}, 33_00
        for lot in Lot.objects.free(customer, "CNY", order, NOON):
            expected[lot.pk] = min(wanted, lot.remaining_minor)
            wanted -= expected[lot.pk]

        charge = spending.spend(
            customer=customer, amount=cny("33.00"), reference="1", description="x", at=NOON
        )

        uses = {
            use.lot_id: use.amount_minor
            for posting in charge.postings.all()
            for use in posting.lot_uses.all()
        }
        assert uses == {pk: minor for pk, minor in expected.items() if minor}

    def use(self, order):
        policy = WalletPolicy.objects.get(currency="CNY")
        policy.pk, policy.valid_from, policy.consumption_order = None, NOON, order
        policy.save(force_insert=True)

    def four_lots(self):
        """
        Principal 10, bonus 10 in 30 days, bonus 10 in 5 days, bonus 10 without end.
        """
        customer = funded_customer("10.00", bonus="10.00")
        for days in (5, None):
            lots.grant(
                customer=customer,
                amount=cny("10.00"),
                kind="BONUS",
                origin="PROMOTION",
                reference=f"{days}",
                at=NOON + timedelta(seconds=1 if days else 2),
                expires_at=days and NOON + timedelta(days=days),
            )
        return customer
