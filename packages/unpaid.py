"""
What happens to a subscription that is not paid, told step by step. Reads, never writes.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from djmoney.money import Money

from crm_billing.templatetags.ui import money
from packages import dunning, shortfall, wording
from packages.dunning import Moment, Way
from packages.models import Notice, Subscription
from packages.prices import Prices
from packages.ways import Ways
from wallet.topups import WrongCurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One step as a customer reads it. day: in the subscription's zone. state: shown where it begins.
    told: what became of the message, empty where none is sent.
    """

    day: str
    at: datetime
    text: str
    state: str
    state_label: str
    told: str
    is_past: bool
    is_next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaid:
    """
    amount: of the renewal. missing: of it in the wallet now. top_up: what brings it, None where no
    top-up is possible. helps: what happens when money comes, by when it does.
    """

    since: str
    amount: Money
    missing: Money
    top_up: Money | None
    steps: list[Step]
    helps: list[str]


def tell(subscription: Subscription, *, at: datetime) -> Unpaid | None:
    """
    Return how an unpaid subscription stands; None for all others.
    """
    if subscription.past_due_at is None:
        return None
    way = Ways().of(subscription.past_due_at)
    amount = Prices().next_terms([subscription])[subscription.pk].amount
    try:
        top_up = shortfall.top_up_amount(subscription.customer, amount, at=at)
    except WrongCurrency:
        top_up = None
    sent = {
        notice.step: notice
        for notice in Notice.objects.filter(
            subscription=subscription,
            kind=Notice.Kind.DUNNING,
            period_number=subscription.period_number + 1,
        )
    }
    return Unpaid(
        since=wording.shown_day(way.since, subscription.zone),
        amount=amount,
        missing=shortfall.missing(subscription.customer, amount),
        top_up=top_up,
        steps=[
            _step(one, way, subscription, amount, sent.get(one.step.after.days))
            for one in dunning.moments(way, at=at)
        ],
        helps=_helps(subscription, way, at),
    )


def _step(
    moment: Moment, way: Way, subscription: Subscription, amount: Money, notice: Notice | None
) -> Step:
    return Step(
        day=wording.shown_day(moment.at, subscription.zone),
        at=moment.at,
        text=_text(moment, way, subscription, amount),
        state=moment.step.state if moment.changes_state else "",
        state_label=str(Subscription.State(moment.step.state).label),
        told=_told(moment, notice),
        is_past=moment.is_past,
        is_next=moment.is_next,
    )


def _text(moment: Moment, way: Way, subscription: Subscription, amount: Money) -> str:
    facts = {"amount": money(amount)}
    if not moment.step.after:
        return _("The wallet did not hold the %(amount)s. It works as before.") % facts
    if not moment.changes_state:
        return (
            _("We tried again to take the %(amount)s.") % facts
            if moment.is_past
            else _("We try again to take the %(amount)s.") % facts
        )
    match moment.step.state:
        case dunning.RESTRICTED:
            return _("From now on you can read, but change nothing.")
        case dunning.SUSPENDED:
            return _("It is suspended from now on.")
    kept = wording.shown_day(moment.at + way.rules.data_kept, subscription.zone)
    return _("It ends. Your data are kept until %(day)s.") % {"day": kept}


def _told(moment: Moment, notice: Notice | None) -> str:
    if not moment.step.tells or (notice is None and moment.is_past):
        return ""
    if notice is None:
        return _("You get an e-mail")
    if notice.dropped_at is not None:
        return ""
    return _("E-mail sent") if notice.sent_at else _("E-mail on its way")


def _helps(subscription: Subscription, way: Way, at: datetime) -> list[str]:
    suspended, ended = way.reaches(dunning.SUSPENDED), way.reaches(dunning.ENDED)
    zone = subscription.zone
    facts = {
        "start": wording.shown_day(subscription.paid_until, zone),
        "suspended": wording.shown_day(suspended, zone),
        "ended": wording.shown_day(ended, zone),
    }
    helps = []
    if not way.is_off(at=at):
        helps.append(
            _(
                "Until %(suspended)s: as soon as the money is here, it is renewed from %(start)s "
                "on, and the days of renewal stay as they are."
            )
            % facts
        )
        helps.append(
            _(
                "After that, until %(ended)s: a new term begins on the day the money comes, and "
                "renewals count from that day. The days in between cost nothing."
            )
            % facts
        )
    else:
        helps.append(
            _(
                "Until %(ended)s: a new term begins on the day the money comes, and renewals count "
                "from that day. The days in between cost nothing."
            )
            % facts
        )
    return helps
