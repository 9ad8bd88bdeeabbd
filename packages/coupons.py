"""
Commands about coupons: staff draft, publish and end them; customers enter them for what renews.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.models import User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import money_transaction
from packages import acting, redemptions
from packages.catalogue import require_publisher
from packages.changes import NotNow
from packages.models import Coupon, CouponUse, Package, PriceVersion, Subscription
from packages.models.coupons import CODE
from packages.redemptions import CouponRefused

log = structlog.get_logger(__name__)


class BadCoupon(DomainError):
    """
    A coupon that contradicts itself; `data["field"]` names the fact.
    """

    code = "bad_coupon"


class CouponDecided(DomainError):
    """
    It has been published, or ended.
    """

    code = "coupon_decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What a coupon is to be: as on `Coupon`, with either `bps` or `amount`.
    """

    code: str
    name: str
    name_en: str
    valid_from: datetime
    valid_to: datetime | None = None
    bps: int | None = None
    amount: Money | None = None
    terms: int | None = None
    most_uses: int | None = None
    most_per_customer: int = 1


@transaction.atomic
def draft(
    *, facts: Facts, packages: Sequence[Package] = (), at: datetime, by: User | None
) -> Coupon:
    """
    Write a coupon that nobody can use yet, or write it anew while it is a draft.

    packages: what it is for; none: every plan and add-on.
    by: staff with `packages.publish_package`, None for the house itself.
    raises NotAllowed: as it says.
    raises BadCoupon: the facts contradict each other.
    raises CouponDecided: a coupon with this code has been published, or ended.
    """
    require_publisher(by)
    code = redemptions.plain(facts.code)
    coupon = Coupon.objects.select_for_update(no_key=True).filter(code=code).first()
    if coupon is None:
        coupon = Coupon(code=code, created_at=at, created_by=by)
    elif coupon.published_at is not None or coupon.ended_at is not None:
        raise CouponDecided(_("There is a coupon with this code already."), field="code")
    _check(facts, packages)
    for one in fields(facts):
        if one.name not in ("code", "amount"):
            setattr(coupon, one.name, getattr(facts, one.name))
    coupon.amount_minor = None if facts.amount is None else to_minor(facts.amount)
    coupon.currency = "" if facts.amount is None else facts.amount.currency.code
    try:
        coupon.full_clean(validate_unique=False)
    except ValidationError as error:
        raise BadCoupon(" ".join(error.messages), field=next(iter(error.message_dict))) from error
    coupon.save()
    coupon.packages.set(packages)
    return coupon


@transaction.atomic
def publish(*, coupon_id: int, at: datetime, by: User | None) -> Coupon:
    """
    Let customers use a coupon. From now on what it gives never changes.

    raises NotAllowed: as `draft`.
    raises CouponDecided: it has been published, or ended.
    raises BadCoupon: it would be over already.
    """
    require_publisher(by)
    coupon = _lock(coupon_id)
    if coupon.published_at is not None or coupon.ended_at is not None:
        raise CouponDecided(_("This coupon has been published or ended before."))
    if coupon.valid_to is not None and coupon.valid_to <= at:
        raise BadCoupon(_("It would be over already."), field="valid_to")
    coupon.published_at, coupon.published_by = at, by
    coupon.save(update_fields=["published_at", "published_by"])
    log.info("coupon.published", code=coupon.code, by=by and by.pk)
    return coupon


@transaction.atomic
def end(*, coupon_id: int, at: datetime, by: User | None) -> Coupon:
    """
    Let nobody enter a coupon any more. Who uses it keeps it; quotes given with it are honoured.

    raises NotAllowed: as `draft`.
    raises CouponDecided: it has been ended.
    """
    require_publisher(by)
    coupon = _lock(coupon_id)
    if coupon.ended_at is not None:
        raise CouponDecided(_("This coupon has been ended before."))
    coupon.ended_at, coupon.ended_by = at, by
    coupon.save(update_fields=["ended_at", "ended_by"])
    log.info("coupon.ended", code=coupon.code, by=by and by.pk)
    return coupon


