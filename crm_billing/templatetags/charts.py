"""
Charts drawn on the server: SVG without script and without inline style, and the same as a table.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_compact_decimal
from django import template
from django.utils import translation
from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.money import exponent, to_minor
from crm_billing.templatetags.ui import money

register = template.Library()

# All lengths are units of the drawing, not pixels.
WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 4, 12, 26
FLOOR, ROOF = HEIGHT - BOTTOM, TOP
GAP = 4
WIDEST_BAR = 24
LINES = 4
WEEK = 7  # days between two labels
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    width: int
    height: int
    series: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    label: str
    long_label: str
    x: int
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Line:
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Place:
    """
    What stands at one place of the axis. values: whole numbers of `unit`; texts: what they say.
    """

    label: str
    long_label: str
    values: Sequence[int]
    texts: Sequence[str]


@register.inclusion_tag("components/bar_chart.html")
def month_chart(
    months: Sequence[tuple[dt.date, Sequence[Money]]], names: str, title: str, identity: str
) -> dict:
    """
    Draw amounts by month as bars: `{% month_chart months names="In|Out" title=t identity="c1" %}`.

    months: (first day, one amount of zero or more per name), oldest first, of one currency.
    identity: an id on the page.
    """
    locale = _locale()
    places = [
        Place(
            label=format_date(day, "LLL", locale=locale),
            long_label=format_date(day, "yMMMM" if locale == "en" else "y年M月", locale=locale),
            values=[to_minor(value) for value in values],
            texts=[money(value) for value in values],
        )
        for day, values in months
    ]
    unit = 10 ** exponent(months[0][1][0].currency.code)
    return _drawing(places, names, unit, least=unit) | {
        "title": title,
        "identity": identity,
        "head": _("Month"),
    }


@register.inclusion_tag("components/bar_chart.html")
def day_chart(
    days: Sequence[tuple[dt.date, Decimal, str]], name: str, title: str, identity: str
) -> dict:
    """
    Draw quantities by day as bars: `{% day_chart days name=n title=t identity="c1" %}`.

    days: (day, quantity of zero or more, how it is written), oldest first.
    """
    locale = _locale()
    places = [
        Place(
            label=format_date(day, "d MMM" if locale == "en" else "M月d日", locale=locale)
            if place % WEEK == 0
            else "",
            long_label=format_date(
                day, "d MMMM y" if locale == "en" else "y年M月d日", locale=locale
            ),
            values=[int(value * MICRO)],
            texts=[text],
        )
        for place, (day, value, text) in enumerate(days)
    ]
    is_whole = all(value == value.to_integral_value() for _day, value, _text in days)
    return _drawing(places, name.replace("|", " "), MICRO, least=MICRO if is_whole else 1) | {
        "title": title,
        "identity": identity,
        "head": _("Day"),
    }


def _drawing(places: Sequence[Place], names: str, unit: int, *, least: int) -> dict:
    """
    Return what the template draws. least: the smallest distance of two lines.
    """
    called = [name.strip() for name in names.split("|")]
    largest = max(value for place in places for value in place.values)
    step = _step(largest, least)
    top = step * LINES
    room = (WIDTH - LEFT - RIGHT) // len(places)
    return {
        "names": list(enumerate(called, start=1)),
        "groups": [
            _group(place, called, LEFT + number * room, room, top)
            for number, place in enumerate(places)
        ],
        "lines": [Line(_y(step * count, top), _short(step * count, unit)) for count in range(5)],
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "floor": FLOOR,
        "label_y": HEIGHT - 8,
        "is_empty": not largest,
    }


def _group(place: Place, names: list[str], x: int, room: int, top: int) -> Group:
    gap = min(GAP, room // 8)
    width = min(WIDEST_BAR, (room - 4 * gap) // len(names))
    start = x + (room - width * len(names) - gap * (len(names) - 1)) // 2
    bars = []
    for number, (value, text, name) in enumerate(
        zip(place.values, place.texts, names, strict=True)
    ):
        y = _y(value, top)
        bars.append(
            Bar(start + number * (width + gap), y, width, FLOOR - y, number + 1, name, text)
        )
    return Group(place.label, place.long_label, x + room // 2, bars)


def _y(value: int, top: int) -> int:
    """
    Return the height of an amount on the drawing; anything above zero can be seen.
    """
    tall = value * (FLOOR - ROOF) // top
    return FLOOR - (max(tall, 2) if value > 0 else 0)


def _step(largest: int, smallest: int) -> int:
    """
    Return the distance of the lines: 1, 2, 2.5 or 5 of a power of ten, in whole `smallest`.
    """
    least = max(-(-largest // LINES), smallest)
    power = 10 ** (len(str(least)) - 1)
    for tenths in (10, 20, 25, 50, 100):
        if power * tenths >= least * 10 and power * tenths % (10 * smallest) == 0:
            return power * tenths // 10
    return power * 10


def _short(value: int, unit: int) -> str:
    shown = Decimal(value) / unit
    if 0 < shown < 1:
        return f"{shown.normalize():f}"
    return format_compact_decimal(shown, locale=_locale(), fraction_digits=1).replace(".0", "")


def _locale() -> str:
    return translation.to_locale(translation.get_language() or "en")
