"""
Using coupons: which one a code means, whether it may be used, and what becomes of it.
"""

import unicodedata
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection
from django.db.models import F, Q
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.models import Customer, User
from crm_billing.errors import DomainError
from packages import quotes
from packages.discounts import Course, Discount
from packages.models import Coupon, CouponUse, PriceVersion, Subscription


class CouponRefused(DomainError):
    """
    A code that cannot be used here; the message says why, for the field it was entered in.
    """

    code = "coupon_refused"


class CouponUnknown(CouponRefused):
    """
    No coupon that can be entered yet has this code.
    """

    code = "coupon_unknown"


class CouponOver(CouponRefused):
    """
    It can be entered no longer.
    """

    code = "coupon_over"


class CouponElsewhere(CouponRefused):
    """
    It is for other packages, or for another currency, or would take nothing off.
    """

    code = "coupon_elsewhere"


class CouponUsedUp(CouponRefused):
    """
    It has been used as often as it may be.
    """

    code = "coupon_used_up"


class CouponUsedBefore(CouponRefused):
    """
    This customer has used it as often as one customer may.
    """

    code = "coupon_used_before"


class CouponTaken(CouponRefused):
    """
    The subscription has a coupon already.
    """

    code = "coupon_taken"


def find(
    *, code: str, customer: Customer, price_version: PriceVersion, seats: int, at: datetime
) -> Coupon:
    """
    Return the coupon that a customer may use for a price at a moment. Counts nothing.

    code: as entered; small and full-width letters and blanks do not matter.
    price_version: read with `whole()`.
    raises CouponUnknown, CouponOver, CouponElsewhere, CouponUsedUp, CouponUsedBefore.
    """
    coupon = Coupon.objects.filter(code=plain(code), published_at__isnull=False).first()
    if coupon is None or at < coupon.valid_from:
        raise CouponUnknown(_("There is no coupon with this code. Check how it is written."))
    require(coupon, customer=customer, price_version=price_version, seats=seats, at=at)
    return coupon


def require(
    coupon: Coupon, *, customer: Customer, price_version: PriceVersion, seats: int, at: datetime
) -> None:
    """
    Refuse a coupon that cannot be entered for a price at a moment.

    raises: as `find`.
    """
    if not coupon.holds(at):
        raise CouponOver(_("This coupon is over."))
    if coupon.currency not in ("", price_version.currency):
        raise CouponElsewhere(
            _("This coupon is for prices in %(currency)s.") % {"currency": coupon.currency}
        )
    if not is_for(coupon, price_version.package_id):
        raise CouponElsewhere(
            _("This coupon is not for %(package)s.") % {"package": price_version.package.called}
        )
    quote = quotes.price(price_version.terms, seats=seats, discount=coupon.discount)
    if all(line.discount is None for line in quote.lines):
        raise CouponElsewhere(_("This coupon takes nothing off here: there is nothing to pay."))
    require_left(coupon, customer)


def require_left(coupon: Coupon, customer: Customer) -> None:
    """
    Refuse a coupon that has been used as often as it may be, in total or by one customer.

    raises CouponUsedUp, CouponUsedBefore: as it says.
    """
    if coupon.uses.filter(customer=customer).count() >= coupon.most_per_customer:
        raise CouponUsedBefore(_("You have used this coupon already."))
    if coupon.most_uses is not None and coupon.used >= coupon.most_uses:
        raise CouponUsedUp(_("This coupon has been used up."))


def redeem(
    coupon: Coupon, subscription: Subscription, *, at: datetime, by: User | None
) -> CouponUse:
    """
    Use a coupon for a subscription whose customer is locked. The count is raised first, which
    makes others wait: of two who want the last use, the second is refused.

    raises CouponUsedUp, CouponUsedBefore: since it was looked at, it has been.
    raises CouponTaken: the subscription has one.
    """
    if live(subscription) is not None:
        raise CouponTaken(_("This subscription has a coupon already. Take that off first."))
    nth = coupon.uses.filter(customer=subscription.customer_id).count() + 1
    if nth > coupon.most_per_customer:
        raise CouponUsedBefore(_("You have used this coupon already."))
    if not _count(coupon):
        raise CouponUsedUp(_("This coupon has been used up."))
    coupon.refresh_from_db()
    return CouponUse.objects.create(
        coupon=coupon,
        customer_id=subscription.customer_id,
        subscription=subscription,
        number=coupon.used,
        nth=nth,
        terms_left=coupon.terms,
        used_at=at,
        used_by=by,
    )


def term_begun(use_ids: Collection[int], *, at: datetime) -> None:
    """
    Take a term off coupons that periods have begun with; those of the last one end.
    """
    if use_ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE packages_couponuse SET terms_left = terms_left - 1,"
                " ended_at = CASE WHEN terms_left = 1 THEN %s::timestamptz END"
                " WHERE id = ANY (%s) AND terms_left IS NOT NULL AND ended_at IS NULL",
                [at, list(use_ids)],
            )


def end(use_ids: Iterable[int], *, at: datetime, by: User | None = None) -> None:
    """
    End uses: they make no further term cheaper. Those ended before stay as they are.
    """
    ids = list(use_ids)
    if ids:
        CouponUse.objects.live().filter(pk__in=ids).update(ended_at=at, ended_by=by)


def live(subscription: Subscription) -> CouponUse | None:
    """
    Return the coupon that makes a subscription's next term cheaper, if its package is one it is
    for.
    """
    uses = CouponUse.objects.live().filter(subscription=subscription)
    return uses.select_related("coupon").first()


def discount(use: CouponUse | None, package_id: int) -> Discount | None:
    """
    Return what a coupon in use takes off the price of a package, None when it is not for it.
    """
    if use is None or not is_for(use.coupon, package_id):
        return None
    return use.coupon.discount


def course(use: CouponUse, *, full: Money, begun: int = 0) -> Course:
    """
    Return how a coupon in use goes on. begun: terms that a change would begin with it.
    """
    left = None if use.terms_left is None else use.terms_left - begun
    return Course(discount=use.coupon.discount, left=left, full=full)


def is_for(coupon: Coupon, package_id: int) -> bool:
    scope = {one.pk for one in coupon.packages.all()}
    return not scope or package_id in scope


def plain(code: str) -> str:
    """
    Return a code as it is stored: capital, half-width, without blanks.
    """
    return "".join(unicodedata.normalize("NFKC", code).upper().split())


def _count(coupon: Coupon) -> bool:
    """
    Raise the count if a use is left, and hold the coupon until the transaction ends.
    """
    left = Q(most_uses=None) | Q(used__lt=F("most_uses"))
    return bool(Coupon.objects.filter(left, pk=coupon.pk).update(used=F("used") + 1))
