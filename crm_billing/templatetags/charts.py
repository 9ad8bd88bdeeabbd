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
from djmoney.money import Money

from crm_billing.money import exponent, to_minor

register = template.Library()

# All lengths are units of the drawing, not pixels.
WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 4, 12, 26
FLOOR, ROOF = HEIGHT - BOTTOM, TOP
GAP = 4
WIDEST_BAR = 24
LINES = 4


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    width: int
    height: int
    series: int
    name: str
    value: Money


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


@register.inclusion_tag("components/month_chart.html")
def month_chart(
    months: Sequence[tuple[dt.date, Sequence[Money]]], names: str, title: str, identity: str
) -> dict:
    """
    Draw amounts by month as bars: `{% month_chart months names="In|Out" title=t identity="c1" %}`.

    months: (first day, one amount of zero or more per name), oldest first, of one currency.
    identity: an id on the page.
    """
    called = [name.strip() for name in names.split("|")]
    currency = months[0][1][0].currency.code
    largest = max(to_minor(value) for _day, values in months for value in values)
    step = _step(largest, currency)
    top = step * LINES
    room = (WIDTH - LEFT - RIGHT) // len(months)
    groups = [
        _group(day, values, called, LEFT + place * room, room, top)
        for place, (day, values) in enumerate(months)
    ]
    return {
        "title": title,
        "identity": identity,
        "names": list(enumerate(called, start=1)),
        "groups": groups,
        "lines": [
            Line(_y(step * count, top), _short(step * count, currency)) for count in range(5)
        ],
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "floor": FLOOR,
        "label_y": HEIGHT - 8,
        "is_empty": not largest,
    }


def _group(
    day: dt.date, values: Sequence[Money], names: list[str], x: int, room: int, top: int
) -> Group:
    width = min(WIDEST_BAR, (room - 4 * GAP) // len(values))
    start = x + (room - width * len(values) - GAP * (len(values) - 1)) // 2
    bars = []
    for place, (value, name) in enumerate(zip(values, names, strict=True)):
        y = _y(to_minor(value), top)
        bars.append(Bar(start + place * (width + GAP), y, width, FLOOR - y, place + 1, name, value))
    locale = _locale()
    return Group(
        label=format_date(day, "LLL", locale=locale),
        long_label=format_date(day, "yMMMM" if locale == "en" else "y年M月", locale=locale),
        x=x + room // 2,
        bars=bars,
    )


def _y(minor: int, top: int) -> int:
    """
    Return the height of an amount on the drawing; anything above zero can be seen.
    """
    tall = minor * (FLOOR - ROOF) // top
    return FLOOR - (max(tall, 2) if minor > 0 else 0)


def _step(largest: int, currency: str) -> int:
    """
    Return the distance of the lines in minor units: 1, 2, 2.5 or 5 of a power of ten.
    """
    unit = 10 ** exponent(currency)
    least = max(-(-largest // LINES), unit)
    power = 10 ** (len(str(least)) - 1)
    for tenths in (10, 20, 25, 50, 100):
        if power * tenths >= least * 10 and power * tenths % 10 == 0:
            return power * tenths // 10
    return power * 10


def _short(minor: int, currency: str) -> str:
    value = Decimal(minor) / 10 ** exponent(currency)
    return format_compact_decimal(value, locale=_locale(), fraction_digits=1).replace(".0", "")


def _locale() -> str:
    return translation.to_locale(translation.get_language() or "en")
