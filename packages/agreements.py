"""
What customers agree to, line by line, in plain words.

Whoever changes what these texts say gives `drafting.TERMS_VERSION` a new name.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from djmoney.money import Money

from crm_billing.templatetags.ui import money
from packages import wording
from packages.changes import Planned
from packages.discounts import Course
from packages.following import Following
from packages.models import PriceVersion, Subscription
from packages.prices import in_trial
from packages.quotes import Quote
from packages.terms import METERED, NO_TERM, ONE_OFF, PERCENTAGE, SEAT, Terms

EACH = {
    "month": gettext_lazy("each month"),
    "quarter": gettext_lazy("each quarter"),
    "half_year": gettext_lazy("each half-year"),
    "year": gettext_lazy("each year"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One answer to what people ask before they agree to be charged.
    """

    title: str
    text: str
    icon: str


def renewals(then: Following) -> list[str]:
    """
    Say what renewals cost, and what is paid once with the first of them.
    """
    return [
        _renewing(then.each_term, then.version.interval, then.course),
        *_with_first_term(then.once),
    ]


def going_on(then: Following, version: PriceVersion, seats: int) -> list[str]:
    """
    Say how what is had now, a price and so many seats, goes on: as what, with which coupon, and
    what it costs.
    """
    lines = _becoming(then, version, seats)
    if then.course is not None:
        lines.append(wording.by_coupon(then.course.discount.code, then.course.discount.bps))
    return lines + renewals(then)


def _renewing(each: Money, interval: str, course: Course | None) -> str:
    if course is None or not course.left:
        return _("It renews by itself for %(each)s until I stop it.") % {
            "each": wording.per_term(each, interval)
        }
    told = {
        "each": wording.per_term(each, interval),
        "full": wording.per_term(course.full, interval),
    }
    return ngettext(
        "It renews by itself %(count)d time for %(each)s, then for %(full)s, until I stop it.",
        "It renews by itself %(count)d times for %(each)s, then for %(full)s, until I stop it.",
        course.left,
    ) % {**told, "count": course.left}


def _with_first_term(once: Money | None) -> list[str]:
    if not once:
        return []
    return [_("With the first of these terms %(amount)s is paid, once.") % {"amount": money(once)}]


def charging(terms: Terms, *, zone: str, has_trial: bool, renews: bool = True) -> list[Rule]:
    """
    Say to who begins when a price is charged, how much, how it is announced and how to stop it.

    zone: the customer's, in which the days of charges begin. has_trial: whether it begins with the
    trial the price has. renews: whether the next terms are paid by themselves.
    """
    if terms.interval == NO_TERM:
        return [
            Rule(_("When"), _("Once, when you buy it. Nothing comes after it."), "calendar-event"),
            _how_much(terms, renews=False, has_once=False),
        ]
    return [
        Rule(_("When"), _when(terms, zone, has_trial=has_trial, renews=renews), "calendar-event"),
        Rule(_("How much"), _("Nothing."), "coins")
        if has_trial and not renews
        else _how_much(terms, renews=renews, has_once=True),
        Rule(_("How it is announced"), _announced(renews), "bell"),
        Rule(_("How to stop"), _stop(renews), "ban"),
    ]


def _renewing_rules(subscription: Subscription, then: Following) -> list[Rule]:
    """
    Say to who has a subscription when it is charged next, and all the rest.
    """
    return [
        Rule(_("When"), _when_next(subscription, then), "calendar-event"),
        _how_much(then.version.terms, renews=True, has_once=bool(then.once)),
        Rule(_("How it is announced"), _announced(True), "bell"),
        Rule(_("How to stop"), _stop(True), "ban"),
    ]


def _when_next(subscription: Subscription, then: Following) -> str:
    told = {"each": str(EACH[then.version.interval]), "zone": subscription.zone}
    if not in_trial([subscription.pk]):
        return (
            _(
                "When the running term ends, and then %(each)s on the same day; where a month is "
                "shorter, on its last day. Days begin at midnight in %(zone)s."
            )
            % told
        )
    told["day"] = wording.last_day(subscription.paid_until, subscription.zone)
    return (
        _(
            "After the trial, which ends on %(day)s, and then %(each)s on the same day; where a "
            "month is shorter, on its last day. Days begin at midnight in %(zone)s."
        )
        % told
    )


