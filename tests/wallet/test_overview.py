import html
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.models import Member
from tests.factories import UserFactory, member_of, open_customer, owner_of
from tests.wallet.activity_setting import cny, credit, spend
from wallet import flows, holds, topups
from wallet.models import Lot

pytestmark = pytest.mark.django_db

URL = "/wallet/"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def nothing_counted_yet():
    cache.clear()


@pytest.fixture
def customer():
    return open_customer(locale="en")


@pytest.fixture
def english(customer, client):
    owner = owner_of(customer)
    owner.locale = "en"
    owner.save()
    client.force_login(owner)
    return client


def text(response) -> str:
    return html.unescape(response.content.decode())


class TestHome:
    def test_leads_to_the_wallet(self, english):
        assert english.get("/").url == URL

    def test_leads_people_of_no_customer_to_the_welcome_page(self, client):
        client.force_login(UserFactory())
        assert client.get("/").url == reverse("accounts:welcome")

    def test_asks_strangers_to_sign_in(self, client):
        assert client.get("/").url.startswith(reverse("account_login"))


class TestOverview:
    @pytest.fixture
    def busy(self, customer):
        """
        500 principal, 40 bonus of which 10 were spent, 100 held.
        """
        now = timezone.now()
        credit(customer, "500.00", at=now - 40 * DAY)
        credit(
            customer,
            "40.00",
            kind=Lot.Kind.BONUS,
            at=now - 39 * DAY,
            expires_at=now + 12 * DAY,
        )
        spend(customer, "10.00", "ORDER-0001", at=now - timedelta(minutes=5), text="Text messages")
        holds.place(customer=customer, amount=cny("100.00"), reference="CAMPAIGN-7", at=now)
        return customer

    def test_shows_what_the_wallet_holds(self, english, busy):
        shown = text(english.get(URL))
        cards = dict(
            re.findall(r'stat-label">([^<]+)</span>.*?stat-value">([^<]+)</div>', shown, re.DOTALL)
        )
        assert cards == {
            "Available": "¥430.00",
            "Principal": "¥500.00",
            "Bonus": "¥30.00",
            "Held": "¥100.00",
        }

    def test_shows_what_asks_for_attention(self, english, busy):
        shown = text(english.get(URL))
        assert "Expires in 12 days" in shown
        assert "Never expires" in shown
        assert "CAMPAIGN-7" in shown
        assert "Text messages" in shown

    def test_warns_when_the_money_is_soon_gone(self, english, customer):
        now = timezone.now()
        credit(customer, "100.00", at=now - 2 * DAY)
        spend(customer, "90.00", "ORDER-0001", at=now - DAY)
        assert "Lasts about 3 days" in text(english.get(URL))

    def test_draws_in_and_out_with_the_same_as_a_table(self, english, busy):
        shown = text(english.get(URL))
        assert '<title id="flow-chart-title">In and out by month</title>' in shown
        assert shown.count('<rect class="chart-bar chart-series-1"') == 6
        table = re.search(r'<table class="table" id="flow-chart-table">(.*?)</table>', shown, re.S)
        assert table[1].count("<tr>") == 7
        assert "style=" not in shown

    def test_leaves_out_bonus_whose_time_has_passed(self, english, customer):
        now = timezone.now()
        credit(customer, "5.00", at=now - 3 * DAY)
        credit(customer, "7.00", kind=Lot.Kind.BONUS, at=now - 3 * DAY, expires_at=now - DAY)
        shown = text(english.get(URL))
        assert "¥5.00" in shown
        listed = re.search(r'<ul class="lot-list">(.*?)</ul>', shown, re.DOTALL)[1]
        assert "¥7.00" not in listed

    @pytest.mark.usefixtures("fake_gateway")
    def test_leads_on_to_what_waits_for_payment(self, english, customer):
        topup = topups.start(
            customer=customer, amount=cny("250.00"), gateway="sandbox", at=timezone.now()
        )
        shown = text(english.get(URL))
        assert "Top-up of ¥250.00 is waiting for payment" in shown
        assert reverse("wallet:topup-status", args=[topup.number]) in shown

    def test_of_a_new_customer_has_one_next_step(self, english):
        shown = text(english.get(URL))
        assert "Your wallet is ready" in shown
        assert reverse("wallet:topup-new") in shown
        assert "stat-card" not in shown

    def test_of_a_new_customer_shows_viewers_who_may_top_up(self, client, customer):
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        shown = text(client.get(URL))
        assert reverse("wallet:topup-new") not in shown
        assert reverse("accounts:member-list") in shown

    @pytest.mark.parametrize("role", Member.Role.values)
    def test_is_open_to_every_member(self, client, busy, role):
        client.force_login(member_of(busy, role))
        assert "¥430.00" in text(client.get(URL))

    def test_shows_strangers_their_own_wallet_only(self, client, busy):
        client.force_login(owner_of(open_customer("他人")))
        shown = text(client.get(URL))
        assert "¥430.00" not in shown and "ORDER-0001" not in shown

    def test_speaks_chinese(self, client, busy):
        client.force_login(member_of(busy, locale="zh-hans"))
        assert "钱包" in text(client.get(URL))

    def test_asks_the_database_little(self, english, busy, django_assert_max_num_queries):
        english.get(URL)
        with django_assert_max_num_queries(12):
            english.get(URL)


