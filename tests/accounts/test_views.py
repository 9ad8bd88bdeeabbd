from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import api_keys, members
from accounts.models import ApiKey, Customer, Invitation, Member, User
from crm_billing import outbox
from tests.accounts.acting import details, invited, membership
from tests.factories import UserFactory, member_of, open_customer, owner_of

pytestmark = pytest.mark.django_db


OWNER_ONLY = [
    "accounts:invite-member",
    "accounts:api-key-list",
    "accounts:create-api-key",
]


EVERY_MEMBER = ["accounts:settings", "accounts:member-list"]


EVERYBODY = ["accounts:welcome", "accounts:profile", "accounts:security"]


NEW_CUSTOMER = {
    "name": "晨星",
    "kind": "COMPANY",
    "currency": "CNY",
    "time_zone": "Asia/Shanghai",
    "once": "6d3c4a3e-6f0a-4ad5-9f1c-0a6f6f2d8f11",
}


NEW_KEY = {
    "name": "ERP",
    "scopes": ["wallet:read"],
    "days": "30",
    "once": "0f0f3b52-7a55-4b6c-9a3f-3a1f0d2f6a01",
}


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def as_owner(client, customer):
    client.force_login(owner_of(customer))
    return client


HIDDEN = "晨星\u202egnp.exe"


class TestNames:
    def test_show_all_they_hold(self, client, customer):
        owner = owner_of(customer)
        client.force_login(owner)
        for page, body in {
            "accounts:welcome": NEW_CUSTOMER | {"name": HIDDEN},
            "accounts:settings": details(customer, contact_name=HIDDEN),
            "accounts:profile": {"name": HIDDEN, "locale": ""},
            "accounts:create-api-key": NEW_KEY | {"name": HIDDEN},
            "accounts:invite-member": {"email": '"\x01"@example.com', "role": "VIEWER"},
        }.items():
            response = client.post(reverse(page), body)
            assert response.status_code == 422, page
            assert "U+" in response.content.decode(), page
        assert Customer.objects.get() == customer
        assert not ApiKey.objects.exists() and not Invitation.objects.exists()


class TestWhoMayOpenWhat:
    @pytest.mark.parametrize("name", OWNER_ONLY + EVERY_MEMBER + EVERYBODY)
    def test_sends_strangers_to_log_in(self, client, name):
        response = client.get(reverse(name))
        assert response.status_code == 302
        assert response.url.startswith(reverse("account_login"))

    @pytest.mark.parametrize("name", OWNER_ONLY + EVERY_MEMBER)
    def test_sends_people_of_no_customer_to_the_welcome_page(self, client, name):
        client.force_login(UserFactory())
        response = client.get(reverse(name))
        assert (response.status_code, response.url) == (302, reverse("accounts:welcome"))

    @pytest.mark.parametrize("name", OWNER_ONLY + EVERY_MEMBER + EVERYBODY)
    def test_shows_owners_everything(self, as_owner, name):
        assert as_owner.get(reverse(name)).status_code == 200

    @pytest.mark.parametrize("role", ["FINANCE", "VIEWER"])
    def test_keeps_other_members_from_owners_pages(self, client, customer, role):
        client.force_login(member_of(customer, role))
        for name in OWNER_ONLY:
            assert client.get(reverse(name)).status_code == 403
            assert client.post(reverse(name)).status_code in (403, 405)
        for name in EVERY_MEMBER + EVERYBODY:
            assert client.get(reverse(name)).status_code == 200

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_speaks_both_languages(self, as_owner, customer, language):
        User.objects.update(locale=language)
        page = as_owner.get(reverse("accounts:settings")).content.decode()
        assert f'<html lang="{language}"' in page

    def test_hides_rows_of_other_customers(self, as_owner):
        other = open_customer()
        invitation = invited(other, "new@example.com")
        key, _token = api_keys.create(
            customer=other, name="k", scopes=["wallet:read"], at=timezone.now()
        )
        theirs = membership(other, owner_of(other))
        for name, pk in (
            ("change-role", theirs.pk),
            ("remove-member", theirs.pk),
            ("revoke-invitation", invitation.pk),
            ("revoke-api-key", key.pk),
        ):
            url = reverse(f"accounts:{name}", args=[pk])
            assert as_owner.get(url).status_code == 404
            assert as_owner.post(url).status_code == 404
        assert (
            as_owner.post(reverse("accounts:accept-invitation", args=[invitation.pk])).status_code
            == 404
        )

    def test_hides_rows_of_ones_own_other_customer(self, as_owner, customer):
        other = open_customer(owner=owner_of(customer))
        url = reverse("accounts:change-role", args=[membership(other, owner_of(customer)).pk])
        assert as_owner.get(url).status_code == 404


