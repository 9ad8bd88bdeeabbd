from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from django.utils.translation import override

from accounts.models import Member
from packages import advisor, catalogue, coupons, periods, quotes, subscriptions
from packages.advisor import Used, month_cost, whole_months
from packages.models import Meter, PriceVersion
from packages.quotes import Turnover
from packages.terms import Component
from tests.factories import (
    cny,
    fund,
    member_of,
    open_customer,
    owner_of,
    sign_in_staff,
    staff,
)
from tests.packages.buying import bought, shanghai
from tests.packages.couponing import coupon
from tests.packages.metering import HOUR, event, meter, recorded
from tests.packages.reading import text
from tests.packages.shelf import basic, calls, drafted, feature, fee, once, published, seats, terms
from tests.wallet.api_setting import Api

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH = (date(2025, month, 1) for month in (1, 2, 3))
APRIL = shanghai(2025, 4, 10, 9)
SINCE = shanghai(2024, 12, 20)


@pytest.fixture
def customer():
    return fund(open_customer(locale="en", at=SINCE), "9000.00", at=SINCE)


def sold(*parts: Component, code: str, interval: str = "month") -> PriceVersion:
    package = published(terms(*parts, interval=interval), code=code, at=SINCE)
    return PriceVersion.objects.whole().get(package=package)


def subscribed(customer, *parts: Component, count: int = 1, at=SINCE):
    price = sold(*parts, code="present")
    return bought(customer, price, seats=count, at=at, by=owner_of(customer))


def used(customer, quantity, at, **facts):
    told = event(quantity, at=at, occurred_at=at - HOUR, **facts)
    recorded(customer, told, at=at)


def advice_of(customer, at=APRIL):
    [one] = advisor.advise(customer, at=at)
    return one


def shown(option) -> list[str]:
    return [str(cost.amount) for cost in option.costs]


class TestWholeMonths:
    def test_are_the_last_three_that_are_over(self):
        months = whole_months(APRIL, "Asia/Shanghai")
        assert [one.first for one in months] == [JANUARY, FEBRUARY, MARCH]
        assert months[0].starts_at == shanghai(2025, 1, 1)
        assert months[2].ends_at == shanghai(2025, 4, 1)

    def test_follow_the_customers_calendar(self):
        moment = shanghai(2025, 4, 1)  # still March in UTC
        assert whole_months(moment, "UTC")[-1].first == FEBRUARY
        assert whole_months(moment, "Asia/Shanghai")[-1].first == MARCH


class TestMonthCost:
    def month(self, **facts):
        [one, *_rest] = whole_months(APRIL, "UTC")
        plain = {"month": one, "seats": 1, "quantities": {}, "turnover": {}}
        return Used(**plain | facts)

    def test_is_what_charging_would_take(self):
        parts = terms(basic("99.00"), seats(1), calls(1000), once("500.00"))
        spent = self.month(seats=4, quantities={"api_calls": Decimal(3000)})
        meters = {"api_calls": Meter(code="api_calls", aggregation="SUM")}
        quote = quotes.price(parts, seats=4, usage={"api_calls": Decimal(3000)})
        assert month_cost(parts, spent, meters).per_month == quote.each_term
        assert quote.each_term == cny("99.00") + cny("75.00") + cny("24.60")

    def test_of_a_year_is_its_part_with_the_years_allowance(self):
        year = terms(basic("1000.00"), calls(12_000), interval="year")
        spent = self.month(quantities={"api_calls": Decimal(2000)})
        meters = {"api_calls": Meter(code="api_calls", aggregation="SUM")}
        quote = month_cost(year, spent, meters)
        assert quote.each_term == cny("1000.00") + cny("147.60")  # 12 × 2,000 − 12,000 of them
        assert quote.per_month == cny("95.63")

    @pytest.mark.parametrize("aggregation", ["MAX", "LAST", "UNIQUE"])
    def test_does_not_add_up_what_is_no_sum(self, aggregation):
        year = terms(basic("1200.00"), calls(1000), interval="year")
        spent = self.month(quantities={"api_calls": Decimal(1000)})
        meters = {"api_calls": Meter(code="api_calls", aggregation=aggregation)}
        assert month_cost(year, spent, meters).each_term == cny("1200.00")

    def test_takes_each_transaction_by_itself(self):
        parts = terms(basic("0.00"), fee(most=cny("1.00")))
        spent = self.month(
            quantities={"collection": Decimal(3)},
            turnover={"collection": [Turnover(cny("100.00"), 2), Turnover(cny("900.00"), 1)]},
        )
        meters = {"collection": Meter(code="collection", aggregation="SUM", carries_value=True)}
        assert month_cost(parts, spent, meters).per_month == cny("2.20")


