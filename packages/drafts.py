"""
Commands on what is not sold yet: drafts of packages, and prices in the making of what is on sale.

Each is done to what stands there then, under the package's lock. A change of what somebody else
has changed since one looked is refused: `seen` is the fingerprint of what it is to replace.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime

import structlog
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from crm_billing.errors import DomainError
from packages import catalogue, drafting
from packages.catalogue import Facts, NotADraft, NotOnSale, require_publisher
from packages.models import Package, PriceVersion
from packages.terms import Component, Terms

log = structlog.get_logger(__name__)


class CodeTaken(DomainError):
    """
    There is a package with this code.
    """

    code = "package_code_taken"


class StillNamed(DomainError):
    """
    Something names the draft that is to be thrown away.
    """

    code = "still_named"


@transaction.atomic
def begin(*, facts: Facts, at: datetime, by: User | None) -> Package:
    """
    Begin a package of which nothing is said but its facts.

    by: staff with `packages.publish_package`, None for the house itself.
    raises NotAllowed: as it says.
    raises CodeTaken: another package has this code.
    raises ValidationError: a name or the code is malformed.
    """
    require_publisher(by)
    said = asdict(facts)
    Package(**said, created_at=at, created_by=by).full_clean(validate_unique=False)
    made, is_new = Package.objects.get_or_create(
        code=facts.code, defaults=said | {"created_at": at, "created_by": by}
    )
    if not is_new:
        raise _taken(facts.code)
    log.info("package.begun", code=facts.code, by=by and by.pk)
    return made


@transaction.atomic
def copy(*, package_id: int, facts: Facts, at: datetime, by: User | None) -> Package:
    """
    Begin a package with another one's kind and prices: a draft's all, else those sold to everybody
    now, or when it was retired.

    raises: as `begin`.
    """
    require_publisher(by)
    like = catalogue.lock(package_id)
    made = begin(facts=replace(facts, kind=like.kind), at=at, by=by)
    for version in sold_last(like, at=at):
        drafting.write(made, version.terms, at=at)
    return made


def sold_last(package: Package, *, at: datetime) -> list[PriceVersion]:
    """
    Return the prices a copy begins with: one for each currency and term.
    """
    versions = PriceVersion.objects.whole().filter(package=package, customer=None)
    moment = package.retired_at or at
    if package.state != Package.State.DRAFT:
        versions = versions.filter(valid_from__lte=moment).exclude(valid_to__lt=moment)
    return list({(one.currency, one.interval): one for one in versions.order_by("number")}.values())


@transaction.atomic
def write_facts(*, package_id: int, facts: Facts, seen: str | None, by: User | None) -> Package:
    """
    Change how a draft presents itself. Its kind stays once it has prices.

    raises NotADraft: it has been published.
    raises ChangedMeanwhile: its facts are no longer those seen.
    raises BadPrice: another kind, and it has prices.
    raises: as `begin`.
    """
    require_publisher(by)
    package = catalogue.lock(package_id)
    if package.state != Package.State.DRAFT:
        raise NotADraft(_("This package has been published and does not change."))
    drafting.require_unchanged(seen, Facts.of(package))
    if facts.kind != package.kind and package.prices.exists():
        raise drafting.BadPrice(
            _("The kind stays as long as there are prices. Remove them first."), field="kind"
        )
    _require_free(facts.code, besides=package)
    for name, value in asdict(facts).items():
        setattr(package, name, value)
    package.full_clean(validate_unique=False)
    try:
        with transaction.atomic():
            package.save()
    except IntegrityError:  # somebody was faster
        _require_free(facts.code, besides=package)
        raise
    return package


@transaction.atomic
def discard(*, package_id: int, seen: str | None, by: User | None) -> None:
    """
    Throw a draft away that was never published, with all its prices. The history keeps who did.

    seen: of `catalogue.all_of` it.
    raises StillNamed: a coupon is for it, and would be for everything without it.
    raises: as `write_facts`.
    """
    require_publisher(by)
    package = catalogue.lock(package_id)
    if package.state != Package.State.DRAFT:
        raise NotADraft(_("This package has been published; it can only be retired."))
    drafting.require_unchanged(seen, *catalogue.all_of(package))
    if coupon := package.coupons.first():
        raise StillNamed(
            _("The coupon %(code)s is for this package. Take it out there first.")
            % {"code": coupon.code}
        )
    log.info("package.discarded", code=package.code, by=by and by.pk)
    package.prices.all().delete()
    package.delete()


@transaction.atomic
def add_price(*, package_id: int, terms: Terms, at: datetime, by: User | None) -> PriceVersion:
    """
    Begin a price, of a draft or of what is on sale, with as many components as there are yet.

    raises NotAllowed: as `begin`.
    raises NotOnSale: the package is retired.
    raises BadPrice, BadTiers: the terms contradict themselves, or there is a draft of such a price.
    """
    require_publisher(by)
    package = catalogue.lock(package_id)
    _require_open(package)
    drafting.check_draft(package.kind, terms)
    _require_alone(package, terms)
    return drafting.write(package, terms, at=at)


@transaction.atomic
def write_heading(
    *, price_version_id: int, heading: Terms, seen: str | None, by: User | None
) -> PriceVersion:
    """
    Change the term, trial and promise of a price in the making; its currency and components stay.

    seen: of its `heading`.
    raises NotADraft: it has been published.
    raises ChangedMeanwhile: it is no longer what was seen.
    raises: as `add_price`.
    """
    version = _lock_draft(price_version_id, by)
    before = version.terms
    drafting.require_unchanged(seen, without_components(before))
    terms = replace(heading, currency=before.currency, components=before.components)
    drafting.check_draft(version.package.kind, terms)
    _require_alone(version.package, terms, besides=version)
    drafting.rewrite(version, terms)
    return version


def without_components(terms: Terms) -> Terms:
    """
    Return the heading of a price: what is said of it as a whole.
    """
    return replace(terms, components=())


@transaction.atomic
def remove_price(*, price_version_id: int, seen: str | None, by: User | None) -> None:
    """
    Remove a price in the making.

    seen: of its terms.
    raises: as `write_heading`.
    """
    version = _lock_draft(price_version_id, by)
    drafting.require_unchanged(seen, version.terms)
    log.info("price.removed", package=version.package.code, version=version.number)
    version.delete()


@transaction.atomic
def write_component(
    *,
    price_version_id: int,
    component: Component,
    by: User | None,
    replaces: str = "",
    seen: str | None = None,
) -> PriceVersion:
    """
    Add a component at the end of a price in the making, or write one anew where it stands.

    replaces: its code until now; "" adds one. seen: of the component that is replaced.
    raises NotADraft: the price has been published.
    raises ChangedMeanwhile: the component is no longer what was seen, or not there any more.
    raises BadPrice, BadTiers: it contradicts itself, or does not fit the others; `data["field"]`.
    """
    version = _lock_draft(price_version_id, by)
    drafting.check_component(component, version.currency)
    parts = version.terms.components
    if not replaces:
        return _recompose(version, (*parts, component))
    drafting.require_unchanged(seen, _there(version, replaces))
    return _recompose(version, (component if one.code == replaces else one for one in parts))


@transaction.atomic
def remove_component(
    *, price_version_id: int, code: str, seen: str | None, by: User | None
) -> PriceVersion:
    """
    Remove a component of a price in the making.

    raises: as `write_component`.
    """
    version = _lock_draft(price_version_id, by)
    drafting.require_unchanged(seen, _there(version, code))
    return _recompose(version, (one for one in version.terms.components if one.code != code))


@transaction.atomic
def move_component(
    *, price_version_id: int, code: str, places: int, by: User | None
) -> PriceVersion:
    """
    Move a component of a price in the making down by so many places; up, if it is less than none.

    raises: as `write_component`.
    """
    version = _lock_draft(price_version_id, by)
    moved = _there(version, code)
    others = [one for one in version.terms.components if one.code != code]
    place = max(version.terms.components.index(moved) + places, 0)
    return _recompose(version, (*others[:place], moved, *others[place:]))


def component_of(version: PriceVersion, code: str) -> Component | None:
    """
    Return a component of a price by its code; None when it has none such.
    """
    return next((one for one in version.terms.components if one.code == code), None)


def _there(version: PriceVersion, code: str) -> Component:
    found = component_of(version, code)
    if found is None:
        raise drafting.ChangedMeanwhile(_("Somebody else has removed this component meanwhile."))
    return found


def _recompose(version: PriceVersion, parts: Iterable[Component]) -> PriceVersion:
    terms = replace(version.terms, components=tuple(parts))
    drafting.check_draft(version.package.kind, terms)
    drafting.rewrite(version, terms)
    return version


def _lock_draft(price_version_id: int, by: User | None) -> PriceVersion:
    require_publisher(by)
    version = catalogue.lock_price(price_version_id)
    if version.published_at is not None:
        raise NotADraft(_("This price has been published and does not change."))
    _require_open(version.package)
    return version


def _require_open(package: Package) -> None:
    if package.state == Package.State.RETIRED:
        raise NotOnSale(_("This package is retired; nothing of it changes any more."))


def _require_alone(package: Package, terms: Terms, besides: PriceVersion | None = None) -> None:
    """
    Refuse a second price in the making for the same currency and term.
    """
    same = package.prices.filter(
        published_at=None, customer=None, currency=terms.currency, interval=terms.interval
    )
    if same.exclude(pk=besides and besides.pk).exists():
        raise drafting.BadPrice(
            _("There is a draft for this currency and term already. Change that one."),
            field="interval" if terms.offer is None else "currency",
        )


def _require_free(code: str, *, besides: Package) -> None:
    """
    Refuse the code of another package.
    """
    if Package.objects.filter(code=code).exclude(pk=besides.pk).exists():
        raise _taken(code)


def _taken(code: str) -> CodeTaken:
    return CodeTaken(_("There is a package with this code."), field="code", code=code)
