"""
Entering a coupon's code: for a quote before it is bought, for a subscription before it renews.
"""

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.http import PortalRequest, may_top_up
from crm_billing import ratelimit
from crm_billing.errors import DomainError
from packages import checkout, coupons
from packages.forms import AgreementForm, CouponForm
from packages.views.checkout import quote_page, visible_quote
from packages.views.picked import to_quote
from packages.views.standing import one_or_404
from packages.views.subscriptions import subscription_page

WRONG_CODES = 10  # of one customer
IN_SECONDS = 3600

R = TypeVar("R")


@may_top_up
@require_POST
def quote_coupon(request: PortalRequest, code: str) -> HttpResponse:
    """
    Quote the same once more with the coupon entered; without any, when its removal was asked for.
    """
    quote = visible_quote(request, code)
    if quote.subscription is not None:
        return redirect("packages:quote", code)
    if "remove" in request.POST:
        try:
            plain = checkout.with_coupon(
                quote_id=quote.pk, code="", at=timezone.now(), by=request.user
            )
        except DomainError as refusal:
            messages.warning(request, str(refusal))
            return to_quote(request, code)
        return to_quote(request, plain.code)
    form = CouponForm(request.POST)
    cheaper = _try(
        request,
        form,
        lambda entered: checkout.with_coupon(
            quote_id=quote.pk, code=entered, at=timezone.now(), by=request.user
        ),
    )
    if cheaper is None:
        return quote_page(request, code, AgreementForm(request.POST), coupon_form=form)
    messages.success(request, _("The coupon is applied."))
    return to_quote(request, cheaper.code)


@may_top_up
@require_POST
def enter_coupon(request: PortalRequest, number: str) -> HttpResponse:
    """
    Use a coupon for what renews.
    """
    subscription = one_or_404(request, number)
    form = CouponForm(request.POST)
    use = _try(
        request,
        form,
        lambda entered: coupons.enter(
            subscription_id=subscription.pk, code=entered, at=timezone.now(), by=request.user
        ),
    )
    if use is None:
        return subscription_page(request, subscription, coupon_form=form)
    messages.success(request, _("The coupon holds from the next renewal on."))
    return redirect("packages:subscription", number)


@may_top_up
@require_POST
def remove_coupon(request: PortalRequest, number: str) -> HttpResponse:
    """
    Let it renew without its coupon.
    """
    subscription = one_or_404(request, number)
    try:
        coupons.take_off(subscription_id=subscription.pk, at=timezone.now(), by=request.user)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("The coupon is taken off."))
    return redirect("packages:subscription", number)


def _try(request: PortalRequest, form: CouponForm, use: Callable[[str], R]) -> R | None:
    """
    Use the code of a form; None with the reason at its field when that is refused, or has been
    too often.
    """
    if not form.is_valid():
        return None
    who = request.customer.number
    if ratelimit.exceeded("coupon", who, limit=WRONG_CODES, seconds=IN_SECONDS):
        form.add_error("code", _("Too many codes that cannot be used. Try again in an hour."))
        return None
    try:
        used = use(form.cleaned_data["code"])
    except DomainError as refusal:
        form.add_error("code", str(refusal))
        return None
    ratelimit.forgive("coupon", who)
    return used
