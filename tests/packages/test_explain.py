import re
from decimal import Decimal
from fractions import Fraction

import pytest
from django.utils.translation import override
from djmoney.money import Money

from packages import charges, explain, quotes
from packages.discounts import Discount
from packages.models import Charge
from packages.quotes import Turnover
from tests.factories import cny, funded_customer
from tests.packages.buying import bought, on_sale
from tests.packages.shelf import basic, calls, feature, fee, once, seats, terms

SECOND = 10**6  # in microseconds
DAY = 24 * 3600 * SECOND


def charge_of(*components, seats=1, usage=None, currency="CNY", discount=None) -> Charge:
    """
    Return an unsaved charge of a price, its lines frozen as when it is posted.
    """
    quote = quotes.price(terms(*components), seats=seats, usage=usage, discount=discount)
    return Charge(currency=currency, lines=charges.frozen(quote.lines))


def share_of_a_month(left: int, *, price="999.00", whole=30 * DAY) -> explain.Step:
    """
    Tell a share of a term as a change freezes it. left, whole: in microseconds.
    """
    step = {"units": f"{left}/{whole}", "unit_price": price, "flat_price": "0"}
    return explain.step_told(step, "CNY")


def reckoned(step: explain.Step) -> Fraction:
    """
    Do the sum a step prints with nothing but its printed figures.
    """
    sum_printed = re.search(r"(−?)¥([\d,.]+) × ([\d,.]+) / ([\d,]+)", step.told)
    sign, *figures = sum_printed.groups()
    price, left, whole = (Fraction(one.replace(",", "")) for one in figures)
    return price * left / whole * (-1 if sign else 1)


def told(charge: Charge) -> dict[str, list[str]]:
    with override("en"):
        return {
            line.label: [f"{step.told} = {step.amount}" for step in line.steps]
            for line in explain.explain(charge).lines
        }


class TestExplain:
    def test_walks_the_tiers(self):
        assert told(charge_of(basic("99.00"), seats(1), seats=14)) == {
            "Basic price": [],
            "Seats": ["1 – 10: 10 × ¥25.00 = ¥250.00", "11 +: 3 × ¥20.00 + ¥5.00 = ¥65.00"],
        }

    def test_tells_the_coupon_of_every_line_it_made_cheaper(self):
        fifth = Discount(code="SPRING20", bps=2_000)
        shown = told(charge_of(basic("99.00"), once(), discount=fifth))
        assert {label: [step.replace("\xa0", " ") for step in shown[label]] for label in shown} == {
            "Basic price": ["1 × ¥99.00 = ¥99.00", "Coupon SPRING20: −20 % = −¥19.80"],
            "Onboarding": [],
        }
        ten = Discount(code="TEN", amount=cny("10.00"))
        assert told(charge_of(basic("99.00"), discount=ten)) == {
            "Basic price": ["1 × ¥99.00 = ¥99.00", "Coupon TEN = −¥10.00"]
        }

    def test_says_what_was_included(self):
        with override("en"):
            [_basic, line] = explain.explain(charge_of(basic(), seats(3), seats=5)).lines
        assert (line.quantity, line.included, line.charged) == ("5 seats", "3 seats", "2 seats")

    def test_shows_every_digit_of_a_price_and_the_one_rounding(self):
        with override("en"):
            [line] = explain.explain(charge_of(calls(0), usage={"api_calls": 7})).lines
        assert [step.told for step in line.steps] == ["7 × ¥0.0123"]
        assert (line.exact, line.amount) == ("¥0.0861", cny("0.09"))

    def test_says_no_rounding_where_there_is_none(self):
        [line] = explain.explain(charge_of(basic("99.00"))).lines
        assert line.exact == ""

    def test_tells_shares_of_transactions_and_their_bounds(self):
        usage = {"collection": [Turnover(cny("100.00"), 3)]}
        bounded = charge_of(fee(period_least=cny("5.00")), usage=usage)
        assert told(bounded) == {
            "Collection fee": ["3 × ¥0.60 = ¥1.80", "least of a term = ¥3.20"],
        }

    def test_cuts_endless_fractions_and_marks_them(self):
        charge = charge_of(basic("1.00"))
        charge.lines[0]["steps"].append(
            {"bound": True, "units": "1", "unit_price": "1/3", "flat_price": "0"}
        )
        assert told(charge)["Basic price"][1] == "least of a term = ¥0.33333333…"

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    @pytest.mark.parametrize("left", [914_112 * SECOND, 2_557_764_999_999, 29 * DAY + 1, 1])
    @pytest.mark.parametrize("price", ["999.00", "-40.00"])
    def test_prints_a_share_that_comes_to_what_it_says(self, language, left, price):
        with override(language):
            step = share_of_a_month(left, price=price)
        exact = Fraction(price) * left / (30 * DAY)
        assert reckoned(step) == exact
        shown = step.amount.replace("−", "-").replace("¥", "").rstrip("…")
        assert abs(Fraction(shown) - exact) < Fraction(1, 10**8)

    @pytest.mark.parametrize(
        ("left", "english", "chinese"),
        [
            (914_112 * SECOND, "about 10 days 14 hours of 30 days", "约 10 天 14 小时，共 30 天"),
            (DAY, "about 1 day of 30 days", "约 1 天，共 30 天"),
            (DAY - 1, "about 1 day of 30 days", "约 1 天，共 30 天"),
            (3 * DAY - SECOND, "about 3 days of 30 days", "约 3 天，共 30 天"),
            (5 * 60 * SECOND, "about 5 minutes of 30 days", "约 5 分钟，共 30 天"),
        ],
    )
    def test_tells_a_share_as_people_read_time(self, left, english, chinese):
        with override("en"):
            assert share_of_a_month(left).told.endswith(f" seconds ({english})")
        with override("zh-hans"):
            assert share_of_a_month(left).told.endswith(f" 秒（{chinese}）")

    def test_leaves_out_features_that_cost_nothing(self):
        assert list(told(charge_of(basic(), feature("0.00"), feature("3.00", code="sso")))) == [
            "Basic price",
            "Data exports",
        ]

    def test_knows_currencies_without_parts(self):
        line = {
            **charge_of(basic("5.00")).lines[0],
            "amount_minor": 500,
            "steps": [{"units": "1", "unit_price": "500", "flat_price": "0"}],
        }
        charge = Charge(currency="JPY", lines=[line])
        assert explain.explain(charge).total == Money(500, "JPY")

    def test_speaks_the_readers_language(self):
        with override("zh-hans"):
            lines = explain.explain(charge_of(basic(), seats(3), seats=5)).lines
        assert [line.label for line in lines] == ["基础", "席位"]
        assert lines[1].quantity == "5 个"

    @pytest.mark.django_db
    def test_comes_to_what_was_charged(self):
        price = on_sale(terms(basic("99.00"), seats(1), once("500.00"), calls(), feature("12.34")))
        bought(funded_customer("2000.00"), price, seats=14)
        charge = Charge.objects.get()
        explained = explain.explain(charge)
        assert (
            explained.total
            == charge.amount
            == sum((line.amount for line in explained.lines), cny(0))
        )
        assert Decimal(explained.total.amount) == Decimal("926.34")
