"""
What use may cost: what is included and left, what goes on beyond it, and caps of the month.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from djmoney.money import Money

from accounts.http import PortalRequest, customer_required, may_top_up
from accounts.models import Customer
from crm_billing.errors import DomainError
from crm_billing.money import from_minor
from crm_billing.templatetags.ui import money, symbol
from packages import (
    allowing,
    entitlements,
    limits,
    packs,
    periods,
    prices,
    reckoning,
    used_terms,
    wording,
)
from packages.entitlements import REASONS, Decision
from packages.forms import CapForm, OverageForm
from packages.limits import Limits
from packages.models import Overage, SpendingCap, Subscription, UsageBill
from packages.packs import NoPack
from packages.reckoning import Reckoned
from packages.terms import METERED, USED
from packages.views.agreeing import circumstances, to_agree
from packages.views.standing import one_or_404
from wallet.queries import balance

CONTROL = "portal:use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    The use of one feature in the running term. percent: of what is included, None where nothing is.
    stopped: why no more may be used, empty while it may.
    """

    reckoned: Reckoned
    name: str
    used: str
    included: str
    percent: int | None
    beyond: Money
    rule: str
    cap: str
    stopped: str
    has_pack: bool
    resets_on: str

    @property
    def tone(self) -> str:
        if self.stopped:
            return "bad"
        return "warn" if (self.percent or 0) >= 80 else ""


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def limits_page(request: PortalRequest) -> HttpResponse:
    """
    Show what use may cost; posted, cap a month.
    """
    if request.method == "POST":
        return _cap(request)
    return _shown(request, _cap_form(request, None))


def _cap_form(request: PortalRequest, data: Any) -> CapForm:
    live = Subscription.objects.live().filter(customer=request.customer)
    features = {
        component.code: component.called
        for version_id in live.order_by("pk").values_list("price_version_id", flat=True)
        for component in prices.terms_of(version_id).of_kind(*USED)
    }
    return CapForm(data, currency=request.customer.currency, features=features)


@may_top_up
def _cap(request: PortalRequest) -> HttpResponse:
    form = _cap_form(request, request.POST)
    if form.is_valid():
        try:
            allowing.cap(
                customer=request.customer,
                code=form.code_of_feature,
                most=form.amount,
                once=form.is_once,
                at=timezone.now(),
                by=request.user,
            )
        except DomainError as refusal:
            form.add_error("most", str(refusal))
        else:
            said = (
                _("The cap is lifted.") if form.amount is None else _("The cap holds from now on.")
            )
            messages.success(request, said)
            return redirect("packages:limits")
    return _shown(request, form, status=422)


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def overage(request: PortalRequest, number: str, code: str) -> HttpResponse:
    """
    Choose what happens when what is included is used up and see what is agreed to by it; posted,
    agree.
    """
    subscription = one_or_404(request, number)
    terms = subscription.price_version.terms
    component = next((one for one in terms.of_kind(*USED) if one.code == code), None)
    if component is None or not subscription.is_live:
        raise Http404
    posted = request.method == "POST"
    asked = request.POST if posted else request.GET
    known = limits.read(request.customer, [subscription])
    rule = known.overage(subscription.pk, code, timezone.now())
    form = OverageForm(
        asked or None, currency=subscription.currency, held=rule.most if rule else None
    )
    agreed = None
    if form.is_bound and form.is_valid():
        if posted:
            made = _allow(request, form, subscription.pk, code)
            if made is not None:
                return made
        elif form.chosen != Overage.Policy.BLOCK:
            agreed = to_agree(allowing.agreement(subscription, component, form.amount))
    context = {
        "subscription": subscription,
        "component": component,
        "price": wording.summed_up(component, terms),
        "form": form,
        "symbol": symbol(subscription.currency),
        "chosen": form.chosen if form.is_bound else (rule.policy if rule else "BLOCK"),
        "most": form["most"].value() or "",
        "agreement": agreed,
        "stops": form.is_bound and form.is_valid() and form.chosen == Overage.Policy.BLOCK,
    }
    return render(
        request,
        "packages/overage.html",
        context,
        status=422 if form.is_bound and form.errors else 200,
    )


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def pack(request: PortalRequest, number: str, code: str) -> HttpResponse:
    """
    Show what an extra pack gives and costs; posted, buy it.
    """
    subscription = one_or_404(request, number)
    try:
        offered = packs.sold(subscription, code, at=timezone.now())
    except NoPack as refusal:
        messages.warning(request, str(refusal))
        return redirect("packages:limits")
    if request.method == "POST":
        return _buy(request, subscription, code)
    free = balance(request.customer, subscription.currency).available
    context = {
        "subscription": subscription,
        "pack": offered,
        "nth": packs.next_one(subscription, code),
        "agreement": to_agree(packs.agreement(subscription, offered)),
        "available": free,
        "missing": offered.price - free if offered.price > free else None,
    }
    return render(request, "packages/pack.html", context)


