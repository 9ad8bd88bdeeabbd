from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from accounts.roles import ADMIN
from packages.admin.moves import PriceMoveAdmin
from packages.models import PriceMove
from tests.admin.test_packages import text
from tests.factories import sign_in_staff, staff
from tests.packages.buying import bought, on_sale
from tests.packages.moving import CHEAPER, DEARER, agreed, came_back, moved, old_price
from tests.packages.shelf import repriced

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    return sign_in_staff(client, staff(ADMIN, locale="en"))


def announce_page(version) -> str:
    return reverse("admin:packages_priceversion_announce", args=[version.pk])


class TestAnnounce:
    def test_shows_whom_it_concerns_and_how_each_price_would_hold(self, admin):
        old, now = old_price(), timezone.now()
        bought(version=old)
        repriced(old.package, DEARER, at=now, valid_from=now)
        shown = text(admin.get(announce_page(old)))
        assert "pro v2: only for whoever agrees" in shown
        assert "subscriptions that renew at the old price: they are told 1" in shown

    def test_decides_and_shows_it(self, admin):
        old, now = old_price(), timezone.now()
        new = repriced(old.package, CHEAPER, at=now, valid_from=now)
        day = timezone.localtime(now + timedelta(days=40))
        entered = {
            "to_version": new.pk,
            "holds_from": f"{day:%Y-%m-%dT%H:%M}",
            "reason": "更便宜",
            "reason_en": "Cheaper",
        }
        answer = admin.post(announce_page(old), entered)
        assert answer.status_code == 302
        move = PriceMove.objects.get()
        assert (move.to_version, move.is_no_worse) == (new, True)
        assert move.announced_by.is_staff

    def test_a_day_too_early_is_said_at_the_day(self, admin):
        old, now = old_price(), timezone.now()
        new = repriced(old.package, DEARER, at=now, valid_from=now)
        soon = timezone.localtime(now + timedelta(days=20))
        answer = admin.post(
            announce_page(old),
            {
                "to_version": new.pk,
                "holds_from": f"{soon:%Y-%m-%dT%H:%M}",
                "reason": "因",
                "reason_en": "Why",
            },
        )
        assert answer.status_code == 422
        assert "30 days before" in str(answer.context["form"].errors["holds_from"])
        assert not PriceMove.objects.exists()


class TestPage:
    def test_lists_who_was_told_and_who_agreed(self, admin):
        old = old_price()
        one = bought(version=old)
        move = moved(old)
        agreed(one)
        page = reverse("admin:packages_pricemove_change", args=[move.pk])
        shown = text(admin.get(page))
        for words in (one.number, one.customer.name, "Our servers cost more", "by agreement"):
            assert words in shown
        listed = text(admin.get(reverse("admin:packages_pricemove_changelist")))
        assert "pro v1 → pro v2" in listed

    def test_is_found_from_the_prices_the_package_and_who_was_told(self, admin):
        old = old_price()
        one = bought(version=old)
        move = moved(old)
        address = reverse("admin:packages_pricemove_change", args=[move.pk])
        for row in (old, move.to_version, old.package, one):
            name = f"admin:packages_{row._meta.model_name}_change"
            assert address in admin.get(reverse(name, args=[row.pk])).text
        other = bought(version=on_sale(code="other"))
        for row in (other, other.package, other.price_version):
            name = f"admin:packages_{row._meta.model_name}_change"
            assert address not in admin.get(reverse(name, args=[row.pk])).text
        sidebar = admin.get(reverse("admin:index")).text
        assert reverse("admin:packages_pricemove_changelist") in sidebar

    def test_calls_its_columns_what_they_hold(self):
        moved(old_price())
        with override("zh-hans"):
            listed = PriceMoveAdmin(PriceMove, site)
            names = [
                getattr(listed, one).short_description for one in ("told", "agreed", "decided")
            ]
            assert list(map(str, names)) == ["通知数", "同意数", "决定时间"]

    def test_says_whose_mail_came_back(self, admin):
        old = old_price()
        one = bought(version=old)
        move = moved(old)
        came_back(one)
        page = reverse("admin:packages_pricemove_change", args=[move.pk])
        assert "the mail came back" in text(admin.get(page))

    def test_takes_it_back_once(self, admin):
        move = moved(old_price())
        page = reverse("admin:packages_pricemove_revoke", args=[move.pk])
        assert admin.post(page).status_code == 302
        assert PriceMove.objects.get().revoked_by.is_staff
        assert admin.post(page).status_code == 422