class TestAdvise:
    def test_finds_what_would_have_cost_least(self, customer):
        meter(at=SINCE)
        subscribed(customer, basic("99.00"), calls(1000))
        sold(basic("150.00"), calls(50_000), code="big")
        sold(basic("10.00"), calls(0), code="small")
        for month, quantity in ((1, 1000), (2, 11_000), (3, 21_000)):
            used(customer, quantity, shanghai(2025, month, 15))
        one = advice_of(customer)
        assert shown(one.now) == ["99.00", "222.00", "345.00"]
        assert [option.version.package.code for option in one.options] == ["small", "big"]
        small, big = one.options
        assert shown(small) == ["22.30", "145.30", "268.30"]
        assert (one.best, small.saving, big.saving) == (small, cny("230.10"), cny("216.00"))

    def test_says_when_nothing_costs_less(self, customer):
        subscribed(customer, basic("99.00"))
        sold(basic("100.00"), code="big")
        one = advice_of(customer)
        assert one.best is None and one.options[0].saving == cny("-3.00")

    def test_is_about_the_same_for_longer_terms(self, customer):
        subscribed(customer, basic("99.00"))
        sold(basic("990.00"), code="long", interval="year")
        [yearly] = advice_of(customer).options
        assert shown(yearly) == ["82.50"] * 3 and yearly.saving == cny("49.50")

    def test_leaves_out_what_lacks_something_and_says_what(self, customer):
        meter(at=SINCE)
        subscribed(customer, basic("99.00"), seats(1), calls(10), feature(), count=5)
        used(customer, 500, shanghai(2025, 2, 3))
        sold(basic("1.00"), seats(9), calls(0), code="featureless")
        sold(basic("1.00"), seats(9), feature(), code="uncounted")
        sold(basic("1.00"), calls(0), feature(), code="seatless")
        sold(
            basic("1.00"),
            seats(2, hard_limit=Decimal(2)),
            calls(100, hard_limit=Decimal(100)),
            feature(),
            code="limited",
        )
        with override("en"):
            one = advice_of(customer)
            lacks = {option.version.package.code: option.lacks for option in one.lacking}
        assert one.options == [] and lacks == {
            "featureless": ["Data exports"],
            "uncounted": ["API calls"],
            "seatless": ["Seats"],
            "limited": ["Seats: no more than 2 seats", "API calls: no more than 100 calls"],
        }

    def test_does_not_ask_for_what_was_never_used(self, customer):
        meter(at=SINCE)
        subscribed(customer, basic("99.00"), calls(10))
        sold(basic("1.00"), code="uncounted")
        assert advice_of(customer).best.version.package.code == "uncounted"

    def test_counts_the_seats_there_were(self, customer):
        one = subscribed(customer, basic("99.00"), seats(1), count=2)
        subscriptions.change(
            subscription_id=one.pk, seats=4, at=shanghai(2025, 1, 5), by=owner_of(customer)
        )
        subscriptions.change(
            subscription_id=one.pk, seats=6, at=shanghai(2025, 1, 18), by=owner_of(customer)
        )
        late = advice_of(customer, at=shanghai(2025, 2, 1))
        assert [used.seats for used in late.months] == [6]
        assert shown(late.now) == ["224.00"]
        early = advice_of(customer, at=shanghai(2025, 1, 7))
        assert early.months == []

    def test_looks_at_whole_months_since_it_began_only(self, customer):
        subscribed(customer, basic("99.00"), at=shanghai(2025, 2, 10))
        one = advice_of(customer)
        assert [used.month.first for used in one.months] == [MARCH]
        new = advice_of(customer, at=shanghai(2025, 3, 30))
        assert (new.months, new.ready_on, new.best) == ([], date(2025, 4, 1), None)

    def test_knows_that_use_may_still_come(self, customer):
        subscribed(customer, basic("99.00"))
        assert not advice_of(customer, at=shanghai(2025, 4, 3)).is_final
        assert advice_of(customer, at=shanghai(2025, 4, 4)).is_final

    def test_compares_plans_with_plans_the_customer_has_not(self, customer):
        one = subscribed(customer, basic("99.00"))
        other = bought(customer, sold(basic("50.00"), code="held"), at=SINCE)
        add_on = drafted(terms(basic("1.00")), code="add-on", kind="ADD_ON", at=SINCE)
        catalogue.publish(package_id=add_on.pk, at=SINCE, by=None)
        sold(basic("60.00"), code="free")
        advised = {one.subscription: one for one in advisor.advise(customer, at=APRIL)}
        codes = [option.version.package.code for option in advised[one].options]
        assert codes == ["free"] and advised[other].best is None

    def test_names_no_plan_that_counts_what_another_subscription_counts(self, customer):
        one = subscribed(customer, basic("99.00"))
        bought(customer, sold(basic("50.00"), calls(0), code="counting"), at=SINCE)
        sold(basic("10.00"), calls(0), code="too")
        free = sold(basic("60.00"), code="free")
        advised = {one.subscription: one for one in advisor.advise(customer, at=APRIL)}
        assert [option.version for option in advised[one].options] == [free]

    def test_counts_what_a_plan_charges_for_though_the_present_one_does_not(self, customer):
        meter(at=SINCE)
        subscribed(customer, basic("99.00"))
        sold(basic("90.00"), calls(0), code="counting")
        used(customer, 10_000, shanghai(2025, 2, 3))
        [option] = advice_of(customer).options
        assert shown(option) == ["90.00", "213.00", "90.00"]

    def test_asks_as_often_for_many_plans_as_for_one(self, customer, django_assert_num_queries):
        meter(at=SINCE)
        subscribed(customer, basic("99.00"), calls(10))
        sold(basic("10.00"), calls(0), code="p0")
        with django_assert_num_queries(10):
            advisor.advise(customer, at=APRIL)
        for number in range(1, 6):
            sold(basic("10.00"), calls(0), code=f"p{number}")
        with django_assert_num_queries(10):
            assert len(advice_of(customer).options) == 6

    def with_coupon(self, customer, *, terms_left, packages=()):
        """
        Give the present plan of 99.00 a coupon of a fifth, beside one of 85.00 by the month and one
        of 960.00 by the year.
        """
        subscription = subscribed(customer, basic("99.00"))
        sold(basic("85.00"), code="cheap")
        sold(basic("960.00"), code="yearly", interval="year")
        named = [subscription.package] if packages else []
        coupon("SPRING20", named, at=SINCE, valid_from=SINCE, bps=2000, terms=terms_left)
        coupons.enter(subscription_id=subscription.pk, code="SPRING20", at=APRIL, by=None)
        return advice_of(customer)

    def test_counts_a_coupon_by_every_price_it_goes_on_with(self, customer):
        one = self.with_coupon(customer, terms_left=None)
        assert (one.coupon, one.now.coupon, str(one.now.total.amount)) == (
            "SPRING20",
            "SPRING20",
            "237.60",
        )
        assert [(str(option.total.amount), option.coupon) for option in one.options] == [
            ("192.00", "SPRING20"),
            ("204.00", "SPRING20"),
        ]

    def test_does_not_count_a_coupon_by_prices_it_is_not_for(self, customer):
        one = self.with_coupon(customer, terms_left=None, packages=["present"])
        assert str(one.now.total.amount) == "237.60"
        assert [(str(option.total.amount), option.coupon) for option in one.options] == [
            ("240.00", ""),
            ("255.00", ""),
        ]
        assert one.best is None  # though both cost less than the present price without it

    def test_counts_a_coupon_only_where_it_lasts(self, customer):
        one = self.with_coupon(customer, terms_left=2)
        assert (one.now.coupon, str(one.now.total.amount)) == ("", "297.00")
        assert [(str(option.total.amount), option.coupon) for option in one.options] == [
            ("192.00", "SPRING20"),  # two years
            ("255.00", ""),
        ]

    def test_has_none_without_a_subscription(self, customer):
        assert advisor.advise(customer, at=APRIL) == []


