from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from accounts.roles import ADMIN, FINANCE_CHECKER, FINANCE_MAKER, SUPPORT
from reports import alarms, mails
from tests.admin import world
from tests.admin.world import signed_in
from tests.factories import funded_customer, staff
from tests.reports.receipt_setting import run_errands
from wallet import adjustments
from wallet.models import Adjustment

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def proposal() -> Adjustment:
    return world.propose(funded_customer("10.00"), by=staff(FINANCE_MAKER, email="m@example.com"))


class TestEscalateApprovals:
    def after(self, proposal: Adjustment, hours: float) -> int:
        return alarms.escalate_approvals(at=proposal.proposed_at + hours * HOUR)

    def test_tells_once_for_each_stretch_of_hours(self, proposal):
        told = [self.after(proposal, hours) for hours in (7.9, 8, 8.5, 15.9, 16, 47, 47.5)]
        assert told == [0, 1, 0, 0, 1, 1, 0]

    def test_follows_the_setting(self, proposal, settings):
        settings.APPROVAL_HOURS = 2
        assert [self.after(proposal, hours) for hours in (1.9, 2, 4)] == [0, 1, 1]

    def test_leaves_what_is_decided(self, proposal):
        checker = staff(FINANCE_CHECKER)
        adjustments.reject(
            adjustment_id=proposal.pk, reason="No", at=proposal.proposed_at, by=checker
        )
        assert self.after(proposal, 9) == 0


class TestTellOfOverdue:
    def escalated(self, proposal: Adjustment, mailbox):
        moment = proposal.proposed_at + 9 * HOUR
        alarms.escalate_approvals(at=moment)
        run_errands(moment)
        return mailbox.messages

    def test_mails_who_may_decide_and_who_may_appoint(self, proposal, mailbox):
        staff(FINANCE_CHECKER, email="c@example.com", name="Chen Checker")
        staff(ADMIN, email="a@example.com")
        staff(SUPPORT, email="s@example.com")
        staff(FINANCE_CHECKER, email="gone@example.com", is_active=False)
        (mail,) = self.escalated(proposal, mailbox)
        told = [who for who in ("c", "a", "s", "m", "gone") if mailbox.to(f"{who}@example.com")]
        assert told == ["c", "a"]
        assert proposal.number in mail.subject and "9" in mail.subject
        assert "Chen Checker <c@example.com>" in mail.text
        assert reverse("admin:wallet_adjustment_change", args=[proposal.pk]) in mail.text
        assert reverse("admin:accounts_user_changelist") not in mail.text

    def test_says_when_nobody_but_the_maker_may_decide(self, proposal, mailbox):
        staff(ADMIN, email="a@example.com")
        proposal.maker.groups.add(Group.objects.get(name=FINANCE_CHECKER))
        (mail,) = self.escalated(proposal, mailbox)
        assert reverse("admin:accounts_user_changelist") in mail.text

    def test_says_nothing_when_it_was_decided_meanwhile(self, proposal, mailbox):
        checker, moment = staff(FINANCE_CHECKER), proposal.proposed_at + 9 * HOUR
        alarms.escalate_approvals(at=moment)
        adjustments.reject(adjustment_id=proposal.pk, reason="No", at=moment, by=checker)
        run_errands(moment)
        assert mailbox.messages == []

    def test_only_logs_when_there_is_nobody_to_tell(self, proposal, mailbox):
        mails.tell_of_overdue(adjustment_id=proposal.pk, at=proposal.proposed_at + 9 * HOUR)
        assert mailbox.messages == []


class TestFirstPage:
    @pytest.mark.parametrize("role", ["ADMIN", "CHECKER"])
    def test_shows_what_nobody_decides_and_leads_there(self, role, proposal, settings):
        listed = f"{reverse('admin:wallet_adjustment_changelist')}?waiting=overdue"
        client = signed_in(role)
        assert listed not in client.get("/admin/").content.decode()
        assert not client.get(listed).context["cl"].queryset.exists()
        settings.APPROVAL_HOURS = 0
        assert timezone.now() >= proposal.proposed_at
        assert listed in client.get("/admin/").content.decode()
        assert list(client.get(listed).context["cl"].queryset) == [proposal]
