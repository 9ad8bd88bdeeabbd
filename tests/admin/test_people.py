"""
What staff do about the people and programs that act for a customer.
"""

import pytest
from django.core import mail
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts import api_keys
from accounts.models import Customer, Invitation, Member
from accounts.roles import ADMIN, FINANCE_CHECKER, SUPPORT
from crm_billing import outbox
from tests.admin import world
from tests.factories import member_of, open_customer, owner_of, sign_in_staff, staff

pytestmark = pytest.mark.django_db

ENGLISH = {"headers": {"accept-language": "en"}}


def page(row, what="change"):
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{what}", args=[row.pk])


def people(customer):
    return f"{page(customer)}?tab=people"


def changes(client, customer):
    return client.get(page(customer), {"tab": "changes"}, **ENGLISH).text


def refusals(client, url, sent=None):
    """
    Return what a refused form says, by field.
    """
    response = client.post(url, sent or {}, **ENGLISH)
    assert response.status_code == 422
    return dict(response.context["form"].errors)


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def admin(client):
    user = staff(ADMIN, name="Ann Admin")
    sign_in_staff(client, user)
    return user


class TestInvite:
    def test_mails_the_link_and_is_on_record(self, client, customer):
        sign_in_staff(client, staff(SUPPORT, name="Sue Support"))
        sent = {"email": "New@Example.com", "role": "VIEWER"}
        response = client.post(page(customer, "invite"), sent)
        assert (response.status_code, response.url) == (302, people(customer))
        outbox.relay(at=timezone.now())
        told = {one.to[0] for one in mail.outbox}
        assert told == {"new@example.com", owner_of(customer).email}
        invitation = Invitation.objects.get(customer=customer)
        assert (invitation.role, invitation.invited_by.name) == ("VIEWER", "Sue Support")
        shown = changes(client, customer)
        assert "new@example.com" in shown and "Sue Support" in shown
        assert invitation.token_sha256 not in shown

    @pytest.mark.parametrize(
        ("sent", "field", "words"),
        [
            ({"email": "owner", "role": "VIEWER"}, "email", "valid email"),
            ({"email": "", "role": "VIEWER"}, "email", "required"),
            ({"email": "invited@example.com", "role": "VIEWER"}, "email", "open already"),
            ({"email": "member@example.com", "role": "VIEWER"}, "email", "member already"),
            ({"email": "sue@example.com", "role": "VIEWER"}, "email", "Staff do not act"),
            ({"email": "new@example.com", "role": "BOSS"}, "role", "Choose one from the list"),
            ({"email": "new@example.com"}, "role", "required"),
        ],
    )
    def test_says_at_the_field_what_is_wrong(self, client, admin, customer, sent, field, words):
        member_of(customer, email="member@example.com")
        staff(SUPPORT, email="sue@example.com")
        world.invited(customer, "invited@example.com")
        said = refusals(client, page(customer, "invite"), sent)
        assert set(said) == {field} and words in said[field][0]
        assert Invitation.objects.count() == 1

    def test_says_so_in_chinese(self, client, admin, customer):
        member_of(customer, email="member@example.com")
        sent = {"email": "member@example.com", "role": "VIEWER"}
        response = client.post(page(customer, "invite"), sent, headers={"accept-language": "zh"})
        assert response.context["form"].errors["email"] == ["此人已是成员。"]
        assert "邀请成员" in response.text

    @pytest.mark.parametrize("role", ["OWNER", "FINANCE"])
    def test_lets_support_invite_viewers_only(self, client, customer, role):
        sign_in_staff(client, staff(SUPPORT))
        shown = client.get(page(customer, "invite"), **ENGLISH).text
        assert 'value="VIEWER"' in shown and f'value="{role}"' not in shown
        assert "by the customer's owner or an administrator" in shown
        sent = {"email": "new@example.com", "role": role}
        assert refusals(client, page(customer, "invite"), sent).keys() == {"role"}
        assert not Invitation.objects.exists()

    def test_is_not_offered_for_closed_customers(self, client, admin, customer):
        Customer.objects.filter(pk=customer.pk).update(status="CLOSED")
        assert page(customer, "invite") not in client.get(page(customer)).text
        sent = {"email": "new@example.com", "role": "VIEWER"}
        assert "closed" in refusals(client, page(customer, "invite"), sent)["__all__"][0]


class TestChangeRole:
    def test_gives_another_role_and_is_on_record(self, client, admin, customer):
        member = Member.objects.get(user=member_of(customer, email="vera@example.com"))
        assert 'value="VIEWER"' in client.get(page(member, "role")).text
        response = client.post(page(member, "role"), {"role": "FINANCE"}, follow=True, **ENGLISH)
        assert response.redirect_chain == [(people(customer), 302)]
        assert "vera@example.com is now: Finance" in response.text
        member.refresh_from_db()
        assert member.role == "FINANCE"
        shown = changes(client, customer)
        assert "Viewer → <strong>Finance</strong>" in shown and "Ann Admin" in shown

    def test_keeps_the_last_owner(self, client, admin, customer):
        owner = Member.objects.get(user=owner_of(customer))
        said = refusals(client, page(owner, "role"), {"role": "VIEWER"})
        assert "Somebody must stay owner" in said["role"][0]
        assert "Somebody must stay owner" in refusals(client, page(owner, "remove"))["__all__"][0]
        owner.refresh_from_db()
        assert owner.role == "OWNER"


