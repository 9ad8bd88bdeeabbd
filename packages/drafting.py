"""
Whether terms make sense, and how they are written down. Nothing here decides what is on sale.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.models import Customer
from crm_billing.errors import DomainError
from crm_billing.money import InexactMoney, to_minor
from packages import rating
from packages.models import Package, PriceComponent, PriceVersion, TopUpOffer
from packages.models.prices import LONGEST_BONUS_DAYS, LONGEST_TRIAL_DAYS
from packages.periods import MONTHS
from packages.terms import (
    COUNTED,
    FIXED,
    METERED,
    NO_TERM,
    ONE_OFF,
    PERCENTAGE,
    RECURRING,
    Component,
    Offer,
    Terms,
)

# The text of packages/wording.py that customers are shown with a price. A new text, a new name.
TERMS_VERSION = "charging-1"
COMPONENT_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
LARGEST_NUMBER = Decimal(10) ** 12
FINEST = -9  # decimal places of a unit's price


class BadPrice(DomainError):
    """
    Terms that contradict themselves or do not fit their package.
    """

    code = "bad_price"


def check(kind: str, terms: Terms) -> None:
    """
    Refuse terms that a package of this kind cannot have.

    raises BadPrice: `data["field"]` names the component or the fact.
    raises BadTiers: as `rating.rate`.
    """
    if terms.currency not in settings.CURRENCIES:
        raise BadPrice(_("This currency is not known."), field="currency")
    if terms.interval not in (NO_TERM, *MONTHS):
        raise BadPrice(_("There is no such term."), field="interval")
    if not 0 <= terms.trial_days <= LONGEST_TRIAL_DAYS:
        raise BadPrice(_("A trial has at most a year."), field="trial_days")
    if kind == Package.Kind.TOP_UP:
        _check_offer(terms)
        return
    if terms.offer is not None or not terms.components:
        raise BadPrice(_("Only top-up packages promise a bonus, and all others have components."))
    codes = [one.code for one in terms.components]
    if len(set(codes)) < len(codes):
        raise BadPrice(_("Each component needs a code of its own."), field="code")
    for one in terms.components:
        _check_component(one, terms.currency)
    basics = len(terms.of_kind(RECURRING))
    if kind == Package.Kind.PLAN and (basics != 1 or terms.interval == NO_TERM):
        raise BadPrice(_("A plan has a term and one basic price."), field="interval")
    if terms.interval == NO_TERM and len(terms.of_kind(ONE_OFF)) < len(terms.components):
        raise BadPrice(_("Without a term there is nothing but one-off prices."), field="interval")


def write(
    package: Package, terms: Terms, *, at: datetime, customer: Customer | None = None
) -> PriceVersion:
    """
    Write a version that is not yet published. The package is locked; the terms have been checked.
    """
    latest = package.prices.order_by("-number").values_list("number", flat=True).first()
    version = PriceVersion.objects.create(
        package=package,
        number=(latest or 0) + 1,
        currency=terms.currency,
        interval=terms.interval,
        customer=customer,
        trial_days=terms.trial_days,
        terms_version=TERMS_VERSION,
        created_at=at,
    )
    PriceComponent.objects.bulk_create(
        _row(version, place, one) for place, one in enumerate(terms.components)
    )
    if terms.offer is not None:
        TopUpOffer.objects.create(
            version=version,
            amount_minor=to_minor(terms.offer.amount),
            bonus_minor=to_minor(terms.offer.bonus),
            bonus_days=terms.offer.bonus_days,
        )
    return version


def _row(version: PriceVersion, place: int, one: Component) -> PriceComponent:
    return PriceComponent(
        version=version,
        position=place,
        kind=one.kind,
        code=one.code,
        name=one.name,
        name_en=one.name_en,
        unit=one.unit,
        unit_en=one.unit_en,
        amount_minor=_minor(one.amount),
        model=one.model,
        tiers=[dict(tier) for tier in one.tiers],
        package_size=one.package_size,
        included=one.included,
        hard_limit=one.hard_limit,
        pack_units=one.pack_units,
        pack_minor=_minor(one.pack_price),
        bps=one.bps,
        least_minor=_minor(one.least),
        most_minor=_minor(one.most),
        period_least_minor=_minor(one.period_least),
        period_most_minor=_minor(one.period_most),
    )


def _check_offer(terms: Terms) -> None:
    offer = terms.offer
    if offer is None or terms.components or terms.interval != NO_TERM or terms.trial_days:
        raise BadPrice(_("A top-up package is an amount and a bonus, and nothing else."))
    _check_amounts([offer.amount, offer.bonus], terms.currency, "offer")
    if to_minor(offer.amount) == 0:
        raise BadPrice(_("Enter an amount above zero."), field="amount")
    if not _lives(offer):
        raise BadPrice(
            _("A bonus lives from 1 to %(most)s days, or for ever.") % {"most": LONGEST_BONUS_DAYS},
            field="bonus_days",
        )


def _lives(offer: Offer) -> bool:
    return offer.bonus_days is None or 1 <= offer.bonus_days <= LONGEST_BONUS_DAYS


def _check_component(one: Component, currency: str) -> None:
    if one.kind not in PriceComponent.Kind.values:
        raise BadPrice(_("There is no such kind of component."), field=one.code)
    if not COMPONENT_CODE.fullmatch(one.code) or not one.name or not one.name_en:
        raise BadPrice(_("A component has a plain code and two names."), field=one.code)
    bounds = [one.least, one.most, one.period_least, one.period_most]
    _check_amounts([one.amount, *bounds], currency, one.code)
    if (one.amount is not None) != (one.kind in FIXED):
        raise BadPrice(_("Fixed prices, and only they, have an amount."), field=one.code)
    if (one.bps is not None) != (one.kind == PERCENTAGE) or not 0 <= (one.bps or 0) <= 10_000:
        raise BadPrice(_("Shares, and only they, have basis points up to 10,000."), field=one.code)
    if one.kind != PERCENTAGE and any(bound is not None for bound in bounds):
        raise BadPrice(_("Only shares have a least and a most."), field=one.code)
    for least, most in ((one.least, one.most), (one.period_least, one.period_most)):
        if least is not None and most is not None and most < least:
            raise BadPrice(_("The most must not be below the least."), field=one.code)
    if one.kind in COUNTED:
        _check_tiers(one, currency)
    elif one.model or one.tiers or one.package_size is not None:
        raise BadPrice(_("Only seats and usage have tiers."), field=one.code)
    has_pack = one.pack_units is not None
    if has_pack != (one.pack_price is not None) or (has_pack and one.kind != METERED):
        raise BadPrice(_("An extra pack is of usage and has units and a price."), field=one.code)
    if one.pack_units is not None and one.pack_price is not None:
        _check_amounts([one.pack_price], currency, one.code)
        if one.pack_units <= 0 or one.pack_price.amount <= 0:
            raise BadPrice(_("An extra pack has units and a price above zero."), field=one.code)
    if one.included < 0 or (one.hard_limit is not None and one.hard_limit < one.included):
        raise BadPrice(_("The hard limit must not be below what is included."), field=one.code)


def _check_tiers(one: Component, currency: str) -> None:
    """
    Rate nothing, which reads every tier and refuses a ladder with holes.
    """
    try:
        rating.rate(
            one.model,
            [dict(tier) for tier in one.tiers],
            Decimal(0),
            currency,
            package_size=one.package_size,
        )
    except rating.BadTiers as refusal:
        refusal.data["field"] = one.code
        raise
    for tier in one.tiers:
        _check_numbers((tier.get(name) for name in ("up_to", "unit_price", "flat_price")), one.code)
    _check_numbers([one.package_size, one.included, one.hard_limit, one.pack_units], one.code)


def _check_numbers(values: Iterable[object], field: str) -> None:
    for value in values:
        if value in (None, ""):
            continue
        number = Decimal(str(value))
        places = number.as_tuple().exponent
        if number > LARGEST_NUMBER or not isinstance(places, int) or places < FINEST:
            raise BadPrice(
                _("%(number)s is too large or too fine.") % {"number": number}, field=field
            )


def _check_amounts(amounts: Iterable[Money | None], currency: str, field: str) -> None:
    for amount in amounts:
        if amount is None:
            continue
        if amount.currency.code != currency or amount.amount < 0:
            raise BadPrice(
                _("Enter amounts of zero or more in %(currency)s.") % {"currency": currency},
                field=field,
            )
        try:
            to_minor(amount)
        except InexactMoney as refusal:
            raise BadPrice(str(refusal), field=field) from refusal


def _minor(amount: Money | None) -> int | None:
    return None if amount is None else to_minor(amount)