@money_transaction
def enter(*, subscription_id: int, code: str, at: datetime, by: User | None = None) -> CouponUse:
    """
    Use a coupon for what a subscription costs from its next term on.

    code: as entered.
    raises NotAllowed: `by` may not spend for the customer.
    raises CustomerFrozen, CustomerClosed: the customer moves no money.
    raises SubscriptionEnded: it is over.
    raises CouponRefused: why the coupon cannot be used.
    """
    subscription = _locked(subscription_id, by)
    customers.require_active(subscription.customer)
    acting.require_live(subscription)
    if redemptions.live(subscription) is not None:
        raise redemptions.CouponTaken(
            _("This subscription has a coupon already. Take that off first.")
        )
    version, seats = _next_price(subscription)
    coupon = redemptions.find(
        code=code, customer=subscription.customer, price_version=version, seats=seats, at=at
    )
    use = redemptions.redeem(coupon, subscription, at=at, by=by)
    log.info("coupon.used", code=coupon.code, subscription=subscription.number, by=by and by.pk)
    return use


@money_transaction
def take_off(*, subscription_id: int, at: datetime, by: User | None = None) -> CouponUse:
    """
    Let a subscription renew without its coupon, which stays used. The running term is not changed.

    raises NotAllowed: `by` may not spend for the customer.
    raises CouponRefused: it has none.
    raises NotNow: it is unpaid, and a dearer renewal would have to be announced first.
    """
    subscription = _locked(subscription_id, by)
    if subscription.is_past_due:
        raise NotNow(_("The current term is not paid yet. Top up first, then change it."))
    use = redemptions.live(subscription)
    if use is None:
        raise CouponRefused(_("This subscription has no coupon."))
    redemptions.end([use.pk], at=at, by=by)
    log.info(
        "coupon.taken_off", code=use.coupon.code, subscription=subscription.number, by=by and by.pk
    )
    use.refresh_from_db()
    return use


def _check(facts: Facts, packages: Sequence[Package]) -> None:
    if not re.fullmatch(CODE, redemptions.plain(facts.code)):
        raise BadCoupon(_("A code has 3 to 40 letters A to Z, digits and hyphens."), field="code")
    for name in ("terms", "most_uses", "most_per_customer"):
        count = getattr(facts, name)
        if count is not None and count < 1:
            raise BadCoupon(_("At least 1, or nothing at all."), field=name)
    if (facts.bps is None) == (facts.amount is None):
        raise BadCoupon(_("Say either a share or an amount."), field="bps")
    if facts.bps is not None and not 0 < facts.bps <= 10_000:
        raise BadCoupon(_("A share is more than nothing and at most all of it."), field="bps")
    if facts.amount is not None:
        if facts.amount.currency.code not in settings.CURRENCIES:
            raise BadCoupon(_("This currency is not known."), field="currency")
        if facts.amount.amount <= 0:
            raise BadCoupon(_("The amount must be more than nothing."), field="amount")
    if facts.valid_to is not None and facts.valid_to <= facts.valid_from:
        raise BadCoupon(_("It would end before it begins."), field="valid_to")
    for one in packages:
        if one.kind == Package.Kind.TOP_UP:
            raise BadCoupon(
                _("%(package)s is a top-up package; coupons are for plans and add-ons.")
                % {"package": one.called},
                field="packages",
            )


def _next_price(subscription: Subscription) -> tuple[PriceVersion, int]:
    """
    Return the price and the seats of the next term, with the changes scheduled for it.
    """
    version_id, seats = subscription.price_version_id, subscription.seats
    for change in subscription.changes.scheduled():
        version_id = change.to_version_id or version_id
        seats = change.to_seats or seats
    return PriceVersion.objects.whole().get(pk=version_id), seats


def _locked(subscription_id: int, by: User | None) -> Subscription:
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    return subscription


def _lock(coupon_id: int) -> Coupon:
    return Coupon.objects.select_for_update(no_key=True).get(pk=coupon_id)
