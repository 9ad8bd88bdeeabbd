"""
New rules of wallets through the pages: filled in, looked at, published.
"""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.roles import ADMIN
from tests.admin import world
from tests.factories import sign_in_staff, staff
from wallet.models import WalletPolicy

pytestmark = pytest.mark.django_db

PUBLISH = "/admin/wallet/walletpolicy/publish"


def terms(**changes):
    return {
        "currency": "CNY",
        "valid_from": "",
        "consumption_order": "PRINCIPAL_FIRST_FIFO",
        "min_topup": "5.00",
        "max_topup": "60000",
        "max_balance": "200000.00",
        "presets": "100 500, 1000",
        "max_open_topups": "10",
        "topup_minutes": "45",
        "max_daily_adjustments": "50000.00",
        "restored_lot_days": "30",
        "seen": "",
    } | changes


def post(client, **changes):
    return client.post(reverse("admin:wallet_walletpolicy_publish"), terms(**changes))


def text(response):
    return response.content.decode()


class TestPublish:
    def test_begins_with_the_present_rules(self, client, admin):
        page = text(client.get(reverse("admin:wallet_walletpolicy_publish")))
        assert 'value="50000.00"' in page and 'value="100.00 500.00' in page

    def test_begins_with_the_rules_asked_for(self, client, admin):
        yen = WalletPolicy.objects.get(currency="JPY")
        page = text(client.get(reverse("admin:wallet_walletpolicy_change", args=[yen.pk])))
        address = f"{reverse('admin:wallet_walletpolicy_publish')}?like={yen.pk}"
        assert address in page
        assert '<option value="JPY" selected>' in text(client.get(address))

    @pytest.mark.parametrize("like", ["x", "-1", "9" * 30, "²", "0"])
    def test_bears_nonsense(self, client, admin, like):
        page = client.get(reverse("admin:wallet_walletpolicy_publish"), {"like": like})
        assert page.status_code == 200

    def test_shows_what_changes_before_anything_is_written(self, client, admin):
        before = WalletPolicy.objects.count()
        response = post(client)
        page = text(response)
        assert response.status_code == 200 and WalletPolicy.objects.count() == before
        assert "What changes for wallets in CNY" in page
        for shown in ("Bonus first", "Principal first", "¥50,000.00", "¥60,000.00"):
            assert shown in page
        assert page.count('class="differs"') == 6

    def test_publishes_what_was_shown(self, client, admin):
        seen = post(client).context["form"].data["seen"]
        response = post(client, seen=seen)
        policy = WalletPolicy.objects.latest("pk")
        assert response.status_code == 302
        assert response.url == reverse("admin:wallet_walletpolicy_change", args=[policy.pk])
        assert policy.created_by == admin
        assert policy.valid_from <= timezone.now()
        assert (policy.max_topup_minor, policy.topup_minutes) == (60_000_00, 45)
        assert policy.presets_minor == [100_00, 500_00, 1000_00]
        assert str(admin) in text(client.get(response.url))

    def test_shows_again_what_was_changed_after_the_look(self, client, admin):
        before = WalletPolicy.objects.count()
        seen = post(client).context["form"].data["seen"]
        response = post(client, seen=seen, max_topup="70000")
        assert response.status_code == 200 and "¥70,000.00" in text(response)
        assert WalletPolicy.objects.count() == before

    def test_twice_publishes_once(self, client, admin):
        before = WalletPolicy.objects.count()
        seen = post(client).context["form"].data["seen"]
        post(client, seen=seen)
        again = post(client, seen=seen)
        assert again.status_code == 422 and "nothing would change" in text(again)
        assert WalletPolicy.objects.count() == before + 1

    def test_shows_again_what_others_have_published_meanwhile(self, client, admin):
        seen = post(client).context["form"].data["seen"]
        others = terms(max_topup="70000")
        post(client, **others | {"seen": post(client, **others).context["form"].data["seen"]})
        published = WalletPolicy.objects.count()
        again = post(client, seen=seen)
        assert again.status_code == 200 and "¥70,000.00" in text(again)
        assert WalletPolicy.objects.count() == published

    def test_begins_by_the_clock_of_the_house(self, client, admin, settings):
        settings.DEFAULT_ZONE = "Asia/Shanghai"
        later = (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT00:00")
        seen = post(client, valid_from=later).context["form"].data["seen"]
        assert post(client, valid_from=later, seen=seen).status_code == 302
        begins = WalletPolicy.objects.latest("pk").valid_from
        assert begins == parse_datetime(f"{later}:00+08:00")

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"valid_from": "2020-01-01T00:00"}, "never in the past"),
            ({"max_topup": "1"}, "must not be below the smallest top-up"),
            ({"min_topup": "0.001"}, "no amounts finer than"),
            ({"presets": "100 many"}, "plain digits"),
            ({"presets": "1"}, "between the smallest and the largest"),
            ({"topup_minutes": "99999"}, "Enter a number from 1 to 10080"),
            ({"currency": "XXX"}, "Select a valid choice"),
        ],
    )
    def test_says_what_is_wrong_at_its_field(self, client, admin, changes, said):
        response = post(client, **changes)
        assert response.status_code == 422
        assert said in text(response)
        assert set(response.context["form"].errors) == set(changes)

    def test_speaks_chinese(self, client):
        sign_in_staff(client, staff(ADMIN, locale="zh-hans"))
        page = text(post(client))
        for said in ("发布新规则", "CNY 钱包的变化", "单笔最小充值", "先用本金"):
            assert said in page, said

    def test_asks_for_a_fresh_proof(self):
        client = sign_in_staff(world.Client(), staff(ADMIN), recently=False)
        response = post(client)
        assert response.status_code == 302 and "reauthenticate" in response.url