class TestPages:
    """
    These look at the clock, so the subscription began five months ago.
    """

    @pytest.fixture
    def customer(self):
        begun = timezone.now() - timedelta(days=150)
        return fund(open_customer(locale="en", at=begun), "9000.00", at=begun)

    @pytest.fixture
    def subscription(self, customer):
        begun = timezone.now() - timedelta(days=149)
        published(terms(basic("99.00")), code="present", at=begun)
        published(terms(basic("50.00")), code="cheap", at=begun)
        version = PriceVersion.objects.whole().get(package__code="present")
        return bought(customer, version, at=begun, by=owner_of(customer))

    def test_say_what_would_have_cost_less_and_lead_to_its_preview(self, english, subscription):
        page = english.get("/advice/")
        words = text(page)
        assert "Cheap (¥50.00 a month) would have cost ¥147.00 less in the last 3 months" in words
        cheap = PriceVersion.objects.get(package__code="cheap")
        link = f"/subscriptions/{subscription.number}/change/?price={cheap.pk}&amp;seats=1"
        assert link in page.content.decode()

    def test_are_led_to_from_the_change(self, english, subscription):
        page = english.get(f"/subscriptions/{subscription.number}/change/")
        assert "would have cost ¥147.00 less" in text(page)
        assert 'href="/advice/"' in page.content.decode()

    def test_say_where_a_coupon_is_counted(self, client, english, customer, subscription):
        one = coupon("SPRING20", bps=2000, at=timezone.now())
        coupons.enter(subscription_id=subscription.pk, code=one.code, at=timezone.now(), by=None)
        page = text(english.get("/advice/"))
        assert "Your coupon SPRING20 is counted where it holds" in page
        assert "¥99.00 a month · with coupon SPRING20" in page
        [told] = Api(customer).get("advice/").json()["results"]
        assert (told["now"]["coupon"], told["now"]["total"]["amount"]) == ("SPRING20", "237.60")

    def test_say_that_there_is_nothing_to_save(self, english, subscription):
        catalogue.retire(
            package_id=PriceVersion.objects.get(package__code="cheap").package_id,
            at=timezone.now(),
            by=None,
        )
        assert "Nothing on offer that has what you use would have cost less" in text(
            english.get("/advice/")
        )

    def test_say_that_there_is_no_history_yet(self, english, customer):
        now = timezone.now()
        published(terms(basic("99.00")), code="new", at=now)
        bought(customer, PriceVersion.objects.whole().get(package__code="new"), at=now)
        assert "no whole month to look at yet" in text(english.get("/advice/"))

    def test_are_empty_without_a_package(self, english):
        assert "No package to compare with" in text(english.get("/advice/"))

    def test_offer_viewers_no_change(self, client, customer, subscription):
        client.force_login(member_of(customer, Member.Role.VIEWER, locale="en"))
        page = client.get("/advice/")
        assert "¥147.00 less" in text(page) and "/change/" not in page.content.decode()

    def test_tell_staff_what_it_means_for_revenue(self, client, customer, subscription):
        support = sign_in_staff(client, staff("SUPPORT", locale="en"))
        page = support.get(f"/admin/accounts/customer/{customer.pk}/change/?tab=advice")
        words = page.content.decode()
        assert "+¥147.00" in words and "−¥147.00" in words
        assert "revenue, not margin" in words

    def test_tell_programs_the_same(self, customer, subscription):
        [one] = Api(customer).get("advice/").json()["results"]
        assert one["subscription"] == subscription.number and len(one["months"]) == 3
        assert [cost["amount"] for cost in one["now"]["costs"]] == ["99.00"] * 3
        [cheap] = one["options"]
        assert (cheap["package"], cheap["interval"]) == ("cheap", "month")
        assert cheap["saving"] == {"amount": "147.00", "currency": "CNY"}
        assert Api(open_customer()).get("advice/").json() == {"results": []}
        assert Api(customer, "wallet:read").get("advice/").status_code == 403


def test_a_longer_term_is_no_alternative_to_itself(customer):
    month = terms(basic("99.00"))
    package = published(month, replace(month, interval="year"), code="both", at=SINCE)
    monthly = PriceVersion.objects.whole().get(package=package, interval="month")
    bought(customer, monthly, at=SINCE)
    [option] = advice_of(customer).options
    assert option.version.interval == "year"
    assert periods.MONTHS[option.version.interval] == option.months == 12
