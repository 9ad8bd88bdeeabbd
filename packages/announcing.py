"""
Telling of announced prices: who has an old price reads of the new one, again where the mail came
back, and what is agreed to or holds by itself is scheduled for its term.
"""

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from crm_billing.transactions import money_transaction
from packages import acting, bounces, notices, price_moves
from packages.models import Notice, PriceAnnouncement, PriceMove, Subscription
from packages.models.moves import PRICE_NOTICE
from packages.price_moves import SCHEDULED
from packages.prices import Prices
from packages.telling import Told

log = structlog.get_logger(__name__)

BATCH = 500


def carry_on(*, at: datetime) -> int:
    """
    Tell whom an announced price concerns and has not been told, those again whose mail came back
    and who have another address since, and schedule what is agreed to or holds by itself as soon as
    the term before it runs. Return how many were told.
    """
    told = 0
    for move in PriceMove.objects.open().order_by("pk"):
        for returned in _reachable_again(move):
            _set_aside(returned, at)
        told += sum(_tell(move, ids, at) for ids in _batches(_untold(move)))
    for announcement_id in list(price_moves.ripe(at).order_by("pk").values_list("pk", flat=True)):
        try:
            price_moves.schedule(announcement_id=announcement_id, at=at)
        except Exception as error:  # one that fails is in nobody else's way
            log.exception("price.failed", announcement=announcement_id, reason=str(error))
    return told


def returned() -> QuerySet[Notice]:
    """
    Return the notices of dearer prices that came back and keep them from being agreed to.
    """
    return Notice.objects.filter(announces__in=PriceAnnouncement.objects.returned())


@money_transaction
def announce_again(*, notice_id: int, at: datetime) -> None:
    """
    Announce a dearer price anew whose mail came back, although the address is still the same.

    The days until it holds count from this mail.
    raises NothingToAnnounce: it did not come back, or nothing waits for it any more.
    """
    notice = returned().select_related("announces__move").filter(pk=notice_id).first()
    if (
        notice is None
        or not _set_aside(notice.announces, at)
        or not _tell(notice.announces.move, [notice.subscription_id], at)
    ):
        raise notices.NothingToAnnounce(_("No price waits for this notice any more."))


def _concerned(move: PriceMove) -> QuerySet[Subscription]:
    """
    Return the subscriptions whose next term would be at the old price.
    """
    scheduled = SCHEDULED.filter(subscription=OuterRef("pk"))
    return Subscription.objects.live().filter(
        Q(price_version=move.from_version_id) & ~Exists(scheduled)
        | Exists(scheduled.filter(to_version=move.from_version_id))
    )


def _untold(move: PriceMove) -> QuerySet[Subscription]:
    told = PriceAnnouncement.objects.filter(
        move=move, subscription=OuterRef("pk"), replaced_at=None
    )
    return _concerned(move).filter(~Exists(told), auto_renew=True)


def _reachable_again(move: PriceMove) -> list[PriceAnnouncement]:
    found = PriceAnnouncement.objects.returned().filter(move=move).order_by("pk")
    return [
        one
        for one in found.select_related("notice__customer")
        if not bounces.is_still_wrong(one.notice)
    ]


@money_transaction
def _set_aside(announcement: PriceAnnouncement, at: datetime) -> bool:
    """
    Set an announcement aside that reached nobody and was not agreed to meanwhile; tell whether.
    One whose mail came back after the moment `at` waits for the next run.
    """
    acting.lock(announcement.subscription_id)
    still = PriceAnnouncement.objects.returned().filter(
        pk=announcement.pk, notice__bounced_at__lte=at
    )
    return still.update(replaced_at=at) == 1


@money_transaction
def _tell(move: PriceMove, ids: list[int], at: datetime) -> int:
    """
    Tell these subscriptions' customers of a price, unless it has been taken back.
    """
    found = _untold(move).filter(pk__in=ids).select_related("customer", "package").order_by("pk")
    rows = list(found.select_for_update(of=("self",), no_key=True))
    if price_moves.held(move) is None:
        return 0
    before = Notice.objects.filter(subscription__in=rows, kind=Notice.Kind.PRICE)
    steps = dict(before.values_list("subscription").annotate(Count("pk")))
    prices, holds_from = Prices(), max(move.holds_from, at + PRICE_NOTICE)
    notices.write(
        [
            Told(
                subscription=one,
                kind=Notice.Kind.PRICE,
                period_number=one.period_number,
                step=steps.get(one.pk, 0),
                amount=prices.each_term(move.to_version_id, one.seats).amount,
                instead_of=prices.each_term(move.from_version_id, one.seats).amount,
                due_at=holds_from,
                move=move,
            )
            for one in rows
        ],
        at=at,
    )
    written = Notice.objects.filter(subscription__in=rows, kind=Notice.Kind.PRICE)
    latest = dict(written.order_by("pk").values_list("subscription_id", "pk"))
    PriceAnnouncement.objects.bulk_create(
        PriceAnnouncement(
            move=move,
            subscription_id=subscription_id,
            notice_id=notice_id,
            holds_from=holds_from,
            made_at=at,
        )
        for subscription_id, notice_id in latest.items()
    )
    return len(rows)


def _batches(rows: QuerySet) -> Iterable[list[int]]:
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
