from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages import quotes
from packages.comparing import is_no_worse
from packages.terms import Component
from tests.factories import cny
from tests.packages.shelf import basic, calls, feature, fee, once, seats, terms

OLD = terms(basic("99.00"), seats(3), calls(1000, hard_limit=Decimal(5000)), fee(most=cny("9.00")))


def other(which: int, **facts):
    parts = list(OLD.components)
    parts[which] = replace(parts[which], **facts)
    return replace(OLD, components=tuple(parts))


CHEAP = ({"up_to": "10", "unit_price": "24"}, {"up_to": None, "unit_price": "20"})
DEAR = ({"up_to": "10", "unit_price": "26"}, {"up_to": None, "unit_price": "1"})
MOVED = ({"up_to": "20", "unit_price": "24"}, {"up_to": None, "unit_price": "20"})

NO_WORSE = {
    "the same": OLD,
    "a lower basic price": other(0, amount=cny("98.99")),
    "more included": other(1, included=Decimal(4)),
    "cheaper tiers": other(1, tiers=CHEAP),
    "a smaller share": other(3, bps=59),
    "a lower bound": other(3, most=cny("8.00")),
    "a free feature more": replace(OLD, components=(*OLD.components, feature("0.00"))),
}
WORSE = {
    "a higher basic price": other(0, amount=cny("99.01")),
    "less included": other(1, included=Decimal(2)),
    "one dearer tier": other(1, tiers=DEAR),
    "other steps": other(1, tiers=MOVED),
    "a lower limit": other(2, hard_limit=Decimal(4000)),
    "a higher limit, which lets more be charged": other(2, hard_limit=Decimal(6000)),
    "another unit": other(2, unit="万次"),
    "a larger share": other(3, bps=61),
    "no upper bound": other(3, most=None),
    "a lower bound where none was": other(3, least=cny("0.01")),
    "a feature less": replace(OLD, components=OLD.components[:-1]),
    "a dearer feature more": replace(OLD, components=(*OLD.components, feature("0.01"))),
    "something counted that was not": replace(
        OLD, components=(*OLD.components, calls(10**9, code="exports"))
    ),
    "another term": replace(OLD, interval="year"),
}


class TestIsNoWorse:
    @pytest.mark.parametrize("case", NO_WORSE)
    def test_what_costs_at_most_as_much_is(self, case):
        assert is_no_worse(NO_WORSE[case], OLD)

    @pytest.mark.parametrize("case", WORSE)
    def test_what_may_cost_more_is_not(self, case):
        assert not is_no_worse(WORSE[case], OLD)

    def test_a_pack_may_not_become_dearer_or_smaller(self):
        sold = {"pack_units": Decimal(100), "pack_price": cny("5.00")}
        with_pack = terms(calls(**sold))
        assert is_no_worse(terms(calls(**sold | {"pack_price": cny("4.00")})), with_pack)
        assert not is_no_worse(terms(calls(**sold | {"pack_units": Decimal(99)})), with_pack)
        assert not is_no_worse(terms(calls(**sold | {"pack_price": cny("5.01")})), with_pack)
        assert not is_no_worse(terms(calls()), with_pack)

    def test_by_volume_more_included_may_cost_more(self):
        steps = (
            {"up_to": "10", "unit_price": "10"},
            {"up_to": None, "unit_price": "1"},
        )
        by_volume = seats(0, model="VOLUME", tiers=steps)
        assert not is_no_worse(terms(replace(by_volume, included=Decimal(5))), terms(by_volume))

    @given(
        data=st.data(),
        count=st.integers(0, 60),
        used=st.integers(0, 9000),
    )
    def test_never_costs_more_whatever_is_used(self, data, count, used):
        old, new = data.draw(prices()), data.draw(prices())
        if not is_no_worse(new, old):
            return
        asked = {"seats": count, "usage": {"api_calls": Decimal(used)}}
        was, becomes = (quotes.price(one, **asked) for one in (old, new))
        assert becomes.each_term <= was.each_term
        assert becomes.at_start <= was.at_start
        assert sum(line.amount.amount for line in becomes.lines) <= sum(
            line.amount.amount for line in was.lines
        )


def prices():
    """
    Prices near each other, so that many of them can be compared.
    """
    amount = st.sampled_from(["0.00", "9.00", "10.00"])
    price = st.sampled_from(["0", "0.5", "1"])
    model = st.sampled_from(["PER_UNIT", "GRADUATED", "VOLUME", "PACKAGE"])

    def counted(make):
        def built(model, first, second, flat, included) -> Component:
            tiers = [{"up_to": None, "unit_price": first}]
            if model != "PER_UNIT":
                tiers = [
                    {"up_to": "10", "unit_price": first},
                    {"up_to": None, "unit_price": second, "flat_price": flat},
                ]
            size = Decimal(7) if model == "PACKAGE" else None
            return make(included, model=model, tiers=tuple(tiers), package_size=size)

        return st.builds(built, model, price, price, price, st.sampled_from([0, 3, 5]))

    return st.builds(
        lambda base, setup, seat, use: terms(basic(base), once(setup), seat, use),
        amount,
        amount,
        counted(seats),
        counted(calls),
    )