def _when(terms: Terms, zone: str, *, has_trial: bool, renews: bool) -> str:
    told = {"each": str(EACH[terms.interval]), "zone": zone}
    if not has_trial:
        return (
            _(
                "When you begin, and then %(each)s on the same day; where a month is shorter, on "
                "its last day. Days begin at midnight in %(zone)s."
            )
            % told
            if renews
            else _("Once, when you begin. It does not go on by itself.")
        )
    first = ngettext(
        "The first %(days)d day is a trial and costs nothing.",
        "The first %(days)d days are a trial and cost nothing.",
        terms.trial_days,
    ) % {"days": terms.trial_days}
    said = [first, _("It becomes a paid package only if you agree.")]
    if renews:
        then = _(
            "Then when the trial ends, and %(each)s on the same day; where a month is shorter, on "
            "its last day. Days begin at midnight in %(zone)s."
        )
        said.append(then % told)
    return _sentences(said)


def _announced(renews: bool) -> str:
    if not renews:
        return _("Before it ends you get an e-mail and a message here.")
    return _(
        "At least %(days)s days before each renewal you get an e-mail and a message here, with the "
        "day, the amount and the way to stop it. If it could not be sent, nothing is charged. A "
        "higher price is announced %(longer)s days before, and holds for you only if you agree."
    ) % {"days": wording.NOTICE_DAYS, "longer": wording.PRICE_NOTICE_DAYS}


def _stop(renews: bool) -> str:
    if not renews:
        return _(
            "There is nothing to stop. Renewal is off until you switch it on yourself, and you "
            "agree to what it costs when you do."
        )
    return _(
        "At any time, in two clicks. What you have paid for stays yours until the end of the term. "
        "Renewal is off until you switch it on yourself, and a switch turns it off again."
    )


def agreement(
    called: str,
    quote: Quote,
    *,
    auto_renew: bool,
    zone: str,
    trial_until: datetime | None = None,
    course: Course | None = None,
) -> str:
    """
    Return, line by line, what a customer agrees to by subscribing: what it costs now and later, and
    the rules.

    called: the package. trial_until: when it begins with a trial, which takes nothing. course: of
    the coupon it has been quoted with.
    """
    lines = [called]
    seats = [line for line in quote.lines if line.component.kind == SEAT]
    lines += [f"{one.component.called}: {wording.number(one.quantity)}" for one in seats]
    if course is not None:
        lines.append(wording.by_coupon(course.discount.code, course.discount.bps))
    if trial_until is not None:
        lines.append(
            _("Nothing is taken now. The trial ends on %(day)s.")
            % {"day": wording.last_day(trial_until, zone)}
        )
    else:
        lines.append(
            _("%(amount)s is taken from the wallet now.") % {"amount": money(quote.at_start)}
        )
    if auto_renew:
        each = quote.each_term if course is None else course.each_term(quote.each_term)
        lines.append(_renewing(each, quote.terms.interval, course))
        if trial_until is not None:
            lines += _with_first_term(quote.at_start - quote.each_term)
    else:
        lines.append(_("It does not renew: it ends with what is paid."))
    rules = charging(quote.terms, zone=zone, has_trial=trial_until is not None, renews=auto_renew)
    return _told(lines, rules)


def renewal_agreement(subscription: Subscription, then: Following) -> str:
    """
    Return, line by line, what a customer agrees to by having a subscription renew by itself.
    """
    version = subscription.price_version
    lines = [version.package.called, *_seats(version, subscription.seats)]
    lines += going_on(then, version, subscription.seats)
    return _told(lines, _renewing_rules(subscription, then))


