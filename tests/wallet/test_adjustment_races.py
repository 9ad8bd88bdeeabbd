import time
from decimal import Decimal
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from tests.factories import NOON, balances, cny, funded_customer, staff
from tests.wallet.racing import prove, race, without_locks
from wallet import adjustments, corrections
from wallet.models import Adjustment, JournalEntry, WalletPolicy

pytestmark = pytest.mark.django_db(transaction=True)

AMOUNT = cny("12.30")


def propose(customer, maker, amount=AMOUNT):
    return adjustments.propose(
        customer=customer,
        direction="CREDIT",
        kind="PRINCIPAL",
        amount=amount,
        reason="Paid in cash",
        at=NOON,
        by=maker,
    )


class TestProposingMoreThanHalfADaysLimit:
    def calls(self):
        limit = WalletPolicy.objects.get(currency="CNY").max_daily_adjustments
        maker, owners = staff("FINANCE_MAKER"), [funded_customer("1.00") for _ in range(10)]

        return [partial(propose, customer, maker, limit * Decimal("0.6")) for customer in owners]

    def test_succeeds_once(self):
        result = race(self.calls())

        assert (len(result.won), result.refused) == (1, {"daily_limit_reached"})
        assert not result.broken and not result.lost
        assert Adjustment.objects.count() == 1

    def test_without_looking_first_is_stopped_by_the_database(self, monkeypatch):
        monkeypatch.setattr(adjustments, "_refuse_over_limit", lambda amount, at, by: None)

        result = race(self.calls())

        assert len(result.won) == 1 and len(result.of(IntegrityError)) == 9
        assert Adjustment.objects.count() == 1

    def test_without_any_lock_passes_it(self, monkeypatch):
        monkeypatch.setattr(adjustments, "_refuse_over_limit", lambda amount, at, by: None)

        def slow(call):
            with transaction.atomic():
                call()
                time.sleep(0.5)  # until everybody has looked

        with without_locks("wallet_adjustment_within_daily_limit"):
            result = race([partial(slow, call) for call in self.calls()])

        assert len(result.won) > 1


class TestProposingTheSame:
    def calls(self):
        customer, makers = funded_customer("100.00"), [staff("FINANCE_MAKER") for _ in range(8)]

        return [partial(propose, customer, maker) for maker in makers]

    def test_succeeds_once(self):
        result = race(self.calls())

        assert (len(result.won), result.refused) == (1, {"proposed_alike"})
        assert not result.broken and not result.lost
        assert Adjustment.objects.count() == 1

    def test_without_the_lock_succeeds_more_than_once(self, monkeypatch):
        calls, look = self.calls(), corrections.alike

        def slow(**what):
            found = list(look(**what))
            time.sleep(0.5)  # until everybody has looked
            return found

        monkeypatch.setattr(adjustments.customers, "lock", lambda customer_id: None)
        monkeypatch.setattr(corrections, "alike", slow)
        result = race(calls)

        assert len(result.won) > 1


class TestDecidingAnAdjustment:
    def calls(self, customer):
        adjustment = propose(customer, staff("FINANCE_MAKER"))
        one, other = staff("FINANCE_CHECKER"), staff("FINANCE_CHECKER")

        def approve():
            return adjustments.approve(
                adjustment_id=adjustment.pk,
                payload_sha256=adjustment.payload_sha256,
                at=NOON,
                by=one,
            )

        def reject():
            return adjustments.reject(
                adjustment_id=adjustment.pk, reason="No slip", at=NOON, by=other
            )

        return adjustment, [approve, reject] * 10

    def test_has_one_effect(self):
        customer = funded_customer("100.00")
        adjustment, calls = self.calls(customer)

        result = race(calls)

        assert not result.broken and not result.lost and result.refused == {"already_decided"}
        adjustment.refresh_from_db()
        posted = adjustment.state == "POSTED"
        assert len(result.won) == (10 if posted else 1)  # approving again is answered
        assert {answer.state for answer in result.won} == {adjustment.state}
        assert balances(customer)[0] == ("112.30" if posted else "100.00")

    def test_without_the_lock_fails_but_has_one_effect(self, monkeypatch):
        customer = funded_customer("100.00")
        _adjustment, calls = self.calls(customer)

        def look(adjustment_id, by):
            found = Adjustment.objects.select_related("customer").get(pk=adjustment_id)
            time.sleep(0.05)
            return found

        monkeypatch.setattr(adjustments, "_lock", look)
        result = race(calls)

        assert result.lost
        assert len({answer.state for answer in result.won}) == 1
        assert JournalEntry.objects.filter(kind="ADJUSTMENT").count() == (
            Adjustment.objects.get().state == "POSTED"
        )
        prove()
