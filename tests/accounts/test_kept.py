"""
What was typed while a proof grew old is not lost, and not acted upon unasked.
"""

from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django import forms
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from accounts import kept
from accounts.models import User
from accounts.roles import ADMIN, FINANCE_MAKER, SUPPORT
from packages.models import Package, PriceVersion
from tests.admin import world
from tests.factories import PASSWORD, sign_in_staff, staff
from wallet.models import WalletPolicy

pytestmark = pytest.mark.django_db

APPOINT = reverse("admin:accounts_user_appoint")
TYPED = {
    "email": "new@example.com",
    "name": '<b>"新人"</b>',
    "roles": [SUPPORT, FINANCE_MAKER],
    "locale": "",
}


class Hidden(HTMLParser):
    """
    What the hidden fields of a page hold: name -> values.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "input" and found.get("type") == "hidden":
            self.values.setdefault(found["name"], []).append(found.get("value") or "")


@pytest.fixture
def late(client):
    """
    A browser whose last proof of who it is has grown old.
    """
    return sign_in_staff(client, staff(ADMIN), recently=False)


def proved(client, asked):
    """
    Return the page that follows the question who one is.
    """
    assert "/reauthenticate/" in asked.url
    answer = client.post(asked.url.replace("/2fa/", "/"), {"password": PASSWORD})
    return client.get(answer.url)


def sent_again(client, page, url):
    typed = {k: v for k, v in Hidden(page.text).values.items() if k != "csrfmiddlewaretoken"}
    return client.post(url, typed)


class TestKeep:
    def test_loses_nothing_and_does_nothing_unasked(self, late):
        page = proved(late, late.post(APPOINT, TYPED))
        assert not User.objects.filter(email="new@example.com").exists()
        assert sent_again(late, page, APPOINT).status_code == 302
        made = User.objects.get(email="new@example.com")
        assert made.name == TYPED["name"]
        assert set(made.groups.all()) == set(Group.objects.filter(name__in=TYPED["roles"]))

    def test_comes_back_to_the_same_address(self, late):
        before, policy = WalletPolicy.objects.count(), WalletPolicy.objects.latest("pk")
        url = f"{reverse('admin:wallet_walletpolicy_publish')}?like={policy.pk}"
        page = proved(late, late.post(url, {"reason": "line\r\nline", "seen": ""}))
        assert page.wsgi_request.get_full_path() == url
        assert Hidden(page.text).values["reason"] == ["line\r\nline"]
        assert WalletPolicy.objects.count() == before

    @pytest.mark.parametrize(
        ("name", "model"),
        [
            ("packages_priceversion_reprice", PriceVersion),
            ("packages_priceversion_announce", PriceVersion),
            ("packages_coupon_new", None),
            ("packages_package_new", None),
            ("packages_package_copy", Package),
            ("packages_package_price", Package),
            ("packages_dunningpolicy_publish", None),
            ("wallet_walletpolicy_publish", None),
            ("accounts_user_appoint", None),
        ],
    )
    def test_is_what_every_long_form_does(self, fake_gateway, late, name, model):
        made = world.make(fake_gateway)
        url = reverse(f"admin:{name}", args=[made.rows[model].pk] if model else [])
        page = proved(late, late.post(url, {"typed": ["one", "two"]}))
        assert page.status_code == 200
        assert Hidden(page.text).values["typed"] == ["one", "two"]

    def test_asks_anew_who_waits_again(self, late, time_machine):
        page = proved(late, late.post(APPOINT, TYPED))
        time_machine.move_to(timezone.now() + timedelta(minutes=6))
        page = proved(late, sent_again(late, page, APPOINT))
        assert sent_again(late, page, APPOINT).status_code == 302
        assert User.objects.filter(email="new@example.com").exists()


class TestOffer:
    @pytest.fixture
    def english(self, client):
        return sign_in_staff(client, staff(ADMIN, locale="en"), recently=False)

    def test_shows_what_is_kept_and_where_it_was_typed(self, english):
        page = proved(english, english.post(APPOINT, TYPED | {"unknown": "x"}))
        (shown,) = page.context["parts"]
        assert shown.title == "Appoint staff"
        assert dict(shown.rows) == {
            "E-mail": TYPED["email"],
            "Name of the person": TYPED["name"],
            "Roles": "Support: looks after customers · Finance, maker: proposes corrections",
        }
        assert "<dt>E-mail</dt><dd>new@example.com</dd>" in page.text
        assert "<b>" not in page.text and "&lt;b&gt;" in page.text

    def test_shows_what_it_is_about(self, english):
        other = staff(SUPPORT, email="sue@example.com")
        url = reverse("admin:accounts_user_roles", args=[other.pk])
        page = proved(english, english.post(url, {"roles": [SUPPORT]}))
        (shown,) = page.context["parts"]
        assert shown.title == "Set roles"
        assert shown.rows == [("User", str(other)), ("Roles", "Support: looks after customers")]

    def test_shows_rows_that_were_chosen(self):
        class Asked(forms.Form):
            one = forms.ModelChoiceField(Group.objects)
            more = forms.ModelMultipleChoiceField(Group.objects.order_by("name"))
            none = forms.ModelChoiceField(Group.objects)

        keys = {name: str(Group.objects.get(name=name).pk) for name in (ADMIN, SUPPORT)}
        posted = {"one": [keys[ADMIN]], "more": list(keys.values()), "none": ["x"]}
        assert kept.typed(Asked(), posted) == [("One", ADMIN), ("More", f"{ADMIN} · {SUPPORT}")]

    def test_shows_no_password_and_no_file(self):
        class Asked(forms.Form):
            password = forms.CharField(widget=forms.PasswordInput)
            proof = forms.FileField(required=False)
            is_sure = forms.BooleanField()
            key = forms.CharField(widget=forms.HiddenInput)

        posted = {name: ["secret"] for name in Asked.base_fields}
        assert kept.typed(Asked(), posted) == [("Is sure", "Yes")]

    def test_is_made_once(self, late):
        proved(late, late.post(APPOINT, TYPED))
        assert "new@example.com" not in late.get(APPOINT).text

    def test_is_made_only_where_it_was_typed(self, late):
        asked = late.post(APPOINT, TYPED)
        late.post(asked.url.replace("/2fa/", "/"), {"password": PASSWORD})
        assert "new@example.com" not in late.get(reverse("admin:packages_coupon_new")).text
        assert "new@example.com" in late.get(APPOINT).text

    def test_is_made_to_nobody_else(self, late):
        late.post(APPOINT, TYPED)
        sign_in_staff(late, staff(ADMIN))
        assert "new@example.com" not in late.get(APPOINT).text

    def test_is_not_made_after_half_an_hour(self, late):
        late.post(APPOINT, TYPED)
        late.get(reverse("admin:index"))
        session = late.session
        session[kept.KEY] = session[kept.KEY] | {"at": session[kept.KEY]["at"] - 1801}
        session.save()
        sign_in_staff(late, User.objects.get(pk=late.session["_auth_user_id"]))
        assert "new@example.com" not in late.get(APPOINT).text

    def test_is_not_made_where_nothing_was_typed(self, late):
        other = staff(SUPPORT)
        url = reverse("admin:accounts_user_dismiss", args=[other.pk])
        page = proved(late, late.post(url))
        assert page.status_code == 200 and kept.KEY not in late.session
        other.refresh_from_db()
        assert other.is_staff
