"""
Ordering a top-up: choose an amount, look once more, go and pay.
"""

from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from djmoney.money import Money

from accounts.http import PortalRequest, may_top_up
from crm_billing import money
from crm_billing.errors import DomainError
from crm_billing.templatetags.ui import money as shown
from crm_billing.templatetags.ui import symbol
from wallet import gateways, numbers, topups
from wallet.forms import TopUpForm
from wallet.views.topups import go_and_pay


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def topup_new(request: PortalRequest) -> HttpResponse:
    """
    Choose an amount and how to pay; what may be ordered goes on to the confirmation.
    """
    at = timezone.now()
    try:
        limits = topups.limits(request.customer, at=at)
    except topups.WrongCurrency as refusal:
        return render(request, "wallet/topup_new.html", {"refusal": str(refusal)})
    if request.method != "POST":
        return _ask_amount(request, TopUpForm(limits=limits, initial=_wish(request)), limits)
    form = TopUpForm(request.POST, limits=limits)
    if not _may_be_ordered(form, request, at):
        return _ask_amount(request, form, limits)
    return redirect(f"{reverse('wallet:topup-confirm')}?{urlencode(_order(form))}")


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def topup_confirm(request: PortalRequest) -> HttpResponse:
    """
    Show everything once more; posted, order it and go on to pay.

    The look is a page of its own to come back to; the key in its address makes it order once.
    """
    at = timezone.now()
    try:
        limits = topups.limits(request.customer, at=at)
    except topups.WrongCurrency:
        return redirect("wallet:topup-new")
    form = TopUpForm(request.POST if request.method == "POST" else request.GET, limits=limits)
    if request.method != "POST":
        if _may_be_ordered(form, request, at):
            return _ask_confirmation(request, form, limits)
    elif form.is_valid():
        try:
            topup = topups.start(
                customer=request.customer,
                amount=form.money,
                gateway=form.cleaned_data["gateway"],
                at=at,
                by=request.user,
                request_key=form.cleaned_data["request_key"],
            )
        except DomainError as refusal:
            form.refuse(refusal)
        else:
            return go_and_pay(request, topup)
    return _ask_amount(request, form, limits)


def _may_be_ordered(form: TopUpForm, request: PortalRequest, at: datetime) -> bool:
    if not form.is_valid():
        return False
    try:
        topups.check(
            customer=request.customer,
            amount=form.money,
            gateway=form.cleaned_data["gateway"],
            at=at,
            by=request.user,
        )
    except DomainError as refusal:
        form.refuse(refusal)
    return form.is_valid()


def _order(form: TopUpForm) -> dict[str, str]:
    return {
        "amount": money.plain(form.money),
        "gateway": form.cleaned_data["gateway"],
        "request_key": form.cleaned_data["request_key"] or numbers.code(),
    }


def _wish(request: HttpRequest) -> dict[str, str]:
    """
    Take up what the reader entered before, when they come back from the confirmation.
    """
    return {name: request.GET[name][:40] for name in ("amount", "gateway") if name in request.GET}


def _ask_amount(request: PortalRequest, form: TopUpForm, limits: topups.Limits) -> HttpResponse:
    context = {
        "form": form,
        "limits": limits,
        "symbol": symbol(limits.policy.currency),
        "summary": _summary(form, limits),
        "steps": _steps(),
    }
    status = 422 if form.errors else 200
    return render(request, "wallet/topup_new.html", context, status=status)


def _ask_confirmation(
    request: PortalRequest, form: TopUpForm, limits: topups.Limits
) -> HttpResponse:
    amount, order = form.money, _order(form)
    label = gateways.label(order["gateway"])
    wish = urlencode({"amount": order["amount"], "gateway": order["gateway"]})
    context = {
        "amount": amount,
        "order": order,
        "capital": money.capital_for(amount, language=translation.get_language()),
        "gateway_label": label,
        "rows": [
            {"label": _("Customer"), "value": str(request.customer)},
            {"label": _("Pay with"), "value": label},
            {"label": _("Available now"), "value": shown(limits.balance.available)},
            {"label": _("Available afterwards"), "value": shown(limits.balance.available + amount)},
        ],
        "steps": _steps(),
        "minutes": limits.policy.topup_minutes,
        "back_url": f"{reverse('wallet:topup-new')}?{wish}",
    }
    return render(request, "wallet/topup_confirm.html", context)


def _steps() -> list[str]:
    return [_("Amount"), _("Check"), _("Pay"), _("Done")]


@may_top_up
@require_GET
def topup_summary(request: PortalRequest) -> HttpResponse:
    """
    Work out the balance after the amount being entered, for htmx.
    """
    try:
        limits = topups.limits(request.customer, at=timezone.now())
    except topups.WrongCurrency:
        return HttpResponse(status=204)
    form = TopUpForm(request.GET, limits=limits)
    form.fields["gateway"].required = False
    form.is_valid()
    return render(request, "wallet/_topup_summary.html", _summary(form, limits))


def _summary(form: TopUpForm, limits: topups.Limits) -> dict[str, object]:
    """
    What _topup_summary.html needs: now, the amount, after, and what is wrong with it.
    """
    amount, problem = None, ""
    if form.is_bound:
        amount = form.cleaned_data.get("money") if hasattr(form, "cleaned_data") else None
    else:
        amount = _amount(str(form.initial.get("amount", "")), limits.policy.currency)
    if amount is not None and amount.amount > 0:
        if amount < limits.smallest:
            problem = _("Below the smallest top-up.")
        elif amount > limits.largest:
            problem = _("Above what can be added now.")
    else:
        amount = None
    return {
        "now": limits.balance.available,
        "amount": amount,
        "after": limits.balance.available + amount if amount else None,
        "capital": money.capital_for(amount, language=translation.get_language()) if amount else "",
        "problem": problem,
    }


def _amount(text: str, currency: str) -> Money | None:
    try:
        return money.parse(text, currency)
    except money.BadAmount:
        return None
