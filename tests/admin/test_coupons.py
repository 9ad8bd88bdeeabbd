from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.roles import ADMIN
from packages.models import Coupon, Package
from tests.admin.test_packages import text
from tests.admin.world import signed_in
from tests.factories import funded_customer, sign_in_staff, staff
from tests.packages.buying import bought, on_sale
from tests.packages.couponing import coupon, drafted
from tests.packages.shelf import basic, offer, published, terms

pytestmark = pytest.mark.django_db

NEW = {
    "code": "spring-20",
    "name": "春季优惠",
    "name_en": "Spring",
    "percent": "12.5",
    "terms": "3",
    "most_uses": "100",
    "most_per_customer": "1",
}
URL = "admin:packages_coupon_new"


def page_of(one: Coupon, part: str = "change") -> str:
    return reverse(f"admin:packages_coupon_{part}", args=[one.pk])


@pytest.fixture
def admin(client):
    return sign_in_staff(client, staff(ADMIN, locale="en"))


class TestNew:
    def test_writes_a_draft(self, admin):
        pro = published(code="pro")
        answer = admin.post(reverse(URL), NEW | {"packages": [pro.pk]})
        one = Coupon.objects.get()
        assert answer.url == page_of(one)
        assert (one.code, one.bps, one.terms, one.most_uses) == ("SPRING-20", 1_250, 3, 100)
        assert list(one.packages.all()) == [pro]
        assert one.published_at is None and one.created_by.is_staff

    def test_of_an_amount(self, admin):
        admin.post(reverse(URL), NEW | {"percent": "", "amount": "10.00", "currency": "USD"})
        one = Coupon.objects.get()
        assert (one.bps, one.amount_minor, one.currency) == (None, 1_000, "USD")

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"code": "not plain!"}, "code"),
            ({"percent": ""}, "percent"),
            ({"percent": "101"}, "percent"),
            ({"amount": "10.00"}, "percent"),
            ({"percent": "", "amount": "ten"}, "amount"),
            ({"percent": "", "amount": "0.00"}, "amount"),
            ({"terms": "0"}, "terms"),
            ({"valid_from": "2025-01-02T00:00", "valid_to": "2025-01-01T00:00"}, "valid_to"),
        ],
    )
    def test_is_refused_at_the_field(self, admin, wrong, field):
        answer = admin.post(reverse(URL), NEW | wrong)
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert not Coupon.objects.exists()

    def test_offers_no_top_up_packages(self, admin):
        published(offer(), code="thousand", kind="TOP_UP")
        published(code="pro")
        form = admin.get(reverse(URL)).context["form"]
        assert [one.code for one in form.fields["packages"].queryset] == ["pro"]

    def test_asks_for_a_fresh_proof(self):
        assert signed_in("ADMIN", recently=False).get(reverse(URL)).status_code == 302


class TestPublish:
    def test_shows_in_words_and_numbers_what_it_gives(self, admin):
        on_sale(terms(basic("99.00")))
        one = drafted(terms=3, most_uses=100)
        page = text(admin.get(page_of(one, "publish")))
        assert "20 % off each term" in page and "for 3 terms" in page
        assert "100 times in all · 1 time by one customer" in page
        assert "¥99.00" in page and "¥79.20" in page

    def test_publishes_and_ends(self, admin):
        one = drafted()
        admin.post(page_of(one, "publish"))
        one.refresh_from_db()
        assert one.is_open and one.published_by.is_staff
        admin.post(page_of(one, "end"))
        one.refresh_from_db()
        assert not one.is_open and one.ended_by.is_staff
        assert "ended" in text(admin.get(page_of(one)))


class TestPages:
    def test_list_who_uses_it(self, admin):
        one = coupon(terms=3, most_uses=100)
        subscription = bought(funded_customer("1000.00"), coupon=one)
        page = text(admin.get(page_of(one)))
        assert subscription.number in page and "1 / 100" in page
        shown = text(admin.get(reverse("admin:packages_coupon_changelist")))
        assert "SPRING20" in shown and "20 % off each term, for 3 terms" in shown
        of = reverse("admin:packages_subscription_change", args=[subscription.pk])
        assert "SPRING20" in text(admin.get(of))

    def test_say_in_which_state_it_is(self, admin):
        now = timezone.now()
        later, over = now + timedelta(days=1), now - timedelta(days=1)
        drafted("DRAFT")
        coupon("LATER", valid_from=later)
        coupon("OVER", valid_to=over)
        coupon("OPEN")
        shown = text(admin.get(reverse("admin:packages_coupon_changelist")))
        for word in ("draft", "begins later", "no longer valid", "can be used"):
            assert word in shown
        assert not Package.objects.exists()