class TestWelcome:
    def test_opens_a_customer_and_looks_at_it(self, client):
        user = UserFactory()
        client.force_login(user)
        response = client.post(reverse("accounts:welcome"), NEW_CUSTOMER)
        assert (response.status_code, response.url) == (302, "/")
        made = Customer.objects.get()
        assert (made.name, owner_of(made)) == ("晨星", user)
        assert client.get(reverse("accounts:settings")).context["customer"] == made

    @pytest.mark.parametrize(
        "wrong",
        [{"name": ""}, {"kind": "CLUB"}, {"currency": "XXX"}, {"time_zone": "Mars"}],
        ids=str,
    )
    def test_says_what_is_wrong_at_the_field(self, client, wrong):
        client.force_login(UserFactory())
        response = client.post(reverse("accounts:welcome"), NEW_CUSTOMER | wrong)
        assert response.status_code == 422
        assert list(response.context["form"].errors) == list(wrong)
        assert not Customer.objects.exists()

    def test_opens_one_customer_however_often_it_is_sent(self, client):
        user = UserFactory()
        client.force_login(user)
        for _click in range(2):
            assert client.post(reverse("accounts:welcome"), NEW_CUSTOMER).status_code == 302
        other = NEW_CUSTOMER | {"name": "另一家"}
        assert client.post(reverse("accounts:welcome"), other).status_code == 422
        assert Customer.objects.get().name == "晨星"

    def test_shows_open_invitations(self, client, customer):
        user = UserFactory(email="new@example.com")
        invited(customer, "new@example.com")
        client.force_login(user)
        response = client.get(reverse("accounts:welcome"))
        assert [i.customer for i in response.context["invitations"]] == [customer]

    def test_cannot_be_told_more_than_it_asks(self, client):
        client.force_login(UserFactory())
        client.post(
            reverse("accounts:welcome"), NEW_CUSTOMER | {"status": "CLOSED", "number": "C1"}
        )
        assert Customer.objects.get().status == "ACTIVE"


