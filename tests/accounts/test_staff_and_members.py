"""
Staff are nobody's members, and tell the owners of what they do about theirs.
"""

from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from accounts import members
from accounts.models import Member
from accounts.roles import ADMIN, SUPPORT
from crm_billing import outbox
from tests.accounts.joining import invite, member
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of, staff

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


class TestTellOwners:
    """
    What staff do about a customer's people, each of its owners learns by mail, once.
    """

    @pytest.fixture
    def customer(self):
        customer = open_customer(owner=UserFactory(email="li@example.com", locale="en"))
        member_of(customer, "OWNER", email="wang@example.com")
        member_of(customer, "FINANCE", email="vera@example.com")
        return customer

    @staticmethod
    def mails():
        outbox.relay(at=LATER)
        outbox.relay(at=LATER)
        return {tuple(one.to): f"{one.subject}\n{one.body}" for one in mail.outbox}

    @pytest.mark.parametrize(
        ("what", "says", "in_chinese"),
        [
            ("invite", "invited new@example.com to act for 晨星科技. Role: Viewer", "邀请"),
            ("role", "changed the role of vera@example.com for 晨星科技. New role: Owner", "变更"),
            ("remove", "removed vera@example.com from 晨星科技. Role until now: Finance", "移除"),
        ],
    )
    def test_mails_each_in_their_language(self, customer, settings, what, says, in_chinese):
        vera, by = Member.objects.get(user__email="vera@example.com"), staff(ADMIN)
        match what:
            case "invite":
                invite(customer, role="VIEWER", by=by)
            case "role":
                members.change_role(member_id=vera.pk, role="OWNER", at=NOON, by=by)
            case "remove":
                members.remove(member_id=vera.pk, at=NOON, by=by)
        sent = self.mails()
        assert sent.keys() - {("new@example.com",)} == {("li@example.com",), ("wang@example.com",)}
        assert len(mail.outbox) == len(sent)
        assert says in sent["li@example.com",]
        assert f"{settings.SITE_URL}{reverse('accounts:member-list')}" in sent["li@example.com",]
        assert in_chinese in sent["wang@example.com",] and "晨星科技" in sent["wang@example.com",]

    def test_tells_an_owner_who_is_removed(self, customer):
        wang = Member.objects.get(user__email="wang@example.com")
        members.remove(member_id=wang.pk, at=NOON, by=staff(ADMIN))
        assert ("wang@example.com",) in self.mails()

    def test_says_nothing_of_what_the_customer_does_itself(self, customer):
        owner = Member.objects.get(user__email="li@example.com").user
        vera = Member.objects.get(user__email="vera@example.com")
        invite(customer, by=owner)
        members.change_role(member_id=vera.pk, role="VIEWER", at=NOON, by=owner)
        members.remove(member_id=vera.pk, at=NOON, by=vera.user)
        assert self.mails().keys() == {("new@example.com",)}

    def test_says_nothing_where_nothing_changes(self, customer):
        vera = Member.objects.get(user__email="vera@example.com")
        members.change_role(member_id=vera.pk, role="FINANCE", at=NOON, by=staff(ADMIN))
        assert not self.mails()


class TestStaffAreNoMembers:
    """
    The database says it too, whoever writes.
    """

    @pytest.mark.parametrize(
        ("sql", "rule"),
        [
            (
                "INSERT INTO accounts_member (user_id, customer_id, role, created_at)"
                " SELECT {staff}, {customer}, 'VIEWER', now()",
                "accounts_member_is_not_staff",
            ),
            (
                "UPDATE accounts_member SET user_id = {staff}",
                "accounts_member_is_not_staff",
            ),
            (
                "UPDATE accounts_user SET is_staff = true WHERE id = {member}",
                "accounts_staff_is_not_a_member",
            ),
        ],
    )
    def test_is_kept_by_the_database(self, sql, rule):
        customer = open_customer()
        ids = {"staff": staff(SUPPORT).pk, "member": owner_of(customer).pk, "customer": customer.pk}
        with (
            pytest.raises(IntegrityError) as refused,
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql.format(**ids))
        assert refused.value.__cause__.diag.constraint_name == rule

    def test_leaves_everybody_else_alone(self):
        person = staff(SUPPORT)
        person.name = "Sue"
        person.save()
        person.is_staff = False
        person.save()
        assert member(open_customer(owner=person), person).role == "OWNER"
