"""
What drafts still need before they can be sold. Drafts may lack it as long as nobody publishes them.
"""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from packages import drafting, meters, wording
from packages.models import Meter, Package, PriceVersion


class NotComplete(drafting.BadPrice):
    """
    A price lacks what it cannot be sold without.
    """

    code = "price_not_complete"


def missing(package: Package) -> list[str]:
    """
    Return what a draft still needs, in words; nothing where it has been published.
    """
    if package.state != Package.State.DRAFT:
        return []
    prices = list(PriceVersion.objects.whole().filter(package=package).order_by("number"))
    if not prices:
        return [_("A price.")]
    known = meters.of_use(version.terms for version in prices)
    return [_said_of(version, said) for version in prices for said in _lacks(version, known)]


def missing_of(version: PriceVersion) -> list[str]:
    """
    Return what a price in the making still needs, in words. Read it with `whole()`.
    """
    return _lacks(version, meters.of_use([version.terms]))


def require(version: PriceVersion) -> None:
    """
    Refuse to sell a price that lacks something. Read it with `whole()`.

    raises NotComplete: as it says.
    raises NotCounted: it charges for use that no meter counts.
    """
    for said in drafting.missing(version.package.kind, version.terms):
        lacking = _said_of(version, said)
        raise NotComplete(_("Still missing: %(what)s") % {"what": lacking}, number=version.number)
    meters.require_counted(version.terms)


def _lacks(version: PriceVersion, known: Mapping[str, Meter]) -> list[str]:
    uncounted = [said for _code, said in meters.uncounted(version.terms, known)]
    return [*drafting.missing(version.package.kind, version.terms), *uncounted]


def _said_of(version: PriceVersion, said: str) -> str:
    price = wording.scope(version.currency, version.interval)
    return _("%(price)s: %(what)s") % {"price": price, "what": said}
