from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection

from accounts import customers, members
from accounts.models import Customer, Invitation, Member
from accounts.roles import ADMIN, SUPPORT
from crm_billing import outbox
from tests.accounts.joining import invite, member
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of, staff

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=1)


class TestInvite:
    def test_mails_a_link_that_leads_to_the_invitation(self, settings):
        customer = open_customer(locale="en", time_zone="UTC")
        invitation = invite(customer, " New@Example.com ")
        outbox.relay(at=NOON)

        (message,) = mail.outbox
        token = members.token_of(invitation)
        assert message.to == ["new@example.com"]
        assert f"{settings.SITE_URL}/invitations/{token}/" in message.body
        assert token in message.alternatives[0].content
        assert "晨星科技" in message.subject and "Finance" in message.body
        assert members.find_invitation(token) == invitation
        assert invitation.expires_at == NOON + timedelta(days=7)

    def test_keeps_the_token_out_of_every_table(self):
        invitation = invite(open_customer())
        token = members.token_of(invitation)
        with connection.cursor() as cursor:
            cursor.execute("SELECT payload::text FROM crm_billing_outbox")
            stored = str(cursor.fetchall())
            cursor.execute("SELECT row_to_json(i)::text FROM accounts_invitation i")
            stored += str(cursor.fetchall())
        assert token not in stored and invitation.token_sha256 in stored

    def test_mails_nothing_when_it_was_revoked_first(self):
        customer = open_customer()
        invitation = invite(customer)
        members.revoke(invitation_id=invitation.pk, at=NOON, by=owner_of(customer))
        outbox.relay(at=NOON)
        assert not mail.outbox

    @pytest.mark.parametrize("role", ["FINANCE", "VIEWER"])
    def test_refuses_members_who_are_no_owners(self, role):
        customer = open_customer()
        with pytest.raises(customers.NotAllowed):
            invite(customer, by=member_of(customer, role))

    def test_refuses_strangers_and_staff_without_the_permission(self):
        customer = open_customer()
        for person in (UserFactory(), owner_of(open_customer()), staff("FINANCE_MAKER")):
            with pytest.raises(customers.NotAllowed):
                invite(customer, by=person)
        assert invite(customer, role="VIEWER", by=staff(SUPPORT))

    @pytest.mark.parametrize("role", ["OWNER", "FINANCE"])
    def test_refuses_more_than_a_viewer_of_staff_who_may_not_change_roles(self, role):
        customer = open_customer()
        with pytest.raises(customers.NotAllowed):
            invite(customer, role=role, by=staff(SUPPORT))
        assert invite(customer, role=role, by=staff(ADMIN))

    def test_refuses_every_address_of_staff(self):
        person = staff(SUPPORT, email="sue@example.com")
        person.emailaddress_set.create(email="own@example.com", verified=True)
        for email in ("Sue@example.com ", "own@example.com"):
            with pytest.raises(customers.StaffNoMember):
                invite(open_customer(), email)

    def test_refuses_members_and_the_invited(self):
        customer = open_customer()
        viewer = member_of(customer)
        with pytest.raises(members.AlreadyMember):
            invite(customer, viewer.email.upper())
        invite(customer)
        with pytest.raises(members.AlreadyInvited):
            invite(customer, "NEW@example.com")

    def test_replaces_an_expired_invitation(self):
        customer = open_customer()
        first = invite(customer)
        second = invite(customer, at=NOON + timedelta(days=8))
        first.refresh_from_db()
        assert first.revoked_at and not second.revoked_at

    def test_refuses_unknown_roles_and_malformed_addresses(self):
        customer = open_customer()
        with pytest.raises(members.UnknownRole):
            invite(customer, role="BOSS")
        with pytest.raises(ValidationError):
            invite(customer, email="not an address")

    def test_stops_at_the_daily_limit(self, monkeypatch):
        monkeypatch.setattr(members, "DAILY_LIMIT", 2)
        customer = open_customer()
        invite(customer, "a@example.com")
        invite(customer, "b@example.com")
        with pytest.raises(members.TooManyInvitations):
            invite(customer, "c@example.com")
        assert invite(customer, "c@example.com", at=NOON + timedelta(days=1))

    def test_stops_at_the_hourly_limit_of_each_customer(self):
        customer, soon = open_customer(), NOON + timedelta(minutes=59)
        for number in range(members.HOURLY_LIMIT):
            invite(customer, f"p{number}@example.com")
        members.revoke(
            invitation_id=Invitation.objects.latest("pk").pk, at=NOON, by=owner_of(customer)
        )
        with pytest.raises(members.TooManyInvitations, match="20"):
            invite(customer, "one-more@example.com", at=soon)
        assert invite(open_customer(), "one-more@example.com", at=soon)
        assert invite(customer, "one-more@example.com", at=NOON + timedelta(hours=1))

    def test_refuses_closed_customers(self):
        customer = open_customer()
        Customer.objects.update(status="CLOSED")
        with pytest.raises(customers.CustomerClosed):
            invite(customer)


