import time
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import URLPattern, reverse
from django.utils import timezone

from accounts import staff as gate
from accounts.roles import ADMIN, SUPPORT
from tests.factories import (
    PASSWORD,
    UserFactory,
    give_second_factor,
    open_customer,
    owner_of,
    sign_in_staff,
    staff,
    totp_code,
)

pytestmark = pytest.mark.django_db


def admin_urls() -> list[str]:
    """
    Return an address for every pattern of the admin, with 1 for whatever it asks.
    """

    def walk(patterns, prefix):
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield route
            else:
                yield from walk(pattern.url_patterns, route)

    patterns, _app, _namespace = admin.site.urls
    found = []
    for route in walk(patterns, reverse("admin:index")):
        for noise in ("^", "$", "(?P<app_label>", "(?P<url>.*)"):
            route = route.replace(noise, "")
        parts = ["1" if "<" in part else part for part in route.split("/")]
        found.append("/".join(parts))
    return sorted(set(found))


class TestGate:
    def test_finds_the_admin(self):
        assert len(admin_urls()) > 20

    def test_sends_staff_without_a_second_factor_to_set_one_up(self, client):
        client.force_login(UserFactory(is_staff=True, is_superuser=True))
        for url in admin_urls():
            response = client.get(url)
            assert (response.status_code, response.url) == (302, reverse("mfa_index")), url
            assert client.post(url).status_code == 302, url

    def test_asks_staff_for_the_factor_they_did_not_use(self, client):
        client.force_login(staff(ADMIN, is_superuser=True))
        for url in admin_urls():
            response = client.get(url)
            assert response.status_code == 302, url
            assert response.url.startswith(reverse("mfa_reauthenticate")), url
        back = client.get(reverse("admin:index")).url
        assert back == f"{reverse('mfa_reauthenticate')}?next=%2Fadmin%2F"

    def test_lets_staff_in_once_they_typed_the_code(self, client):
        client.force_login(staff(ADMIN, is_superuser=True))
        url = client.get(reverse("admin:index")).url
        response = client.post(url, {"code": totp_code()})
        assert (response.status_code, response.url) == (302, reverse("admin:index"))
        assert client.get(reverse("admin:index")).status_code == 200

    def test_keeps_staff_out_who_typed_a_wrong_code(self, client):
        client.force_login(staff(ADMIN, is_superuser=True))
        url = client.get(reverse("admin:index")).url
        assert client.post(url, {"code": "000000"}).status_code == 200
        assert client.get(reverse("admin:index")).status_code == 302

    def test_leads_people_with_only_a_passkey_to_use_it(self, client):
        user = UserFactory(is_staff=True)
        Authenticator.objects.create(
            user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "key", "credential": {}}
        )
        client.force_login(user)
        url = client.get(reverse("admin:index")).url
        assert url.startswith(reverse("mfa_reauthenticate_webauthn"))

    def test_closes_again_when_the_factor_is_taken_away(self, client):
        user = staff(ADMIN, is_superuser=True)
        sign_in_staff(client, user)
        assert client.get(reverse("admin:index")).status_code == 200
        Authenticator.objects.filter(user=user).delete()
        assert client.get(reverse("admin:index")).url == reverse("mfa_index")

    def test_does_not_take_another_persons_proof(self, client):
        sign_in_staff(client, staff(ADMIN, is_superuser=True))
        session = client.session
        other = staff(ADMIN, is_superuser=True)
        session["account_authentication_methods_user"] = str(other.pk)
        session.save()
        assert client.get(reverse("admin:index")).status_code == 302

    def test_sends_strangers_to_allauth_and_customers_away(self, client):
        for url in admin_urls():
            response = client.get(url)
            assert response.status_code == 302, url
        response = client.get(reverse("admin:login") + "?next=/admin/")
        assert response.url == f"{reverse('account_login')}?next=%2Fadmin%2F"
        owner = owner_of(open_customer())
        give_second_factor(owner)
        sign_in_staff(client, owner)
        assert client.get(reverse("admin:login")).status_code == 403
        for url in admin_urls():
            assert client.get(url).status_code in (302, 403), url

    def test_never_shows_the_admins_own_password_form(self, client):
        sign_in_staff(client, staff(ADMIN, is_superuser=True))
        response = client.get(reverse("admin:login"))
        assert (response.status_code, response.url) == (302, reverse("admin:index"))

    def test_leaves_the_portal_open_to_staff(self, client):
        client.force_login(UserFactory(is_staff=True))
        assert client.get(reverse("accounts:profile")).status_code == 200


class TestIdle:
    def test_ends_staff_sessions_after_30_minutes(self, client, time_machine):
        now = timezone.now()
        time_machine.move_to(now, tick=False)
        sign_in_staff(client, staff(SUPPORT))
        for minutes in (0, 20, 45):
            time_machine.move_to(now + timedelta(minutes=minutes), tick=False)
            assert client.get(reverse("admin:index")).status_code == 200
        time_machine.move_to(now + timedelta(minutes=76), tick=False)
        response = client.get(reverse("admin:index"))
        assert response.url == f"{reverse('account_login')}?next=%2Fadmin%2F"
        assert "_auth_user_id" not in client.session

    def test_leaves_customers_signed_in(self, client, time_machine):
        now = timezone.now()
        time_machine.move_to(now, tick=False)
        client.force_login(owner_of(open_customer()))
        client.get(reverse("accounts:profile"))
        time_machine.move_to(now + timedelta(hours=3), tick=False)
        assert client.get(reverse("accounts:profile")).status_code == 200


class TestRecentlyAuthenticated:
    @staticmethod
    def request(client, user):
        request = RequestFactory().get("/admin/wallet/adjustment/1/approve/")
        request.session, request.user = client.session, user
        return request

    def test_counts_a_fresh_proof_for_five_minutes(self, client, time_machine):
        user = staff(SUPPORT)
        sign_in_staff(client, user, recently=False)
        assert not gate.recently_authenticated(self.request(client, user))
        sign_in_staff(client, user)
        assert gate.recently_authenticated(self.request(client, user))
        time_machine.move_to(time.time() + 301)
        assert not gate.recently_authenticated(self.request(client, user))

    def test_asks_for_the_password_and_comes_back(self, client):
        user = staff(SUPPORT)
        sign_in_staff(client, user, recently=False)
        view = gate.fresh_proof_required(lambda request: HttpResponse("moved"))
        response = view(self.request(client, user))
        asked = "%2Fadmin%2Fwallet%2Fadjustment%2F1%2Fapprove%2F"
        assert response.url == f"{reverse('account_reauthenticate')}?next={asked}"
        answer = client.post(response.url, {"password": PASSWORD})
        assert answer.url == "/admin/wallet/adjustment/1/approve/"
        assert view(self.request(client, user)).content == b"moved"
