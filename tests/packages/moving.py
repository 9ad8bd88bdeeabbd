"""
Prices that take the place of others, for customers who have these.
"""

from datetime import datetime, timedelta

from packages import price_moves
from packages.models import PriceAnnouncement, PriceMove, PriceVersion, Subscription
from packages.terms import Terms
from tests.packages.buying import on_sale, shanghai
from tests.packages.renewing import told
from tests.packages.shelf import basic, repriced, terms

MARCH_10 = shanghai(2025, 3, 10)
APRIL_20 = shanghai(2025, 4, 20)
DEARER = terms(basic("129.00"))
CHEAPER = terms(basic("89.00"))


def old_price(code: str = "pro") -> PriceVersion:
    return on_sale(terms(basic("99.00")), code=code)


def moved(
    old: PriceVersion,
    new: Terms = DEARER,
    *,
    at: datetime = MARCH_10,
    holds_from: datetime | None = None,
    by=None,
) -> PriceMove:
    """
    End an old price by a new one, announce that to who has the old one, and have them told.

    holds_from: six weeks later unless said.
    """
    after = repriced(old.package, new, at=at, valid_from=at)
    move = price_moves.announce(
        from_version_id=old.pk,
        to_version_id=after.pk,
        holds_from=holds_from or at + timedelta(days=41),
        reason="机房涨价",
        reason_en="Our servers cost more",
        at=at,
        by=by,
    )
    carried_on(at)
    return move


def carried_on(at: datetime) -> None:
    """
    Do what the clockwork does, mails included.
    """
    price_moves.carry_on(at=at)
    told(at)


def asked(subscription: Subscription) -> PriceAnnouncement:
    return PriceAnnouncement.objects.get(subscription=subscription)


def agreed(subscription: Subscription, *, at: datetime = MARCH_10, **options) -> PriceAnnouncement:
    return price_moves.agree(announcement_id=asked(subscription).pk, at=at, **options)
