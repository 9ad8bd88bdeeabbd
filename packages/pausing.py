"""
Pauses of subscriptions: asked for, taken back, and ended before their time.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.consents import Circumstances
from accounts.models import Consent, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.templatetags.ui import money
from crm_billing.transactions import money_transaction
from packages import (
    acting,
    agreements,
    changing,
    charging,
    due,
    following,
    periods,
    prices,
    redemptions,
    wording,
)
from packages.changes import NotNow
from packages.following import Following
from packages.models import Charge, Pause, PriceVersion, Subscription, SubscriptionPeriod

log = structlog.get_logger(__name__)

MOST_TERMS = 3
MOST_MONTHS = 12


class BadPause(DomainError):
    """
    It would end before it begins, or last too long.
    """

    code = "bad_pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """
    How a paused subscription would go on today.

    due: what is taken for the term [starts_at, ends_at), which begins a new count of terms.
    lines: of it, as `charges.frozen` writes them. has_coupon: its coupon takes something
    off. following: the terms after it.
    """

    version: PriceVersion
    seats: int
    zone: str
    starts_at: datetime
    ends_at: datetime
    anchor_on: date
    due: Money
    following: Following
    coupon_use_id: int | None
    has_coupon: bool
    lines: list[dict[str, Any]]


def choices(subscription: Subscription) -> list[date]:
    """
    Return the days a pause may end after whole terms: one, two, three.
    """
    start = periods.day_in(subscription.paid_until, subscription.zone)
    interval = subscription.price_version.interval
    ends = [periods.boundary(start, interval, count) for count in range(1, MOST_TERMS + 1)]
    return [day for day in ends if day <= last_day(subscription)]


def last_day(subscription: Subscription) -> date:
    """
    Return the latest day a pause may end: twelve months after the paid term.
    """
    start = periods.day_in(subscription.paid_until, subscription.zone)
    return periods.boundary(start, "month", MOST_MONTHS)


def agreement(subscription: Subscription, until: datetime) -> str:
    """
    Return, line by line, what a customer agrees to by pausing a subscription.
    """
    zone, then = subscription.zone, prices.coming(subscription)
    told = {
        "from": wording.shown_day(subscription.paid_until, zone),
        "until": wording.shown_day(until, zone),
        "days": wording.NOTICE_DAYS,
    }
    return "\n".join(
        [
            subscription.package.called,
            _("Paused from %(from)s until %(until)s. Until it begins all stays as it is.") % told,
            _("While it is paused it cannot be used and nothing is charged; nothing is paid back."),
            _("On %(until)s it goes on by itself.") % told,
            _("At least %(days)s days before that I get an e-mail with the day and the amount.")
            % told,
            *agreements.going_on(then, subscription.price_version, subscription.seats),
            _("I can take it back before it begins, and resume or cancel it at any time."),
        ]
    )


@money_transaction
def pause(
    *,
    subscription_id: int,
    until: date,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> Pause:
    """
    Let a subscription rest from the end of the paid term until a day, when it goes on by itself.

    Nothing is given back and nothing is charged in between. It takes the place of a pause that has
    not begun; asked for again, it changes nothing.

    until: the day in the subscription's zone on which the next term begins.
    raises NotAllowed: `by` may not spend for the customer.
    raises SubscriptionEnded: it is over.
    raises NotNow: it is on trial, unpaid, paused, or does not renew by itself.
    raises BadPause: the day is not within the twelve months after the paid term.
    source: docs/adr/0016-pause.md
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    acting.require_live(subscription)
    require_possible(subscription, at)
    require_until(subscription, until)
    ends_at = periods.instant(until, subscription.zone)
    known = subscription.pauses.scheduled().first()
    if known is not None and known.until == ends_at:
        return known
    subscription.pauses.stop(at)
    asked = Pause.objects.create(
        subscription=subscription,
        until=ends_at,
        consent=acting.agreed(
            subscription.customer,
            Consent.Purpose.CHANGE,
            agreement(subscription, ends_at),
            at=at,
            by=by,
            circumstances=circumstances,
        ),
        asked_at=at,
        asked_by=by,
    )
    log.info("subscription.pauses", number=subscription.number, until=str(until), by=by and by.pk)
    return asked


def require_possible(subscription: Subscription, at: datetime) -> None:
    """
    raises NotNow: there is no paid term to rest after, or none to go on with.
    """
    if subscription.is_paused:
        raise NotNow(_("It is paused already."))
    if subscription.state == Subscription.State.TRIAL:
        raise NotNow(_("A trial cannot be paused. It ends by itself unless you let it renew."))
    if subscription.is_past_due or subscription.paid_until <= at:
        raise NotNow(_("The current term is not paid yet. Top up first, then pause it."))
    if not subscription.auto_renew:
        raise NotNow(_("It ends with the current term. Switch renewal on first, then pause it."))


def require_until(subscription: Subscription, until: date) -> None:
    """
    raises BadPause: as `pause`.
    """
    first = periods.day_in(subscription.paid_until, subscription.zone)
    if not first < until <= last_day(subscription):
        raise BadPause(
            _("Choose a day after %(first)s and not after %(last)s.")
            % {
                "first": wording.plain_day(first),
                "last": wording.plain_day(last_day(subscription)),
            },
            field="until",
        )


