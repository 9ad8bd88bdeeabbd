import pytest
from django.core.exceptions import ValidationError

from accounts import roles
from accounts.customers import NotAllowed
from packages import meters
from packages.meters import MeterExists, MeterRetired
from packages.models import Meter
from tests.factories import NOON, open_customer, staff
from tests.packages.metering import event, meter, recorded

pytestmark = pytest.mark.django_db


class TestAdd:
    def test_is_for_those_who_publish_packages(self):
        admin = staff(roles.ADMIN)
        assert meter("storage", "MAX", by=admin).created_by == admin
        for by in (staff(roles.FINANCE_CHECKER), staff(roles.ADMIN, is_active=False)):
            with pytest.raises(NotAllowed):
                meter("other", by=by)

    def test_needs_a_code_of_its_own_for_ever(self):
        old = meter("storage")
        meters.retire(meter_id=old.pk, at=NOON, by=None)
        with pytest.raises(MeterExists):
            meter("storage")

    @pytest.mark.parametrize(
        "wrong",
        [{"code": "Not Plain"}, {"code": ""}, {"name": ""}, {"name_en": ""}, {"unit": "x" * 21}],
    )
    def test_refuses_what_is_malformed(self, wrong):
        with pytest.raises(ValidationError):
            meter(**wrong)
        with pytest.raises(ValidationError):
            meter("storage", "AVG")

    def test_adds_transactions_up_and_nothing_else(self):
        with pytest.raises(ValidationError):
            meter("storage", "MAX", carries_value=True)


class TestRetire:
    def test_happens_once_by_those_who_publish_packages(self):
        calls, admin = meter(), staff(roles.ADMIN)
        with pytest.raises(NotAllowed):
            meters.retire(meter_id=calls.pk, at=NOON, by=staff(roles.SUPPORT))
        retired = meters.retire(meter_id=calls.pk, at=NOON, by=admin)
        assert (retired.retired_at, retired.retired_by) == (NOON, admin)
        with pytest.raises(MeterRetired):
            meters.retire(meter_id=calls.pk, at=NOON, by=admin)


class TestUsedBy:
    def test_lists_what_a_customer_has_used(self):
        meter()
        meter("unused")
        customer = open_customer()
        recorded(customer, event())
        assert [one.code for one in Meter.objects.used_by(customer)] == ["api_calls"]
        assert not Meter.objects.used_by(open_customer("Other"))
