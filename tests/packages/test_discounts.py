from decimal import Decimal
from fractions import Fraction

import pytest
from djmoney.money import Money
from hypothesis import given
from hypothesis import strategies as st

from crm_billing.money import exponent, rounded, to_minor
from packages import charges, quotes
from packages.discounts import Course, Discount
from packages.quotes import Off
from tests.factories import cny
from tests.packages.shelf import basic, calls, feature, once, seats, terms

FIFTH = Discount(code="SPRING20", bps=2_000)


def off(amount: str, code: str = "OFF") -> Discount:
    return Discount(code=code, amount=cny(amount))


def amounts(*components, discount: Discount, **asked) -> dict[str, str]:
    quote = quotes.price(terms(*components), discount=discount, **asked)
    return {line.component.code: str(line.amount.amount) for line in quote.lines}


class TestShare:
    def test_goes_off_every_line_that_recurs(self):
        assert amounts(basic("99.00"), seats(1), feature("10.00"), discount=FIFTH, seats=3) == {
            "base": "79.20",
            "seats": "40.00",
            "exports": "8.00",
        }

    def test_goes_off_neither_what_is_paid_once_nor_what_is_used(self):
        used = {"api_calls": 2_000}
        assert amounts(basic("99.00"), once(), calls(1000), discount=FIFTH, usage=used) == {
            "base": "79.20",
            "setup": "500.00",
            "api_calls": "12.30",
        }

    def test_is_rounded_with_its_line_only_once(self):
        third = Discount(code="ODD", bps=3_333)
        quote = quotes.price(terms(basic("0.05")), discount=third)
        [line] = quote.lines
        assert line.amount == cny("0.03")  # 0.033335
        assert line.exact == Fraction("0.05") * Fraction(6_667, 10_000)

    def test_of_all_of_it_leaves_nothing(self):
        free = Discount(code="FREE", bps=10_000)
        quote = quotes.price(terms(basic("99.00"), seats(1)), discount=free, seats=7)
        assert (quote.total, quote.each_term) == (cny(0), cny(0))

    def test_adds_no_step_to_what_costs_nothing(self):
        quote = quotes.price(terms(basic("99.00"), feature()), discount=FIFTH)
        assert [line.discount for line in quote.lines] == [FIFTH, None]


class TestAmount:
    def test_is_split_over_the_lines(self):
        assert amounts(basic("90.00"), feature("30.00"), discount=off("10.00")) == {
            "base": "82.50",
            "exports": "27.50",
        }

    def test_loses_no_fen(self):
        quote = quotes.price(
            terms(basic("33.33"), feature("33.33", "a"), feature("33.33", "b")),
            discount=off("10.00"),
        )
        assert quote.each_term == cny("89.99")

    def test_takes_no_more_than_there_is(self):
        assert amounts(basic("9.00"), feature("3.00"), discount=off("20.00")) == {
            "base": "0.00",
            "exports": "0.00",
        }

    def test_takes_a_line_away_that_is_rounded_up_to_it(self):
        half = seats(0, tiers=({"up_to": None, "unit_price": "0.005"},), model="PER_UNIT")
        quote = quotes.price(terms(half), discount=off("0.01"))
        assert quote.each_term == cny(0)

    def test_takes_nothing_off_nothing(self):
        assert amounts(basic("0.00"), discount=off("20.00")) == {"base": "0.00"}

    def test_is_in_one_currency(self):
        with pytest.raises(ValueError, match="USD"):
            quotes.price(terms(), discount=Discount(code="OFF", amount=Money("1.00", "USD")))


class TestCourse:
    @pytest.mark.parametrize(("left", "costs"), [(None, "80.00"), (2, "80.00"), (0, "100.00")])
    def test_says_what_the_next_renewal_costs(self, left, costs):
        course = Course(discount=FIFTH, left=left, full=cny("100.00"))
        assert course.each_term(cny("80.00")) == cny(costs)


prices = st.decimals(0, 10_000, places=2).map(str)
finest = st.decimals(0, 50, places=6).map(str)
shares = st.integers(1, 10_000).map(lambda bps: Discount(code="X", bps=bps))
sums = st.integers(1, 2_000_000).map(lambda fen: off(str(Decimal(fen) / 100)))


@given(
    base=prices,
    features=st.lists(prices, max_size=4),
    per_seat=finest,
    count=st.integers(1, 40),
    discount=st.one_of(shares, sums),
)
def test_lines_recompute_and_never_fall_below_nothing(base, features, per_seat, count, discount):
    parts = [basic(base), seats(0, model="PER_UNIT", tiers=({"unit_price": per_seat},))]
    parts += [feature(one, f"f{place}") for place, one in enumerate(features)]
    plain = quotes.price(terms(*parts), seats=count)
    cheaper = quotes.price(terms(*parts), seats=count, discount=discount)

    assert charges.recompute(charges.frozen(cheaper.lines), "CNY") == cheaper.total
    for before, after in zip(plain.lines, cheaper.lines, strict=True):
        assert 0 <= after.amount.amount <= before.amount.amount
        assert after.amount == rounded(after.exact * 10 ** exponent("CNY"), "CNY")
        assert sum(isinstance(step, Off) for step in after.steps) <= 1
    taken = to_minor(plain.total) - to_minor(cheaper.total)
    if discount.amount is not None:
        assert taken == min(to_minor(discount.amount), to_minor(plain.total))
    else:
        exact = sum((line.exact for line in plain.lines if line.amount.amount), Fraction())
        share = exact * 100 * (discount.bps or 0) / 10_000
        assert abs(share - taken) <= len(parts)
