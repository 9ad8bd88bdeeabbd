"""
Prices that take the place of others, for customers who have these.
"""

from datetime import datetime, timedelta

from packages import announcing, bounces, price_moves
from packages.models import Notice, PriceAnnouncement, PriceMove, PriceVersion, Subscription
from packages.terms import Terms
from tests.packages.buying import on_sale, shanghai
from tests.packages.renewing import told
from tests.packages.shelf import basic, repriced, terms

HOUR = timedelta(hours=1)
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
    announcing.carry_on(at=at)
    told(at)


def asked(subscription: Subscription) -> PriceAnnouncement:
    return PriceAnnouncement.objects.get(subscription=subscription, replaced_at=None)


def agreed(subscription: Subscription, *, at: datetime = MARCH_10, **options) -> PriceAnnouncement:
    return price_moves.agree(announcement_id=asked(subscription).pk, at=at, **options)


def came_back(subscription: Subscription, at: datetime = MARCH_10 + HOUR) -> Notice:
    """
    Let the mail about an announced price come back from everybody.
    """
    notice = Notice.objects.filter(subscription=subscription, kind=Notice.Kind.PRICE).latest("pk")
    bounces.record(notice_id=notice.pk, addresses=notice.sent_to, reason="5.1.1", at=at)
    notice.refresh_from_db()
    return notice
