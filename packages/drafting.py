"""
Whether terms make sense, and how they are written down. Nothing here decides what is on sale.
"""

import hashlib
import re
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from djmoney.money import Money

from accounts.models import Customer
from crm_billing import plain_text
from crm_billing.errors import DomainError
from crm_billing.money import InexactMoney, to_minor
from packages import rating
from packages.models import Package, PriceComponent, PriceVersion, TopUpOffer
from packages.models.prices import LONGEST_BONUS_DAYS, LONGEST_TRIAL_DAYS, MOST_TIERS
from packages.periods import MONTHS
from packages.terms import (
    COUNTED,
    FIXED,
    METERED,
    NO_TERM,
    PERCENTAGE,
    RECURRING,
    Component,
    Offer,
    Terms,
)

# The wording of what customers agree to, packages/agreements.py. A new text, a new name.
TERMS_VERSION = "charging-3"
COMPONENT_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
LARGEST_NUMBER = Decimal(10) ** 12
FINEST = -9  # decimal places of a unit's price
BOUNDS = ("least", "most", "period_least", "period_most")
CHANGED = gettext_lazy(
    "Somebody else has changed this meanwhile. What stands there now is shown below; sent again, "
    "yours takes its place."
)
NAMES = ("name", "name_en", "unit", "unit_en")
AMOUNTS = ("amount", *BOUNDS, "pack_price")


class BadPrice(DomainError):
    """
    Terms that contradict themselves or do not fit their package.
    """

    code = "bad_price"


class ChangedMeanwhile(DomainError):
    """
    Somebody else has changed what a change was meant for.
    """

    code = "changed_meanwhile"


def check(kind: str, terms: Terms) -> None:
    """
    Refuse terms that a package of this kind cannot be sold with.

    raises BadPrice, BadTiers: as `check_draft`; BadPrice where something is missing.
    """
    check_draft(kind, terms)
    for said in missing(kind, terms):
        raise BadPrice(said)


def missing(kind: str, terms: Terms) -> list[str]:
    """
    Return what a price in the making still needs before it can be sold, in words.
    """
    if kind == Package.Kind.PLAN and not terms.of_kind(RECURRING):
        return [_("A basic price: what each term costs.")]
    if kind == Package.Kind.ADD_ON and not terms.components:
        return [_("A component: what it costs or gives.")]
    return []


def check_draft(kind: str, terms: Terms) -> None:
    """
    Refuse terms that no price of this kind of package can have, not even one in the making.

    raises BadPrice, BadTiers: `data["field"]` names the component or the fact.
    """
    if terms.currency not in settings.CURRENCIES:
        raise BadPrice(_("This currency is not known."), field="currency")
    if not 0 <= terms.trial_days <= LONGEST_TRIAL_DAYS:
        raise BadPrice(_("A trial has at most a year."), field="trial_days")
    if kind == Package.Kind.TOP_UP:
        _check_offer(terms)
        return
    if terms.interval not in MONTHS:
        raise BadPrice(_("Choose a term: nothing is sold without one."), field="interval")
    if terms.offer is not None:
        raise BadPrice(_("Only top-up packages promise a bonus, and all others have components."))
    codes = [one.code for one in terms.components]
    if len(set(codes)) < len(codes):
        raise BadPrice(_("Each component needs a code of its own."), field="code")
    for one in terms.components:
        try:
            check_component(one, terms.currency)
        except (BadPrice, rating.BadTiers) as refusal:
            refusal.data["field"] = one.code
            raise
    if kind == Package.Kind.PLAN and len(terms.of_kind(RECURRING)) > 1:
        raise BadPrice(_("A plan has one basic price."), field="code")


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
    _fill(version, terms)
    return version


def rewrite(version: PriceVersion, terms: Terms) -> None:
    """
    Write anew a version that is not yet published. As `write`: locked, and checked.
    """
    version.currency, version.interval = terms.currency, terms.interval
    version.trial_days, version.terms_version = terms.trial_days, TERMS_VERSION
    version.save(update_fields=["currency", "interval", "trial_days", "terms_version"])
    version.components.all().delete()
    TopUpOffer.objects.filter(version=version).delete()
    _fill(version, terms)


def fingerprint(*stands: object) -> str:
    """
    Return what tells whether something was changed since somebody looked at it.
    """
    return hashlib.sha256(repr(stands).encode()).hexdigest()


def require_unchanged(seen: str | None, *stands: object) -> None:
    """
    Refuse a change to what is no longer as it was seen.

    seen: its fingerprint then; None from whoever goes by no page.
    raises ChangedMeanwhile: as it says.
    """
    if seen is not None and seen != fingerprint(*stands):
        raise ChangedMeanwhile(str(CHANGED))


