"""
Announced prices: who has bought an old price is told of another one long before, and has it from a
later term on. What is nowhere dearer holds by itself; a dearer price only for whoever agrees.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts import customers
from accounts.consents import Circumstances
from accounts.models import Consent, User
from crm_billing import plain_text
from crm_billing.errors import DomainError
from crm_billing.transactions import money_transaction
from packages import acting, agreements, due, following, redemptions, seating
from packages.affected import Affected
from packages.catalogue import require_publisher
from packages.changes import NotNow
from packages.comparing import is_no_worse
from packages.models import (
    PriceAnnouncement,
    PriceMove,
    PriceVersion,
    Subscription,
    SubscriptionChange,
)
from packages.models.moves import PRICE_NOTICE
from packages.terms import NO_TERM

log = structlog.get_logger(__name__)

SCHEDULED = SubscriptionChange.objects.scheduled().filter(to_version__isnull=False)


class BadMove(DomainError):
    """
    One price cannot take the place of the other then.
    """

    code = "bad_price_move"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """
    What announcing a price would do. holds_by_itself: nobody has to agree.
    """

    before: PriceVersion
    after: PriceVersion
    holds_by_itself: bool
    affected: list[Affected]


def candidates(version: PriceVersion, *, at: datetime) -> QuerySet[PriceVersion]:
    """
    Return the prices that may take the place of one whose sale has an end.
    """
    same = PriceVersion.objects.whole().filter(
        Q(valid_to=None) | Q(valid_to__gt=at),
        Q(customer=None) | Q(customer=version.customer_id),
        package=version.package_id,
        currency=version.currency,
        interval=version.interval,
        published_at__isnull=False,
    )
    return same.exclude(pk=version.pk).order_by("-number")


def preview(
    *, from_version_id: int, to_version_id: int, holds_from: datetime, at: datetime, by: User | None
) -> Preview:
    """
    Refuse what `announce` would refuse; tell whom it concerns. Reads only.

    raises: as `announce`.
    """
    require_publisher(by)
    before = PriceVersion.objects.whole().get(pk=from_version_id)
    after = candidates(before, at=at).filter(pk=to_version_id).first()
    if after is None or before.interval == NO_TERM:
        raise BadMove(
            _("Choose a price of the same package, term and currency that is on sale."),
            field="to_version",
        )
    if holds_from < at + PRICE_NOTICE:
        raise BadMove(
            _("Customers are told %(days)s days before: choose a later day.")
            % {"days": PRICE_NOTICE.days},
            field="holds_from",
        )
    if before.valid_to is None or before.valid_to > holds_from:
        raise BadMove(_("End the sale of the old price first."), field="holds_from")
    if after.valid_from is None or after.valid_from > holds_from:
        raise BadMove(_("The new price begins later than that."), field="holds_from")
    if before.moves.open().exists():
        raise BadMove(_("Another price is announced for this one already. Take that back first."))
    if seating.most(after.terms) < seating.most(before.terms):
        raise BadMove(_("The new price is for fewer seats."), field="to_version")
    holds_by_itself = is_no_worse(after.terms, before.terms)
    return Preview(
        before=before,
        after=after,
        holds_by_itself=holds_by_itself,
        affected=affected(before),
    )


@money_transaction
def announce(
    *,
    from_version_id: int,
    to_version_id: int,
    holds_from: datetime,
    reason: str,
    reason_en: str,
    at: datetime,
    by: User | None,
) -> PriceMove:
    """
    Decide that who has one price has another from a later term on, and have them told.

    reason, reason_en: what customers read in the mail and on their page, each one line.
    raises NotAllowed: `by` may not publish.
    raises BadMove: the two do not fit, less than PRICE_NOTICE is left, the old price is still sold
    then, or another is announced for it; a reason is missing or cannot all be seen.
    """
    PriceVersion.objects.select_for_update(no_key=True).get(pk=from_version_id)
    seen = preview(
        from_version_id=from_version_id,
        to_version_id=to_version_id,
        holds_from=holds_from,
        at=at,
        by=by,
    )
    if not reason.strip() or not reason_en.strip():
        raise BadMove(_("Tell customers why, in both languages."), field="reason")
    move = PriceMove.objects.create(
        from_version=seen.before,
        to_version=seen.after,
        holds_from=holds_from,
        is_no_worse=seen.holds_by_itself,
        reason=_line(reason, field="reason"),
        reason_en=_line(reason_en, field="reason_en"),
        announced_at=at,
        announced_by=by,
    )
    log.info("price.announced", move=move.pk, by=by and by.pk)
    return move


def _line(text: str, *, field: str) -> str:
    with plain_text.refused_as(BadMove, field=field):
        return plain_text.one_line(text)


@money_transaction
def revoke(*, move_id: int, at: datetime, by: User | None) -> PriceMove:
    """
    Take an announced price back: whoever has not got it yet keeps what they have.

    raises NotAllowed: `by` may not publish.
    raises BadMove: it has been taken back before.
    """
    require_publisher(by)
    move = PriceMove.objects.select_for_update(no_key=True).get(pk=move_id)
    if move.revoked_at is not None:
        raise BadMove(_("It has been taken back before."))
    SubscriptionChange.objects.scheduled().filter(announcement__move=move).update(revoked_at=at)
    move.revoked_at, move.revoked_by = at, by
    move.save(update_fields=["revoked_at", "revoked_by"])
    log.info("price.revoked", move=move.pk, by=by and by.pk)
    return move


@money_transaction
def agree(
    *,
    announcement_id: int,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> PriceAnnouncement:
    """
    Agree to an announced price, word for word; a renewal switched off is switched on by it.

    Agreeing again changes nothing.
    raises NotAllowed: `by` may not spend for the customer.
    raises SubscriptionEnded: it is over.
    raises NotRead: one would agree to something else by now.
    raises NotNow: it has been taken back, or another price is to come.
    """
    waits_for = PriceAnnouncement.objects.values_list("subscription_id", flat=True)
    subscription = acting.lock(waits_for.get(pk=announcement_id))
    acting.require_right(by, subscription.customer_id)
    customers.require_active(subscription.customer)
    acting.require_live(subscription)
    announcement = PriceAnnouncement.objects.select_related("move__to_version").get(
        pk=announcement_id
    )
    if announcement.consent_id is not None:
        return announcement
    if not PriceAnnouncement.objects.unanswered().filter(pk=announcement_id).exists():
        raise NotNow(_("This price is not announced for it any more. All stays as it is."))
    announcement.consent = acting.agreed(
        subscription.customer,
        Consent.Purpose.CHANGE,
        agreement(announcement, subscription),
        at=at,
        by=by,
        circumstances=circumstances,
    )
    announcement.agreed_at, announcement.agreed_by = at, by
    announcement.save()
    if not subscription.auto_renew:
        subscription.auto_renew, subscription.consent = True, announcement.consent
        subscription.cancelled_at = subscription.cancelled_by = None
        subscription.save()
    schedule(announcement_id=announcement.pk, at=at)
    log.info("price.agreed", number=subscription.number, by=by and by.pk)
    return announcement


def agreement(announcement: PriceAnnouncement, subscription: Subscription) -> str:
    """
    Return what a customer agrees to, in the active language.

    subscription: read with `whole()`.
    """
    version = PriceVersion.objects.whole().get(pk=announcement.move.to_version_id)
    [row] = due.read([subscription.pk])
    begins = row.pause_until or row.paid_until
    then = following.of(
        version,
        row.seats,
        redemptions.live(subscription),
        is_first=row.is_first and begins >= announcement.holds_from,
    )
    return agreements.price_agreement(subscription, then, holds_from=announcement.holds_from)


def affected(version: PriceVersion) -> list[Affected]:
    """
    Return who has a price, in groups: who would be told, who ends anyway, who leaves it anyway.
    """
    having = Subscription.objects.live().filter(price_version=version)
    leaving = Exists(SCHEDULED.filter(subscription=OuterRef("pk")))
    counts = having.aggregate(
        told=Count("pk", filter=~leaving & Q(auto_renew=True)),
        ending=Count("pk", filter=Q(auto_renew=False)),
        leaving=Count("pk", filter=leaving & Q(auto_renew=True)),
    )
    return [
        Affected(_("subscriptions that renew at the old price: they are told"), counts["told"]),
        Affected(_("subscriptions that end with their term anyway"), counts["ending"]),
        Affected(_("subscriptions that change to another price anyway"), counts["leaving"]),
    ]


def held(move: PriceMove) -> PriceMove | None:
    """
    Hold a move until the transaction ends, so that nobody takes it back; None: somebody has.
    """
    return PriceMove.objects.open().select_for_update(no_key=True).filter(pk=move.pk).first()


def ripe(at: datetime) -> QuerySet[PriceAnnouncement]:
    """
    Return what is agreed to, or holds by itself, and begins with the next term: when that is paid
    for, or, of what is suspended, today.
    """
    paid = Q(subscription__past_due_at=None, holds_from__lte=F("subscription__next_try_at"))
    off = Q(subscription__state=Subscription.State.SUSPENDED, holds_from__lte=at)
    return PriceAnnouncement.objects.unmade().filter(
        Q(consent__isnull=False) | Q(move__is_no_worse=True, notice__sent_at__isnull=False),
        paid | off,
        subscription__auto_renew=True,
    )


@money_transaction
def schedule(*, announcement_id: int, at: datetime) -> None:
    """
    Write an announced price down for the next term, if it holds for that already. Seats that were
    scheduled with the price it replaces stay scheduled, as they were agreed to.
    """
    waits_for = PriceAnnouncement.objects.values_list("subscription_id", flat=True)
    subscription = acting.lock(waits_for.get(pk=announcement_id))
    announcement = ripe(at).select_related("move").filter(pk=announcement_id).first()
    if announcement is None or held(announcement.move) is None:
        return
    replaced = subscription.changes.scheduled().filter(to_version__isnull=False).first()
    if replaced is not None:
        replaced.revoked_at = at
        replaced.save()
    if replaced is not None and replaced.to_seats is not None:
        SubscriptionChange.objects.create(
            subscription=subscription,
            from_version_id=subscription.price_version_id,
            from_seats=subscription.seats,
            to_seats=replaced.to_seats,
            consent_id=replaced.consent_id,
            made_at=at,
            made_by_id=replaced.made_by_id,
        )
    SubscriptionChange.objects.create(
        subscription=subscription,
        from_version_id=subscription.price_version_id,
        from_seats=subscription.seats,
        to_version_id=announcement.move.to_version_id,
        consent_id=announcement.consent_id or subscription.consent_id,
        announcement=announcement,
        made_at=at,
        made_by_id=announcement.agreed_by_id,
    )
