from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.template import engines
from django.utils import translation

from crm_billing.money import from_minor
from crm_billing.templatetags import charts

MONTHS = [date(2025, month, 1) for month in range(1, 7)]


def drawn(minor: list[tuple[int, int]], currency: str = "CNY", language: str = "en") -> dict:
    months = [
        (day, tuple(from_minor(value, currency) for value in values))
        for day, values in zip(MONTHS, minor, strict=False)
    ]
    with translation.override(language):
        return charts.month_chart(months, names="In|Out", title="Flow", identity="c")


class TestMonthChart:
    def test_draws_a_bar_for_each_amount_within_the_frame(self):
        chart = drawn([(610_000, 200_000), (0, 1), (5, 61_000_000)])
        bars = [bar for group in chart["groups"] for bar in group.bars]
        assert len(bars) == 6
        for bar in bars:
            assert charts.ROOF <= bar.y <= charts.FLOOR
            assert bar.y + bar.height == charts.FLOOR
            assert bar.x >= charts.LEFT and bar.x + bar.width <= charts.WIDTH
        assert bars[2].height == 0
        assert bars[3].height == 2  # one fen can still be seen

    def test_survives_months_in_which_nothing_moved(self):
        chart = drawn([(0, 0), (0, 0)])
        assert all(bar.height == 0 for group in chart["groups"] for bar in group.bars)

    @pytest.mark.parametrize(
        ("largest", "currency", "labels"),
        [
            (610_000, "CNY", ["0", "2K", "4K", "6K", "8K"]),
            (100, "CNY", ["0", "1", "2", "3", "4"]),
            (999_900, "CNY", ["0", "2.5K", "5K", "7.5K", "10K"]),
            (90_000, "JPY", ["0", "25K", "50K", "75K", "100K"]),
        ],
    )
    def test_rules_lines_at_round_amounts(self, largest, currency, labels):
        chart = drawn([(largest, 0)], currency)
        assert [line.label for line in chart["lines"]] == labels

    def test_names_the_months_in_the_readers_language(self):
        assert [g.label for g in drawn([(1, 1)] * 6)["groups"]][:2] == ["Jan", "Feb"]
        chinese = drawn([(1, 1)] * 6, language="zh-hans")["groups"]
        assert (chinese[5].label, chinese[5].long_label) == ("6月", "2025年6月")

    def test_is_markup_without_inline_style_or_script(self):
        source = "{% load charts %}{% month_chart months names='In|<b>' title='T' identity='c' %}"
        months = [(MONTHS[0], (from_minor(100, "CNY"), from_minor(200, "CNY")))]
        page = engines["django"].from_string(source).render({"months": months})
        assert "style=" not in page and "<script" not in page and "<b>" not in page
        assert "&lt;b&gt;" in page
        assert page.count("<rect") == 4
        assert "¥2.00" in page


class TestDayChart:
    def drawn(self, *quantities: str, language: str = "en") -> dict:
        days = [
            (date(2025, 3, 1) + timedelta(days=place), Decimal(one), f"{one} GB")
            for place, one in enumerate(quantities)
        ]
        with translation.override(language):
            return charts.day_chart(days, name="Storage", title="By day", identity="c")

    def test_draws_a_month_of_days_within_the_frame(self):
        chart = self.drawn(*(str(place * 37 % 400) for place in range(31)))
        bars = [bar for group in chart["groups"] for bar in group.bars]
        for bar, after in pairwise(bars):
            assert bar.x + bar.width < after.x
        assert bars[0].x >= charts.LEFT and bars[-1].x + bars[-1].width <= charts.WIDTH
        assert all(bar.y + bar.height == charts.FLOOR for bar in bars)

    @pytest.mark.parametrize(
        ("largest", "labels"),
        [
            ("9", ["0", "5", "10", "15", "20"]),
            ("400", ["0", "100", "200", "300", "400"]),
            ("0", ["0", "1", "2", "3", "4"]),
            ("0.5", ["0", "0.2", "0.4", "0.6", "0.8"]),
            ("0.000001", ["0", "0.000001", "0.000002", "0.000003", "0.000004"]),
            ("12345678", ["0", "5M", "10M", "15M", "20M"]),
        ],
    )
    def test_counts_in_whole_units_where_all_are_whole(self, largest, labels):
        assert [line.label for line in self.drawn("0", largest)["lines"]] == labels

    def test_names_a_day_a_week_and_each_in_the_table(self):
        groups = self.drawn(*("1" * 15))["groups"]
        assert [one.label for one in groups if one.label] == ["1 Mar", "8 Mar", "15 Mar"]
        assert groups[1].long_label == "2 March 2025"
        assert self.drawn("1", language="zh-hans")["groups"][0].long_label == "2025年3月1日"