class TestInvitation:
    def url(self, invitation):
        return reverse("accounts:invitation", args=[members.token_of(invitation)])

    def test_leads_strangers_to_sign_up_and_back(self, client, customer):
        invitation = invited(customer, "new@example.com")
        page = client.get(self.url(invitation))
        assert page.status_code == 200
        assert f"{reverse('account_signup')}?next={self.url(invitation)}" in page.content.decode()
        assert "no-store" in page["Cache-Control"]

    def test_says_what_the_role_may_do_wherever_it_is_given(self, client, customer):
        invitation = invited(customer, "new@example.com")
        outbox.relay(at=timezone.now())
        message = mail.outbox[-1]
        client.force_login(owner_of(customer))
        pages = [
            client.get(reverse(f"accounts:{name}")).content.decode()
            for name in ("invite-member", "member-list")
        ]
        pages.append(client.get(self.url(invitation)).content.decode())
        pages += [message.body, message.alternatives[0][0]]
        for page in pages:
            assert "财务：还可以充值、订购、变更和取消套餐，设置用量上限，对扣费提出异议" in page

    def test_offers_the_button_to_the_invited_only(self, client, customer):
        invitation = invited(customer, "new@example.com")
        button = reverse("accounts:accept-invitation", args=[invitation.pk])
        client.force_login(UserFactory())
        assert button not in client.get(self.url(invitation)).content.decode()
        client.force_login(UserFactory(email="new@example.com"))
        assert button in client.get(self.url(invitation)).content.decode()

    @pytest.mark.parametrize("end", ["never", "revoked", "expired", "accepted"])
    def test_says_when_it_is_over(self, client, customer, end):
        if end == "never":
            url = reverse("accounts:invitation", args=["x" * 43])
        else:
            at = timezone.now() - timedelta(days=8 if end == "expired" else 0)
            invitation = invited(customer, "new@example.com", at=at)
            url = self.url(invitation)
        if end == "revoked":
            members.revoke(invitation_id=invitation.pk, at=at, by=owner_of(customer))
        if end == "accepted":
            members.accept(
                invitation_id=invitation.pk, at=at, by=UserFactory(email="new@example.com")
            )
        assert client.get(url).status_code == 404

    def test_is_accepted_by_post_and_switches_to_the_customer(self, client, customer):
        invitation = invited(customer, "new@example.com")
        user = UserFactory(email="new@example.com")
        open_customer("A 另一家", owner=user)
        client.force_login(user)
        url = reverse("accounts:accept-invitation", args=[invitation.pk])
        assert client.get(url).status_code == 405
        assert client.post(url).url == "/"
        assert membership(customer, user).role == "FINANCE"
        assert client.get(reverse("accounts:settings")).context["customer"] == customer
        assert client.post(url).status_code == 404

    def test_is_not_accepted_by_somebody_else(self, client, customer):
        invitation = invited(customer, "new@example.com")
        client.force_login(UserFactory())
        url = reverse("accounts:accept-invitation", args=[invitation.pk])
        assert client.post(url).status_code == 404
        assert customer.members.count() == 1


class TestSwitchCustomer:
    def test_remembers_the_choice(self, as_owner, customer):
        second = open_customer("Z 第二家", owner=owner_of(customer))
        as_owner.post(reverse("accounts:switch-customer"), {"customer": second.number})
        assert as_owner.get(reverse("accounts:settings")).context["customer"] == second

    def test_refuses_customers_of_other_people(self, as_owner):
        url = reverse("accounts:switch-customer")
        assert as_owner.post(url, {"customer": open_customer().number}).status_code == 404
        assert as_owner.post(url).status_code == 404
        assert as_owner.get(url).status_code == 405

    def test_is_forgotten_when_the_membership_ends(self, client, customer):
        viewer = member_of(customer)
        own = open_customer("own", owner=viewer)
        client.force_login(viewer)
        client.post(reverse("accounts:switch-customer"), {"customer": customer.number})
        Member.objects.filter(user=viewer, customer=customer).delete()
        assert client.get(reverse("accounts:settings")).context["customer"] == own


class TestSetLanguage:
    def test_is_kept_on_the_person(self, as_owner, customer):
        as_owner.post(reverse("set_language"), {"language": "en", "next": "/settings/"})
        assert owner_of(customer).locale == "en"
        assert '<html lang="en"' in as_owner.get("/settings/").content.decode()

    def test_serves_strangers_and_passes_over_languages_it_does_not_speak(self, client, customer):
        response = client.post(reverse("set_language"), {"language": "en"})
        assert response.status_code == 302 and response.cookies["django_language"].value == "en"
        client.force_login(owner_of(customer))
        client.post(reverse("set_language"), {"language": "de"})
        assert owner_of(customer).locale == ""


def test_posts_without_a_csrf_token_are_refused(customer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner_of(customer))
    for name in ("welcome", "switch-customer", "settings", "profile", "invite-member"):
        assert client.post(reverse(f"accounts:{name}")).status_code == 403
