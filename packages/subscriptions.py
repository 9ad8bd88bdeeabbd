"""
Commands about what customers have bought. Whatever is shown before is what is posted after.
"""

from datetime import datetime

import structlog
from django.utils.translation import gettext as _

from accounts import customers
from accounts.consents import Circumstances
from accounts.models import Consent, Customer, User
from crm_billing.money import to_minor
from crm_billing.transactions import money_transaction
from packages import (
    acting,
    agreements,
    beginnings,
    changes,
    changing,
    charges,
    charging,
    prices,
    redemptions,
    wording,
)
from packages.catalogue import NotOnSale
from packages.changes import Planned
from packages.models import (
    Charge,
    Coupon,
    PriceQuote,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    WaitingChange,
)
from wallet import numbers

log = structlog.get_logger(__name__)

CANCEL = "packages.cancel_subscription"


def renewal_agreement(subscription: Subscription) -> str:
    """
    Return what a customer agrees to by switching renewals on, in the active language.

    subscription: read with `whole()`.
    """
    return agreements.renewal_agreement(subscription, prices.coming(subscription))


@money_transaction
def subscribe(
    *,
    customer: Customer,
    price_version: PriceVersion,
    seats: int = 1,
    auto_renew: bool,
    at: datetime,
    by: User | None = None,
    quote: PriceQuote | None = None,
    coupon: Coupon | None = None,
    consent: Consent | None = None,
    circumstances: Circumstances | None = None,
) -> Subscription:
    """
    Begin a subscription and take its first term from the wallet, all or nothing.

    A trial takes nothing. The terms of charging are kept as a consent, in the active language.

    auto_renew: whether the customer agreed that it renews by itself.
    by: an owner or a finance person of the customer; None for the house itself.
    quote: the one that was shown, whose price holds though its sale may have ended.
    coupon: makes it cheaper and is used by it; the quote's own though it may be over by now.
    consent: given before; else it is given now.
    raises NotAllowed: `by` may not spend.
    raises CustomerFrozen, CustomerClosed: the customer moves no money.
    raises NotOnSale: the price is not offered to this customer now.
    raises BadSeats: so many are not sold.
    raises AlreadySubscribed: the customer has the package.
    raises UseCounted: another package of the customer counts its use.
    raises CouponRefused: the coupon may not be used, or the last use of it has just gone.
    raises InsufficientFunds: less is available; `data["available"]` says how much.
    """
    customer = customers.lock(customer.pk)
    acting.require_right(by, customer.pk)
    customers.require_active(customer)
    version = PriceVersion.objects.whole().get(pk=price_version.pk)
    if quote is None and not beginnings.is_offered(version, customer, at):
        raise NotOnSale(_("This price is not offered any more. Choose again."))
    beginnings.require_new(customer, version)
    if coupon is not None and (quote is None or quote.coupon_id != coupon.pk):
        redemptions.require(coupon, customer=customer, price_version=version, seats=seats, at=at)
    begun = beginnings.first(
        customer=customer, price_version=version, seats=seats, at=at, coupon=coupon
    )
    if consent is None:
        consent = acting.agreed(
            customer,
            Consent.Purpose.SUBSCRIBE,
            beginnings.agreement(version, begun, auto_renew=auto_renew),
            at=at,
            by=by,
            circumstances=circumstances,
        )
    subscription = _begin(customer, version, begun, seats, auto_renew, consent, at, by)
    log.info(
        "subscription.begun",
        number=subscription.number,
        customer=customer.number,
        due_minor=to_minor(begun.due),
        by=by and by.pk,
    )
    return subscription


@money_transaction
def cancel(*, subscription_id: int, at: datetime, by: User | None = None) -> Subscription:
    """
    Let a subscription end with what is paid; what is not paid any more ends at once.

    Cancelling again changes nothing. Until the end `renew_automatically` takes it back.

    by: an owner or a finance person, staff with `packages.cancel_subscription`, or None.
    raises NotAllowed: `by` is none of them.
    raises SubscriptionEnded: it is over.
    """
    subscription = acting.lock(subscription_id)
    if not (by and by.is_active and by.is_staff and by.has_perm(CANCEL)):
        acting.require_right(by, subscription.customer_id)
    acting.require_live(subscription)
    if subscription.cancelled_at is not None:
        return subscription
    subscription.auto_renew = False
    subscription.cancelled_at, subscription.cancelled_by = at, by
    subscription.pauses.stop(at)
    if subscription.paid_until <= at:
        _end(subscription, at)
    subscription.save()
    log.info("subscription.cancelled", number=subscription.number, by=by and by.pk)
    return subscription


