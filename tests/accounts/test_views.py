import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import api_keys, customers, members
from accounts.models import ApiKey, Customer, Invitation, Member, User
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of

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
TOKEN = r"crm_[a-z0-9]{8}_[\w-]{43}"


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def as_owner(client, customer):
    client.force_login(owner_of(customer))
    return client


def details(customer, **changed):
    names = sorted(customers.CHANGEABLE)
    return {name: getattr(customer, name) for name in names} | changed


def invited(customer, email, at=None):
    return members.invite(
        customer_id=customer.pk,
        email=email,
        role="FINANCE",
        at=at or timezone.now(),
        by=owner_of(customer),
    )


def membership(customer, user):
    return Member.objects.get(customer=customer, user=user)


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


class TestSettings:
    def test_saves_details(self, as_owner, customer):
        response = as_owner.post(
            reverse("accounts:settings"), details(customer, name="新名", tax_number="9131")
        )
        assert response.status_code == 302
        customer.refresh_from_db()
        assert (customer.name, customer.tax_number) == ("新名", "9131")

    def test_keeps_the_currency_once_money_moved(self, as_owner, customer):
        customers.fix_currency(customer_id=customer.pk, at=NOON)
        as_owner.post(reverse("accounts:settings"), details(customer, currency="USD"))
        customer.refresh_from_db()
        assert customer.currency == "CNY"
        assert as_owner.get(reverse("accounts:settings")).context["form"]["currency"].field.disabled

    def test_says_what_is_wrong_and_keeps_the_rest(self, as_owner, customer):
        response = as_owner.post(
            reverse("accounts:settings"), details(customer, contact_email="nonsense")
        )
        assert response.status_code == 422
        assert "contact_email" in response.context["form"].errors

    @pytest.mark.parametrize("role", ["FINANCE", "VIEWER"])
    def test_shows_others_the_details_to_read(self, client, customer, role):
        client.force_login(member_of(customer, role))
        page = client.get(reverse("accounts:settings")).content.decode()
        assert "晨星科技" in page and 'name="tax_number"' not in page
        response = client.post(reverse("accounts:settings"), details(customer, name="x"))
        assert response.status_code == 403
        customer.refresh_from_db()
        assert customer.name == "晨星科技"

    def test_cannot_be_told_more_than_it_asks(self, as_owner, customer):
        as_owner.post(
            reverse("accounts:settings"),
            details(customer, status="CLOSED", number="C99999999", opened_at="2001-01-01"),
        )
        after = Customer.objects.get(pk=customer.pk)
        assert (after.status, after.number) == ("ACTIVE", customer.number)
        assert after.opened_at == customer.opened_at


class TestProfile:
    def test_saves_name_and_language_and_nothing_else(self, client):
        user = UserFactory()
        client.force_login(user)
        client.post(
            reverse("accounts:profile"),
            {"name": "李雷", "locale": "en", "is_staff": "on", "email": "x@example.com"},
        )
        after = User.objects.get()
        assert (after.name, after.locale) == ("李雷", "en")
        assert not after.is_staff and after.email == user.email


class TestMembers:
    def test_lists_people_and_open_invitations(self, as_owner, customer):
        viewer = member_of(customer)
        invited(customer, "new@example.com")
        page = as_owner.get(reverse("accounts:member-list")).content.decode()
        assert viewer.email in page and "new@example.com" in page

    def test_invites(self, as_owner, customer):
        url = reverse("accounts:invite-member")
        assert as_owner.post(url, {"email": "new@example.com", "role": "VIEWER"}).status_code == 302
        assert Invitation.objects.get().role == "VIEWER"
        again = as_owner.post(url, {"email": "new@example.com", "role": "VIEWER"})
        assert again.status_code == 422 and again.context["form"].non_field_errors()
        wrong = as_owner.post(url, {"email": "nonsense", "role": "BOSS"})
        assert sorted(wrong.context["form"].errors) == ["email", "role"]

    def test_changes_roles_and_keeps_the_last_owner(self, as_owner, customer):
        viewer = member_of(customer)
        url = reverse("accounts:change-role", args=[membership(customer, viewer).pk])
        assert as_owner.get(url).status_code == 200
        assert as_owner.post(url, {"role": "FINANCE"}).status_code == 302
        assert membership(customer, viewer).role == "FINANCE"
        own = reverse("accounts:change-role", args=[membership(customer, owner_of(customer)).pk])
        assert as_owner.post(own, {"role": "VIEWER"}).status_code == 422

    def test_asks_before_removing(self, as_owner, customer):
        viewer = member_of(customer)
        url = reverse("accounts:remove-member", args=[membership(customer, viewer).pk])
        assert viewer.email in as_owner.get(url).content.decode()
        assert customer.members.count() == 2
        as_owner.post(url)
        assert customer.members.count() == 1

    def test_lets_a_viewer_leave_but_remove_nobody(self, client, customer):
        viewer = member_of(customer)
        client.force_login(viewer)
        other = reverse(
            "accounts:remove-member", args=[membership(customer, owner_of(customer)).pk]
        )
        assert client.get(other).status_code == client.post(other).status_code == 403
        own = reverse("accounts:remove-member", args=[membership(customer, viewer).pk])
        assert client.get(own).status_code == 200
        assert client.post(own).url == "/"
        assert not viewer.memberships.exists()

    def test_keeps_the_last_owner_from_leaving(self, as_owner, customer):
        url = reverse("accounts:remove-member", args=[membership(customer, owner_of(customer)).pk])
        page = as_owner.post(url, follow=True)
        assert [m.level_tag for m in page.context["messages"]] == ["error"]
        assert customer.members.count() == 1

    def test_revokes_invitations_after_asking(self, as_owner, customer):
        invitation = invited(customer, "new@example.com")
        url = reverse("accounts:revoke-invitation", args=[invitation.pk])
        assert "new@example.com" in as_owner.get(url).content.decode()
        as_owner.post(url, follow=True)
        invitation.refresh_from_db()
        assert invitation.revoked_at
        page = as_owner.post(url, follow=True)
        assert [m.level_tag for m in page.context["messages"]] == ["error"]


