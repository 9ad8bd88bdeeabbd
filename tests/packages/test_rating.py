from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from djmoney.money import Money
from hypothesis import given
from hypothesis import strategies as st

from crm_billing.money import rounded, to_minor
from packages.rating import BadQuantity, BadTiers, rate

TIERS = [
    {"up_to": "100", "unit_price": "0.10", "flat_price": "5"},
    {"up_to": "1000", "unit_price": "0.05", "flat_price": "2"},
    {"up_to": None, "unit_price": "0.0123"},
]
PLAIN = [{"up_to": None, "unit_price": "0.0123"}]


def cost(model: str, quantity: str, tiers: list[dict] = TIERS, **options) -> str:
    return f"{rate(model, tiers, Decimal(quantity), 'CNY', **options).amount.amount:f}"


class TestRate:
    @pytest.mark.parametrize(
        ("quantity", "amount"), [("0", "0.00"), ("1", "0.01"), ("100", "1.23"), ("0.5", "0.01")]
    )
    def test_charges_every_unit_alike(self, quantity, amount):
        assert cost("PER_UNIT", quantity, PLAIN) == amount

    @pytest.mark.parametrize(
        ("quantity", "amount"),
        [
            ("0", "0.00"),
            ("1", "5.10"),
            ("100", "15.00"),
            ("100.5", "17.03"),  # 15 + 2 + 0.025
            ("101", "17.05"),
            ("1000", "62.00"),
            ("1001", "62.01"),
            ("2000", "74.30"),
        ],
    )
    def test_walks_the_tiers_when_graduated(self, quantity, amount):
        assert cost("GRADUATED", quantity) == amount

    @pytest.mark.parametrize(
        ("quantity", "amount"),
        [("0", "0.00"), ("1", "5.10"), ("100", "15.00"), ("101", "7.05"), ("2000", "24.60")],
    )
    def test_prices_all_units_by_the_tier_they_end_in_when_by_volume(self, quantity, amount):
        assert cost("VOLUME", quantity) == amount

    @pytest.mark.parametrize(
        ("quantity", "amount"),
        [("0", "0.00"), ("1", "8.00"), ("100", "8.00"), ("100.1", "16.00"), ("250", "24.00")],
    )
    def test_sells_whole_packages(self, quantity, amount):
        tiers = [{"up_to": None, "unit_price": "8"}]

        assert cost("PACKAGE", quantity, tiers, package_size=Decimal(100)) == amount

    @pytest.mark.parametrize(
        ("quantity", "amount"), [("200", "16.00"), ("201", "21.00"), ("301", "26.00")]
    )
    def test_prices_a_package_by_the_tier_it_begins_in(self, quantity, amount):
        tiers = [{"up_to": "200", "unit_price": "8"}, {"up_to": None, "unit_price": "5"}]

        assert cost("PACKAGE", quantity, tiers, package_size=Decimal(100)) == amount

    def test_rounds_the_line_once(self):
        tiers = [{"up_to": "1", "unit_price": "0.004"}, {"up_to": None, "unit_price": "0.004"}]

        assert cost("GRADUATED", "2", tiers) == "0.01"  # not 0.00 + 0.00

    def test_rounds_to_the_places_of_the_currency(self):
        assert rate("PER_UNIT", PLAIN, Decimal(10_000), "JPY").amount == Money(123, "JPY")

    def test_tells_the_steps_that_make_the_price(self):
        line = rate("GRADUATED", TIERS, Decimal(101), "CNY")

        assert [(step.units, step.unit_price, step.flat_price) for step in line.steps] == [
            (100, Decimal("0.10"), 5),
            (1, Decimal("0.05"), 2),
        ]

    @given(
        st.sampled_from(["GRADUATED", "VOLUME", "PACKAGE"]),
        st.decimals(0, 10**9, allow_nan=False, places=4),
    )
    def test_has_steps_that_recompute_the_amount(self, model, quantity):
        size = Decimal(30) if model == "PACKAGE" else None

        line = rate(model, TIERS, quantity, "CNY", package_size=size)

        exact = sum((step.exact for step in line.steps), Fraction())
        assert line.amount == rounded(exact * 100, "CNY")
        units = sum(step.units for step in line.steps)
        assert units == (ceil(Fraction(quantity) / 30) if size else quantity)

    @given(
        st.sampled_from(["GRADUATED", "PACKAGE"]),
        st.lists(st.decimals(0, 3000, allow_nan=False, places=3), min_size=2),
    )
    def test_never_costs_less_for_more(self, model, quantities):
        size = Decimal(7) if model == "PACKAGE" else None

        costs = [
            to_minor(rate(model, TIERS, quantity, "CNY", package_size=size).amount)
            for quantity in sorted(quantities)
        ]

        assert costs == sorted(costs)

    @pytest.mark.parametrize("quantity", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), "ten"])
    def test_refuses_what_is_no_quantity(self, quantity):
        with pytest.raises(BadQuantity):
            rate("PER_UNIT", PLAIN, quantity, "CNY")

    @pytest.mark.parametrize(
        ("model", "tiers", "size"),
        [
            ("FLAT", PLAIN, None),
            ("PER_UNIT", [], None),
            ("PER_UNIT", TIERS, None),
            ("PACKAGE", PLAIN, None),
            ("PACKAGE", PLAIN, Decimal(0)),
            ("VOLUME", PLAIN, Decimal(10)),
            ("GRADUATED", TIERS[:2], None),
            ("GRADUATED", [PLAIN[0], *TIERS], None),
            ("GRADUATED", [TIERS[1], TIERS[0], TIERS[2]], None),
            ("GRADUATED", [TIERS[0], TIERS[0], TIERS[2]], None),
            ("GRADUATED", [{"up_to": "0", "unit_price": "1"}, *PLAIN], None),
            ("PER_UNIT", [{"up_to": None, "unit_price": "-1"}], None),
            ("PER_UNIT", [{"up_to": None, "unit_price": "much"}], None),
        ],
    )
    def test_refuses_prices_that_leave_a_quantity_without_one(self, model, tiers, size):
        with pytest.raises(BadTiers):
            rate(model, tiers, Decimal(1), "CNY", package_size=size)