class TestByMonth:
    AT = datetime(2025, 3, 16, 4, tzinfo=UTC)  # noon on 16 March in Shanghai

    def test_sums_by_the_customers_calendar(self, customer):
        midnight = datetime(2025, 2, 28, 16, tzinfo=UTC)  # 1 March begins in Shanghai
        credit(customer, "100.00", at=midnight - timedelta(seconds=1))
        credit(customer, "50.00", at=midnight)
        spend(customer, "30.00", "ORDER-0001", at=midnight)
        moved = flows.by_month(customer, months=3, at=self.AT)
        assert [month.first for month in moved.months] == [
            date(2025, 1, 1),
            date(2025, 2, 1),
            date(2025, 3, 1),
        ]
        assert [(m.flow.came, m.flow.went) for m in moved.months] == [
            (cny("0.00"), cny("0.00")),
            (cny("100.00"), cny("0.00")),
            (cny("50.00"), cny("30.00")),
        ]

    def test_compares_with_last_month_up_to_the_same_day_and_hour(self, customer):
        credit(customer, "10.00", at=datetime(2025, 2, 16, 3, 59, tzinfo=UTC))
        credit(customer, "90.00", at=datetime(2025, 2, 16, 4, tzinfo=UTC))
        assert flows.by_month(customer, months=2, at=self.AT).same_days.came == cny("10.00")

    def test_compares_the_last_of_a_long_month_with_the_whole_short_one(self, customer):
        credit(customer, "10.00", at=datetime(2025, 2, 28, 15, tzinfo=UTC))
        credit(customer, "90.00", at=datetime(2025, 3, 1, tzinfo=UTC))
        at = datetime(2025, 3, 31, 4, tzinfo=UTC)
        assert flows.by_month(customer, months=2, at=at).same_days.came == cny("10.00")

    def test_knows_what_was_spent_lately(self, customer):
        credit(customer, "100.00", at=self.AT - 50 * DAY)
        spend(customer, "40.00", "ORDER-0001", at=self.AT - 31 * DAY)
        spend(customer, "30.00", "ORDER-0002", at=self.AT - 29 * DAY)
        moved = flows.by_month(customer, months=2, at=self.AT)
        assert moved.lately.went == cny("30.00")
        assert moved.days_left(cny("30.00")) == 30
        assert moved.days_left(cny("0.50")) == 0

    def test_of_an_idle_wallet_predicts_nothing(self, customer):
        assert flows.by_month(customer, months=2, at=self.AT).days_left(cny("5.00")) is None

    def test_survives_january(self, customer):
        moved = flows.by_month(customer, months=6, at=datetime(2025, 1, 5, tzinfo=UTC))
        assert moved.months[0].first == date(2024, 8, 1)


class TestChangePercent:
    @pytest.mark.parametrize(
        ("now", "before", "percent"),
        [
            ("127.10", "100.00", "27.1"),
            ("62.80", "100.00", "-37.2"),
            ("100.00", "100.00", "0.0"),
            ("0.00", "100.00", "-100.0"),
            ("5.00", "0.00", None),
        ],
    )
    def test_is_exact_to_a_tenth(self, now, before, percent):
        grown = flows.change_percent(cny(now), cny(before))
        assert grown == (None if percent is None else Decimal(percent))
