"""
What a customer has: all of it, one of it, and the two switches, to cancel and to renew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from djmoney.money import Money

from accounts.http import PortalRequest, customer_required, may_top_up
from accounts.models import Consent
from crm_billing.errors import DomainError
from crm_billing.money import from_minor
from crm_billing.templatetags.ui import money as shown
from packages import coupon_words, quotes, redemptions, subscriptions, unpaid, wording
from packages.forms import CouponForm
from packages.models import (
    Charge,
    CouponUse,
    Pause,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    SubscriptionPeriod,
    WaitingChange,
)
from packages.prices import Prices
from packages.terms import SEAT
from packages.views.agreeing import circumstances, clauses

PAGE = 20
PERIODS = 24
NEWS = timedelta(days=7)  # how long it is shown that a change was not made
CONTROL = "portal:subscription"
States = Subscription.State
UNPAID = (States.PAST_DUE, States.RESTRICTED, States.SUSPENDED)


@dataclass(slots=True)
class Line:
    """
    A subscription as lists and its own page show it. Made of one read with `whole()`.

    quote: its price without coupons. coming: what its next term costs, with its coupon and the
    changes scheduled for it.
    """

    subscription: Subscription
    quote: quotes.Quote
    coming: Money
    pause: Pause | None

    @property
    def price(self) -> str:
        return wording.per_term(self.quote.each_term, self.quote.terms.interval)

    @property
    def seats(self) -> int | None:
        """
        Return how many seats it has, None when it is not sold by seats.
        """
        return self.subscription.seats if self.quote.terms.of_kind(SEAT) else None

    @property
    def next_day(self) -> str:
        return wording.shown_day(self.subscription.paid_until, self.subscription.zone)

    @property
    def last_day(self) -> str:
        return wording.last_day(self.subscription.paid_until, self.subscription.zone)

    @property
    def pause_until(self) -> str:
        return wording.shown_day(self.pause.until, self.subscription.zone) if self.pause else ""

    @property
    def changes_on(self) -> str:
        """
        Return the day on which what is scheduled holds: of the next term.
        """
        return self.pause_until or self.next_day

    @property
    def is_unpaid(self) -> bool:
        return self.subscription.state in UNPAID

    @property
    def outlook(self) -> str:
        """
        Say what happens next, and when.
        """
        one = self.subscription
        told = {"day": self.next_day, "last": self.last_day, "amount": shown(self.coming)}
        if one.ended_at is not None:
            told["day"] = wording.shown_day(one.ended_at, one.zone)
            return _("Ended on %(day)s") % told
        if self.is_unpaid and one.past_due_at is not None:
            told["day"] = wording.shown_day(one.past_due_at, one.zone)
            return _("Since %(day)s not paid: %(amount)s") % told
        if self.pause is not None:
            told["until"] = self.pause_until
            if one.is_paused:
                return _("Paused. It goes on on %(until)s for %(amount)s") % told
            return _("Paused from %(day)s until %(until)s") % told
        if one.auto_renew:
            return _("Renews on %(day)s for %(amount)s") % told
        if one.state == States.TRIAL:
            return _("Trial until %(last)s, then it ends") % told
        return _("Runs until %(last)s, then it ends") % told


@customer_required
@require_safe
def subscription_list(request: PortalRequest) -> HttpResponse:
    """
    List what the customer has, and below it what has ended.
    """
    mine = _mine(request).whole()
    live = lines_of(list(mine.live().order_by("package__position", "pk")))
    paginator = Paginator(mine.filter(state=States.ENDED).order_by("-ended_at", "-pk"), PAGE)
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "live": live,
        "ended": lines_of(list(page)),
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
    return subscription_page(request, one_or_404(request, number))


def subscription_page(
    request: PortalRequest, subscription: Subscription, coupon_form: CouponForm | None = None
) -> HttpResponse:
    """
    Show a subscription, with a code that was entered and what is wrong with it.
    """
    line = line_of(subscription)
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
        "scheduled": [_scheduled(one, subscription) for one in subscription.changes.scheduled()],
        "waiting": _waiting(subscription, timezone.now()),
        "unpaid": unpaid.tell(subscription, at=timezone.now()),
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
    line = line_of(one_or_404(request, number))
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
    line = line_of(one_or_404(request, number))
    subscription = line.subscription
    if request.method != "POST":
        if not subscription.is_live or subscription.auto_renew:
            return redirect("packages:subscription", number)
        agreed = clauses(subscriptions.renewal_agreement(subscription))
        return render(request, "packages/renew.html", {"line": line, "clauses": agreed})
    try:
        subscriptions.renew_automatically(
            subscription_id=subscription.pk,
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("It renews by itself from now on. You can stop it any time."))
    return redirect("packages:subscription", number)


def _mine(request: PortalRequest):
    mine = Subscription.objects.visible_to(request.user).filter(customer=request.customer)
    pauses = Prefetch("pauses", Pause.objects.open(), to_attr="open_pauses")
    return mine.prefetch_related(pauses)


def one_or_404(request: PortalRequest, number: str) -> Subscription:
    """
    Return a subscription of the customer one acts for; any other is as if it were not there.
    """
    related = _mine(request).whole().select_related("created_by", "cancelled_by")
    return get_object_or_404(related, number=number)


def line_of(subscription: Subscription) -> Line:
    [line] = lines_of([subscription])
    return line


def lines_of(found: Sequence[Subscription]) -> list[Line]:
    """
    Return subscriptions read by `one_or_404` or `_mine` as they are shown.
    """
    coming = Prices(one.price_version for one in found).next_terms(found)
    return [
        Line(
            subscription=one,
            quote=quotes.price(one.price_version.terms, seats=one.seats),
            coming=coming[one.pk].amount,
            pause=next(iter(one.open_pauses), None),  # type: ignore[attr-defined]
        )
        for one in found
    ]


def _rows(line: Line) -> list[dict[str, Any]]:
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
        rows.append({"label": _("Cancelled"), "at": one.cancelled_at})
    rows.append({"label": _("Days are counted in"), "value": one.zone})
    return rows


def _period(one: SubscriptionPeriod, line: Line, charged: list[Charge]) -> dict[str, Any]:
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


@dataclass(slots=True)
class Waiting:
    """
    A change that waits for money, or why it was not made. text: what it is. lapsed: why not.
    """

    one: WaitingChange
    text: str
    lapsed: str

    @property
    def again(self) -> str:
        """
        Return where the same change is shown once more.
        """
        wish = urlencode({"price": self.one.to_version_id, "seats": self.one.to_seats})
        return f"{reverse('packages:change', args=[self.one.subscription.number])}?{wish}"


def _waiting(subscription: Subscription, at: datetime) -> Waiting | None:
    """
    Return the change that waits for money, or the last one while it is news that it was not made.
    """
    shown = subscription.waiting_changes.filter(change=None).exclude(
        closed_because__in=[WaitingChange.Reason.REVOKED, WaitingChange.Reason.REPLACED]
    )
    one = shown.select_related("topup", "to_version").order_by("-pk").first()
    if one is None or (one.closed_at is not None and one.closed_at < at - NEWS):
        return None
    if subscription.changes.filter(made_at__gt=one.agreed_at).exists():
        return None
    lapsed = one.get_closed_because_display() if one.closed_at else ""
    if not lapsed and one.expires_at <= at:
        lapsed = str(WaitingChange.Reason.EXPIRED.label)
    return Waiting(
        one=one,
        text=_becomes(subscription, one.to_version_id, one.to_seats),
        lapsed=lapsed,
    )


def _becomes(subscription: Subscription, version_id: int | None, seats: int | None) -> str:
    """
    Say in words what a subscription is to become.
    """
    parts = []
    version = subscription.price_version
    if version_id is not None and version_id != version.pk:
        version = PriceVersion.objects.whole().get(pk=version_id)
        price = wording.per_term(version.terms.fixed, version.interval)
        parts.append(f"{version.package.called}, {price}")
    if seats is not None and version.terms.of_kind(SEAT):
        parts.append(f"{_('Seats')}: {wording.number(seats)}")
    return " · ".join(parts)


def _scheduled(change: SubscriptionChange, subscription: Subscription) -> dict[str, Any]:
    """
    Return what is to happen when the term ends, in words.
    """
    text = _becomes(subscription, change.to_version_id, change.to_seats)
    return {"pk": change.pk, "text": text}


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
    return list(Consent.objects.filter(agreed).select_related("given_by").order_by("-pk"))


def _page_url(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"?{query.urlencode()}"
