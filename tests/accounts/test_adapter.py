"""
Signing up, in and out, with allauth and our adapter, against a mailbox in memory.
"""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts import customers, members
from accounts.models import Customer, User
from crm_billing import outbox
from tests.factories import (
    NOON,
    PASSWORD,
    TOTP_SECRET,
    UserFactory,
    give_second_factor,
    open_customer,
    owner_of,
    totp_code,
)

pytestmark = pytest.mark.django_db

LOGIN = "/account/login/"


@pytest.fixture(autouse=True)
def fresh_rate_limits():
    cache.clear()


def sign_up(client, email="new@example.com", next_url=""):
    body = {"email": email, "password1": PASSWORD, "password2": PASSWORD, "next": next_url}
    return client.post(reverse("account_signup"), body)


def code_in_mail() -> str:
    (code,) = re.findall(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", mail.outbox[-1].body, re.MULTILINE)
    return code


def sign_in(client, user, password=PASSWORD, **more):
    return client.post(LOGIN, {"login": user.email, "password": password} | more)


def signed_in(client) -> bool:
    return client.get(reverse("accounts:profile")).status_code == 200


class TestSignUp:
    def test_of_a_known_address_is_answered_by_mail(self, client):
        UserFactory(email="known@example.com", locale="zh-hans")
        sign_up(client, "known@example.com")
        message = mail.outbox[-1]
        assert message.subject == f"{settings.BRAND_NAME}：您已有账号"
        assert "该邮箱已有账号" in message.body and "账户" not in message.body
        assert "/account/password/reset/" in message.body

    def test_tells_in_polite_words_how_a_password_has_to_be(self, client):
        client.cookies["django_language"] = "zh-hans"
        page = client.get(reverse("account_signup")).content.decode()
        assert "您的密码" in page and "你的" not in page

    def test_proves_the_address_with_a_code_and_opens_a_wallet(self, client):
        response = sign_up(client)
        assert response.url == reverse("account_email_verification_sent")
        assert not signed_in(client)
        response = client.post(response.url, {"code": code_in_mail()})
        assert response.status_code == 302
        assert signed_in(client)
        assert EmailAddress.objects.get().verified

        page = client.get("/", follow=True)
        assert page.redirect_chain[-1][0] == reverse("accounts:welcome")
        form = page.context["form"]
        body = {name: form[name].value() for name in form.fields} | {"name": "李雷"}
        client.post(reverse("accounts:welcome"), body)
        assert owner_of(Customer.objects.get()).email == "new@example.com"

    def test_does_not_take_a_wrong_code(self, client):
        url = sign_up(client).url
        assert client.post(url, {"code": "AAAAAA"}).status_code == 200
        assert not signed_in(client)

    def test_counts_no_try_without_a_code(self, client):
        url = sign_up(client).url
        for _ in range(5):
            response = client.post(url, {"code": " "})
            assert list(response.context["verify_form"].errors) == ["code"]
        assert client.post(url, {"code": code_in_mail()}).status_code == 302
        assert signed_in(client)

    def test_ends_after_three_wrong_codes(self, client):
        url = sign_up(client).url
        for status in (200, 200, 302):
            assert client.post(url, {"code": "AAAA-AAAA"}).status_code == status

    def test_sends_another_code_when_asked(self, client):
        url = sign_up(client).url
        first = code_in_mail()
        cache.clear()  # ten seconds later
        assert 'value="resend"' in client.get(url).content.decode()
        assert client.post(url, {"action": "resend"}).url == url
        assert len(mail.outbox) == 2 and code_in_mail() != first
        assert client.post(url, {"code": first}).status_code == 200
        assert client.post(url, {"code": code_in_mail()}).status_code == 302
        assert signed_in(client)

    def test_keeps_the_code_when_asked_for_another_too_soon(self, client):
        url = sign_up(client).url
        for _ in range(3):
            page = client.post(url, {"action": "resend"}, follow=True)
            assert page.redirect_chain == [(url, 302)]
            assert page.context["messages"]
            assert 'name="code"' in page.content.decode()
        assert len(mail.outbox) == 1
        client.post(url, {"code": code_in_mail()})
        assert signed_in(client)

    def test_sends_no_more_than_two_others(self, client):
        url = sign_up(client).url
        for _ in range(4):
            cache.clear()
            client.post(url, {"action": "resend"})
        assert len(mail.outbox) == 3

    def test_does_not_tell_who_has_an_account(self, client):
        user = UserFactory()
        first, second = sign_up(client, "new@example.com"), sign_up(Client(), user.email)
        assert (first.status_code, first.url) == (second.status_code, second.url)
        assert User.objects.filter(email=user.email).count() == 1

    def test_leads_the_invited_back_to_the_invitation(self, client):
        customer = open_customer()
        members.invite(
            customer_id=customer.pk,
            email="new@example.com",
            role="VIEWER",
            at=NOON.replace(year=2099),
            by=owner_of(customer),
        )
        outbox.relay(at=NOON.replace(year=2099))
        (link,) = set(re.findall(r"/invitations/[\w-]{43}/", mail.outbox[0].body))
        client.get(link)
        url = sign_up(client, next_url=link).url
        response = client.post(url, {"code": code_in_mail()})
        assert response.url == link
        accept = re.search(r"/invitations/\d+/accept/", client.get(link).content.decode())[0]
        client.post(accept)
        assert User.objects.get(email="new@example.com").memberships.get().customer == customer


class TestMail:
    def test_is_written_in_the_readers_language_on_our_paper(self, client):
        for locale, subject in (("en", "Password Reset"), ("zh-hans", "密码")):
            user = UserFactory(locale=locale)
            client.post(
                reverse("account_reset_password"),
                {"email": user.email},
                headers={"Accept-Language": "de"},
            )
            message = mail.outbox[-1]
            assert subject in message.subject
            html = message.alternatives[0].content
            assert "云账单" in html and "password/reset/key" in html

    def test_leads_to_our_site_whatever_host_was_asked(self, client, settings):
        settings.SITE_URL = "https://pay.example.com"
        user = UserFactory()
        client.post(
            reverse("account_reset_password"),
            {"email": user.email},
            headers={"Host": "localhost", "X-Forwarded-Host": "evil.example"},
        )
        links = re.findall(r"https?://[^/\s]+", mail.outbox[0].body)
        assert set(links) == {"https://pay.example.com"}

    def test_is_not_sent_for_hosts_that_are_not_ours(self, client):
        response = client.post(
            reverse("account_reset_password"),
            {"email": UserFactory().email},
            headers={"Host": "evil.example"},
        )
        assert response.status_code == 400 and not mail.outbox


class TestPasswordReset:
    def reset(self, client, email, password="another good passphrase"):
        client.post(reverse("account_reset_password"), {"email": email})
        (path,) = set(re.findall(r"/account/password/reset/key/\S+/", mail.outbox[-1].body))
        form = client.get(path).url
        client.post(form, {"password1": password, "password2": password})
        return path

    def test_gives_an_owner_made_by_staff_a_first_password(self, client):
        customer = customers.open(name="A", owner_email="boss@example.com", at=NOON)
        self.reset(client, "boss@example.com")
        sign_in(client, owner_of(customer), "another good passphrase")
        if not signed_in(client):  # allauth wants the address proved by code as well
            client.post(reverse("account_email_verification_sent"), {"code": code_in_mail()})
        assert signed_in(client)

    def test_works_once(self, client):
        user = UserFactory()
        path = self.reset(client, user.email)
        other = Client()
        page = other.get(path, follow=True)
        assert page.context.get("token_fail")

    def test_ends_every_session(self, client):
        user = UserFactory()
        sign_in(client, user)
        assert signed_in(client)
        self.reset(Client(), user.email)
        assert not signed_in(client)


class TestSignIn:
    def test_changes_the_session_key(self, client):
        client.get(LOGIN)
        session = client.session
        session["planted"] = True
        session.save()
        before = client.session.session_key
        sign_in(client, UserFactory())
        assert signed_in(client) and client.session.session_key != before

    @pytest.mark.parametrize(
        "target",
        ["https://evil.example/", "//evil.example/", "https:/evil.example", "javascript:alert(1)"],
    )
    def test_does_not_redirect_elsewhere(self, client, target):
        assert sign_in(client, UserFactory(), next=target).url == "/"

    def test_follows_redirects_on_this_host(self, client):
        assert sign_in(client, UserFactory(), next="/settings/").url == "/settings/"

    def test_asks_for_the_code_of_who_has_an_authenticator(self, client):
        user = UserFactory()
        give_second_factor(user)
        response = sign_in(client, user)
        assert response.url == reverse("mfa_authenticate") and not signed_in(client)
        client.post(response.url, {"code": totp_code()})
        assert signed_in(client)

    def test_stops_guessing(self, client):
        user = UserFactory()
        for _guess in range(5):
            sign_in(client, user, "wrong password")
        sign_in(client, user)
        assert not signed_in(client)

    def test_refuses_people_who_were_switched_off(self, client):
        user = UserFactory()
        sign_in(client, user)
        User.objects.update(is_active=False)
        assert not signed_in(client)
        sign_in(client, user)
        assert not signed_in(client)


class TestSessions:
    def test_end_elsewhere_when_the_password_changes(self, client):
        user, other = UserFactory(), Client()
        sign_in(client, user)
        sign_in(other, user)
        client.post(
            reverse("account_change_password"),
            {
                "oldpassword": PASSWORD,
                "password1": "another good passphrase",
                "password2": "another good passphrase",
            },
        )
        assert signed_in(client) and not signed_in(other)

    def test_end_on_the_server_at_sign_out(self, client):
        sign_in(client, UserFactory())
        stolen = Client()
        stolen.cookies["sessionid"] = client.cookies["sessionid"].value
        assert signed_in(stolen)
        client.post(reverse("account_logout"))
        assert not signed_in(stolen)

    def test_end_from_the_list(self, client):
        user, other = UserFactory(), Client()
        sign_in(client, user)
        sign_in(other, user)
        assert signed_in(other)
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        client.post(reverse("usersessions_list"))
        assert signed_in(client) and not signed_in(other)


class TestMfaAdapter:
    def test_keeps_secrets_encrypted(self):
        user = UserFactory()
        give_second_factor(user)
        stored = Authenticator.objects.get(user=user, type="totp")
        assert TOTP_SECRET not in str(stored.data)
        assert stored.wrap().validate_code(totp_code())

    def test_reads_what_an_older_secret_key_wrote(self, settings):
        user = UserFactory()
        give_second_factor(user)
        settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
        settings.SECRET_KEY = "a new one"
        assert Authenticator.objects.get(user=user, type="totp").wrap().validate_code(totp_code())
