"""
Coupons that tests publish, by the commands staff use.
"""

from collections.abc import Sequence

from packages import coupons
from packages.coupons import Facts
from packages.models import Coupon, Package
from tests.factories import NOON


def facts(code: str = "SPRING20", **more) -> Facts:
    """
    Return a coupon of 20 % for ever; `amount` makes it one of an amount.
    """
    given = {"name": "春季优惠", "name_en": "Spring", "valid_from": NOON} | more
    if "amount" not in given:
        given.setdefault("bps", 2_000)
    return Facts(code=code, **given)


def drafted(code: str = "SPRING20", packages: Sequence[Package] = (), at=NOON, **more) -> Coupon:
    return coupons.draft(facts=facts(code, **more), packages=packages, at=at, by=None)


def coupon(code: str = "SPRING20", packages: Sequence[Package] = (), at=NOON, **more) -> Coupon:
    """
    Return a published coupon.
    """
    draft = drafted(code, packages, at, **more)
    return coupons.publish(coupon_id=draft.pk, at=at, by=None)
