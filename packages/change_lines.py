"""
The lines of a change as they are kept with its charge.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from djmoney.money import Money

from crm_billing.money import from_minor, rounded, to_minor
from packages import charges
from packages.change_parts import Part


def frozen(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """
    Return the lines of a change as JSON values, in the shape of `charges.frozen`: a share of the
    term times its whole price, and what was given back less because it had not been paid. What is
    taken for a whole term has the steps of its price.
    """
    lines = []
    for part in parts:
        component = part.line.component
        steps = _steps(part)
        lines.append(
            {
                "code": component.code,
                "kind": component.kind,
                "name": component.name,
                "name_en": component.name_en,
                "unit": component.unit,
                "unit_en": component.unit_en,
                "quantity": str(part.line.quantity),
                "included": str(component.included),
                "charged": str(part.line.charged),
                "amount_minor": to_minor(part.amount),
                "ticks": part.ticks,
                "of_ticks": part.of,
                "steps": steps,
            }
        )
    return lines


def _steps(part: Part) -> list[dict[str, Any]]:
    if part.ticks == part.of and part.amount == part.line.amount:
        return [charges.step(one) for one in part.line.steps]
    plain = _share(part.whole, part.ticks, part.of)
    if plain == part.amount:
        units, price = "1" if part.ticks == part.of else f"{part.ticks}/{part.of}", part.whole
    else:
        units, price = "1", plain
    steps: list[dict[str, Any]] = [
        {"units": units, "unit_price": str(price.amount), "flat_price": "0"}
    ]
    if part.line.discount is not None:
        steps[0]["with_coupon"] = part.line.discount.code
    if plain != part.amount:
        less = from_minor(to_minor(part.amount) - to_minor(plain), str(part.amount.currency))
        steps.append(
            {"capped": True, "units": "1", "unit_price": str(less.amount), "flat_price": "0"}
        )
    return steps


def _share(whole: Money, ticks: int, of: int) -> Money:
    return rounded(Fraction(to_minor(whole) * ticks, of), str(whole.currency))
