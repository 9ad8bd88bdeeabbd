"""
What a price says, as plain values: a version in the database and one not yet written are alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import get_language
from djmoney.money import Money

from crm_billing.money import from_minor
from packages.periods import MONTHS

RECURRING, FEATURE, ONE_OFF = "RECURRING", "FEATURE", "ONE_OFF"
SEAT, METERED, PERCENTAGE = "SEAT", "METERED", "PERCENTAGE"
FIXED = (RECURRING, FEATURE, ONE_OFF)  # an amount
COUNTED = (SEAT, METERED)  # tiers
USED = (METERED, PERCENTAGE)  # known only when it has been used

NO_TERM = ""  # of what is bought once
Tier = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """
    One line of a price.

    code: of the feature or the meter. name, unit: in Chinese and in English.
    amount: of RECURRING and FEATURE per term, of ONE_OFF once.
    model, tiers, package_size: of SEAT and METERED, as `rating.rate` takes them.
    included: units of the term that cost nothing. hard_limit: more is not delivered.
    pack_units, pack_price: of METERED, what can be bought on top for the running term.
    bps, least, most: of PERCENTAGE, for each transaction; period_least, period_most: for all of a
    term, the least only when there was one.
    """

    kind: str
    code: str
    name: str
    name_en: str
    unit: str = ""
    unit_en: str = ""
    amount: Money | None = None
    model: str = ""
    tiers: tuple[Tier, ...] = ()
    package_size: Decimal | None = None
    included: Decimal = Decimal(0)
    hard_limit: Decimal | None = None
    pack_units: Decimal | None = None
    pack_price: Money | None = None
    bps: int | None = None
    least: Money | None = None
    most: Money | None = None
    period_least: Money | None = None
    period_most: Money | None = None

    @property
    def called(self) -> str:
        return spoken(self.name, self.name_en)

    @property
    def counted_in(self) -> str:
        return self.unit_en if in_english() else self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """
    What a top-up package promises: pay `amount`, get `bonus` on top.

    bonus_days: how long the bonus lives, None for ever.
    """

    amount: Money
    bonus: Money
    bonus_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    One price of a package: for a currency and a term, or for once with NO_TERM.
    """

    currency: str
    interval: str = NO_TERM
    trial_days: int = 0
    components: tuple[Component, ...] = ()
    offer: Offer | None = None

    @property
    def months(self) -> int:
        """
        Return how many months a term has; 1 where there is none.
        """
        return MONTHS.get(self.interval, 1)

    def of_kind(self, *kinds: str) -> list[Component]:
        return [one for one in self.components if one.kind in kinds]

    @property
    def fixed(self) -> Money:
        """
        Return what each term costs before seats and usage.
        """
        parts = [one.amount for one in self.of_kind(RECURRING, FEATURE) if one.amount is not None]
        return sum(parts, from_minor(0, self.currency))


def spoken(chinese: str, english: str) -> str:
    """
    Return the name for the reader's language.
    """
    return english if english and in_english() else chinese


def in_english() -> bool:
    return (get_language() or "").startswith("en")