@money_transaction
def renew_automatically(
    *,
    subscription_id: int,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> Subscription:
    """
    Switch renewals on by a recorded consent; this also takes a cancellation back.

    raises NotAllowed: `by` may not spend for the customer.
    raises SubscriptionEnded: it is over.
    raises NotNow: another price was announced for it, which has to be agreed to.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    acting.require_live(subscription)
    if subscription.auto_renew:
        return subscription
    if subscription.price_announcements.unanswered().exists():
        raise changes.NotNow(_("Its price changes. Look at the new price and agree to that."))
    subscription.consent = acting.agreed(
        subscription.customer,
        Consent.Purpose.AUTO_RENEW,
        renewal_agreement(subscription),
        at=at,
        by=by,
        circumstances=circumstances,
    )
    subscription.auto_renew = True
    subscription.cancelled_at = subscription.cancelled_by = None
    subscription.save()
    log.info("subscription.renews", number=subscription.number, by=by and by.pk)
    return subscription


@money_transaction
def change(
    *,
    subscription_id: int,
    price_version: PriceVersion | None = None,
    seats: int | None = None,
    at: datetime,
    by: User | None = None,
    quoted_at: datetime | None = None,
    circumstances: Circumstances | None = None,
) -> SubscriptionChange:
    """
    Give a subscription another price, of its package or another, or another number of seats.

    What costs more holds at once and takes its share of the term from the wallet; what costs less
    waits for the next term and can be revoked until then. See `changes.plan`.

    quoted_at: when `changes.plan` was shown, at most HONOURED_FOR ago; the same is taken
    raises NotAllowed, CustomerFrozen, CustomerClosed, NotOnSale, BadSeats, AlreadySubscribed,
    UseCounted, InsufficientFunds: as `subscribe`.
    raises SubscriptionEnded: it is over.
    raises NothingChanges, NotNow: as `changes.plan`.
    raises ChangeStale: it was shown too long ago, or something has changed since.
    """
    shown_at = quoted_at or at
    subscription, planned = plan_change(
        subscription_id=subscription_id,
        price_version=price_version,
        seats=seats,
        offered_at=shown_at,
        at=shown_at,
        by=by,
    )
    changing.require_fresh(subscription, shown_at, at)
    consent = changing.agree(subscription, planned, at, by, circumstances)
    made = changing.write_down(subscription, planned, consent, at, by)
    changing.drop_waiting(subscription, WaitingChange.Reason.REPLACED, at)
    if planned.at_once:
        changing.apply(subscription, planned, made, at, by)
    log.info(
        "subscription.changed",
        number=subscription.number,
        at_once=planned.at_once,
        due_minor=to_minor(planned.due),
        by=by and by.pk,
    )
    return made


def plan_change(
    *,
    subscription_id: int,
    price_version: PriceVersion | None,
    seats: int | None,
    offered_at: datetime,
    at: datetime,
    by: User | None,
) -> tuple[Subscription, Planned]:
    """
    Lock a subscription and plan a change of it that `by` may make. Nothing is written.

    offered_at: when the price was offered.
    raises: as `change`, but for ChangeStale.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    customers.require_active(subscription.customer)
    acting.require_live(subscription)
    version = changing.wanted(subscription, price_version, offered_at)
    wanted_seats = subscription.seats if seats is None else seats
    return subscription, changes.plan(subscription, version=version, seats=wanted_seats, at=at)


@money_transaction
def revoke_change(*, change_id: int, at: datetime, by: User | None = None) -> SubscriptionChange:
    """
    Take back what was to happen when the term ends. Revoking again changes nothing.

    raises NotAllowed: `by` may not spend for the customer.
    raises ChangeStale: it is in force already.
    raises NotNow: it was announced; who does not want it cancels the subscription.
    """
    made = SubscriptionChange.objects.get(pk=change_id)
    subscription = acting.lock(made.subscription_id)
    acting.require_right(by, subscription.customer_id)
    made.refresh_from_db()
    if made.applied_at is not None:
        raise changing.ChangeStale(_("This change is in force already."))
    if made.announcement_id is not None:
        raise changes.NotNow(
            _("The old price is not sold any more. To stop it, cancel the subscription.")
        )
    if made.revoked_at is None:
        made.revoked_at = at
        made.save(update_fields=["revoked_at"])
    return made


def _begin(
    customer: Customer,
    version: PriceVersion,
    begun: beginnings.First,
    seats: int,
    auto_renew: bool,
    consent: Consent,
    at: datetime,
    by: User | None,
) -> Subscription:
    states = Subscription.State
    subscription = Subscription.objects.create(
        number=numbers.document("S", at),
        customer=customer,
        package=version.package,
        price_version=version,
        currency=version.currency,
        seats=seats,
        state=states.TRIAL if begun.has_trial else states.ACTIVE,
        auto_renew=auto_renew,
        consent=consent if auto_renew else None,
        had_trial=begun.has_trial,
        trial_of=version.package if begun.has_trial else None,
        zone=begun.zone,
        anchor_on=begun.anchor_on,
        anchor_number=2 if begun.has_trial else 1,
        paid_until=begun.ends_at,
        next_try_at=begun.ends_at,
        created_at=at,
        created_by=by,
    )
    use = begun.coupon and redemptions.redeem(begun.coupon, subscription, at=at, by=by)
    begun_with = None if begun.has_trial else use
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        number=1,
        starts_at=begun.starts_at,
        ends_at=begun.ends_at,
        price_version=version,
        seats=seats,
        is_trial=begun.has_trial,
        coupon_use=begun_with,
        amount_minor=to_minor(begun.due),
        created_at=at,
    )
    if begun_with is not None:
        redemptions.term_begun([begun_with.pk], at=at)
    if begun.due.amount:
        charging.take(
            subscription,
            begun.due,
            kind=Charge.Kind.FIRST,
            reference=charging.reference(
                "subscription", subscription.pk, begun.starts_at, begun.zone
            ),
            description=wording.described(
                subscription, starts_at=begun.starts_at, ends_at=begun.ends_at
            ),
            lines=charges.frozen([line for line in begun.quote.lines if not line.is_use]),
            consent_id=consent.pk,
            at=at,
            by=by,
        )
    return subscription


def _end(subscription: Subscription, at: datetime) -> None:
    subscription.state = Subscription.State.ENDED
    subscription.ended_at = at
    subscription.next_try_at = subscription.past_due_at = None
