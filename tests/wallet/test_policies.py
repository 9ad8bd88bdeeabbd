from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from djmoney.money import Money

from accounts.customers import NotAllowed
from accounts.roles import ADMIN, FINANCE_CHECKER, FINANCE_MAKER, SUPPORT
from tests.factories import NOON, UserFactory, cny, funded_customer, staff
from wallet import policies, spending
from wallet.models import JournalEntry, WalletPolicy

pytestmark = pytest.mark.django_db

TERMS = policies.Terms(
    consumption_order="PRINCIPAL_FIRST_FIFO",
    min_topup=cny("10.00"),
    max_topup=cny("1000.00"),
    max_balance=cny("5000.00"),
    max_daily_adjustments=cny("500.00"),
    max_open_topups=3,
    topup_minutes=15,
    restored_lot_days=7,
    presets=[cny("10.00"), cny("1000.00")],
)
NEXT_MONTH = NOON + timedelta(days=31)


@pytest.fixture
def admin():
    return staff(ADMIN)


def publish(by, *, currency="CNY", valid_from=NEXT_MONTH, at=NOON, **changes):
    return policies.publish(
        currency=currency, valid_from=valid_from, terms=replace(TERMS, **changes), at=at, by=by
    )


class TestPublish:
    def test_makes_the_rules_that_hold_from_then_on(self, admin):
        before = WalletPolicy.objects.current("CNY", NOON)

        policy = publish(admin)

        assert WalletPolicy.objects.current("CNY", NEXT_MONTH) == policy
        assert WalletPolicy.objects.current("CNY", NEXT_MONTH - timedelta(seconds=1)) == before
        assert (policy.min_topup, policy.max_balance) == (cny("10.00"), cny("5000.00"))
        assert policy.presets == [cny("10.00"), cny("1000.00")]
        assert (policy.topup_minutes, policy.restored_lot_days) == (15, 7)

    def test_keeps_who_made_it_and_when(self, admin):
        policy = publish(admin)
        policy.refresh_from_db()
        assert policy.created_by == admin and policy.created_at

    def test_may_begin_at_once(self, admin):
        policy = publish(admin, valid_from=NOON)
        customer = funded_customer("5.00", bonus="5.00")
        spending.spend(
            customer=customer, amount=cny("1.00"), reference="1", description="x", at=NOON
        )
        assert JournalEntry.objects.get(kind="SPEND").policy == policy

    def test_refuses_to_begin_in_the_past(self, admin):
        with pytest.raises(policies.BadPolicy) as refusal:
            publish(admin, valid_from=NOON - timedelta(seconds=1))
        assert refusal.value.data["field"] == "valid_from"

    def test_refuses_to_begin_with_another_version(self, admin):
        publish(admin)
        with pytest.raises(policies.BadPolicy) as refusal:
            publish(admin, topup_minutes=20)
        assert refusal.value.data["field"] == "valid_from"

    def test_refuses_to_change_nothing(self, admin):
        publish(admin)
        with pytest.raises(policies.BadPolicy, match="nothing would change"):
            publish(admin, valid_from=NEXT_MONTH + timedelta(days=1))

    def test_may_go_back_to_earlier_rules(self, admin):
        publish(admin)
        publish(admin, valid_from=NEXT_MONTH + timedelta(days=1), topup_minutes=20)
        assert publish(admin, valid_from=NEXT_MONTH + timedelta(days=2)).pk

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"consumption_order": "WORST_FIRST"}, "consumption_order"),
            ({"min_topup": cny("0.00"), "presets": []}, "min_topup"),
            ({"min_topup": cny("-1.00"), "presets": []}, "min_topup"),
            ({"min_topup": cny("0.001"), "presets": []}, "min_topup"),
            ({"min_topup": Money(Decimal("NaN"), "CNY"), "presets": []}, "min_topup"),
            ({"min_topup": Money("10.00", "USD")}, "min_topup"),
            ({"max_topup": cny("9.99"), "presets": []}, "max_topup"),
            ({"max_balance": cny("999.99")}, "max_balance"),
            ({"max_balance": cny("1e18")}, "max_balance"),
            ({"max_daily_adjustments": cny("-0.01")}, "max_daily_adjustments"),
            ({"max_open_topups": 0}, "max_open_topups"),
            ({"max_open_topups": 1001}, "max_open_topups"),
            ({"topup_minutes": 0}, "topup_minutes"),
            ({"topup_minutes": 10_081}, "topup_minutes"),
            ({"restored_lot_days": -1}, "restored_lot_days"),
            ({"restored_lot_days": 3_651}, "restored_lot_days"),
            ({"presets": [cny("9.99")]}, "presets"),
            ({"presets": [cny("1000.01")]}, "presets"),
            ({"presets": [cny("10.00"), cny("10.00")]}, "presets"),
            ({"presets": [cny(amount) for amount in range(10, 19)]}, "presets"),
            ({"currency": "XTS"}, "currency"),
        ],
    )
    def test_refuses_rules_that_contradict_themselves(self, admin, changes, field):
        with pytest.raises(policies.BadPolicy) as refusal:
            publish(admin, **changes)
        assert refusal.value.data["field"] == field
        assert not WalletPolicy.objects.filter(valid_from__gte=NOON).exists()

    @pytest.mark.parametrize("role", [SUPPORT, FINANCE_MAKER, FINANCE_CHECKER])
    def test_is_for_administrators(self, role):
        with pytest.raises(NotAllowed):
            publish(staff(role))

    def test_is_not_for_people_outside(self):
        with pytest.raises(NotAllowed):
            publish(UserFactory(is_superuser=True))


class TestCheck:
    def test_writes_nothing(self, admin):
        policy = policies.check(
            currency="CNY", valid_from=NEXT_MONTH, terms=TERMS, at=NOON, by=admin
        )
        assert policy.pk is None
        assert policies.before_it(policy) == WalletPolicy.objects.current("CNY", NOON)
        assert not WalletPolicy.objects.filter(valid_from=NEXT_MONTH).exists()
