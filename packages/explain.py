"""
Why a charge is what it is, told from the lines that were frozen when it was posted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from djmoney.money import Money

from crm_billing.money import exponent, from_minor
from crm_billing.templatetags.ui import money
from packages import charges, wording
from packages.models import Charge
from packages.terms import COUNTED, in_english, spoken

TICKS = 10**6  # of a second
MINUTE, HOUR, DAY = 60 * TICKS, 3600 * TICKS, 24 * 3600 * TICKS
MOST_PLACES = 8  # of a price shown; what is longer is cut, and marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One step of a line. told: its sum written out. amount: what that comes to, unrounded.
    """

    told: str
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """
    One line of a charge. quantity: of what is counted, else empty. exact: before rounding, where
    rounding changed it.
    """

    label: str
    quantity: str
    included: str
    charged: str
    steps: list[Step]
    exact: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """
    lines: all that was charged. total: what they come to, worked out again from their steps.
    """

    lines: list[Line]
    total: Money


def explain(charge: Charge) -> Explanation:
    """
    Tell a charge from its own lines alone; nothing is looked up in the catalogue.
    """
    return Explanation(
        lines=told(charge.lines, charge.currency),
        total=charges.recompute(charge.lines, charge.currency),
    )


def told(lines: Sequence[Mapping[str, Any]], currency: str) -> list[Line]:
    """
    Tell frozen lines, of a charge or of a change not yet made.
    """
    return [_line(line, currency) for line in lines if _matters(line)]


def _matters(line: Mapping[str, Any]) -> bool:
    return bool(line["amount_minor"]) or line["kind"] in COUNTED


def _line(line: Mapping[str, Any], currency: str) -> Line:
    counted = line["kind"] in COUNTED
    amount = from_minor(line["amount_minor"], currency)
    exact = sum((charges.exact_of(step) for step in line["steps"]), Fraction())
    return Line(
        label=_label(line),
        quantity=_quantity(line, "quantity") if counted else "",
        included=_quantity(line, "included") if counted and Decimal(line["included"]) else "",
        charged=_quantity(line, "charged") if counted else "",
        steps=[step_told(step, currency) for step in line["steps"] if _is_told(step, line)],
        exact=_written(exact, currency) if exact != Fraction(amount.amount) else "",
        amount=amount,
    )


def _label(line: Mapping[str, Any]) -> str:
    name = spoken(line["name"], line["name_en"])
    return _("Given back: %(name)s") % {"name": name} if line["amount_minor"] < 0 else name


def _is_told(step: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """
    Tell whether a step says more than its line: a price taken once does not.
    """
    return len(line["steps"]) > 1 or line["kind"] in COUNTED or "value" in step or _is_share(step)


def _is_share(step: Mapping[str, Any]) -> bool:
    return "/" in step["units"]


def _share(step: Mapping[str, Any], currency: str) -> str:
    """
    Write a share of a term out in seconds, with every digit: who works it out gets the amount.
    """
    left, whole = (int(part) for part in step["units"].split("/"))
    return _("%(price)s × %(left)s / %(whole)s seconds (about %(time)s of %(term)s)") % {
        "price": _written(step["unit_price"], currency),
        "left": wording.number(Decimal(left) / TICKS),
        "whole": wording.number(Decimal(whole) / TICKS),
        "time": _time(left),
        "term": _time(whole),
    }


def _time(ticks: int) -> str:
    """
    Write a time to the nearest hour, of less than a day to the nearest minute: for reading, never
    for counting.
    """
    unit = HOUR if ticks >= DAY else MINUTE
    days, rest = divmod((2 * ticks + unit) // (2 * unit) * unit, DAY)
    hours, minutes = divmod(rest, HOUR)
    return " ".join(_times(days, hours, minutes // MINUTE))


def _times(days: int, hours: int, minutes: int) -> list[str]:
    said = []
    if days:
        said.append(ngettext("%(count)s day", "%(count)s days", days) % {"count": days})
    if hours:
        said.append(ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours})
    if minutes or not said:
        told = ngettext("%(count)s minute", "%(count)s minutes", minutes)
        said.append(told % {"count": minutes})
    return said


def step_told(step: Mapping[str, Any], currency: str) -> Step:
    """
    Write a frozen step out.
    """
    exact = _written(charges.exact_of(step), currency)
    if step.get("not_allowed"):
        return Step(told=_("more than you allowed, not taken"), amount=exact)
    if "coupon" in step:
        return Step(told=wording.by_coupon(step["coupon"], step["bps"]), amount=exact)
    if step.get("owed"):
        return Step(told=_("used before the price changed"), amount=exact)
    if step.get("capped"):
        return Step(told=_("no more than was paid for it"), amount=exact)
    if _is_share(step):
        told = _share(step, currency)
        if "with_coupon" in step:
            told += _(", price with coupon %(code)s") % {"code": step["with_coupon"]}
        return Step(told=told, amount=exact)
    if step.get("bound"):
        grows = charges.exact_of(step) > 0
        return Step(told=_("least of a term") if grows else _("most of a term"), amount=exact)
    told = f"{wording.number(Decimal(step['units']))} × {_written(step['unit_price'], currency)}"
    if Fraction(step["flat_price"]):
        told += f" + {_written(step['flat_price'], currency)}"
    reach = _reach(step)
    return Step(told=f"{reach}: {told}" if reach else told, amount=exact)


def _reach(step: Mapping[str, Any]) -> str:
    """
    Say which tier a step is of, where its price has several.
    """
    if "above" not in step or (step["up_to"] is None and not Decimal(step["above"])):
        return ""
    first = Decimal(step["above"]) + 1
    if step["up_to"] is None:
        return f"{wording.number(first)} +"
    return f"{wording.number(first)} – {wording.number(Decimal(step['up_to']))}"


def _quantity(line: Mapping[str, Any], what: str) -> str:
    unit = line["unit_en"] if in_english() else line["unit"]
    return f"{wording.number(Decimal(line[what]))} {unit}".strip()


def _written(value: Fraction | str, currency: str) -> str:
    """
    Write an exact amount with all its digits.
    """
    exact = Fraction(value)
    places = Decimal(1).scaleb(-MOST_PLACES)
    plain = Decimal(exact.numerator) / Decimal(exact.denominator)
    short = plain.quantize(places)
    mark = "" if Fraction(short) == exact else "…"
    least = Decimal(1).scaleb(-exponent(currency))
    shown = short.normalize()
    shown = shown if shown.as_tuple().exponent < -exponent(currency) else short.quantize(least)
    return money(Money(shown, currency)) + mark
