"""
Commands about what is on sale. Drafts change; what is published is replaced by a new version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.customers import NotAllowed
from accounts.models import Customer, User
from crm_billing.errors import DomainError
from packages import affected, completeness, drafting, meters
from packages.affected import Affected
from packages.models import Package, PriceVersion
from packages.terms import Terms

log = structlog.get_logger(__name__)

PUBLISH = "packages.publish_package"


class NotADraft(DomainError):
    """
    The package has been published; a new price is a new version.
    """

    code = "package_not_a_draft"


class NotOnSale(DomainError):
    """
    The package is not published, or retired.
    """

    code = "package_not_on_sale"


class PriceTaken(DomainError):
    """
    Another price begins then or later, or the end is decided already.
    """

    code = "price_taken"


class BadMoment(DomainError):
    """
    A price would begin or end in the past.
    """

    code = "bad_moment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    How a package presents itself, in Chinese and in English.
    """

    code: str
    kind: str
    name: str
    name_en: str
    summary: str = ""
    summary_en: str = ""
    position: int = 0

    @classmethod
    def of(cls, package: Package) -> "Facts":
        return cls(**{name: getattr(package, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """
    What a new price would change. before: the version it follows, None for the first.
    """

    package: Package
    before: PriceVersion | None
    after: Terms
    valid_from: datetime
    affected: list[Affected]


@transaction.atomic
def draft(*, facts: Facts, prices: Sequence[Terms], at: datetime, by: User | None) -> Package:
    """
    Write a package that nobody sees yet, or write it anew while it is a draft.

    by: staff with `packages.publish_package`, None for the house itself.
    raises NotAllowed: as it says.
    raises NotADraft: a package with this code has been published.
    raises BadPrice, BadTiers: the prices contradict themselves or each other.
    raises ValidationError: a name or the code is malformed.
    """
    require_publisher(by)
    package = Package.objects.select_for_update(no_key=True).filter(code=facts.code).first()
    if package is None:
        package = Package(code=facts.code, created_at=at, created_by=by)
    elif package.state != Package.State.DRAFT:
        raise NotADraft(_("This package has been published and does not change."), code=facts.code)
    for name in Facts.__dataclass_fields__:
        setattr(package, name, getattr(facts, name))
    package.full_clean()
    package.save()
    for terms in prices:
        drafting.check(package.kind, terms)
    scopes = [(one.currency, one.interval) for one in prices]
    if len(set(scopes)) < len(scopes):
        raise drafting.BadPrice(_("A package has one price for each currency and term."))
    package.prices.all().delete()
    for terms in prices:
        drafting.write(package, terms, at=at)
    return package


@transaction.atomic
def publish(*, package_id: int, at: datetime, by: User | None, seen: str | None = None) -> Package:
    """
    Put a draft on sale, with all its prices, from now on.

    seen: the fingerprint of `all_of` it when it was looked at, None from whoever goes by no page.
    raises NotAllowed: as `draft`.
    raises NotADraft: it has been published before.
    raises ChangedMeanwhile: it is no longer what was seen.
    raises BadPrice: it has no price.
    raises NotComplete, NotCounted: a price lacks something; as `completeness.require`.
    """
    require_publisher(by)
    package = lock(package_id)
    if package.state != Package.State.DRAFT:
        raise NotADraft(_("This package has been published before."), code=package.code)
    drafting.require_unchanged(seen, *all_of(package))
    prices = list(PriceVersion.objects.whole().filter(package=package).order_by("number"))
    if not prices:
        raise drafting.BadPrice(_("A package needs a price before it is published."))
    for version in prices:
        completeness.require(version)
    package.state = Package.State.PUBLISHED
    package.published_at, package.published_by = at, by
    package.save(update_fields=["state", "published_at", "published_by"])
    for version in prices:
        _open(version, valid_from=at, at=at, by=by)
    log.info("package.published", code=package.code, prices=len(prices), by=by and by.pk)
    return package


def all_of(package: Package) -> tuple[object, ...]:
    """
    Return everything a draft says, to tell later whether somebody has changed it.
    """
    prices = PriceVersion.objects.whole().filter(package=package).order_by("number")
    return Facts.of(package), [(one.number, one.terms) for one in prices]


def preview_reprice(
    *,
    package_id: int,
    terms: Terms,
    valid_from: datetime,
    at: datetime,
    by: User | None,
    customer: Customer | None = None,
) -> Preview:
    """
    Refuse what `reprice` would refuse; tell what it would replace and whom it concerns.

    raises: as `reprice`.
    """
    require_publisher(by)
    package = Package.objects.get(pk=package_id)
    if package.state != Package.State.PUBLISHED:
        raise NotOnSale(_("Only what is on sale gets a new price."), code=package.code)
    if valid_from < at:
        raise BadMoment(_("A price begins now or later, never in the past."), field="valid_from")
    drafting.check(package.kind, terms)
    meters.require_counted(terms)
    if customer is not None and customer.currency != terms.currency:
        raise drafting.BadPrice(
            _("This customer pays in %(currency)s.") % {"currency": customer.currency},
            field="customer",
        )
    before = _followed(package, terms, customer, valid_from)
    if before is not None and PriceVersion.objects.whole().get(pk=before.pk).terms == terms:
        raise drafting.BadPrice(_("These are the terms in force then; nothing would change."))
    return Preview(
        package=package,
        before=before,
        after=terms,
        valid_from=valid_from,
        affected=affected.by_a_price(package, terms, customer=customer, at=at),
    )


@transaction.atomic
def reprice(
    *,
    package_id: int,
    terms: Terms,
    valid_from: datetime,
    at: datetime,
    by: User | None,
    customer: Customer | None = None,
) -> PriceVersion:
    """
    Begin a new price; the one it follows ends at the same moment. Who has bought that one keeps it.

    The first price for a term, a currency or a customer follows none.

    valid_from: now or later.
    customer: the one it is for; None for everybody.
    raises NotAllowed: as `draft`.
    raises NotOnSale: the package is a draft, or retired.
    raises BadMoment: it would begin in the past.
    raises BadPrice, BadTiers: the terms contradict themselves, or change nothing.
    raises NotCounted: they charge for use that no meter counts.
    raises PriceTaken: a price begins then or later already, or the end of this one is decided.
    """
    lock(package_id)
    look = preview_reprice(
        package_id=package_id, terms=terms, valid_from=valid_from, at=at, by=by, customer=customer
    )
    version = drafting.write(look.package, terms, at=at, customer=customer)
    return _begin(version, look, at=at, by=by)


@transaction.atomic
def publish_price(
    *,
    price_version_id: int,
    valid_from: datetime,
    at: datetime,
    by: User | None,
    seen: str | None = None,
) -> PriceVersion:
    """
    Begin a price that was in the making for what is on sale; as `reprice`, one it follows ends.

    seen: the fingerprint of its `standing` when looked at; None from whoever goes by no page.
    raises NotADraft: it has been published before.
    raises ChangedMeanwhile: it is no longer what was seen, or another price is sold by now.
    raises: as `reprice`.
    """
    require_publisher(by)
    version = lock_price(price_version_id)
    if version.published_at is not None:
        raise NotADraft(_("This price has been published and does not change."))
    drafting.require_unchanged(seen, *standing(version))
    look = preview_reprice(
        package_id=version.package_id,
        terms=version.terms,
        valid_from=valid_from,
        at=at,
        by=by,
        customer=version.customer,
    )
    return _begin(version, look, at=at, by=by)


def standing(version: PriceVersion) -> tuple[object, ...]:
    """
    Return what a price in the making says and which one is sold before it. Read it with `whole()`.
    """
    return version.terms, newest(version.package, version.terms, version.customer)


def newest(
    package: Package, terms: Terms, customer: Customer | None
) -> tuple[int, datetime | None] | None:
    """
    Return number and end of the latest price decided for the same term, currency and customer, to
    tell later whether somebody has decided anything since; None where there is none.
    """
    same = _published(package, terms, customer).order_by("-valid_from", "-number")
    return same.values_list("number", "valid_to").first()


@transaction.atomic
def end(
    *, price_version_id: int, valid_to: datetime, at: datetime, by: User | None
) -> PriceVersion:
    """
    Decide when the sale of a price ends without another one following, as of a customer's own.

    raises NotAllowed: as `draft`.
    raises NotOnSale: it has not been published.
    raises BadMoment: it would end in the past.
    raises PriceTaken: its end is decided already.
    """
    require_publisher(by)
    version = lock_price(price_version_id)
    if version.published_at is None:
        raise NotOnSale(_("This price has not been published."), number=version.number)
    if valid_to < at:
        raise BadMoment(_("A price ends now or later, never in the past."), field="valid_to")
    if version.valid_to is not None:
        raise PriceTaken(_("The end of this price is decided already."), field="valid_to")
    _close(version, valid_to=max(valid_to, version.valid_from or at), at=at, by=by)
    return version


@transaction.atomic
def retire(*, package_id: int, at: datetime, by: User | None) -> Package:
    """
    Take a package off sale at once, for good. Who has bought it keeps it.

    raises NotAllowed: as `draft`.
    raises NotOnSale: it is a draft, or retired.
    """
    require_publisher(by)
    package = lock(package_id)
    if package.state != Package.State.PUBLISHED:
        raise NotOnSale(_("Only what is on sale can be retired."), code=package.code)
    for version in package.prices.filter(valid_to=None, published_at__isnull=False):
        _close(version, valid_to=max(at, version.valid_from or at), at=at, by=by)
    package.state = Package.State.RETIRED
    package.retired_at, package.retired_by = at, by
    package.save(update_fields=["state", "retired_at", "retired_by"])
    log.info("package.retired", code=package.code, by=by and by.pk)
    return package


def _followed(
    package: Package, terms: Terms, customer: Customer | None, valid_from: datetime
) -> PriceVersion | None:
    """
    Return the version in force when a new one begins.

    raises PriceTaken: a version begins then or later, or the end of this one is decided.
    """
    same = _published(package, terms, customer)
    still = same.filter(Q(valid_to=None) | Q(valid_to__gt=valid_from)).order_by("valid_from")
    taken = still.filter(Q(valid_from__gte=valid_from) | Q(valid_to__isnull=False)).first()
    if taken is not None:
        raise PriceTaken(
            _("Version %(number)s is decided for then already.") % {"number": taken.number},
            field="valid_from",
            number=taken.number,
        )
    return still.first()


def _published(package: Package, terms: Terms, customer: Customer | None) -> QuerySet[PriceVersion]:
    return package.prices.filter(
        currency=terms.currency,
        interval=terms.interval,
        customer=customer,
        published_at__isnull=False,
    )


def _begin(version: PriceVersion, look: Preview, *, at: datetime, by: User | None) -> PriceVersion:
    if look.before is not None:
        _close(look.before, valid_to=look.valid_from, at=at, by=by)
    _open(version, valid_from=look.valid_from, at=at, by=by)
    log.info("package.repriced", code=look.package.code, version=version.number, by=by and by.pk)
    return version


def _open(version: PriceVersion, *, valid_from: datetime, at: datetime, by: User | None) -> None:
    version.valid_from, version.published_at, version.published_by = valid_from, at, by
    version.terms_version = drafting.TERMS_VERSION  # customers read these words
    version.save(update_fields=["valid_from", "published_at", "published_by", "terms_version"])


def _close(version: PriceVersion, *, valid_to: datetime, at: datetime, by: User | None) -> None:
    version.valid_to, version.closed_at, version.closed_by = valid_to, at, by
    version.save(update_fields=["valid_to", "closed_at", "closed_by"])


def lock(package_id: int) -> Package:
    """
    Lock a package until the transaction ends: whoever changes what it costs waits here.
    """
    return Package.objects.select_for_update(no_key=True).get(pk=package_id)


def lock_price(price_version_id: int) -> PriceVersion:
    """
    Lock the package of a price, and return the whole price as it stands then.
    """
    lock(PriceVersion.objects.values_list("package_id", flat=True).get(pk=price_version_id))
    return PriceVersion.objects.whole().get(pk=price_version_id)


def require_publisher(by: User | None) -> None:
    """
    Let staff pass who may publish, and the house itself (None).

    raises NotAllowed: anybody else.
    """
    if by is not None and not (by.is_active and by.is_staff and by.has_perm(PUBLISH)):
        raise NotAllowed(_("You may not do this."), permission=PUBLISH)
