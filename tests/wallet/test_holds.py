from datetime import timedelta

import pytest

from accounts import customers
from tests.factories import NOON, balances, cny, fund, funded_customer
from wallet import holds, ledger, lots, queries, spending
from wallet.models import Freeze, Hold, JournalEntry, WalletPolicy
from wallet.spending import BadCharge

pytestmark = pytest.mark.django_db


def place(customer, amount="40.00", reference="job 1", **fields):
    return holds.place(
        customer=customer, amount=cny(amount), reference=reference, at=NOON, **fields
    )


class TestPlace:
    def test_sets_money_aside_without_moving_it(self):
        customer = funded_customer("100.00")

        place(customer)

        assert balances(customer) == ("100.00", "0.00", "40.00")
        assert queries.balance(customer).available == cny("60.00")

    def test_holds_once_per_reference(self):
        customer = funded_customer("100.00")

        assert place(customer) == place(customer)

        assert balances(customer) == ("100.00", "0.00", "40.00")

    def test_refuses_a_reference_with_another_amount(self):
        customer = funded_customer("100.00")
        place(customer)
        with pytest.raises(ledger.ReferenceReused):
            place(customer, "41.00")

    def test_refuses_more_than_is_available(self):
        customer = funded_customer("30.00")
        with pytest.raises(ledger.InsufficientFunds) as refusal:
            place(customer)
        assert refusal.value.data["available"] == cny("30.00")
        assert balances(customer) == ("30.00", "0.00", "0.00")

    def test_keeps_what_it_holds_from_being_spent(self):
        customer = funded_customer("100.00")
        place(customer)
        with pytest.raises(ledger.InsufficientFunds) as refusal:
            spending.spend(
                customer=customer, amount=cny("60.01"), reference="1", description="x", at=NOON
            )
        assert refusal.value.data["available"] == cny("60.00")

    def test_keeps_held_bonus_from_expiring(self):
        customer = funded_customer("0.01", bonus="20.00")
        hold = place(customer, "15.00")
        later = NOON + timedelta(days=31)

        assert lots.expire(at=later) == 1
        assert balances(customer) == ("0.01", "15.00", "15.00")

        holds.release(hold_id=hold.pk, at=later)
        assert lots.expire(at=later) == 1
        assert balances(customer) == ("0.01", "0.00", "0.00")

    def test_refuses_while_all_money_is_stopped(self):
        customer = funded_customer("100.00")
        Freeze.objects.create(reason="test", at=NOON)
        with pytest.raises(ledger.MoneyFrozen):
            place(customer)
        assert balances(customer) == ("100.00", "0.00", "0.00")

    def test_refuses_a_frozen_customer(self):
        customer = funded_customer("100.00")
        customers.freeze(customer_id=customer.pk, reason="test", at=NOON, by=None)
        with pytest.raises(customers.CustomerFrozen):
            place(customer)

    def test_answers_a_repetition_whatever_happened_meanwhile(self):
        customer, end = funded_customer("100.00"), NOON + timedelta(hours=1)
        hold = place(customer, expires_at=end)
        customers.freeze(customer_id=customer.pk, reason="test", at=NOON, by=None)
        Freeze.objects.create(reason="test", at=NOON)
        again = holds.place(
            customer=customer,
            amount=cny("40.00"),
            reference="job 1",
            at=end + timedelta(hours=1),
            expires_at=end,
        )
        assert again == hold

    @pytest.mark.parametrize("amount", ["0", "-5"])
    def test_refuses_amounts_that_are_not_positive(self, amount):
        with pytest.raises(BadCharge):
            place(funded_customer(), amount)

    def test_refuses_to_last_for_ever(self):
        with pytest.raises(BadCharge) as refusal:
            place(funded_customer(), expires_at=NOON + holds.LONGEST + timedelta(seconds=1))
        assert refusal.value.data["field"] == "expires_at"

    def test_refuses_to_end_before_it_begins(self):
        with pytest.raises(BadCharge):
            place(funded_customer(), expires_at=NOON)


