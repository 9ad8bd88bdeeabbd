from datetime import timedelta

import pytest

from tests.factories import NOON, balances, cny, funded_customer, open_customer
from wallet import ledger, lots
from wallet.models import Freeze, JournalEntry, Lot, WalletPolicy

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=31)


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


class TestExpire:
    def test_takes_back_what_is_left_and_again_nothing(self):
        customer = funded_customer("1.00", bonus="20.00")
        assert lots.expire(at=LATER) == 1
        assert lots.expire(at=LATER) == 0
        assert balances(customer) == ("1.00", "0.00", "0.00")

    def test_one_that_cannot_expire_does_not_keep_the_others_from_it(self, monkeypatch):
        broken, sound = (funded_customer("1.00", bonus="20.00") for _ in range(2))
        real = ledger.post

        def breaks(*, postings, **fields):
            if broken.pk in Lot.objects.filter(account__in=postings).values_list(
                "customer", flat=True
            ):
                raise RuntimeError("broken")
            return real(postings=postings, **fields)

        monkeypatch.setattr(ledger, "post", breaks)
        assert lots.expire(at=LATER) == 1
        assert balances(broken)[1] == "20.00"
        assert balances(sound)[1] == "0.00"

    def test_waits_while_all_money_is_stopped(self):
        customer = funded_customer("1.00", bonus="20.00")
        Freeze.objects.create(reason="test", at=NOON)
        assert lots.expire(at=LATER) == 0
        assert balances(customer)[1] == "20.00"

    def test_is_undone_by_the_rules_it_happened_under(self):
        policy = WalletPolicy.objects.get(currency="CNY")
        policy.pk, policy.valid_from, policy.restored_lot_days = None, NOON, 7
        policy.save(force_insert=True)
        customer = funded_customer("1.00", bonus="20.00")
        lots.expire(at=LATER)
        expiry = JournalEntry.objects.get(kind="EXPIRY")

        ledger.reverse(entry_id=expiry.pk, reason="Promised longer", occurred_at=LATER)

        assert expiry.policy == policy
        assert balances(customer)[1] == "20.00"
        assert Lot.objects.get(kind="BONUS").expires_at == LATER + timedelta(days=7)
