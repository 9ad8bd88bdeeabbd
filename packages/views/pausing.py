"""
Pausing a subscription and resuming it: what it means is shown first, and exactly that is done.
"""

from datetime import datetime

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.consents import NotRead
from accounts.http import PortalRequest, may_top_up
from crm_billing.errors import DomainError
from packages import explain, pausing, periods, shortfall, wording
from packages.forms import PauseForm
from packages.models import Subscription
from packages.views.agreeing import circumstances, to_agree
from packages.views.standing import line_of, one_or_404
from wallet.ledger import InsufficientFunds
from wallet.queries import balance
from wallet.topups import WrongCurrency

SALT = "packages.resume"
CONTROL = "portal:pause"


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def pause(request: PortalRequest, number: str) -> HttpResponse:
    """
    Choose until when it rests and see what that means; posted, pause it.
    """
    subscription = one_or_404(request, number)
    if not subscription.is_live or subscription.is_paused:
        return redirect("packages:subscription", number)
    refusal = ""
    try:
        pausing.require_possible(subscription, timezone.now())
    except DomainError as error:
        refusal = str(error)
    days = pausing.choices(subscription)
    asked = request.POST if request.method == "POST" else request.GET
    form = PauseForm(asked or None, days=days)
    chosen = None
    if form.is_bound and form.is_valid() and not refusal:
        try:
            pausing.require_until(subscription, form.until)
            chosen = form.until
        except DomainError as error:
            form.add_error("day", str(error))
    if chosen is not None and request.method == "POST":
        return _pause(request, subscription, form)
    context = {
        "line": line_of(subscription),
        "subscription": subscription,
        "form": form,
        "refusal": refusal,
        "starts": wording.shown_day(subscription.paid_until, subscription.zone),
        "last": pausing.last_day(subscription),
        "choices": [
            {
                "value": day.isoformat(),
                "terms": count,
                "label": wording.plain_day(day),
                "is_chosen": form.is_bound and form.data.get("until") == day.isoformat(),
            }
            for count, day in enumerate(days, start=1)
        ],
        "other_is_chosen": form.is_bound and form.data.get("until") == PauseForm.OTHER,
        "chosen": chosen,
        "agreement": chosen
        and to_agree(
            pausing.agreement(subscription, periods.instant(chosen, subscription.zone)),
        ),
    }
    status = 422 if refusal or (form.is_bound and form.errors) else 200
    return render(request, "packages/pause.html", context, status=status)


@may_top_up
@require_POST
def revoke_pause(request: PortalRequest, number: str) -> HttpResponse:
    """
    Take a pause back that has not begun.
    """
    subscription = one_or_404(request, number)
    try:
        pausing.revoke(subscription_id=subscription.pk, at=timezone.now(), by=request.user)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Taken back. All stays as it is."))
    return redirect("packages:subscription", number)


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def resume(request: PortalRequest, number: str) -> HttpResponse:
    """
    Show what going on today costs; posted, go on.
    """
    subscription = one_or_404(request, number)
    if not subscription.is_paused:
        return redirect("packages:subscription", number)
    if request.method == "POST":
        return _resume(request, subscription)
    at = timezone.now()
    again = pausing.resumption(subscription, at=at)
    missing = shortfall.missing(subscription.customer, again.due)
    free = balance(subscription.customer, subscription.currency).available
    try:
        top_up = shortfall.top_up_amount(subscription.customer, again.due, at=at)
    except WrongCurrency:
        top_up = None
    context = {
        "line": line_of(subscription),
        "subscription": subscription,
        "again": again,
        "lines": explain.told(again.lines, subscription.currency),
        "available": free,
        "after": free - again.due,
        "missing": missing,
        "top_up": top_up,
        "agreement": to_agree(pausing.resume_agreement(again)),
        "seen": signing.dumps({"subscription": subscription.pk, "at": at.isoformat()}, salt=SALT),
    }
    return render(request, "packages/resume.html", context)


def _pause(request: PortalRequest, subscription: Subscription, form: PauseForm) -> HttpResponse:
    try:
        pausing.pause(
            subscription_id=subscription.pk,
            until=form.until,
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except NotRead as refusal:
        messages.warning(request, str(refusal))
        return redirect("packages:pause", subscription.number)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        facts = {
            "from": wording.shown_day(subscription.paid_until, subscription.zone),
            "until": wording.plain_day(form.until),
        }
        messages.success(request, _("It rests from %(from)s until %(until)s.") % facts)
    return redirect("packages:subscription", subscription.number)


def _resume(request: PortalRequest, subscription: Subscription) -> HttpResponse:
    here = redirect("packages:resume", subscription.number)
    try:
        seen = signing.loads(request.POST.get("seen", ""), salt=SALT)
    except signing.BadSignature:
        seen = {}
    if seen.get("subscription") != subscription.pk:
        messages.warning(request, _("Please look at what it costs once more."))
        return here
    try:
        pausing.resume(
            subscription_id=subscription.pk,
            at=timezone.now(),
            by=request.user,
            quoted_at=datetime.fromisoformat(seen["at"]),
            circumstances=circumstances(request, CONTROL),
        )
    except InsufficientFunds as refusal:
        messages.warning(
            request, _("Nothing was changed. %(reason)s Top up first.") % {"reason": str(refusal)}
        )
        return here
    except DomainError as refusal:
        messages.warning(request, str(refusal))
        return here
    messages.success(request, _("It goes on from today."))
    return redirect("packages:subscription", subscription.number)
