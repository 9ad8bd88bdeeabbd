"""
What a coupon takes off a price. Pure: exact amounts in, what goes off each of them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from djmoney.money import Money

from crm_billing.money import allocate, exponent, from_minor, rounded, to_minor
from packages.terms import FEATURE, RECURRING, SEAT

DISCOUNTED = (RECURRING, FEATURE, SEAT)  # what comes again with every term, and seats


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """
    A share of every line, or an amount off all of them together.

    code: of the coupon. bps: the share; else `amount`, per term.
    """

    code: str
    bps: int | None = None
    amount: Money | None = None

    def off(self, lines: Sequence[Fraction], currency: str) -> list[Fraction]:
        """
        Return what goes off each line: never less than nothing, never more than there is.

        A share is exact. An amount is split over the lines as they are rounded, in whole minor
        units; a line it covers goes off whole.

        lines: what each costs, unrounded, in units of the currency.
        raises ValueError: the amount is in another currency.
        """
        if self.amount is None:
            return [line * (self.bps or 0) / 10_000 for line in lines]
        if self.amount.currency.code != currency:
            raise ValueError(f"{self.code} is in {self.amount.currency}, not in {currency}")
        unit = 10 ** exponent(currency)
        weights = [to_minor(rounded(line * unit, currency)) for line in lines]
        if not any(weights):
            return [Fraction()] * len(lines)
        most = min(to_minor(self.amount), sum(weights))
        parts = [to_minor(part) for part in allocate(from_minor(most, currency), weights)]
        return [
            line if part == weight else Fraction(part, unit)
            for line, part, weight in zip(lines, parts, weights, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """
    How a coupon goes on. left: renewals still to come with it, None for ever. full: what each
    costs after them.
    """

    discount: Discount
    left: int | None
    full: Money

    def each_term(self, discounted: Money) -> Money:
        """
        Return what the next renewal costs, which is `discounted` while the coupon holds.
        """
        return self.full if self.left == 0 else discounted
