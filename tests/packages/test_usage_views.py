from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from packages.views.usage import LAST_MONTH, LATELY, THIS_MONTH, _days
from tests.factories import cny, member_of, open_customer, owner_of
from tests.packages.metering import correction, event, meter, recorded

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def customer():
    return open_customer(locale="en", at=timezone.now())


@pytest.fixture
def browser(client, customer):
    client.force_login(owner_of(customer))
    client.cookies["django_language"] = "en"
    return client


def page(browser, **params) -> str:
    answer = browser.get(reverse("packages:usage"), params)
    assert answer.status_code == 200
    return answer.content.decode()


def told(quantity, **facts):
    """
    An event of this moment, and its teller's clock.
    """
    return event(quantity, **{"occurred_at": timezone.now()} | facts)


class TestUsage:
    def test_says_what_to_do_when_nothing_was_ever_counted(self, browser):
        meter()
        shown = page(browser)
        assert "Nothing has been counted yet" in shown
        assert reverse("api:docs") in shown and reverse("accounts:create-api-key") in shown

    def test_offers_keys_to_owners_alone(self, client, customer):
        client.force_login(member_of(customer))
        client.cookies["django_language"] = "en"
        assert reverse("accounts:create-api-key") not in page(client)

    def test_shows_each_meter_with_its_total_and_its_days(self, browser, customer):
        meter(at=timezone.now() - 9 * DAY)
        meter("collection", carries_value=True, name_en="Payments", unit_en="payments")
        wrong = told(40)
        recorded(customer, wrong, told("1200.5"), correction(wrong, -10), at=timezone.now())
        recorded(
            customer,
            told(1, meter="collection", value=cny("12.30")),
            told(1, meter="collection", value=cny("2000.00")),
            at=timezone.now(),
        )

        shown = page(browser)

        assert "1,230.5 calls" in shown and "2 payments" in shown
        assert "transactions of ¥2,012.30" in shown
        assert shown.count('<svg class="chart-drawing"') == 2
        assert "As a table" in shown and "<script>" not in shown and "style=" not in shown

    def test_keeps_to_the_period_of_the_address(self, browser, customer):
        meter(at=timezone.now() - 99 * DAY)
        today = timezone.now().astimezone(customer.zone)
        last_month = today.replace(day=1, hour=12) - DAY
        recorded(customer, told(7), at=timezone.now())
        recorded(customer, event(11, occurred_at=last_month), at=last_month)

        assert "7 calls" in page(browser) and "11 calls" not in page(browser)
        before = page(browser, period=LAST_MONTH)
        assert "11 calls" in before and "7 calls" not in before
        assert 'aria-current="true">Last month' in before
        unknown = page(browser, period="of nothing")
        said = "There is no such period. This month is shown."
        assert "7 calls" in unknown and said in unknown and said not in page(browser)

    def test_says_when_a_period_is_empty(self, browser, customer):
        meter(at=timezone.now() - 99 * DAY)
        recorded(customer, told(7), at=timezone.now())
        shown = page(browser, period=LAST_MONTH)
        assert "0 calls" in shown and "Nothing in this time." in shown

    def test_shows_nothing_of_other_customers(self, browser):
        meter(at=timezone.now() - 9 * DAY)
        recorded(open_customer("Other"), told(4711), at=timezone.now())
        assert "Nothing has been counted yet" in page(browser)

    def test_asks_as_much_for_many_meters_as_for_one(
        self, browser, customer, django_assert_max_num_queries
    ):
        kinds = ("SUM", "MAX", "LAST", "UNIQUE")
        for place in range(12):
            meter(f"m{place}", kinds[place % 4])
            one = told(3, meter=f"m{place}", subject="a")
            recorded(customer, one, at=timezone.now())
        page(browser)
        with django_assert_max_num_queries(14):
            page(browser)

    def test_is_found_from_the_menu_and_from_packages(self, browser):
        assert (
            browser.get(reverse("packages:package-list"))
            .content.decode()
            .count(f'href="{reverse("packages:usage")}"')
            == 3
        )  # menu on top, menu of phones, button


class TestDays:
    @pytest.mark.parametrize(
        ("chosen", "now", "first", "last"),
        [
            (THIS_MONTH, (2025, 2, 28), (2025, 2, 1), (2025, 2, 28)),
            (THIS_MONTH, (2024, 12, 1), (2024, 12, 1), (2024, 12, 31)),
            (LAST_MONTH, (2025, 1, 31), (2024, 12, 1), (2024, 12, 31)),
            (LAST_MONTH, (2024, 3, 1), (2024, 2, 1), (2024, 2, 29)),
            (LATELY, (2025, 3, 1), (2025, 1, 31), (2025, 3, 1)),
        ],
    )
    def test_are_those_of_the_calendar(self, chosen, now, first, last):
        moment = datetime(*now, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
        assert _days(chosen, moment) == (date(*first), date(*last))
