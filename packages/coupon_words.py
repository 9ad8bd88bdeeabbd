"""
Coupons in plain words: what they take off, for how long, for what, and how often they are used.
"""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_billing.templatetags.ui import money
from packages import wording
from packages.models import Coupon, CouponUse


def takes_off(coupon: Coupon) -> str:
    if coupon.amount is not None:
        return _("%(amount)s off each term") % {"amount": money(coupon.amount)}
    return _("%(percent)s %% off each term") % {"percent": wording.percent(coupon.bps or 0)}


def lasts(coupon: Coupon) -> str:
    if coupon.terms is None:
        return _("for as long as the subscription runs")
    return ngettext("for %(count)d term", "for %(count)d terms", coupon.terms) % {
        "count": coupon.terms
    }


def summed_up(coupon: Coupon) -> str:
    """
    Say in one line what a coupon gives: 20 % off each term, for 3 terms.
    """
    return _("%(off)s, %(lasts)s") % {"off": takes_off(coupon), "lasts": lasts(coupon)}


def left(use: CouponUse) -> str:
    """
    Say how long a coupon in use still makes renewals cheaper.
    """
    if use.terms_left is None:
        return _("Holds for every renewal.")
    return ngettext(
        "Holds for %(count)d more term.", "Holds for %(count)d more terms.", use.terms_left
    ) % {"count": use.terms_left}


def rules(coupon: Coupon) -> list[tuple[str, str]]:
    """
    Return all a coupon says, as title and text.
    """
    packages = [one.called for one in coupon.packages.all()]
    most = coupon.most_per_customer
    by_one = ngettext("%(count)d time by one customer", "%(count)d times by one customer", most) % {
        "count": most
    }
    in_all = (
        _("as often as they come")
        if coupon.most_uses is None
        else ngettext("%(count)s time in all", "%(count)s times in all", coupon.most_uses)
        % {"count": wording.number(coupon.most_uses)}
    )
    return [
        (_("What it takes off"), takes_off(coupon)),
        (_("Of what"), _("What recurs and seats; not what is paid once, and no usage.")),
        (_("How long"), lasts(coupon)),
        (_("For which packages"), " · ".join(packages) or _("every plan and add-on")),
        (_("How often"), f"{in_all} · {by_one}"),
    ]
