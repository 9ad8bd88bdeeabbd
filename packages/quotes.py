"""
What a price comes to for so many seats and so much use. Pure: terms in, lines and their sum out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.money import exponent, from_minor, rounded, to_minor
from packages import rating
from packages.discounts import DISCOUNTED, Discount
from packages.rating import Step
from packages.terms import COUNTED, FIXED, ONE_OFF, PERCENTAGE, SEAT, USED, Component, Terms


@dataclass(frozen=True, slots=True)
class Turnover:
    """
    Transactions of one value.
    """

    value: Money
    count: int = 1


Use = Decimal | int | Sequence[Turnover]


@dataclass(frozen=True, slots=True)
class Share:
    """
    What transactions of one value cost: `count` × `fee`, which is the share within its bounds.

    fee: of one transaction, unrounded, in units of the currency.
    """

    value: Money
    count: int
    fee: Fraction
    bounded: bool

    @property
    def exact(self) -> Fraction:
        return self.fee * self.count


@dataclass(frozen=True, slots=True)
class Bound:
    """
    What the least or the most of a term adds or takes away.
    """

    exact: Fraction


@dataclass(frozen=True, slots=True)
class Off:
    """
    What a coupon takes off a line, so `exact` is negative.
    """

    exact: Fraction
    discount: Discount


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """
    One component's part of the price. Its steps' `exact` add up to it before its one rounding.

    quantity: what was asked for; charged: beyond what is included and within the hard limit;
    refused: beyond the hard limit, neither delivered nor charged.
    """

    component: Component
    amount: Money
    steps: Sequence[Step | Share | Bound | Off]
    quantity: Decimal = Decimal(1)
    charged: Decimal = Decimal(1)
    refused: Decimal = Decimal(0)

    @property
    def exact(self) -> Fraction:
        return sum((step.exact for step in self.steps), Fraction())

    @property
    def discount(self) -> Discount | None:
        return next((step.discount for step in self.steps if isinstance(step, Off)), None)

    @property
    def is_once(self) -> bool:
        return self.component.kind == ONE_OFF

    @property
    def is_use(self) -> bool:
        return self.component.kind in USED

    @property
    def recurs(self) -> bool:
        """
        Tell whether it is paid with every term, before it.
        """
        return not (self.is_once or self.is_use)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """
    total: of the first term; each_term: what comes again with every term; at_start: of the first
    term before anything is used.
    """

    terms: Terms
    lines: list[Line]
    total: Money
    each_term: Money
    at_start: Money

    @property
    def per_month(self) -> Money:
        """
        Return a month's part of each term, rounded half up: for comparison, never charged.
        """
        return rounded(Fraction(to_minor(self.each_term), self.terms.months), self.terms.currency)


def price(
    terms: Terms,
    *,
    seats: int = 1,
    usage: Mapping[str, Use] | None = None,
    discount: Discount | None = None,
) -> Quote:
    """
    Return what a term costs with so many seats and so much use in it.

    usage: code of a component -> quantity; of a PERCENTAGE its transactions. What is not named
    is not used.
    discount: taken off what recurs and off seats, not off what is paid once or used.
    raises BadQuantity: a negative quantity, or none.
    """
    used = usage or {}
    lines = [_line(one, terms.currency, seats, used.get(one.code, 0)) for one in terms.components]
    if discount is not None:
        lines = _discounted(lines, discount, terms.currency)
    return Quote(
        terms=terms,
        lines=lines,
        total=_sum(lines, terms.currency),
        each_term=_sum((one for one in lines if not one.is_once), terms.currency),
        at_start=_sum((one for one in lines if not one.is_use), terms.currency),
    )


def saving(terms: Terms, monthly: Terms) -> int:
    """
    Return by how many per cent the longer term is cheaper than as many single months.

    Rounded down: nobody saves less than is said. Compares what is fixed; 0 when nothing is saved.
    """
    single = to_minor(monthly.fixed) * terms.months
    if single <= 0:
        return 0
    return max(100 * (single - to_minor(terms.fixed)) // single, 0)


def _discounted(lines: list[Line], discount: Discount, currency: str) -> list[Line]:
    cheaper = [one for one in lines if one.component.kind in DISCOUNTED and one.amount.amount]
    off = discount.off([one.exact for one in cheaper], currency)
    by_code = {one.component.code: part for one, part in zip(cheaper, off, strict=True) if part}
    return [
        _less(one, Off(-by_code[one.component.code], discount), currency)
        if one.component.code in by_code
        else one
        for one in lines
    ]


def _less(line: Line, step: Off, currency: str) -> Line:
    exact = (line.exact + step.exact) * 10 ** exponent(currency)
    return replace(line, amount=rounded(exact, currency), steps=[*line.steps, step])


def _line(component: Component, currency: str, seats: int, used: Use) -> Line:
    if component.kind in FIXED:
        amount = component.amount or from_minor(0, currency)
        step = Step(Decimal(0), None, Decimal(1), amount.amount, Decimal(0))
        return Line(component=component, amount=amount, steps=[step])
    if component.kind in COUNTED:
        return _counted(component, currency, seats if component.kind == SEAT else used)
    if component.kind == PERCENTAGE:
        return _shares(component, currency, used if isinstance(used, Sequence) else ())
    raise ValueError(f"{component.kind!r} is no kind of component")


def _counted(component: Component, currency: str, used: Use) -> Line:
    quantity = Decimal(str(used))
    reachable = charged = quantity
    if quantity.is_finite() and quantity > 0:  # of others `rate` says what is wrong with them
        if component.hard_limit is not None:
            reachable = min(quantity, component.hard_limit)
        charged = max(reachable - component.included, Decimal(0))
    rated = rating.rate(
        component.model,
        [dict(tier) for tier in component.tiers],
        charged,
        currency,
        package_size=component.package_size,
    )
    return Line(
        component=component,
        amount=rated.amount,
        steps=rated.steps,
        quantity=quantity,
        charged=charged,
        refused=quantity - reachable,
    )


def _shares(component: Component, currency: str, turnover: Sequence[Turnover]) -> Line:
    steps: list[Share | Bound] = [_share(component, one) for one in turnover if one.count]
    exact = sum((step.exact for step in steps), Fraction())
    within = exact
    if steps:
        within = _within(exact, component.period_least, component.period_most)
    if within != exact:
        steps.append(Bound(within - exact))
    value = sum((one.value.amount * one.count for one in turnover), Decimal(0))
    return Line(
        component=component,
        amount=rounded(within * 10 ** exponent(currency), currency),
        steps=steps,
        quantity=value,
        charged=value,
    )


def _share(component: Component, one: Turnover) -> Share:
    if one.count < 0 or one.value.amount < 0:
        raise rating.BadQuantity(_("A quantity cannot be negative."), field="quantity")
    plain = Fraction(one.value.amount) * (component.bps or 0) / 10_000
    fee = _within(plain, component.least, component.most)
    return Share(one.value, one.count, fee, bounded=fee != plain)


def _within(exact: Fraction, least: Money | None, most: Money | None) -> Fraction:
    if least is not None:
        exact = max(exact, Fraction(least.amount))
    if most is not None:
        exact = min(exact, Fraction(most.amount))
    return exact


def _sum(lines: Iterable[Line], currency: str) -> Money:
    return sum((line.amount for line in lines), from_minor(0, currency))