def _buy(request: PortalRequest, subscription: Subscription, code: str) -> HttpResponse:
    try:
        bought = packs.buy(
            subscription_id=subscription.pk,
            code=code,
            nth=_posted(request, "nth"),
            period_number=_posted(request, "term"),
            price_version_id=_posted(request, "price"),
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except DomainError as refusal:
        messages.warning(request, str(refusal))
        return redirect("packages:pack", subscription.number, code)
    messages.success(request, _("Bought. It counts at once."))
    return redirect("packages:charge", bought.charge_id)


def _posted(request: PortalRequest, name: str) -> int:
    """
    Return a number of a hidden field as it was shown, 0 for what is none.
    """
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _allow(
    request: PortalRequest, form: OverageForm, subscription_id: int, code: str
) -> HttpResponse | None:
    try:
        allowing.allow(
            subscription_id=subscription_id,
            code=code,
            policy=form.chosen,
            most=form.amount,
            price_version_id=_posted(request, "price"),
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except DomainError as refusal:
        capped = form.chosen == Overage.Policy.CAP_AMOUNT
        form.add_error("most" if capped else None, str(refusal))
        return None
    messages.success(request, _("Decided. It holds from now on."))
    return redirect("packages:limits")


def _shown(request: PortalRequest, form: CapForm, *, status: int = 200) -> HttpResponse:
    customer, at = request.customer, timezone.now()
    month = periods.day_in(at, customer.time_zone).replace(day=1)
    known = limits.read(customer, list(customer.subscriptions.all()))
    terms = used_terms.in_use(customer, at=at)
    running = [
        one
        for one in reckoning.reckon(customer, terms, at=at)
        if one.term.ends_at > at and one.term.subscription.is_live
    ]
    decisions = {one.feature: one for one in entitlements.every(customer, at=at)}
    cap = known.cap("", month, customer.time_zone)
    bills = UsageBill.objects.unpaid().filter(customer=customer)
    unpaid = list(bills.select_related("subscription__package").order_by("pk"))
    spent = from_minor(reckoning.spent_minor(customer, "", month, at=at), customer.currency)
    context = {
        "rows": [
            _row(one, known, decisions.get(one.component.code), month, customer) for one in running
        ],
        "month": date_format(month, "YEAR_MONTH_FORMAT"),
        "spent": spent,
        "cap": cap.most if cap else None,
        "is_once": bool(cap and cap.month),
        "has_caps": any(held.most is not None for held in _caps(known, month, customer)),
        "percent": _percent(spent, cap.most if cap else None),
        "is_reached": _is_reached(spent, cap.most if cap else None),
        "form": form,
        "symbol": symbol(customer.currency),
        "unpaid": unpaid,
        "unpaid_total": from_minor(sum(one.amount_minor for one in unpaid), customer.currency),
    }
    return render(request, "packages/limits.html", context, status=status)


def _caps(known: Limits, month: date, customer: Customer) -> list[SpendingCap]:
    """
    Return the caps that hold in a month, of features and of all use.
    """
    found = (known.cap(code, month, customer.time_zone) for code in known.caps)
    return [one for one in found if one is not None]


def _row(
    one: Reckoned, known: Limits, decision: Decision | None, month: date, customer: Customer
) -> Row:
    component, currency = one.component, one.term.terms.currency
    unit = component.counted_in
    is_counted = component.kind == METERED
    quota = component.included
    quantity = wording.number(one.quantity)
    cap = known.cap(component.code, month, customer.time_zone)
    stopped = str(REASONS[decision.reason]) if decision and decision.reason else ""
    return Row(
        reckoned=one,
        name=component.called,
        used=f"{quantity} {unit}".strip()
        if is_counted
        else _("Turnover of %(amount)s") % {"amount": money(Money(one.quantity, currency))},
        included=f"{wording.number(quota)} {unit}".strip() if quota else "",
        percent=int(100 * one.quantity / quota) if quota else None,
        beyond=from_minor(one.amount_minor, currency),
        rule=_rule(one.overage, quota, currency, stopped=bool(stopped)),
        cap=_cap_text(cap),
        stopped=stopped,
        has_pack=component.pack_units is not None,
        resets_on=wording.shown_day(one.term.ends_at, one.term.subscription.zone),
    )


def _rule(rule: Overage | None, included: Decimal, currency: str, *, stopped: bool) -> str:
    """
    Say what happens beyond what is included; of what is stopped, what was allowed.
    """
    if rule is None or rule.policy == Overage.Policy.BLOCK:
        if not included:
            return _("Not allowed: nothing is charged for it.")
        return _("Stops when what is included is used up.")
    if rule.most_minor is None:
        return _("Allowed without a limit.") if stopped else _("Goes on without a limit.")
    said = (
        _("Allowed until it costs %(most)s in a term.")
        if stopped
        else _("Goes on until it costs %(most)s in a term.")
    )
    return said % {"most": money(from_minor(rule.most_minor, currency))}


def _cap_text(cap: SpendingCap | None) -> str:
    if cap is None or cap.most is None:
        return ""
    return _("At most %(most)s a month.") % {"most": money(cap.most)}


def _percent(spent: Money, most: Money | None) -> int | None:
    if most is None:
        return None
    return int(100 * spent.amount / most.amount) if most.amount else 100


def _is_reached(spent: Money, most: Money | None) -> bool:
    """
    Tell whether a cap has stopped something: one of nothing has not, while nothing is used.
    """
    return most is not None and bool(spent.amount) and spent >= most
