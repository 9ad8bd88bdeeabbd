from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_billing.money import rounded, to_minor
from packages.quotes import Turnover, price, saving
from packages.rating import BadQuantity
from tests.factories import cny
from tests.packages.shelf import basic, by_year, calls, feature, fee, once, seats, terms

HARD = {"hard_limit": Decimal(5), "tiers": ({"up_to": None, "unit_price": "1"},)}


def total(*components, seats: int = 0, **usage) -> str:
    return str(price(terms(*components), seats=seats, usage=usage).total.amount)


class TestPrice:
    def test_adds_what_is_fixed(self):
        quote = price(terms(basic("99.00"), feature("20.00"), once("500.00")))
        assert quote.total == cny("619.00")
        assert quote.each_term == cny("119.00")

    @pytest.mark.parametrize(
        ("count", "amount"), [(0, "99.00"), (3, "99.00"), (4, "124.00"), (13, "349.00")]
    )
    def test_charges_seats_beyond_the_included_ones(self, count, amount):
        assert total(basic(), seats(3), seats=count) == amount

    def test_enters_the_next_step_with_its_flat_price(self):
        assert total(basic(), seats(3), seats=14) == "374.00"  # 99 + 250 + 20 + 5

    @pytest.mark.parametrize(
        ("used", "amount"), [(0, "0.00"), (1000, "0.00"), (1001, "0.01"), (1100, "1.23")]
    )
    def test_rounds_usage_once(self, used, amount):
        assert total(calls(1000), api_calls=Decimal(used)) == amount

    def test_neither_delivers_nor_charges_beyond_a_hard_limit(self):
        line = price(terms(calls(2, **HARD)), usage={"api_calls": Decimal(9)}).lines[0]
        assert (line.amount, line.charged, line.refused) == (cny("3.00"), 3, 4)

    def test_takes_a_share_of_transactions_within_their_bounds(self):
        paid = [Turnover(cny("100.00"), 2), Turnover(cny("1.00")), Turnover(cny("90000.00"))]
        one = fee(least=cny("0.10"), most=cny("25.00"))
        assert total(one, collection=paid) == "26.30"  # 2 × 0.60 + 0.10 + 25.00

    @pytest.mark.parametrize(
        ("paid", "amount"),
        [([], "0.00"), ([Turnover(cny("1.00"))], "3.00"), ([Turnover(cny("9999.00"))], "20.00")],
    )
    def test_keeps_the_share_of_a_term_within_its_bounds(self, paid, amount):
        one = fee(period_least=cny("3.00"), period_most=cny("20.00"))
        assert total(one, collection=paid) == amount

    def test_says_for_each_month_what_a_longer_term_comes_to(self):
        assert price(terms(basic("1000.00"), interval="year")).per_month == cny("83.33")

    @pytest.mark.parametrize("used", [Decimal(-1), Decimal("NaN")])
    def test_refuses_quantities_that_are_none(self, used):
        with pytest.raises(BadQuantity):
            price(terms(calls()), usage={"api_calls": used})

    def test_refuses_negative_transactions(self):
        with pytest.raises(BadQuantity):
            price(terms(fee()), usage={"collection": [Turnover(cny("-1.00"))]})

    def test_bears_usage_nobody_sells(self):
        assert total(basic(), anything=Decimal(5)) == "99.00"

    @given(
        count=st.integers(0, 200),
        used=st.decimals(0, 10**7, places=3),
        paid=st.lists(
            st.tuples(st.integers(0, 10**7), st.integers(0, 50)).map(
                lambda one: Turnover(cny(Decimal(one[0]).scaleb(-2)), one[1])
            ),
            max_size=4,
        ),
        least=st.none() | st.integers(0, 300),
    )
    def test_lines_add_up_and_steps_add_up_to_lines(self, count, used, paid, least):
        bound = None if least is None else cny(Decimal(least).scaleb(-2))
        whole = terms(
            basic(), seats(3), calls(), fee(least=bound, period_least=bound), once(), feature()
        )
        quote = price(whole, seats=count, usage={"api_calls": used, "collection": paid})
        assert sum(to_minor(line.amount) for line in quote.lines) == to_minor(quote.total)
        for line in quote.lines:
            exact = sum((step.exact for step in line.steps), Fraction())
            assert rounded(exact * 100, "CNY") == line.amount

    @given(count=st.integers(0, 100), more=st.integers(0, 50))
    def test_never_costs_less_for_more(self, count, more):
        whole = terms(basic(), seats(3), calls())
        few = price(whole, seats=count, usage={"api_calls": Decimal(count * 100)})
        many = price(whole, seats=count + more, usage={"api_calls": Decimal((count + more) * 100)})
        assert many.total >= few.total


class TestSaving:
    @pytest.mark.parametrize(
        ("year", "percent"),
        [("1188.00", 0), ("990.00", 16), ("594.00", 50), ("2000.00", 0), ("0.00", 100)],
    )
    def test_is_rounded_down_and_never_negative(self, year, percent):
        monthly = terms(basic("99.00"))
        assert saving(by_year(monthly, year), monthly) == percent

    def test_of_what_is_free_is_none(self):
        free = terms(basic("0.00"))
        assert saving(by_year(free, "0.00"), free) == 0
