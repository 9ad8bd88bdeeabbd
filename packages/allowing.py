"""
Commands by which customers decide what use may cost: nothing is charged that was not allowed.
"""

from datetime import datetime

import structlog
from django.utils.translation import gettext as _
from djmoney.money import Money

from accounts import customers
from accounts.consents import Circumstances
from accounts.models import Consent, Customer, User
from crm_billing.errors import DomainError
from crm_billing.money import InexactMoney, to_minor
from crm_billing.templatetags.ui import money
from crm_billing.transactions import money_transaction
from packages import acting, periods, reckoning, used_terms, wording
from packages.models import Overage, SpendingCap, Subscription
from packages.reckoning import Reckoned
from packages.terms import USED, Component

log = structlog.get_logger(__name__)


class BadLimit(DomainError):
    """
    The amount is none that can be a limit, or it is in another currency.
    """

    code = "bad_limit"


class NotCounted(DomainError):
    """
    The package charges nothing for use of this feature.
    """

    code = "not_counted"


class PriceChanged(DomainError):
    """
    What was agreed to is about a price that is not the subscription's any more.
    """

    code = "price_changed"


def agreement(subscription: Subscription, component: Component, most: Money | None) -> str:
    """
    Return, line by line, what a customer agrees to by letting use go on, in the active language.

    most: what it may cost in a term, None without end.
    """
    price = wording.summed_up(component, subscription.price_version.terms)
    lines = [f"{subscription.package.called}: {component.called}", price]
    if most is None:
        lines.append(_("Use beyond what is included goes on and is charged, without a limit."))
    else:
        lines.append(
            _("Use beyond what is included goes on until it costs %(most)s in a term.")
            % {"most": money(most)}
        )
    lines += [
        _("It holds from the beginning of the running term, and for each that follows."),
        _("What it cost is taken from the wallet three days after the term has ended."),
        _("I can stop it at any time; what was used until then is charged."),
    ]
    return "\n".join(lines)


@money_transaction
def allow(
    *,
    subscription_id: int,
    code: str,
    policy: str,
    most: Money | None = None,
    price_version_id: int | None = None,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> Overage:
    """
    Decide what happens when what is included of a feature is used up: stop, go on until it has
    cost `most` in a term, or go on. What use has cost before stays owed.

    policy: of Overage.Policy. most: of CAP_AMOUNT, else None.
    price_version_id: of the subscription when the agreement was shown, None where none was.
    raises NotAllowed: `by` may not spend for the customer.
    raises SubscriptionEnded: it is over.
    raises NotCounted: the package charges nothing for use of this.
    raises BadLimit: no amount above zero in the wallet's currency.
    raises PriceChanged: the agreement that was shown is about another price.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    acting.require_live(subscription)
    component = _component(subscription, code)
    if (policy == Overage.Policy.CAP_AMOUNT) != (most is not None):
        raise BadLimit(_("Enter the most that it may cost."), field="most")
    most_minor = None if most is None else _minor(most, subscription.currency, least=1)
    consent = None
    if policy != Overage.Policy.BLOCK:
        if price_version_id not in (None, subscription.price_version_id):
            raise PriceChanged(_("This was shown too long ago. Please look at it once more."))
        consent = acting.agreed(
            subscription.customer,
            Consent.Purpose.USE,
            agreement(subscription, component, most),
            at=at,
            by=by,
            circumstances=circumstances,
        )
    running = _running(subscription, code, at)
    made = Overage.objects.create(
        customer=subscription.customer,
        subscription=subscription,
        code=code,
        policy=policy,
        most_minor=most_minor,
        period_number=running.term.number if running else subscription.period_number,
        spent_minor=running.amount_minor if running else 0,
        consent=consent,
        made_at=at,
        made_by=by,
    )
    log.info("use.allowed", number=subscription.number, code=code, policy=policy, by=by and by.pk)
    return made


@money_transaction
def cap(
    *,
    customer: Customer,
    most: Money | None,
    code: str = "",
    once: bool = False,
    at: datetime,
    by: User | None = None,
) -> SpendingCap:
    """
    Cap what use may cost in a calendar month, of one feature or of all together. What is included
    or bought is never stopped by it.

    most: zero is a cap too; None takes the cap away.
    once: for the running month alone, on top of what holds for every month.
    raises NotAllowed: `by` may not spend for the customer.
    raises BadLimit: no amount of zero or more in the wallet's currency.
    """
    customer = customers.lock(customer.pk)
    acting.require_right(by, customer.pk)
    if most is None and once:
        raise BadLimit(_("Enter the most that it may cost."), field="most")
    most_minor = None if most is None else _minor(most, customer.currency, least=0)
    month = periods.day_in(at, customer.time_zone).replace(day=1)
    made = SpendingCap.objects.create(
        customer=customer,
        code=code,
        currency=customer.currency,
        most_minor=most_minor,
        month=month if once else None,
        made_in=month,
        spent_minor=reckoning.spent_minor(customer, code, month, at=at),
        made_at=at,
        made_by=by,
    )
    log.info("use.capped", customer=customer.number, code=code, once=once, by=by and by.pk)
    return made


def _component(subscription: Subscription, code: str) -> Component:
    for one in subscription.price_version.terms.of_kind(*USED):
        if one.code == code:
            return one
    raise NotCounted(_("This package charges nothing for use of it."), field="code", feature=code)


def _running(subscription: Subscription, code: str, at: datetime) -> Reckoned | None:
    """
    Return what the use of a feature has come to in the running term, be it paid or not.
    """
    customer = subscription.customer
    found = reckoning.reckon(customer, used_terms.in_use(customer, at=at), at=at)
    mine = [one for one in found if one.term.subscription.pk == subscription.pk]
    return next((one for one in mine if one.component.code == code and one.term.ends_at > at), None)


def _minor(amount: Money, currency: str, *, least: int) -> int:
    if amount.currency.code != currency:
        raise BadLimit(_("Enter an amount in %(currency)s.") % {"currency": currency}, field="most")
    try:
        minor = to_minor(amount)
    except InexactMoney as refusal:
        raise BadLimit(str(refusal), field="most") from refusal
    if minor < least:
        text = _("Enter an amount above zero.") if least else _("Enter an amount of zero or more.")
        raise BadLimit(text, field="most")
    return minor
