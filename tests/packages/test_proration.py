from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from djmoney.money import Money
from hypothesis import given
from hypothesis import strategies as st

from crm_billing.money import from_minor, to_minor
from packages.proration import prorate
from tests.packages.vectors import VECTORS

START = datetime(2026, 2, 28, 16, tzinfo=UTC)  # 1 March in Shanghai
END = datetime(2026, 3, 31, 16, tzinfo=UTC)
CASES = {case["name"]: case for case in VECTORS["proration"]["cases"]}


def case_about(words: str) -> dict:
    [case] = [case for name, case in CASES.items() if words in name]
    return case


class TestProrate:
    def test_splits_a_half_as_stripe_does(self):
        case = case_about("10->20 USD")
        half = START + (END - START) / 2

        credit = prorate(Money("-10.00", "USD"), at=half, start=START, end=END)
        debit = prorate(Money("20.00", "USD"), at=half, start=START, end=END)

        assert (to_minor(credit), to_minor(debit)) == (case["credit"], case["debit"])
        assert to_minor(credit + debit) == case["net"]

    def test_prorates_an_upgrade_in_march(self):
        case = case_about("300.00 -> 900.00")
        at = END - timedelta(seconds=case["remaining_seconds"])

        credit = prorate(Money("-300.00", "CNY"), at=at, start=START, end=END)
        debit = prorate(Money("900.00", "CNY"), at=at, start=START, end=END)

        assert (END - START).total_seconds() == case["period_seconds"]
        assert (to_minor(credit), to_minor(debit)) == (case["credit_fen"], case["debit_fen"])
        assert to_minor(credit + debit) == case["net_fen"]

    def test_prorates_added_seats(self):
        case = case_about("3 seats")
        at = END - timedelta(seconds=case["remaining_seconds"])

        debit = prorate(3 * Money("50.00", "CNY"), at=at, start=START, end=END)

        assert to_minor(debit) == case["debit_fen"]

    @pytest.mark.parametrize(
        ("words", "days_in"), [("with DST", None), ("DAY mode", "America/New_York")]
    )
    def test_counts_seconds_or_days_over_a_change_of_clocks(self, words, days_in):
        zone = ZoneInfo("America/New_York")
        start, end = datetime(2026, 3, 1, tzinfo=zone), datetime(2026, 4, 1, tzinfo=zone)
        at = datetime(2026, 3, 8, 12, tzinfo=zone)

        debit = prorate(
            Money("743.00", "USD"),
            at=at.astimezone(UTC),
            start=start.astimezone(UTC),
            end=end.astimezone(UTC),
            days_in=days_in,
        )

        assert to_minor(debit) == case_about(words)["debit"]

    @pytest.mark.parametrize(
        ("at", "minor"),
        [(START - timedelta(days=1), 100), (START, 100), (END, 0), (END + timedelta(days=1), 0)],
    )
    def test_is_all_before_the_period_and_nothing_after_it(self, at, minor):
        assert to_minor(prorate(from_minor(100, "CNY"), at=at, start=START, end=END)) == minor

    def test_refuses_an_empty_period(self):
        with pytest.raises(ValueError, match="ends"):
            prorate(from_minor(100, "CNY"), at=START, start=START, end=START)

    @given(st.integers(-(10**12), 10**12), st.timedeltas(timedelta(), END - START))
    def test_gives_a_credit_that_mirrors_the_debit_within_a_fen_of_exact(self, minor, passed):
        amount = from_minor(minor, "CNY")

        left = prorate(amount, at=START + passed, start=START, end=END)

        assert prorate(-amount, at=START + passed, start=START, end=END) == -left
        period = (END - START) // timedelta(microseconds=1)
        exact = minor * (period - passed // timedelta(microseconds=1))
        assert abs(to_minor(left) * period - exact) * 2 <= period

    @given(st.integers(0, 10**9), st.lists(st.timedeltas(timedelta(), END - START), min_size=2))
    def test_falls_as_time_passes(self, minor, moments):
        amount = from_minor(minor, "CNY")

        parts = [
            prorate(amount, at=START + passed, start=START, end=END) for passed in sorted(moments)
        ]

        assert parts == sorted(parts, reverse=True)
