from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packages.periods import MONTHS, boundary, instant
from tests.packages.vectors import VECTORS

ZONES = sorted(zone for zone in available_timezones() if "/" in zone)


class TestBoundary:
    @pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["anchor"])
    def test_keeps_the_day_of_the_anchor(self, case):
        anchor = date.fromisoformat(case["anchor"])

        days = [boundary(anchor, case["interval"], n) for n in range(len(case["boundaries"]))]

        assert [day.isoformat() for day in days] == case["boundaries"]

    def test_does_not_drift_as_counting_from_the_last_one_would(self):
        wrong = VECTORS["wrong_chained_example"]["chained_month_by_month"]

        assert boundary(date(2026, 1, 31), "month", 2).isoformat() not in wrong

    def test_counts_backwards_too(self):
        assert boundary(date(2026, 3, 31), "month", -1) == date(2026, 2, 28)
        assert boundary(date(2026, 1, 31), "quarter", -1) == date(2025, 10, 31)

    def test_refuses_an_unknown_interval(self):
        with pytest.raises(ValueError, match="week"):
            boundary(date(2026, 1, 31), "week", 1)

    @given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.sampled_from(sorted(MONTHS)))
    def test_rises_with_every_period_and_stays_in_its_month(self, anchor, interval):
        days = [boundary(anchor, interval, n) for n in range(30)]

        assert days[0] == anchor
        for n, (earlier, later) in enumerate(pairwise(days), start=1):
            assert earlier < later <= boundary(anchor, interval, n)
            months = (later.year - anchor.year) * 12 + later.month - anchor.month
            assert months == n * MONTHS[interval]
            assert later.day == anchor.day or (later.day < anchor.day and _is_last(later))


class TestInstant:
    @pytest.mark.parametrize(
        "case", VECTORS["period_seconds"], ids=lambda case: f"{case['tz']} {case['start']}"
    )
    def test_makes_periods_as_long_as_their_clock_says(self, case):
        start, end = (instant(date.fromisoformat(case[at]), case["tz"]) for at in ("start", "end"))

        assert (end - start).total_seconds() == case["seconds"]

    def test_is_midnight_where_the_customer_is(self):
        assert instant(date(2026, 4, 1), "Asia/Shanghai") == datetime(2026, 3, 31, 16, tzinfo=UTC)

    def test_skips_a_midnight_that_does_not_exist(self):
        # clocks went from 23:59 to 01:00
        assert instant(date(2018, 11, 4), "America/Sao_Paulo") == datetime(
            2018, 11, 4, 3, tzinfo=UTC
        )

    def test_takes_the_first_of_two_midnights(self):
        # clocks went back from 01:00 to midnight
        assert instant(date(2024, 11, 3), "America/Havana") == datetime(2024, 11, 3, 4, tzinfo=UTC)

    @given(
        st.dates(date(1975, 1, 1), date(2035, 1, 1)),
        st.sampled_from(sorted(MONTHS)),
        st.sampled_from(ZONES),
    )
    def test_tiles_time_whatever_anchor_and_zone(self, anchor, interval, zone):
        moments = [instant(boundary(anchor, interval, n), zone) for n in range(13)]

        assert all(start < end for start, end in pairwise(moments))


def _is_last(day: date) -> bool:
    return date.fromordinal(day.toordinal() + 1).day == 1