@money_transaction
def revoke(*, subscription_id: int, at: datetime, by: User | None = None) -> None:
    """
    Take back a pause that has not begun. Revoking again changes nothing.

    raises NotAllowed: `by` may not spend for the customer.
    raises NotNow: it has begun; `resume` ends it.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    if subscription.pauses.running().exists():
        raise NotNow(_("The pause has begun. Resume the subscription instead."))
    subscription.pauses.stop(at)


def resumption(subscription: Subscription, *, at: datetime) -> Resumption:
    """
    Return how a paused subscription would go on today, with the changes scheduled for its next
    term. Reads only.

    raises NotNow: it is not paused.
    """
    if not subscription.is_paused:
        raise NotNow(_("It is not paused."))
    [row] = due.read([subscription.pk])
    price = prices.Prices().each_term(
        row.price_version_id, row.seats, row.coupon_id, is_first=row.is_first
    )
    version = PriceVersion.objects.whole().get(pk=row.price_version_id)
    today = periods.day_in(at, row.zone)
    starts_at, ends_at = periods.span(today, row.interval, 0, row.zone)
    return Resumption(
        version=version,
        seats=row.seats,
        zone=row.zone,
        starts_at=max(starts_at, row.paid_until),
        ends_at=ends_at,
        anchor_on=today,
        due=price.amount,
        following=following.of(
            version,
            row.seats,
            redemptions.live(subscription),
            is_first=False,
            begun=int(price.has_coupon),
        ),
        coupon_use_id=row.coupon_use_id,
        has_coupon=price.has_coupon,
        lines=json.loads(price.lines),
    )


def resume_agreement(again: Resumption) -> str:
    """
    Return, line by line, what a customer agrees to by ending a pause today.
    """
    told = {
        "amount": money(again.due),
        "from": wording.plain_day(again.anchor_on),
        "last": wording.last_day(again.ends_at, again.zone),
    }
    return "\n".join(
        [
            again.version.package.called,
            _("%(amount)s is taken from the wallet now.") % told,
            _("A new term runs from %(from)s until %(last)s, and terms are counted from it.")
            % told,
            *agreements.renewals(again.following),
        ]
    )


@money_transaction
def resume(
    *,
    subscription_id: int,
    at: datetime,
    by: User | None = None,
    quoted_at: datetime | None = None,
    circumstances: Circumstances | None = None,
) -> Subscription:
    """
    End a pause today: a new term begins, is taken from the wallet, and terms are counted from it.

    quoted_at: when `resumption` was shown, at most HONOURED_FOR ago; the same is taken.
    raises NotAllowed, CustomerFrozen, CustomerClosed, InsufficientFunds: as `subscribe`.
    raises SubscriptionEnded: it is over.
    raises NotNow: it is not paused.
    raises ChangeStale: it was shown too long ago, or something has changed since.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    customers.require_active(subscription.customer)
    acting.require_live(subscription)
    shown_at = quoted_at or at
    changing.require_fresh(subscription, shown_at, at)
    again = resumption(subscription, at=shown_at)
    consent = acting.agreed(
        subscription.customer,
        Consent.Purpose.CHANGE,
        resume_agreement(again),
        at=at,
        by=by,
        circumstances=circumstances,
    )
    _begin_term(subscription, again, at)
    subscription.pauses.stop(at)
    subscription.changes.scheduled().update(applied_at=at)
    if again.due.amount:
        _charge(subscription, again, consent, at, by)
    log.info(
        "subscription.resumed",
        number=subscription.number,
        due_minor=to_minor(again.due),
        by=by and by.pk,
    )
    return subscription


def _begin_term(subscription: Subscription, again: Resumption, at: datetime) -> None:
    follows = again.starts_at == subscription.paid_until
    before = subscription.period_number
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        number=before + 1,
        previous_number=before if follows else None,
        starts_at=again.starts_at,
        ends_at=again.ends_at,
        price_version=again.version,
        seats=again.seats,
        coupon_use_id=again.coupon_use_id if again.has_coupon else None,
        amount_minor=to_minor(again.due),
        created_at=at,
    )
    if again.coupon_use_id is not None:
        after = redemptions.term_begun if again.has_coupon else redemptions.end
        after([again.coupon_use_id], at=at)
    subscription.price_version, subscription.package = again.version, again.version.package
    subscription.seats = again.seats
    subscription.period_number = subscription.anchor_number = before + 1
    subscription.anchor_on = again.anchor_on
    subscription.paid_until = subscription.next_try_at = again.ends_at
    subscription.state, subscription.failures = Subscription.State.ACTIVE, 0
    subscription.save()


def _charge(
    subscription: Subscription,
    again: Resumption,
    consent: Consent,
    at: datetime,
    by: User | None,
) -> None:
    charging.take(
        subscription,
        again.due,
        kind=Charge.Kind.TERM,
        reference=charging.reference(
            "resumption", subscription.pk, again.starts_at, subscription.zone
        ),
        description=wording.described(
            subscription, starts_at=again.starts_at, ends_at=again.ends_at
        ),
        lines=again.lines,
        consent_id=consent.pk,
        at=at,
        by=by,
    )
