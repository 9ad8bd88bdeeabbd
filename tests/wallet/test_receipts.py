import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import Error, connection, transaction

from tests.factories import open_customer
from tests.wallet.topup_setting import cny, deliver, now, submitted
from wallet import facts, ledger, payments, spending, topups
from wallet.models import Receipt, ReceiptSeries

pytestmark = pytest.mark.django_db

NEW_YEARS_EVE = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)  # one minute to midnight in Shanghai


def paid(fake_gateway, customer=None, amount="100.00", *, at=None, **fields) -> Receipt:
    """
    Return the receipt of a top-up paid at a moment, told by query so that it may lie anywhere.
    """
    at = at or now()
    topup = submitted(customer, amount, at=at, **fields)
    fake_gateway.pay(topup.number, late=True)
    payments.ask(attempt_id=topup.attempts.get().pk, at=at)
    return Receipt.objects.get(topup=topup)


class TestAReversedTopUp:
    def test_has_a_void_receipt_from_the_same_moment(self, fake_gateway):
        receipt, other = paid(fake_gateway), paid(fake_gateway)
        for _ in range(2):
            ledger.reverse(
                entry_id=receipt.topup.entry_id, reason="Charged back", occurred_at=now()
            )
        receipt.refresh_from_db()
        other.refresh_from_db()
        assert (receipt.state, other.state) == ("VOIDED", "ISSUED")

    def test_keeps_its_receipt_when_it_cannot_be_reversed(self, fake_gateway):
        receipt = paid(fake_gateway)
        spending.spend(
            customer=receipt.customer, amount=cny("1.00"), reference="1", description="x", at=now()
        )
        with pytest.raises(ledger.InsufficientFunds):
            ledger.reverse(entry_id=receipt.topup.entry_id, reason="x", occurred_at=now())
        receipt.refresh_from_db()
        assert receipt.state == "ISSUED"

    def test_keeps_its_receipt_when_something_bought_with_it_is_reversed(self, fake_gateway):
        receipt = paid(fake_gateway)
        spent = spending.spend(
            customer=receipt.customer, amount=cny("1.00"), reference="1", description="x", at=now()
        )
        ledger.reverse(entry_id=spent.pk, reason="x", occurred_at=now())
        receipt.refresh_from_db()
        assert receipt.state == "ISSUED"


class TestIssue:
    def test_numbers_go_up_by_one_within_a_year(self, fake_gateway):
        at = NEW_YEARS_EVE - timedelta(days=3)
        numbers = [paid(fake_gateway, at=at).number for _ in range(3)]
        assert numbers == ["R2026-000001", "R2026-000002", "R2026-000003"]

    def test_a_new_year_begins_at_the_companys_midnight(self, fake_gateway):
        old = paid(fake_gateway, at=NEW_YEARS_EVE)
        new = paid(fake_gateway, at=NEW_YEARS_EVE + timedelta(minutes=1))
        assert (old.number, old.issued_on.isoformat()) == ("R2026-000001", "2026-12-31")
        assert (new.number, new.issued_on.isoformat()) == ("R2027-000001", "2027-01-01")

    def test_keeps_what_it_says(self, fake_gateway):
        customer = open_customer("Aurora Ltd", locale="en")
        paid(fake_gateway, customer, "30.00")
        promise = topups.Promise(bonus=cny(10), days=30)
        receipt = paid(fake_gateway, customer, "100.00", promise=promise)
        payment = receipt.topup.payments.get()

        assert (receipt.payer_name, receipt.locale) == ("Aurora Ltd", "en")
        assert (receipt.amount, receipt.bonus) == (cny(100), cny(10))
        assert receipt.balance_after == cny(140)
        assert (receipt.external_id, receipt.paid_at) == (payment.external_id, payment.paid_at)

    def test_codes_have_120_random_bits(self, fake_gateway):
        codes = {paid(fake_gateway).code for _ in range(3)}
        assert len(codes) == 3 and all(re.fullmatch("[a-z2-7]{24}", code) for code in codes)

    def test_a_transaction_that_fails_leaves_no_gap(self, fake_gateway, monkeypatch):
        topup = submitted()
        callback = fake_gateway.pay(topup.number)
        with monkeypatch.context() as patch:
            patch.setattr(facts.outbox, "put", lambda **kwargs: 1 / 0)
            assert deliver(callback).outcome == "RECEIVED"
        assert Receipt.objects.count() == 0
        assert paid(fake_gateway).serial == 1


class TestTheDatabase:
    def refusal(self, write) -> tuple[str, str | None]:
        with pytest.raises(Error) as refused, transaction.atomic():
            write()
        cause = refused.value.__cause__
        return cause.sqlstate, cause.diag.constraint_name

    @pytest.mark.parametrize("last", [0, 1, 3, 100])
    def test_lets_the_series_only_go_up_by_one(self, last, fake_gateway):
        paid(fake_gateway)
        assert self.refusal(lambda: ReceiptSeries.objects.update(last=last)) == (
            "23514",
            "wallet_receiptseries_goes_up_by_one",
        )

    def test_refuses_a_receipt_out_of_line(self, fake_gateway):
        receipt = paid(fake_gateway)
        receipt.pk, receipt.serial, receipt.code = None, 7, "other"
        receipt.number = f"R{receipt.year}-000007"
        assert self.refusal(receipt.save) == ("23514", "wallet_receipt_takes_the_next_number")

    def test_deletes_no_series(self, fake_gateway):
        paid(fake_gateway)

        def delete():
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM wallet_receiptseries")

        assert self.refusal(delete)[0] == "23001"
