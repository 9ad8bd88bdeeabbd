"""
Writing a change of a subscription down and into force; `subscriptions.change` locks and decides.
"""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.consents import Circumstances
from accounts.models import Consent, User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from packages import acting, agreements, beginnings, change_lines, charging, redemptions, wording
from packages.catalogue import NotOnSale
from packages.changes import Planned
from packages.models import (
    Charge,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    WaitingChange,
)
from packages.terms import NO_TERM

HONOURED_FOR = timedelta(minutes=30)  # a change as it was shown


class ChangeStale(DomainError):
    """
    What was shown does not hold any more.
    """

    code = "change_stale"


def wanted(
    subscription: Subscription, price_version: PriceVersion | None, at: datetime
) -> PriceVersion:
    """
    Return the price a subscription is to have, whole.

    raises NotOnSale, AlreadySubscribed, UseCounted: as `change`.
    """
    if price_version is None or price_version.pk == subscription.price_version_id:
        return PriceVersion.objects.whole().get(pk=subscription.price_version_id)
    version = PriceVersion.objects.whole().get(pk=price_version.pk)
    if not beginnings.is_offered(version, subscription.customer, at):
        raise NotOnSale(_("This price is not offered any more. Choose again."))
    if version.interval == NO_TERM or version.package.kind != subscription.package.kind:
        raise NotOnSale(_("This is bought once, not subscribed to."))
    beginnings.require_new(subscription.customer, version, besides=subscription)
    return version


def require_fresh(subscription: Subscription, shown_at: datetime, at: datetime) -> None:
    """
    Refuse to post what was shown when the subscription was another.
    """
    changed = subscription.changes.filter(made_at__gt=shown_at).exists()
    begun = subscription.periods.filter(
        number=subscription.period_number, created_at__gt=shown_at
    ).exists()
    uses = Q(used_at__gt=shown_at) | Q(ended_at__gt=shown_at)
    used = subscription.coupon_uses.filter(uses).exists()
    if changed or begun or used or not at - HONOURED_FOR <= shown_at <= at:
        raise ChangeStale(_("This was shown too long ago. Please look at it once more."))


def agree(
    subscription: Subscription,
    planned: Planned,
    at: datetime,
    by: User | None,
    circumstances: Circumstances | None,
) -> Consent:
    """
    Keep that somebody agreed to a change, word for word.
    """
    return acting.agreed(
        subscription.customer,
        Consent.Purpose.CHANGE,
        agreements.change_agreement(planned, subscription),
        at=at,
        by=by,
        circumstances=circumstances,
    )


def write_down(
    subscription: Subscription,
    planned: Planned,
    consent: Consent,
    at: datetime,
    by: User | None,
) -> SubscriptionChange:
    """
    Keep a change, in place of what it replaces.
    """
    other_price = planned.version.pk != subscription.price_version_id
    other_seats = planned.seats != subscription.seats
    replaced = [one.pk for one in planned.replaces]
    subscription.changes.scheduled().filter(pk__in=replaced).update(revoked_at=at)
    return SubscriptionChange.objects.create(
        subscription=subscription,
        from_version_id=subscription.price_version_id,
        from_seats=subscription.seats,
        to_version=planned.version if other_price else None,
        to_seats=planned.seats if other_seats else None,
        consent=consent,
        made_at=at,
        made_by=by,
        applied_at=at if planned.at_once else None,
    )


def drop_waiting(subscription: Subscription, reason: WaitingChange.Reason, at: datetime) -> None:
    """
    Close what a subscription waits for money to become.
    """
    subscription.waiting_changes.open().update(closed_at=at, closed_because=reason)


def apply(
    subscription: Subscription,
    planned: Planned,
    made: SubscriptionChange,
    at: datetime,
    by: User | None,
) -> None:
    if planned.new_term:
        _begin_new_term(subscription, planned, at)
    subscription.price_version, subscription.package = planned.version, planned.version.package
    subscription.seats = planned.seats
    subscription.save()
    if planned.coupon_ends:
        redemptions.end(subscription.coupon_uses.values_list("pk", flat=True), at=at, by=by)
    if not planned.due.amount:
        return
    charging.take(
        subscription,
        planned.due,
        kind=Charge.Kind.TERM if planned.new_term else Charge.Kind.CHANGE,
        reference=f"change:{made.pk}",
        description=wording.described(
            subscription, starts_at=max(planned.starts_at, at), ends_at=planned.ends_at
        ),
        lines=change_lines.frozen(planned.parts),
        consent_id=made.consent_id,
        at=at,
        by=by,
    )


def _begin_new_term(subscription: Subscription, planned: Planned, at: datetime) -> None:
    """
    Cut the running term short and let another one follow from a new anchor.
    """
    subscription.periods.filter(number=subscription.period_number).update(
        ends_at=planned.starts_at, cut_at=at
    )
    subscription.period_number += 1
    subscription.anchor_on, subscription.anchor_number = (
        planned.anchor_on,
        subscription.period_number,
    )
    subscription.paid_until = subscription.next_try_at = planned.ends_at
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        number=subscription.period_number,
        previous_number=subscription.period_number - 1,
        starts_at=planned.starts_at,
        ends_at=planned.ends_at,
        price_version=planned.version,
        seats=planned.seats,
        coupon_use=planned.coupon_use,
        amount_minor=to_minor(planned.due),
        created_at=at,
    )
    if planned.coupon_use is not None:
        redemptions.term_begun([planned.coupon_use.pk], at=at)
