import re

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts import api_keys, customers
from accounts.models import ApiKey, Customer, Invitation, User
from tests.accounts.acting import details, invited, membership
from tests.factories import NOON, UserFactory, member_of, open_customer, owner_of

pytestmark = pytest.mark.django_db


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
            NEW_KEY | {"scopes": ["wallet:read", "charges:write"]},
        )
        (token,) = set(re.findall(TOKEN, page.content.decode()))
        key = api_keys.find(token, at=timezone.now())
        assert key.customer == customer and key.scopes == ["charges:write", "wallet:read"]
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
        "wrong",
        [
            {"name": ""},
            {"scopes": []},
            {"scopes": ["all"]},
            {"scopes": ["usage:write"]},
            {"scopes": ["holds:write"]},
            {"days": "9999"},
        ],
        ids=str,
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