class TestRemove:
    def test_asks_then_ends_the_membership_and_is_on_record(self, client, admin, customer):
        user = member_of(customer, email="vera@example.com")
        member = Member.objects.get(user=user)
        asked = client.get(page(member, "remove"), **ENGLISH).text
        assert "vera@example.com" in asked and "They see the wallet no more" in asked
        response = client.post(page(member, "remove"), follow=True, **ENGLISH)
        assert response.redirect_chain == [(people(customer), 302)]
        assert "vera@example.com was removed" in response.text
        assert not user.memberships.exists()
        shown = changes(client, customer)
        assert "removed" in shown and "vera@example.com" in shown and "Ann Admin" in shown
        assert client.post(page(member, "remove")).status_code == 302  # a second click


class TestRevokeKey:
    def test_ends_the_key_at_once_and_is_on_record(self, client, admin, customer):
        key, token = api_keys.create(
            customer=customer, name="ERP", scopes=["wallet:read"], at=timezone.now()
        )
        assert api_keys.find(token, at=timezone.now()) == key
        response = client.post(page(key, "revoke"), follow=True, **ENGLISH)
        assert response.redirect_chain == [(people(customer), 302)]
        assert "was revoked" in response.text
        assert api_keys.find(token, at=timezone.now()) is None
        assert "ERP" in changes(client, customer) and "Ann Admin" in changes(client, customer)
        assert "revoked before" in refusals(client, page(key, "revoke"))["__all__"][0]
        assert page(key, "revoke") not in client.get(page(key)).text

    def test_shows_neither_token_nor_hash(self, client, admin, customer):
        key, token = api_keys.create(
            customer=customer, name="ERP", scopes=["wallet:read"], at=timezone.now()
        )
        key.refresh_from_db()
        lists = [reverse("admin:accounts_apikey_changelist"), people(customer)]
        for url in (*lists, page(key), page(key, "revoke")):
            shown = client.get(url).text
            assert f"crm_{key.prefix}_…" in shown, url
            assert token not in shown and key.key_sha256 not in shown, url

    def test_nobody_of_the_staff_makes_keys(self):
        roles = [ADMIN, SUPPORT, FINANCE_CHECKER]
        assert not any(staff(role).has_perm("accounts.add_apikey") for role in roles)
        with pytest.raises(NoReverseMatch):
            reverse("admin:accounts_apikey_add")


class TestState:
    def test_of_an_accepted_invitation_is_no_moment(self, client, admin, customer):
        invitation = world.invited(customer)
        now = timezone.now()
        Invitation.objects.update(accepted_at=now, accepted_by=owner_of(customer))
        shown = client.get(page(invitation), headers={"accept-language": "zh"}).text
        assert "已接受" in shown and "接受时间" not in shown


class TestRevokeInvitation:
    def test_closes_the_link(self, client, admin, customer):
        invitation = world.invited(customer)
        response = client.post(page(invitation, "revoke"))
        assert (response.status_code, response.url) == (302, people(customer))
        assert "no longer valid" in refusals(client, page(invitation, "revoke"))["__all__"][0]
        invitation.refresh_from_db()
        assert invitation.revoked_at


class TestTab:
    @pytest.mark.parametrize(
        ("role", "may"),
        [
            (ADMIN, {"role", "remove", "revoke invitation", "revoke key", "invite"}),
            (SUPPORT, {"revoke invitation", "invite"}),
            (FINANCE_CHECKER, set()),
        ],
    )
    def test_offers_what_the_role_may(self, client, customer, role, may):
        member = Member.objects.get(user=member_of(customer))
        acts = {
            "role": page(member, "role"),
            "remove": page(member, "remove"),
            "revoke invitation": page(world.invited(customer), "revoke"),
            "revoke key": page(world.key_of(customer), "revoke"),
            "invite": page(customer, "invite"),
        }
        sign_in_staff(client, staff(role))
        shown = client.get(people(customer)).text
        assert {name for name, url in acts.items() if f'href="{url}"' in shown} == may


class TestFreshProof:
    @pytest.mark.parametrize("what", ["role", "remove", "invite"])
    def test_is_asked_before_rights_are_given_or_taken(self, client, customer, what):
        sign_in_staff(client, staff(ADMIN), recently=False)
        row = customer if what == "invite" else Member.objects.get(customer=customer)
        response = client.get(page(row, what))
        assert response.status_code == 302 and "reauthenticate" in response.url
