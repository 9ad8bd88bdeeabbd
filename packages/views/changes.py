"""
Changing a subscription: what it would do is shown first, and exactly that is done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import PortalRequest, may_top_up
from crm_billing.errors import DomainError
from crm_billing.money import from_minor
from packages import (
    advisor,
    agreements,
    change_lines,
    changes,
    changing,
    explain,
    queries,
    quotes,
    seating,
    subscriptions,
    waiting,
    wording,
)
from packages.changes import Planned
from packages.forms import ChangeForm
from packages.models import Package, PriceVersion, Subscription, SubscriptionChange
from packages.seating import BadSeats
from packages.terms import SEAT
from packages.views.advice import sentence
from packages.views.agreeing import circumstances, to_agree
from packages.views.paying import paying as paying_for
from packages.views.standing import line_of, one_or_404
from wallet.ledger import InsufficientFunds
from wallet.queries import balance
from wallet.views.topups import go_and_pay

SALT = "packages.change"
CONTROL = "portal:change"


@dataclass(slots=True)
class Choice:
    """
    A price that may be chosen. price: of a term with the seats looked at; seats: how many these
    are, or how many there are at most; empty when it is not sold by seats. is_now: the subscription
    has it.
    """

    version: PriceVersion
    price: str
    seats: str
    is_now: bool
    is_chosen: bool


@may_top_up
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: PortalRequest, number: str) -> HttpResponse:
    """
    Choose another plan, term or number of seats and see what it costs; posted, change to it.
    """
    subscription = one_or_404(request, number)
    if not subscription.is_live:
        return redirect("packages:subscription", number)
    if request.method == "POST":
        return _make(request, subscription)
    at = timezone.now()
    offered = _offered(subscription, at)
    form = ChangeForm(request.GET or None, subscription=subscription, versions=offered)
    planned, refusal, seats = None, "", form.seats_looked_at
    if form.is_bound and form.is_valid():
        try:
            version = changing.wanted(subscription, form.version, at)
            planned = changes.plan(subscription, version=version, seats=form.seats, at=at)
        except BadSeats as error:
            form.add_error("seats", str(error))
        except DomainError as error:
            refusal = str(error)
    chosen = form["price"].value() or subscription.price_version_id
    context = {
        "line": line_of(subscription),
        "subscription": subscription,
        "form": form,
        "choices": [
            Choice(
                version=one,
                **_costs(one, seats),
                is_now=one.pk == subscription.price_version_id,
                is_chosen=str(one.pk) == str(chosen),
            )
            for one in offered
        ],
        "is_by_seats": any(one.terms.of_kind(SEAT) for one in offered),
        "refusal": refusal,
        "preview": planned and _preview(subscription, planned, at),
        "cheaper": "" if form.is_bound else _cheaper(subscription, at),
    }
    status = 422 if refusal or (form.is_bound and form.errors) else 200
    return render(request, "packages/change.html", context, status=status)


def _costs(version: PriceVersion, wanted: int) -> dict[str, str]:
    """
    Say what a term of a price costs with so many seats, or with as many as there are at most.
    """
    seats = min(wanted, seating.most(version.terms))
    said = wording.seats(seats) if seats == wanted else wording.seats_at_most(seats)
    return {
        "price": wording.per_term(
            quotes.price(version.terms, seats=seats).each_term, version.interval
        ),
        "seats": said if version.terms.of_kind(SEAT) else "",
    }


@may_top_up
@require_POST
def revoke(request: PortalRequest, number: str, change_id: int) -> HttpResponse:
    """
    Take a change back that waits for the end of the term.
    """
    subscription = one_or_404(request, number)
    scheduled = get_object_or_404(SubscriptionChange, pk=change_id, subscription=subscription)
    try:
        subscriptions.revoke_change(change_id=scheduled.pk, at=timezone.now(), by=request.user)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Taken back. All stays as it is."))
    return redirect("packages:subscription", number)


def _make(request: PortalRequest, subscription: Subscription) -> HttpResponse:
    here = redirect("packages:change", subscription.number)
    try:
        seen = signing.loads(request.POST.get("seen", ""), salt=SALT)
    except signing.BadSignature:
        messages.warning(request, _("Please look at what it costs once more."))
        return here
    if seen["subscription"] != subscription.pk:
        messages.warning(request, _("Please look at what it costs once more."))
        return here
    if "top_up" in request.POST:
        return _top_up(request, subscription, seen)
    try:
        made = subscriptions.change(
            subscription_id=subscription.pk,
            price_version=PriceVersion.objects.get(pk=seen["version"]),
            seats=seen["seats"],
            at=timezone.now(),
            by=request.user,
            quoted_at=datetime.fromisoformat(seen["at"]),
            circumstances=circumstances(request, CONTROL),
        )
    except InsufficientFunds as refusal:
        messages.warning(
            request,
            _("Nothing was changed. %(reason)s Top up first.") % {"reason": str(refusal)},
        )
        return here
    except DomainError as refusal:
        messages.warning(request, str(refusal))
        return here
    if made.applied_at:
        messages.success(request, _("Changed. It holds from now on."))
    else:
        day = wording.shown_day(subscription.paid_until, subscription.zone)
        messages.success(
            request, _("It changes on %(day)s. Until then you can take it back.") % {"day": day}
        )
    return redirect("packages:subscription", subscription.number)


def _top_up(
    request: PortalRequest, subscription: Subscription, seen: dict[str, Any]
) -> HttpResponse:
    """
    Agree to what was shown and go to pay what is missing for it.
    """
    at = timezone.now()
    wish = urlencode({"price": seen["version"], "seats": seen["seats"]})
    here = redirect(f"{reverse('packages:change', args=[subscription.number])}?{wish}#preview")
    form = paying_for(
        subscription.customer, from_minor(0, subscription.currency), at=at, sent=request.POST
    ).form
    if form is None or not form.is_valid():
        messages.warning(request, _("Choose how to pay."))
        return here
    try:
        topup = waiting.top_up_first(
            subscription_id=subscription.pk,
            price_version=PriceVersion.objects.get(pk=seen["version"]),
            seats=seen["seats"],
            gateway=form.cleaned_data["gateway"],
            request_key=form.cleaned_data["request_key"],
            quoted_at=datetime.fromisoformat(seen["at"]),
            at=at,
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except DomainError as refusal:
        messages.warning(request, str(refusal))
        return here
    return go_and_pay(request, topup)


@may_top_up
@require_POST
def revoke_waiting(request: PortalRequest, number: str) -> HttpResponse:
    """
    Take a change back that waits for money.
    """
    subscription = one_or_404(request, number)
    try:
        waiting.revoke(subscription_id=subscription.pk, at=timezone.now(), by=request.user)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Taken back. All stays as it is."))
    return redirect("packages:subscription", number)


def _offered(subscription: Subscription, at: datetime) -> list[PriceVersion]:
    """
    Return the prices one may change to, the present one first; never a package held already.
    """
    customer = subscription.customer
    present = PriceVersion.objects.whole().get(pk=subscription.price_version_id)
    others = queries.held_packages(customer, besides=subscription)
    return [present] + [
        version
        for offered in queries.offers(customer, at=at)
        if offered.package.kind == subscription.package.kind != Package.Kind.TOP_UP
        and offered.package.pk not in others
        for version in offered.prices.values()
        if version.interval and version.pk != present.pk
    ]


def _cheaper(subscription: Subscription, at: datetime) -> str:
    """
    Say which price would have cost less lately; the empty text: none.
    """
    advised = advisor.advise(subscription.customer, at=at, only=subscription)
    return next((sentence(one) for one in advised if one.best), "")


def _preview(subscription: Subscription, planned: Planned, at: datetime) -> dict[str, Any]:
    free = balance(subscription.customer, subscription.currency).available
    return {
        "planned": planned,
        "lines": explain.told(change_lines.frozen(planned.parts), subscription.currency),
        "day": wording.shown_day(planned.effective_at, subscription.zone),
        "available": free,
        "after": free - planned.due,
        "paying": paying_for(subscription.customer, planned.due, at=at)
        if planned.due > free
        else None,
        "agreement": to_agree(agreements.change_agreement(planned, subscription)),
        "seen": signing.dumps(
            {
                "subscription": subscription.pk,
                "version": planned.version.pk,
                "seats": planned.seats,
                "at": at.isoformat(),
            },
            salt=SALT,
        ),
    }
