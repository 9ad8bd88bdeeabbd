import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.core import mail
from django.urls import reverse

from accounts.admin.staff import MEANINGS, ROLES
from accounts.models import User
from accounts.roles import ACTS, ADMIN, FINANCE_MAKER, SUPPORT
from tests.admin import world
from tests.factories import UserFactory, open_customer, sign_in_staff, staff

pytestmark = pytest.mark.django_db

APPOINT = "admin:accounts_user_appoint"


def page(user, what="change"):
    return reverse(f"admin:accounts_user_{what}", args=[user.pk])


@pytest.fixture
def admin(client):
    user = staff(ADMIN)
    sign_in_staff(client, user)
    return user


def asked(**fields):
    return {"email": "new@example.com", "name": "New", "roles": [SUPPORT], "locale": ""} | fields


class TestAppoint:
    def test_makes_staff_without_a_password_and_mails_the_way_to_one(self, client, admin):
        assert client.post(reverse(APPOINT), asked()).status_code == 302
        user = User.objects.get(email="new@example.com")
        assert user.is_staff and not user.is_superuser and not user.has_usable_password()
        assert [group.name for group in user.groups.all()] == [SUPPORT]
        assert [one.to for one in mail.outbox] == [["new@example.com"]]

    def test_says_at_the_field_who_is_staff_already(self, client, admin):
        known = staff(SUPPORT)
        response = client.post(reverse(APPOINT), asked(email=known.email.upper()))
        assert response.context["form"].errors["email"]

    def test_refuses_at_the_field_who_acts_for_a_customer(self, client, admin):
        owner = UserFactory(name="Li Wei", email="li@example.com")
        open_customer(owner=owner)
        owner.emailaddress_set.create(email="other@example.com", verified=True)
        for email in ("Li@example.com", "other@example.com"):
            response = client.post(reverse(APPOINT), asked(email=email, name="Changed"))
            assert response.context["form"].errors.keys() == {"email"}
        owner.refresh_from_db()
        assert (owner.name, owner.is_staff) == ("Li Wei", False)

    def test_overwrites_nobodys_name(self, client, admin):
        person = UserFactory(name="Li Wei", email="li@example.com", locale="en")
        client.post(reverse(APPOINT), asked(email="li@example.com", name="X", locale="zh-hans"))
        person.refresh_from_db()
        assert (person.name, person.locale, person.is_staff) == ("Li Wei", "en", True)

    def test_cannot_make_a_superuser(self, client, admin):
        forged = {"is_superuser": "1", "is_staff": "0", "password": "x"}
        client.post(reverse(APPOINT), asked() | forged)
        assert not User.objects.get(email="new@example.com").is_superuser

    def test_refuses_roles_there_are_not(self, client, admin):
        response = client.post(reverse(APPOINT), asked(roles=["GOD"]))
        assert response.context["form"].errors["roles"]

    def test_asks_for_a_fresh_proof(self):
        client = sign_in_staff(world.Client(), staff(ADMIN), recently=False)
        assert client.post(reverse(APPOINT), asked()).url.startswith("/account/")
        assert not User.objects.filter(email="new@example.com").exists()


class TestRoles:
    def test_say_what_each_of_their_acts_means(self):
        assert set().union(*ACTS.values()) == set(MEANINGS)
        assert set(ROLES) == set(ACTS)

    def test_show_what_they_may_and_who_has_them(self, client, admin):
        group = Group.objects.get(name=ADMIN)
        shown = client.get(reverse("admin:auth_group_change", args=[group.pk])).text
        assert "accounts.add_user" in shown and admin.email in shown

    def test_are_set_exactly_and_kept_on_record(self, client, admin):
        user = staff(SUPPORT)
        client.post(page(user, "roles"), {"roles": [FINANCE_MAKER]})
        assert [group.name for group in user.groups.all()] == [FINANCE_MAKER]
        shown = client.get(page(user)).text
        assert FINANCE_MAKER in shown and page(user, "roles") in shown

    def test_are_never_ones_own(self, client, admin):
        response = client.post(page(admin, "roles"), {"roles": [FINANCE_MAKER]})
        assert response.status_code == 422
        assert [group.name for group in admin.groups.all()] == [ADMIN]
        assert page(admin, "roles") not in client.get(page(admin)).text

    def test_of_a_superuser_are_a_superusers_affair(self, client, admin):
        root = staff(is_superuser=True)
        assert client.post(page(root, "dismiss")).status_code == 422
        assert client.post(page(root, "deactivate")).status_code == 422
        root.refresh_from_db()
        assert root.is_staff and root.is_active


class TestEnd:
    def test_dismisses_and_leaves_the_person(self, client, admin):
        user = staff(SUPPORT)
        client.post(page(user, "dismiss"))
        user.refresh_from_db()
        assert (user.is_staff, user.is_active, user.groups.count()) == (False, True, 0)

    def test_deactivates_at_once(self, client, admin):
        user = staff(SUPPORT)
        theirs = sign_in_staff(world.Client(), user)
        assert theirs.get("/admin/").status_code == 200
        client.post(page(user, "deactivate"))
        assert theirs.get("/admin/").status_code == 302
        client.post(page(user, "reactivate"))
        user.refresh_from_db()
        assert user.is_active

    def test_never_oneself(self, client, admin):
        for act in ("dismiss", "deactivate"):
            assert client.post(page(admin, act)).status_code == 422
        admin.refresh_from_db()
        assert admin.is_active and admin.is_staff


class TestPassword:
    def test_is_only_ever_mailed(self, client, admin):
        user = UserFactory()
        before = user.password
        assert client.post(page(user, "password"), {"password": "x"}).status_code == 302
        user.refresh_from_db()
        assert user.password == before
        assert mail.outbox[0].to == [user.email]
        assert EmailAddress.objects.filter(user=user).count() == 1
        assert before not in client.get(page(user)).text
