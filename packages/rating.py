"""
What a quantity costs. Pure: exact decimals inside, one rounding at the end of the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil

from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.errors import DomainError
from crm_billing.money import exponent, rounded

PER_UNIT, GRADUATED, VOLUME, PACKAGE = "PER_UNIT", "GRADUATED", "VOLUME", "PACKAGE"
MODELS = (PER_UNIT, GRADUATED, VOLUME, PACKAGE)


class BadTiers(DomainError):
    """
    Prices that do not say for every quantity what it costs.
    """

    code = "bad_tiers"


class BadQuantity(DomainError):
    """
    A quantity that cannot be charged: negative, or no number.
    """

    code = "bad_quantity"


@dataclass(frozen=True, slots=True)
class Step:
    """
    One tier's share of a line: `units` × `unit_price` + `flat_price` = `exact`, unrounded.

    units: what is multiplied, whole packages where packages are sold.
    above, up_to: the tier's bounds; up_to None: without end.
    """

    above: Decimal
    up_to: Decimal | None
    units: Decimal
    unit_price: Decimal
    flat_price: Decimal

    @property
    def exact(self) -> Fraction:
        return Fraction(self.units) * Fraction(self.unit_price) + Fraction(self.flat_price)


@dataclass(frozen=True, slots=True)
class RatedLine:
    """
    The price of a quantity, and the steps that add up to it before its one rounding.
    """

    amount: Money
    steps: list[Step]


@dataclass(frozen=True, slots=True)
class _Tier:
    above: Decimal
    up_to: Decimal | None
    unit_price: Decimal
    flat_price: Decimal

    def below(self, quantity: Decimal) -> Decimal:
        """
        Return how far `quantity` reaches, no further than this tier's end.
        """
        return quantity if self.up_to is None else min(quantity, self.up_to)


def rate(
    model: str,
    tiers: list[dict],
    quantity: Decimal,
    currency: str,
    *,
    package_size: Decimal | None = None,
) -> RatedLine:
    """
    Return what `quantity` costs, rounded once, half up, to the currency's smallest unit.

    PER_UNIT: one tier, every unit at its price. GRADUATED: each tier's units at that tier's
    price. VOLUME: all units at the price of the tier the quantity ends in. PACKAGE: begun
    packages of `package_size` units are whole ones, each at the price of the tier it begins in.
    A tier's flat price counts once when the tier is entered; nothing costs nothing.

    tiers: {"up_to": "100" | None, "unit_price": "0.0123", "flat_price": "5"}, rising, `up_to`
    inclusive and None in the last, prices in units of the currency, finer than its smallest too.
    raises BadTiers, BadQuantity: with the reason.
    source: D§8.2 Metering
    """
    ladder = _ladder(model, tiers, package_size)
    quantity = _number(quantity, BadQuantity)
    if quantity < 0:
        raise BadQuantity(_("A quantity cannot be negative."), field="quantity")
    entered = [tier for tier in ladder if tier.above < quantity]
    if model == VOLUME:
        entered = entered[-1:]
    steps = [_step(model, tier, quantity, package_size) for tier in entered]
    exact = sum((step.exact for step in steps), Fraction())
    return RatedLine(amount=rounded(exact * 10 ** exponent(currency), currency), steps=steps)


def _step(model: str, tier: _Tier, quantity: Decimal, package_size: Decimal | None) -> Step:
    reached = tier.below(quantity)
    if model == VOLUME:
        units = quantity
    elif package_size is not None:
        units = Decimal(_begun(reached, package_size) - _begun(tier.above, package_size))
    else:
        units = reached - tier.above
    return Step(tier.above, tier.up_to, units, tier.unit_price, tier.flat_price)


def _begun(quantity: Decimal, package_size: Decimal) -> int:
    return ceil(Fraction(quantity) / Fraction(package_size))


def _ladder(model: str, tiers: Sequence[dict], package_size: Decimal | None) -> list[_Tier]:
    if model not in MODELS:
        raise BadTiers(_("There is no such price model."), field="model")
    if (model == PACKAGE) != (package_size is not None) or (
        package_size is not None and (_number(package_size, BadTiers) <= 0)
    ):
        raise BadTiers(_("Packages, and only they, have a size above zero."), field="package_size")
    if not tiers or (model == PER_UNIT and len(tiers) > 1):
        raise BadTiers(_("A price per unit has one tier, every other price one or more."))
    ladder: list[_Tier] = []
    for place, tier in enumerate(tiers, start=1):
        above = ladder[-1].up_to if ladder else Decimal(0)
        ends = tier.get("up_to")
        if (ends is None) != (place == len(tiers)) or above is None:
            raise BadTiers(_("Only the last tier has no end."), field="tiers")
        up_to = None if ends is None else _number(ends, BadTiers)
        if up_to is not None and up_to <= above:
            raise BadTiers(_("Each tier must end above the one before."), field="tiers")
        prices = [_number(tier.get(name) or "0", BadTiers) for name in ("unit_price", "flat_price")]
        if min(prices) < 0:
            raise BadTiers(_("A price cannot be negative."), field="tiers")
        ladder.append(_Tier(above, up_to, *prices))
    return ladder


def _number(value: object, refusal: type[DomainError]) -> Decimal:
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        number = Decimal("NaN")
    if not number.is_finite():
        raise refusal(_("%(value)s is not a number.") % {"value": value})
    return number
