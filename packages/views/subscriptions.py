"""
What a customer has: all of it, one of it, and the two switches, to cancel and to renew.
"""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.consents import NotRead
from accounts.http import PortalRequest, customer_required, may_top_up
from accounts.models import Consent
from crm_billing.errors import DomainError
from crm_billing.money import from_minor
from packages import bounces, coupon_words, redemptions, subscriptions, unpaid, wording
from packages.forms import CouponForm
from packages.models import (
    Charge,
    CouponUse,
    Subscription,
    SubscriptionPeriod,
)
from packages.views import standing
from packages.views.agreeing import circumstances, clauses, to_agree

PAGE = 20
PERIODS = 24
CONTROL = "portal:subscription"


@customer_required
@require_safe
def subscription_list(request: PortalRequest) -> HttpResponse:
    """
    List what the customer has, and below it what has ended.
    """
    mine = standing.mine_of(request).whole()
    live = standing.lines_of(list(mine.live().order_by("package__position", "pk")))
    paginator = Paginator(
        mine.filter(state=Subscription.State.ENDED).order_by("-ended_at", "-pk"), PAGE
    )
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "live": live,
        "ended": standing.lines_of(list(page)),
        "newer": _page_url(request, page.number - 1) if page.has_previous() else "",
        "older": _page_url(request, page.number + 1) if page.has_next() else "",
    }
    return render(request, "packages/subscription_list.html", context)


@customer_required
@require_safe
def subscription_detail(request: PortalRequest, number: str) -> HttpResponse:
    """
    Show one subscription: what it is and costs, what was charged, what was agreed to.
    """
    return subscription_page(request, standing.one_or_404(request, number))


def subscription_page(
    request: PortalRequest, subscription: Subscription, coupon_form: CouponForm | None = None
) -> HttpResponse:
    """
    Show a subscription, with a code that was entered and what is wrong with it.
    """
    line = standing.line_of(subscription)
    use = redemptions.live(subscription)
    charged = Charge.objects.filter(subscription=subscription).select_related("entry")
    by_period: dict[int, list[Charge]] = {}
    for charge in charged.order_by("pk"):
        by_period.setdefault(charge.period_number, []).append(charge)
    periods = subscription.periods.order_by("-number")[:PERIODS]
    context = {
        "line": line,
        "subscription": subscription,
        "rows": _rows(line),
        "periods": [_period(one, line, by_period.get(one.number, [])) for one in periods],
        "consents": [(one, clauses(one.text)) for one in _consents(subscription)],
        "scheduled": [
            standing.scheduled(one, subscription) for one in subscription.changes.scheduled()
        ],
        "waiting": standing.waiting(subscription, timezone.now()),
        "unpaid": unpaid.tell(subscription, at=timezone.now()),
        "returned": bounces.held_up(subscription),
        "coupon": use and _coupon(use),
        "coupon_form": coupon_form or CouponForm(),
    }
    status = 422 if coupon_form is not None and coupon_form.errors else 200
    return render(request, "packages/subscription.html", context, status=status)


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: PortalRequest, number: str) -> HttpResponse:
    """
    Say until when it runs; posted, cancel it.
    """
    line = standing.line_of(standing.one_or_404(request, number))
    subscription = line.subscription
    if request.method != "POST":
        if not subscription.is_live or subscription.cancelled_at is not None:
            return redirect("packages:subscription", number)
        rows = _rows(line)
        return render(request, "packages/cancel.html", {"line": line, "rows": rows})
    try:
        after = subscriptions.cancel(
            subscription_id=subscription.pk, at=timezone.now(), by=request.user
        )
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        said = (
            _("Cancelled. It runs until %(day)s; nothing more is charged.")
            if after.is_live
            else _("Cancelled. It has ended; nothing more is charged.")
        )
        messages.success(request, said % {"day": line.last_day})
    return redirect("packages:subscription", number)


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def renew(request: PortalRequest, number: str) -> HttpResponse:
    """
    Show what renewing by itself means; posted, agree to it. This takes a cancellation back.
    """
    line = standing.line_of(standing.one_or_404(request, number))
    subscription = line.subscription
    if request.method != "POST":
        if not subscription.is_live or subscription.auto_renew:
            return redirect("packages:subscription", number)
        if line.asked is not None and line.asked.is_open:
            return redirect("packages:new-price", number)
        agreed = to_agree(subscriptions.renewal_agreement(subscription))
        return render(request, "packages/renew.html", {"line": line, "agreement": agreed})
    try:
        subscriptions.renew_automatically(
            subscription_id=subscription.pk,
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except NotRead as refusal:
        messages.warning(request, str(refusal))
        return redirect("packages:renew", number)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("It renews by itself from now on. You can stop it any time."))
    return redirect("packages:subscription", number)


def _rows(line: standing.Line) -> list[dict[str, Any]]:
    one = line.subscription
    rows: list[dict[str, Any]] = [
        {"label": _("Number"), "value": one.number, "mono": True, "to_copy": one.number},
        {"label": _("Package"), "value": one.package.called},
        {"label": _("Price"), "value": line.price},
        {
            "label": _("Price version"),
            "value": _("no. %(number)s of %(day)s")
            % {
                "number": one.price_version.number,
                "day": wording.shown_day(one.price_version.valid_from, one.zone),
            },
        },
    ]
    if line.seats is not None:
        rows.append({"label": _("Seats"), "value": wording.number(line.seats)})
    rows.append({"label": _("Begun"), "at": one.created_at})
    if one.created_by:
        rows.append({"label": _("By"), "value": str(one.created_by)})
    if one.cancelled_at:
        rows.append({"label": _("Cancelled at"), "at": one.cancelled_at})
    rows.append({"label": _("Days are counted in"), "value": one.zone})
    return rows


def _period(one: SubscriptionPeriod, line: standing.Line, charged: list[Charge]) -> dict[str, Any]:
    zone = line.subscription.zone
    return {
        "number": one.number,
        "first_day": wording.shown_day(one.starts_at, zone),
        "last_day": wording.last_day(one.ends_at, zone),
        "is_trial": one.is_trial,
        "seats": one.seats if line.seats is not None else "",
        "amount": from_minor(one.amount_minor, line.subscription.currency),
        "charges": charged,
    }


def _coupon(use: CouponUse) -> dict[str, str]:
    """
    Return the coupon a subscription has, in words.
    """
    return {
        "code": use.coupon.code,
        "takes_off": coupon_words.takes_off(use.coupon),
        "left": coupon_words.left(use),
    }


def _consents(subscription: Subscription) -> list[Consent]:
    """
    Return what was agreed to for a subscription, the latest first.
    """
    known = Charge.objects.filter(subscription=subscription).values("consent")
    changed = subscription.changes.values("consent")
    paused = subscription.pauses.values("consent")
    agreed = Q(pk__in=known) | Q(pk__in=changed) | Q(pk__in=paused)
    agreed |= Q(pk=subscription.consent_id)
    quote = getattr(subscription, "quote", None)
    if quote is not None:
        agreed |= Q(pk=quote.consent_id)
    of_pack = Charge.objects.filter(consent=OuterRef("pk"), kind=Charge.Kind.PACK)
    found = Consent.objects.filter(agreed).select_related("given_by").order_by("-pk")
    return list(found.annotate(is_of_pack=Exists(of_pack)))


def _page_url(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