class TestAccept:
    def test_makes_the_invited_person_a_member(self):
        customer = open_customer()
        invitation = invite(customer, "new@example.com", "FINANCE")
        person = UserFactory(email="new@example.com")
        made = members.accept(invitation_id=invitation.pk, at=LATER, by=person)
        assert (made.customer, made.role, made.created_at) == (customer, "FINANCE", LATER)
        invitation.refresh_from_db()
        assert (invitation.accepted_at, invitation.accepted_by) == (LATER, person)

    def test_works_once(self):
        customer = open_customer()
        invitation = invite(customer)
        person = UserFactory(email="new@example.com")
        made = members.accept(invitation_id=invitation.pk, at=LATER, by=person)
        members.remove(member_id=made.pk, at=LATER, by=owner_of(customer))
        with pytest.raises(members.InvitationInvalid):
            members.accept(invitation_id=invitation.pk, at=LATER, by=person)

    def test_refuses_other_people_even_with_the_token(self):
        invitation = invite(open_customer())
        with pytest.raises(members.InvitationForAnother):
            members.accept(invitation_id=invitation.pk, at=LATER, by=UserFactory())
        assert Member.objects.count() == 1

    def test_refuses_an_address_that_was_never_proved(self):
        invitation = invite(open_customer())
        person = UserFactory(email="new@example.com")
        person.emailaddress_set.update(verified=False)
        with pytest.raises(members.InvitationForAnother):
            members.accept(invitation_id=invitation.pk, at=LATER, by=person)

    def test_refuses_after_seven_days_and_when_revoked(self):
        customer = open_customer()
        late, revoked = invite(customer, "a@example.com"), invite(customer, "b@example.com")
        with pytest.raises(members.InvitationInvalid):
            members.accept(
                invitation_id=late.pk,
                at=NOON + timedelta(days=7),
                by=UserFactory(email="a@example.com"),
            )
        members.revoke(invitation_id=revoked.pk, at=NOON, by=owner_of(customer))
        with pytest.raises(members.InvitationInvalid):
            members.accept(
                invitation_id=revoked.pk, at=LATER, by=UserFactory(email="b@example.com")
            )

    def test_refuses_who_joined_meanwhile(self):
        customer = open_customer()
        invitation = invite(customer)
        person = member_of(customer, email="new@example.com")
        with pytest.raises(members.AlreadyMember):
            members.accept(invitation_id=invitation.pk, at=LATER, by=person)

    def test_refuses_who_became_staff_meanwhile(self):
        customer = open_customer()
        invitation = invite(customer)
        person = staff(SUPPORT, email="new@example.com")
        with pytest.raises(customers.StaffNoMember):
            members.accept(invitation_id=invitation.pk, at=LATER, by=person)
        assert customer.members.count() == 1


class TestRevoke:
    def test_refuses_what_is_over(self):
        customer = open_customer()
        invitation = invite(customer)
        members.revoke(invitation_id=invitation.pk, at=NOON, by=owner_of(customer))
        with pytest.raises(members.InvitationInvalid):
            members.revoke(invitation_id=invitation.pk, at=NOON, by=owner_of(customer))

    def test_refuses_people_who_are_no_owners(self):
        customer = open_customer()
        invitation = invite(customer)
        with pytest.raises(customers.NotAllowed):
            members.revoke(invitation_id=invitation.pk, at=NOON, by=member_of(customer, "FINANCE"))


class TestChangeRole:
    def test_gives_another_role(self):
        customer = open_customer()
        viewer = member_of(customer)
        changed = members.change_role(
            member_id=member(customer, viewer).pk, role="OWNER", at=NOON, by=owner_of(customer)
        )
        assert changed.role == "OWNER"

    def test_keeps_the_last_owner(self):
        customer = open_customer()
        owner = owner_of(customer)
        with pytest.raises(members.LastOwner):
            members.change_role(
                member_id=member(customer, owner).pk, role="VIEWER", at=NOON, by=owner
            )

    def test_refuses_unknown_roles(self):
        customer = open_customer()
        viewer = member_of(customer)
        with pytest.raises(members.UnknownRole):
            members.change_role(
                member_id=member(customer, viewer).pk, role="X", at=NOON, by=owner_of(customer)
            )

    def test_refuses_people_who_are_no_owners(self):
        customer = open_customer()
        finance = member_of(customer, "FINANCE")
        for person in (finance, owner_of(open_customer()), staff(SUPPORT)):
            with pytest.raises(customers.NotAllowed):
                members.change_role(
                    member_id=member(customer, finance).pk, role="OWNER", at=NOON, by=person
                )
        assert members.change_role(
            member_id=member(customer, finance).pk, role="OWNER", at=NOON, by=staff(ADMIN)
        )


class TestRemove:
    def test_lets_everybody_leave_but_the_last_owner(self):
        customer = open_customer()
        owner, viewer = owner_of(customer), member_of(customer)
        members.remove(member_id=member(customer, viewer).pk, at=NOON, by=viewer)
        with pytest.raises(members.LastOwner):
            members.remove(member_id=member(customer, owner).pk, at=NOON, by=owner)
        assert [m.user for m in customer.members.all()] == [owner]

    def test_refuses_members_who_are_no_owners(self):
        customer = open_customer()
        with pytest.raises(customers.NotAllowed):
            members.remove(
                member_id=member(customer, owner_of(customer)).pk,
                at=NOON,
                by=member_of(customer, "FINANCE"),
            )


class TestAdminPermission:
    def test_alone_is_not_enough_without_being_staff(self):
        customer = open_customer()
        person = UserFactory()
        person.user_permissions.add(Permission.objects.get(codename="add_invitation"))
        with pytest.raises(customers.NotAllowed):
            invite(customer, by=person)
        assert not Invitation.objects.exists()
