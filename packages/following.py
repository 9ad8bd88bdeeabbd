"""
What the next terms of a price are and cost.
"""

from dataclasses import dataclass

from djmoney.money import Money

from packages import quotes, redemptions
from packages.discounts import Course
from packages.models import CouponUse, PriceVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """
    each_term: what a renewal costs, while the coupon's `course` holds where there is one. once:
    what is paid beside it with the next term, where that is the first paid one of its package.
    """

    version: PriceVersion
    seats: int
    each_term: Money
    course: Course | None
    once: Money | None


def of(
    version: PriceVersion, seats: int, use: CouponUse | None, *, is_first: bool, begun: int = 0
) -> Following:
    """
    Return what the next terms of a price cost.

    version: read with `whole()`. use: the coupon the subscription has. is_first: the next term is
    the first paid one of its package. begun: terms that begin with the coupon before it.
    """
    discount = redemptions.discount(use, version.package_id)
    plain = quotes.price(version.terms, seats=seats)
    each_term = quotes.price(version.terms, seats=seats, discount=discount).each_term
    course = None
    if use is not None and discount is not None:
        course = redemptions.course(use, full=plain.each_term, begun=begun)
        each_term = course.each_term(each_term)
    return Following(
        version=version,
        seats=seats,
        each_term=each_term,
        course=course,
        once=plain.at_start - plain.each_term if is_first else None,
    )
