from datetime import timedelta

import pytest

from tests.factories import NOON, balances, cny, open_customer
from wallet import ledger, lots

pytestmark = pytest.mark.django_db


def grant(customer, **changes):
    fields = {
        "customer": customer,
        "amount": cny("10.00"),
        "kind": "BONUS",
        "origin": "PROMOTION",
        "reference": "welcome",
        "at": NOON,
        "expires_at": NOON + timedelta(days=30),
    }
    return lots.grant(**fields | changes)


class TestGrant:
    def test_answers_a_repetition_with_the_first_lot(self):
        customer = open_customer()

        assert grant(customer) == grant(customer)

        assert balances(customer) == ("0.00", "10.00", "0.00")

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": cny("10.01")},
            {"expires_at": NOON + timedelta(days=31)},
            {"expires_at": None},
            {"origin": "GOODWILL"},
        ],
    )
    def test_refuses_a_reference_that_stands_for_another_credit(self, change):
        customer = open_customer()
        grant(customer)

        with pytest.raises(ledger.ReferenceReused):
            grant(customer, **change)

        assert balances(customer) == ("0.00", "10.00", "0.00")
