"""
Whether another plan would have cost less: the customer's last months under each of them.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from djmoney.money import Money

from accounts.http import PortalRequest, customer_required
from crm_billing.templatetags.ui import money
from packages import advisor, wording
from packages.advisor import Advice, Option, Used


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One plan beside the months. difference: against now, in words; url: where changing to it is
    previewed, empty for the present plan and for people who may not change it. coupon: the code of
    the one it is counted with.
    """

    plan: str
    price: str
    costs: list[tuple[str, Money]]
    total: Money
    difference: str
    is_now: bool
    is_best: bool
    coupon: str
    url: str
    lacks: str


@customer_required
@require_safe
def advice(request: PortalRequest) -> HttpResponse:
    """
    Show what the last whole months would have cost under every plan that fits.
    """
    found = advisor.advise(request.customer, at=timezone.now())
    may_change = request.member.may_top_up
    context = {"advised": [told(one, may_change=may_change) for one in found]}
    return render(request, "packages/advice.html", context)


def told(one: Advice, *, may_change: bool) -> dict[str, Any]:
    """
    Return advice as the page draws it.
    """
    best = one.best
    rows = [_row(one, option, may_change) for option in (one.now, *one.options)]
    return {
        "subscription": one.subscription,
        "months": [month_name(used) for used in one.months],
        "sentence": sentence(one),
        "best": best,
        "best_url": _change_url(one, best) if best and may_change else "",
        "rows": rows if one.months else [],
        "lacking": [_row(one, option, may_change) for option in one.lacking],
        "counted": [(month_name(used), advisor.counted(one, used)) for used in one.months],
        "has_longer": any(option.months > 1 for option in (one.now, *one.options)),
        "is_final": one.is_final,
        "coupon": one.coupon,
    }


def sentence(one: Advice) -> str:
    """
    Say what the advice comes to.
    """
    if not one.months:
        return _("There is no whole month to look at yet. The first one is over on %(day)s.") % {
            "day": date_format(one.ready_on, "DATE_FORMAT")
        }
    if one.best is None:
        return _("Nothing on offer that has what you use would have cost less.")
    return ngettext(
        "%(plan)s (%(price)s) would have cost %(saving)s less in the last %(count)d month.",
        "%(plan)s (%(price)s) would have cost %(saving)s less in the last %(count)d months.",
        len(one.months),
    ) % {
        "plan": one.best.version.package.called,
        "price": price_of(one.best),
        "saving": money(one.best.saving),
        "count": len(one.months),
    }


def price_of(option: Option) -> str:
    version = option.version
    return wording.per_term(version.terms.fixed, version.interval)


def difference(option: Option) -> str:
    """
    Say how much less or more than now an option would have cost.
    """
    if not option.saving.amount:
        return _("the same")
    if option.saving.amount > 0:
        return _("%(amount)s less") % {"amount": money(option.saving)}
    return _("%(amount)s more") % {"amount": money(-option.saving)}


def month_name(used: Used) -> str:
    return date_format(used.month.first, "YEAR_MONTH_FORMAT")


def _row(one: Advice, option: Option, may_change: bool) -> Row:
    is_now = option is one.now
    months = [month_name(used) for used in one.months]
    return Row(
        plan=option.version.package.called,
        price=price_of(option),
        costs=list(zip(months, option.costs, strict=True)),
        total=option.total,
        difference=_("now") if is_now else difference(option),
        is_now=is_now,
        is_best=option is one.best,
        coupon=option.coupon,
        url=_change_url(one, option) if may_change and not is_now else "",
        lacks=", ".join(option.lacks),
    )


def _change_url(one: Advice, option: Option) -> str:
    query = {"price": option.version.pk, "seats": one.subscription.seats}
    return f"{reverse('packages:change', args=[one.subscription.number])}?{urlencode(query)}"