def _fill(version: PriceVersion, terms: Terms) -> None:
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
    _check_amount(offer.amount, terms.currency, "amount")
    _check_amount(offer.bonus, terms.currency, "bonus")
    if to_minor(offer.amount) == 0:
        raise BadPrice(_("Enter an amount above zero."), field="amount")
    if not _lives(offer):
        raise BadPrice(
            _("A bonus lives from 1 to %(most)s days, or for ever.") % {"most": LONGEST_BONUS_DAYS},
            field="bonus_days",
        )


def _lives(offer: Offer) -> bool:
    return offer.bonus_days is None or 1 <= offer.bonus_days <= LONGEST_BONUS_DAYS


def check_component(one: Component, currency: str) -> None:
    """
    Refuse a component that contradicts itself.

    raises BadPrice, BadTiers: `data["field"]` names the fact of the component.
    """
    if one.kind not in PriceComponent.Kind.values:
        raise BadPrice(_("There is no such kind of component."), field="kind")
    if not COMPONENT_CODE.fullmatch(one.code) or not one.name or not one.name_en:
        raise BadPrice(_("A component has a plain code and two names."), field="code")
    for name in NAMES:
        _check_plain(getattr(one, name), name)
    for name in AMOUNTS:
        _check_amount(getattr(one, name), currency, name)
    if (one.amount is not None) != (one.kind in FIXED):
        raise BadPrice(_("Fixed prices, and only they, have an amount."), field="amount")
    if (one.bps is not None) != (one.kind == PERCENTAGE) or not 0 <= (one.bps or 0) <= 10_000:
        raise BadPrice(_("Shares, and only they, have basis points up to 10,000."), field="bps")
    if one.kind != PERCENTAGE and any(getattr(one, name) is not None for name in BOUNDS):
        raise BadPrice(_("Only shares have a least and a most."), field="least")
    for least, most in (("least", "most"), ("period_least", "period_most")):
        low, high = getattr(one, least), getattr(one, most)
        if low is not None and high is not None and high < low:
            raise BadPrice(_("The most must not be below the least."), field=most)
    if one.kind in COUNTED:
        _check_tiers(one, currency)
    elif one.model or one.tiers or one.package_size is not None:
        raise BadPrice(_("Only seats and usage have tiers."), field="tiers")
    has_pack = one.pack_units is not None
    if has_pack != (one.pack_price is not None) or (has_pack and one.kind != METERED):
        raise BadPrice(
            _("An extra pack is of usage and has units and a price."),
            field="pack_price" if has_pack else "pack_units",
        )
    if one.pack_units is not None and one.pack_price is not None:
        low_units = one.pack_units <= 0
        if low_units or one.pack_price.amount <= 0:
            raise BadPrice(
                _("An extra pack has units and a price above zero."),
                field="pack_units" if low_units else "pack_price",
            )
    if one.included < 0 or (one.hard_limit is not None and one.hard_limit < one.included):
        raise BadPrice(_("The hard limit must not be below what is included."), field="hard_limit")


def _check_tiers(one: Component, currency: str) -> None:
    """
    Rate nothing, which reads every tier and refuses a ladder with holes.
    """
    if len(one.tiers) > MOST_TIERS:
        raise BadPrice(_("There are at most %(most)s steps.") % {"most": MOST_TIERS}, field="tiers")
    try:
        rating.rate(
            one.model,
            [dict(tier) for tier in one.tiers],
            Decimal(0),
            currency,
            package_size=one.package_size,
        )
    except rating.BadTiers as refusal:
        refusal.data.setdefault("field", "tiers")
        raise
    for tier in one.tiers:
        for name in ("up_to", "unit_price", "flat_price"):
            _check_number(tier.get(name), "tiers")
    for name in ("package_size", "included", "hard_limit", "pack_units"):
        _check_number(getattr(one, name), name)


def _check_number(value: object, field: str) -> None:
    if value in (None, ""):
        return
    number = Decimal(str(value))
    places = number.as_tuple().exponent
    if number > LARGEST_NUMBER or not isinstance(places, int) or places < FINEST:
        raise BadPrice(_("%(number)s is too large or too fine.") % {"number": number}, field=field)


def _check_plain(text: str, field: str) -> None:
    with plain_text.refused_as(BadPrice, field=field):
        plain_text.require(text)


def _check_amount(amount: Money | None, currency: str, field: str) -> None:
    if amount is None:
        return
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