def change_agreement(planned: Planned, subscription: Subscription) -> str:
    """
    Return, line by line, what a customer agrees to by changing a subscription.
    """
    zone = subscription.zone
    lines, then = [planned.version.package.called], planned.following
    seats = planned.seats if planned.at_once else then.seats
    lines += _seats(planned.version, seats)
    if not planned.at_once:
        lines.append(
            _("From %(day)s on; until then all stays as it is.")
            % {"day": wording.shown_day(planned.effective_at, zone)}
        )
    elif planned.due.amount:
        lines.append(
            _("At once; %(amount)s is taken from the wallet now.") % {"amount": money(planned.due)}
        )
    else:
        lines.append(_("At once; nothing is taken now."))
    if planned.replaces:
        lines.append(_("What was to happen when the term ends is taken back by it."))
    if planned.coupon_ends:
        lines.append(
            _("Coupon %(code)s is not for this package and ends with the change.")
            % {"code": planned.coupon_ends}
        )
    for one in subscription.price_version.terms.of_kind(METERED):
        if units := planned.packs_end.get(one.code):
            lines.append(
                _("What is left of extra packs ends with the change: %(what)s.")
                % {"what": wording.pack(one, units)}
            )
    lines += _becoming(then, planned.version, seats)
    if subscription.auto_renew:
        lines += renewals(then)
    else:
        lines.append(_("It does not renew: it ends with what is paid."))
    return "\n".join(lines)


def _how_much(terms: Terms, *, renews: bool, has_once: bool) -> Rule:
    if renews:
        price = wording.per_term(terms.fixed, terms.interval)
        parts = [
            _("%(price)s from your wallet, in the order in which credit is spent there.")
            % {"price": price}
        ]
    else:
        parts = [
            _("The price shown, from your wallet, in the order in which credit is spent there.")
        ]
    if terms.of_kind(SEAT):
        parts.append(_("Seats beyond the included ones are paid with it."))
    once = [one.amount for one in terms.of_kind(ONE_OFF) if one.amount]
    if once and has_once:
        parts.append(
            _("%(amount)s is paid once, with the first term that is paid.")
            % {"amount": money(sum(once[1:], once[0]))}
        )
    if terms.of_kind(PERCENTAGE) or any(
        one.hard_limit is None or one.hard_limit > one.included for one in terms.of_kind(METERED)
    ):
        parts.append(
            _(
                "Usage beyond what is included happens only if you have allowed it, and is charged "
                "when the term ends."
            )
        )
    parts.append(_("When the balance is not enough, nothing is taken and we tell you."))
    return Rule(_("How much"), _sentences(parts), "coins")


def _sentences(parts: list[str]) -> str:
    return ("" if wording.in_chinese() else " ").join(parts)


def price_agreement(subscription: Subscription, then: Following, *, holds_from: datetime) -> str:
    """
    Return, line by line, what a customer agrees to by keeping a subscription at another price.

    then: the terms at it.
    """
    lines = [then.version.package.called, *_seats(then.version, then.seats)]
    lines.append(
        _("From the first term on that begins on %(day)s or later; until then all stays as it is.")
        % {"day": wording.shown_day(holds_from, subscription.zone)}
    )
    return _told([*lines, *renewals(then)], _renewing_rules(subscription, then))


def _told(lines: list[str], rules: list[Rule]) -> str:
    return "\n".join([*lines, *(f"{rule.title}: {rule.text}" for rule in rules)])


def _seats(version: PriceVersion, seats: int) -> list[str]:
    if not version.terms.of_kind(SEAT):
        return []
    return [f"{_('Seats')}: {wording.number(seats)}"]


def _becoming(then: Following, version: PriceVersion, seats: int) -> list[str]:
    """
    Say what was scheduled before and stays so: another price, or another number of seats.
    """
    lines = []
    if then.version.package_id != version.package_id:
        lines.append(
            _("When the term ends it becomes %(package)s, as is scheduled.")
            % {"package": then.version.package.called}
        )
    elif then.version.pk != version.pk:
        lines.append(_("When the term ends its price changes, as is scheduled."))
    if then.seats != seats and then.version.terms.of_kind(SEAT):
        lines.append(_("Seats then: %(count)s") % {"count": wording.number(then.seats)})
    return lines
