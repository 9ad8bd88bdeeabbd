import pytest
from django.core import mail

from accounts.customers import NotAllowed, ReasonMissing
from crm_billing import outbox
from crm_billing.models import Outbox
from tests.factories import NOON, open_customer, staff
from tests.wallet.topup_setting import deliver, now, submitted
from wallet import cases
from wallet.models import Case

pytestmark = pytest.mark.django_db


def opened(key: str = "K1", **fields: object) -> Case:
    return cases.open_once(kind=Case.Kind.SURPLUS, key=key, at=NOON, **fields)


class TestOpenOnce:
    def test_writes_the_case_and_its_alarm(self):
        case = opened(customer=open_customer(), facts={"said": {"amount": "1.00"}})
        assert (case.state, case.opened_at) == ("OPEN", NOON)
        assert Outbox.objects.get().payload == {"case_id": case.pk}

    def test_the_same_key_again_is_the_same_case(self):
        assert opened().pk == opened().pk
        assert Outbox.objects.count() == 1

    def test_another_kind_is_another_case(self):
        other = cases.open_once(kind=Case.Kind.UNRESOLVED, key="K1", at=NOON)
        assert opened().pk != other.pk


class TestResolve:
    def test_keeps_who_and_what(self):
        clerk = staff("FINANCE_MAKER", is_superuser=True)
        case = cases.resolve(case_id=opened().pk, resolution=" Paid back. ", at=NOON, by=clerk)
        case.refresh_from_db()
        assert (case.state, case.resolution, case.resolved_by, case.resolved_at) == (
            "RESOLVED",
            "Paid back.",
            clerk,
            NOON,
        )

    def test_refuses_people_without_the_permission(self):
        with pytest.raises(NotAllowed):
            cases.resolve(case_id=opened().pk, resolution="x", at=NOON, by=staff())

    def test_refuses_silence(self):
        with pytest.raises(ReasonMissing):
            cases.resolve(case_id=opened().pk, resolution=" ", at=NOON, by=staff(is_superuser=True))

    def test_refuses_a_second_time(self):
        clerk, case = staff(is_superuser=True), opened()
        cases.resolve(case_id=case.pk, resolution="Done", at=NOON, by=clerk)
        with pytest.raises(cases.CaseClosed):
            cases.resolve(case_id=case.pk, resolution="Again", at=NOON, by=clerk)


class TestAlarm:
    def test_goes_to_the_alarm_addresses_with_the_facts(self, fake_gateway, settings):
        settings.ALARM_EMAILS = ["duty@example.com"]
        topup = submitted()
        deliver(fake_gateway.pay(topup.number, amount_minor=1))
        assert outbox.relay(at=now(), topics=["case.opened"]).sent == 1
        [message] = mail.outbox
        assert message.to == ["duty@example.com"]
        assert topup.number in message.body and '"0.01"' in message.body

    def test_goes_to_staff_who_may_resolve_it_when_there_are_none(self, settings):
        settings.ALARM_EMAILS = []
        clerk = staff(is_superuser=True)
        staff("SUPPORT", is_active=False)
        cases.alarm(case_id=opened().pk)
        assert clerk.email in mail.outbox[0].to

    def test_survives_that_there_is_nobody(self, settings):
        settings.ALARM_EMAILS = []
        cases.alarm(case_id=opened().pk)
        assert mail.outbox == []
