"""
How a subscription stands, as pages show it: what comes next, what waits, what is scheduled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Prefetch
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts.http import PortalRequest
from crm_billing.templatetags.ui import money as shown
from packages import quotes, wording
from packages.models import (
    Pause,
    PriceAnnouncement,
    PriceVersion,
    Subscription,
    SubscriptionChange,
    WaitingChange,
)
from packages.models.subscriptions import SubscriptionQuerySet
from packages.prices import Prices
from packages.terms import SEAT

States = Subscription.State
UNPAID = (States.PAST_DUE, States.RESTRICTED, States.SUSPENDED)
NEWS = timedelta(days=7)  # how long it is shown that a change was not made


@dataclass(slots=True)
class Asked:
    """
    A price announced for a subscription. is_open: its customer would have to agree and has not.
    """

    one: PriceAnnouncement
    subscription: Subscription
    is_open: bool

    @property
    def day(self) -> str:
        return wording.shown_day(self.one.holds_from, self.subscription.zone)

    @property
    def is_last_term(self) -> bool:
        """
        Tell whether the running term is the last at the old price.
        """
        coming = self.subscription.next_try_at
        return coming is not None and self.one.holds_from <= coming

    @property
    def ends_on(self) -> str:
        return wording.last_day(self.subscription.paid_until, self.subscription.zone)


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
    asked: Asked | None = None

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
        if one.auto_renew and self.asked and self.asked.is_open and self.asked.is_last_term:
            return _("Ends on %(last)s unless you agree to the new price") % told
        if one.auto_renew:
            return _("Renews on %(day)s for %(amount)s") % told
        if one.state == States.TRIAL:
            return _("Trial until %(last)s, then it ends") % told
        return _("Runs until %(last)s, then it ends") % told


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


def mine_of(request: PortalRequest) -> SubscriptionQuerySet:
    """
    Return the subscriptions of the customer one acts for, each with its pause.
    """
    mine = Subscription.objects.visible_to(request.user).filter(customer=request.customer)
    pauses = Prefetch("pauses", Pause.objects.open(), to_attr="open_pauses")
    return mine.prefetch_related(pauses)


def one_or_404(request: PortalRequest, number: str) -> Subscription:
    """
    Return a subscription of the customer one acts for; any other is as if it were not there.
    """
    related = mine_of(request).whole().select_related("created_by", "cancelled_by")
    return get_object_or_404(related, number=number)


def line_of(subscription: Subscription) -> Line:
    [line] = lines_of([subscription])
    return line


def lines_of(found: Sequence[Subscription]) -> list[Line]:
    """
    Return subscriptions read by `one_or_404` or `_mine` as they are shown.
    """
    coming = Prices(one.price_version for one in found).next_terms(found)
    asked = _asked(found)
    return [
        Line(
            subscription=one,
            quote=quotes.price(one.price_version.terms, seats=one.seats),
            coming=coming[one.pk].amount,
            pause=next(iter(one.open_pauses), None),  # type: ignore[attr-defined]
            asked=asked.get(one.pk),
        )
        for one in found
    ]


def _asked(found: Sequence[Subscription]) -> dict[int, Asked]:
    """
    Return the prices announced for subscriptions and not in force yet.
    """
    rows = {one.pk: one for one in found if one.is_live}
    announced = PriceAnnouncement.objects.filter(subscription__in=rows)
    waits = Exists(PriceAnnouncement.objects.unanswered().filter(pk=OuterRef("pk")))
    known = announced.coming().annotate(waits=waits).order_by("pk")
    return {one.subscription_id: Asked(one, rows[one.subscription_id], one.waits) for one in known}


def waiting(subscription: Subscription, at: datetime) -> Waiting | None:
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


def scheduled(change: SubscriptionChange, subscription: Subscription) -> dict[str, Any]:
    """
    Return what is to happen when the term ends, in words.
    """
    text = _becomes(subscription, change.to_version_id, change.to_seats)
    return {"pk": change.pk, "text": text, "is_announced": change.announcement_id is not None}


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