class TestApiKeys:
    def test_shows_the_token_once(self, as_owner, customer):
        page = as_owner.post(
            reverse("accounts:create-api-key"),
            NEW_KEY | {"scopes": ["wallet:read", "holds:write"]},
        )
        (token,) = set(re.findall(TOKEN, page.content.decode()))
        key = api_keys.find(token, at=timezone.now())
        assert key.customer == customer and key.scopes == ["holds:write", "wallet:read"]
        assert key.created_by == owner_of(customer)
        assert "no-store" in page["Cache-Control"]
        listed = as_owner.get(reverse("accounts:api-key-list")).content.decode()
        assert key.prefix in listed and token not in listed

    def test_makes_one_key_however_often_it_is_sent(self, as_owner, customer):
        url = reverse("accounts:create-api-key")
        shown, again = (as_owner.post(url, NEW_KEY).content.decode() for _ in range(2))
        key = ApiKey.objects.get()
        assert re.findall(TOKEN, shown) and not re.findall(TOKEN, again)
        assert "ERP" in again and reverse("accounts:api-key-list") in again
        assert api_keys.find(re.findall(TOKEN, shown)[0], at=timezone.now()) == key

    def test_of_another_filling_in_are_others(self, as_owner, customer):
        url = reverse("accounts:create-api-key")
        once = {as_owner.get(url).context["form"]["once"].value() for _ in range(2)}
        assert len(once) == 2
        for one in once:
            as_owner.post(url, NEW_KEY | {"once": one})
        assert ApiKey.objects.count() == 2

    def test_want_a_new_form_for_another_key(self, as_owner, customer):
        url = reverse("accounts:create-api-key")
        as_owner.post(url, NEW_KEY)
        response = as_owner.post(url, NEW_KEY | {"name": "Shop"})
        assert (response.status_code, response.url) == (302, url)
        assert ApiKey.objects.get().name == "ERP"

    @pytest.mark.parametrize(
        "wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["all"]}, {"days": "9999"}], ids=str
    )
    def test_says_what_is_wrong(self, as_owner, wrong):
        response = as_owner.post(reverse("accounts:create-api-key"), NEW_KEY | wrong)
        assert list(response.context["form"].errors) == list(wrong)
        assert not ApiKey.objects.exists()

    def test_asks_before_revoking(self, as_owner, customer):
        key, _token = api_keys.create(
            customer=customer, name="ERP", scopes=["wallet:read"], at=timezone.now()
        )
        url = reverse("accounts:revoke-api-key", args=[key.pk])
        assert as_owner.get(url).status_code == 200
        as_owner.post(url)
        key.refresh_from_db()
        assert key.revoked_at
        assert as_owner.get(reverse("accounts:api-key-list")).status_code == 200


class TestQueries:
    def test_do_not_grow_with_rows(self, as_owner, customer, django_assert_max_num_queries):
        for number in range(12):
            member_of(customer)
            invited(customer, f"new{number}@example.com")
            api_keys.create(customer=customer, name="k", scopes=["wallet:read"], at=timezone.now())
        as_owner.get("/settings/")
        for name in ("accounts:member-list", "accounts:api-key-list"):
            with django_assert_max_num_queries(12):
                as_owner.get(reverse(name))


def test_posts_without_a_csrf_token_are_refused(customer):
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner_of(customer))
    for name in ("welcome", "switch-customer", "settings", "profile", "invite-member"):
        assert client.post(reverse(f"accounts:{name}")).status_code == 403