class TestCapture:
    def test_spends_part_and_frees_the_rest(self):
        customer = funded_customer("100.00", bonus="10.00")
        hold = place(customer)

        holds.capture(hold_id=hold.pk, amount=cny("25.00"), at=NOON)

        assert balances(customer) == ("85.00", "0.00", "0.00")

    def test_says_what_the_hold_was_for(self):
        hold = place(funded_customer("100.00"), description="Spring campaign")
        holds.capture(hold_id=hold.pk, amount=cny("25.00"), at=NOON)
        assert JournalEntry.objects.get(kind="CAPTURE").description == "Spring campaign"

    def test_records_the_rules_it_followed(self):
        hold = place(funded_customer("100.00"))
        hold = holds.capture(hold_id=hold.pk, amount=cny("25.00"), at=NOON)
        assert hold.entry.policy == WalletPolicy.objects.current("CNY", NOON)

    def test_returns_the_hold_when_repeated(self):
        customer = funded_customer("100.00")
        hold = place(customer)
        for _ in range(2):
            holds.capture(hold_id=hold.pk, amount=cny("25.00"), at=NOON)
        assert balances(customer) == ("75.00", "0.00", "0.00")

    def test_refuses_more_than_is_held(self):
        customer = funded_customer("100.00")
        hold = place(customer)
        with pytest.raises(holds.CaptureTooLarge):
            holds.capture(hold_id=hold.pk, amount=cny("40.01"), at=NOON)
        assert balances(customer) == ("100.00", "0.00", "40.00")

    def test_refuses_after_its_time_even_before_the_sweep(self):
        customer = funded_customer("100.00")
        hold = place(customer, expires_at=NOON + timedelta(hours=1))
        with pytest.raises(holds.HoldClosed):
            holds.capture(hold_id=hold.pk, amount=cny("1.00"), at=NOON + timedelta(hours=1))
        assert balances(customer) == ("100.00", "0.00", "40.00")

    def test_refuses_after_release(self):
        hold = place(funded_customer("100.00"))
        holds.release(hold_id=hold.pk, at=NOON)
        with pytest.raises(holds.HoldClosed):
            holds.capture(hold_id=hold.pk, amount=cny("1.00"), at=NOON)

    def test_spends_the_pinned_lots_and_not_newer_ones(self):
        customer = funded_customer("50.00")
        hold = place(customer, "50.00")
        fund(customer, "10.00", bonus="30.00")

        holds.capture(hold_id=hold.pk, amount=cny("50.00"), at=NOON)

        assert balances(customer) == ("10.00", "30.00", "0.00")


class TestRelease:
    def test_frees_everything_and_may_be_repeated(self):
        customer = funded_customer("100.00")
        hold = place(customer)
        for _ in range(2):
            holds.release(hold_id=hold.pk, at=NOON)
        assert balances(customer) == ("100.00", "0.00", "0.00")

    def test_refuses_after_capture(self):
        hold = place(funded_customer("100.00"))
        holds.capture(hold_id=hold.pk, amount=cny("1.00"), at=NOON)
        with pytest.raises(holds.HoldClosed):
            holds.release(hold_id=hold.pk, at=NOON)


class TestReleaseExpired:
    def test_ends_holds_whose_time_has_passed(self):
        customer = funded_customer("100.00")
        place(customer, "10.00", "short", expires_at=NOON + timedelta(hours=1))
        place(customer, "20.00", "long")

        assert holds.release_expired(at=NOON + timedelta(hours=1)) == 1

        assert balances(customer) == ("100.00", "0.00", "20.00")

    def test_one_that_cannot_end_does_not_keep_the_others_from_it(self, monkeypatch):
        customer, end = funded_customer("100.00"), NOON + timedelta(hours=1)
        broken = place(customer, "10.00", "broken", expires_at=end)
        place(customer, "20.00", "sound", expires_at=end)
        real = holds._pin

        def breaks(hold, direction):
            if hold == broken:
                raise RuntimeError("broken")
            real(hold, direction)

        monkeypatch.setattr(holds, "_pin", breaks)
        assert holds.release_expired(at=end) == 1
        assert Hold.objects.get(state="EXPIRED").reference == "sound"
        assert balances(customer) == ("100.00", "0.00", "10.00")
