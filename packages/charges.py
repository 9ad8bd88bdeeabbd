"""
How a deduction explains itself: the lines of its price, frozen as plain JSON when it is posted.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from djmoney.money import Money

from crm_billing.money import exponent, from_minor, rounded, to_minor
from packages.quotes import Bound, Line, Off, Share
from packages.rating import Step


def frozen(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """
    Return lines as JSON values: {code, kind, name, name_en, unit, unit_en, quantity, included,
    charged, amount_minor, steps}. A step's fields multiply and add up to its line's amount, which
    is rounded once.
    """
    return [
        {
            "code": line.component.code,
            "kind": line.component.kind,
            "name": line.component.name,
            "name_en": line.component.name_en,
            "unit": line.component.unit,
            "unit_en": line.component.unit_en,
            "quantity": str(line.quantity),
            "included": str(line.component.included),
            "charged": str(line.charged),
            "amount_minor": to_minor(line.amount),
            "steps": [step(one) for one in line.steps],
        }
        for line in lines
    ]


def recompute(lines: Sequence[Mapping[str, Any]], currency: str) -> Money:
    """
    Return what frozen lines come to, worked out again from their steps alone.
    """
    total = from_minor(0, currency)
    for line in lines:
        exact = sum((exact_of(step) for step in line["steps"]), Fraction())
        total += rounded(exact * 10 ** exponent(currency), currency)
    return total


def exact_of(step: Mapping[str, Any]) -> Fraction:
    """
    Return a frozen step's unrounded amount, in units of the currency.
    """
    return Fraction(step["units"]) * Fraction(step["unit_price"]) + Fraction(step["flat_price"])


def step(one: Step | Share | Bound | Off) -> dict[str, Any]:
    """
    Return a step as JSON values, in the one shape: units × unit price + flat price.
    """
    if isinstance(one, Step):
        return {
            "above": str(one.above),
            "up_to": None if one.up_to is None else str(one.up_to),
            "units": str(one.units),
            "unit_price": str(one.unit_price),
            "flat_price": str(one.flat_price),
        }
    if isinstance(one, Share):
        return {
            "value": str(one.value.amount),
            "units": str(one.count),
            "unit_price": str(one.fee),
            "flat_price": "0",
            "bounded": one.bounded,
        }
    if isinstance(one, Off):
        return {
            "coupon": one.discount.code,
            "bps": one.discount.bps,
            "units": "1",
            "unit_price": str(one.exact),
            "flat_price": "0",
        }
    return {"bound": True, "units": "1", "unit_price": str(one.exact), "flat_price": "0"}
