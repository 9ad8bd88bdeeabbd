"""
A price announced for a subscription: what changes and why, and agreeing to it.
"""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.consents import NotRead
from accounts.http import PortalRequest, customer_required, may_top_up
from crm_billing.errors import DomainError
from packages import price_moves, quotes, wording
from packages.models import PriceAnnouncement, PriceVersion, Subscription
from packages.terms import Terms, spoken
from packages.views.agreeing import circumstances, to_agree
from packages.views.standing import line_of, one_or_404

CONTROL = "portal:price"
NONE = "—"


@dataclass(frozen=True, slots=True)
class Compared:
    """
    One component at the old price and at the new one.
    """

    name: str
    before: str
    after: str

    @property
    def is_other(self) -> bool:
        return self.before != self.after


@customer_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_price(request: PortalRequest, number: str) -> HttpResponse:
    """
    Show the price announced for a subscription beside the one it has; posted, agree to it.
    """
    subscription = one_or_404(request, number)
    announcement = _announced(subscription)
    if announcement is None:
        return redirect("packages:subscription", number)
    if request.method == "POST":
        return _agree(request, subscription, announcement)
    move = announcement.move
    before, after = (
        PriceVersion.objects.whole().get(pk=pk) for pk in (move.from_version_id, move.to_version_id)
    )
    seats, compared = subscription.seats, _compared(before.terms, after.terms)
    needs_consent = not move.is_no_worse and announcement.consent_id is None
    agreed = price_moves.agreement(announcement, subscription) if needs_consent else ""
    context = {
        "line": line_of(subscription),
        "subscription": subscription,
        "announcement": announcement,
        "reason": spoken(move.reason, move.reason_en),
        "day": wording.shown_day(announcement.holds_from, subscription.zone),
        "before": wording.per_term(
            quotes.price(before.terms, seats=seats).each_term, before.interval
        ),
        "after": wording.per_term(quotes.price(after.terms, seats=seats).each_term, after.interval),
        "rows": [one for one in compared if one.is_other],
        "same": [one.name for one in compared if not one.is_other],
        "needs_consent": needs_consent,
        "agreement": to_agree(agreed) if agreed else None,
    }
    return render(request, "packages/new_price.html", context)


@may_top_up
def _agree(
    request: PortalRequest, subscription: Subscription, announcement: PriceAnnouncement
) -> HttpResponse:
    try:
        price_moves.agree(
            announcement_id=announcement.pk,
            at=timezone.now(),
            by=request.user,
            circumstances=circumstances(request, CONTROL),
        )
    except NotRead as refusal:
        messages.warning(request, str(refusal))
        return redirect("packages:new-price", subscription.number)
    except DomainError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Agreed. You are told again before the next renewal."))
    return redirect("packages:subscription", subscription.number)


def _announced(subscription: Subscription) -> PriceAnnouncement | None:
    """
    Return what is announced for a subscription and has not come yet.
    """
    known = subscription.price_announcements.coming().select_related("move")
    return known.order_by("pk").last()


def _compared(before: Terms, after: Terms) -> list[Compared]:
    old = {one.code: one for one in before.components}
    new = {one.code: one for one in after.components}
    codes = [*new, *(code for code in old if code not in new)]
    return [
        Compared(
            name=(new.get(code) or old[code]).called,
            before=wording.costs(old[code], before) if code in old else NONE,
            after=wording.costs(new[code], after) if code in new else NONE,
        )
        for code in codes
    ]
