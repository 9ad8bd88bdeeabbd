"""
How a deduction explains itself: the lines of its price, frozen as plain JSON when it is posted.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from djmoney.money import Money

from crm_billing.money import exponent, from_minor, rounded, to_minor
from packages.quotes import Bound, Line, Share
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
            "steps": [_step(step) for step in line.steps],
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


def _step(step: Step | Share | Bound) -> dict[str, Any]:
    """
    Return a step in the one shape: units × unit price + flat price.
    """
    if isinstance(step, Step):
        return {
            "above": str(step.above),
            "up_to": None if step.up_to is None else str(step.up_to),
            "units": str(step.units),
            "unit_price": str(step.unit_price),
            "flat_price": str(step.flat_price),
        }
    if isinstance(step, Share):
        return {
            "value": str(step.value.amount),
            "units": str(step.count),
            "unit_price": str(step.fee),
            "flat_price": "0",
            "bounded": step.bounded,
        }
    return {"bound": True, "units": "1", "unit_price": str(step.exact), "flat_price": "0"}
