import pytest

from crm_billing.errors import DomainError
from tests.factories import NOON, balances, cny, funded_customer, open_customer
from wallet import ledger, spending
from wallet.models import JournalEntry, LotUse

pytestmark = pytest.mark.django_db


def spend(customer, amount, reference="order 1", description="Two seats"):
    return spending.spend(
        customer=customer,
        amount=cny(amount),
        reference=reference,
        description=description,
        at=NOON,
    )


class TestSpend:
    def test_takes_bonus_before_principal(self):
        customer = funded_customer("100.00", bonus="20.00")

        entry = spend(customer, "30.00")

        assert balances(customer) == ("90.00", "0.00", "0.00")
        assert (entry.kind, entry.customer_id) == ("SPEND", customer.pk)
        uses = LotUse.objects.filter(posting__entry=entry).order_by("lot_id")
        assert [(use.lot.kind, use.amount_minor) for use in uses] == [
            ("PRINCIPAL", 10_00),
            ("BONUS", 20_00),
        ]

    def test_answers_a_repetition_with_the_first_entry(self):
        customer = funded_customer("100.00")

        assert spend(customer, "30.00") == spend(customer, "30.00")

        assert balances(customer) == ("70.00", "0.00", "0.00")

    @pytest.mark.parametrize(
        "change", [{"amount": "30.01"}, {"amount": "30.00", "description": "Three seats"}]
    )
    def test_refuses_a_reference_with_other_content(self, change):
        customer = funded_customer("100.00")
        spend(customer, "30.00")

        with pytest.raises(ledger.ReferenceReused):
            spend(customer, **change)

        assert balances(customer) == ("70.00", "0.00", "0.00")

    def test_keeps_references_of_customers_apart(self):
        one, other = funded_customer("100.00"), funded_customer("100.00")

        assert spend(one, "10.00") != spend(other, "20.00")

    def test_refuses_more_than_is_available_and_says_how_much_is(self):
        customer = funded_customer("100.00", bonus="20.00")

        with pytest.raises(ledger.InsufficientFunds) as refusal:
            spend(customer, "120.01")

        assert refusal.value.data["available"] == cny("120.00")
        assert balances(customer) == ("100.00", "20.00", "0.00")
        assert not JournalEntry.objects.filter(kind="SPEND").exists()

    def test_refuses_when_nothing_was_ever_paid_in(self):
        with pytest.raises(ledger.InsufficientFunds) as refusal:
            spend(open_customer(), "0.01")
        assert refusal.value.data["available"] == cny("0.00")

    @pytest.mark.parametrize("amount", ["0", "-1", "0.001", "12.345", "NaN", "Infinity"])
    def test_refuses_amounts_that_are_not_money(self, amount):
        customer = funded_customer("100.00")
        with pytest.raises((DomainError, ValueError)):
            spend(customer, amount)
        assert balances(customer) == ("100.00", "0.00", "0.00")

    def test_refuses_a_frozen_customer(self):
        customer = funded_customer("100.00")
        type(customer).objects.filter(pk=customer.pk).update(status="FROZEN")

        with pytest.raises(ledger.CustomerFrozen):
            spend(customer, "1.00")

        assert balances(customer) == ("100.00", "0.00", "0.00")
