"""
Telling customers in time how much of what is included they have used.
"""

from datetime import datetime

from accounts.models import Customer
from crm_billing.money import from_minor
from packages import notices, reckoning, used_terms
from packages.models import Notice, Overage, PriceComponent, Subscription
from packages.reckoning import Reckoned
from packages.telling import Told, Used
from packages.terms import METERED

STEPS = (80, 90, 100)  # per cent of what is included


def tell(*, customer_id: int, at: datetime) -> int:
    """
    Write the notices of quotas that are due and have them mailed; return how many.

    Of several steps passed at once only the last is told. Again changes nothing.
    """
    customer = Customer.objects.get(pk=customer_id)
    terms = [one for one in used_terms.unbilled(customer, at=at) if one.ends_at > at]
    found = reckoning.reckon(customer, terms, at=at)
    return notices.write([_told(one) for one in found if _step(one)], at=at)


def tell_all(*, at: datetime) -> int:
    """
    Do so for every customer who has something counted: what a lost message left out.
    """
    counted = PriceComponent.objects.filter(kind=METERED, included__gt=0).values("version")
    having = Subscription.objects.live().filter(price_version__in=counted)
    ids = having.order_by("customer_id").values_list("customer_id", flat=True).distinct()
    return sum(tell(customer_id=pk, at=at) for pk in list(ids))


def _step(one: Reckoned) -> int:
    """
    Return the last step that has been passed, 0 when none has.
    """
    included = one.component.included
    if one.component.kind != METERED or not included:
        return 0
    passed = [step for step in STEPS if one.quantity * 100 >= included * step]
    return passed[-1] if passed else 0


def _told(one: Reckoned) -> Told:
    rule = one.overage
    return Told(
        subscription=one.term.subscription,
        kind=Notice.Kind.QUOTA,
        period_number=one.term.number,
        step=_step(one),
        code=one.component.code,
        amount=from_minor(one.amount_minor, one.term.terms.currency),
        due_at=one.term.ends_at,
        used=Used(
            component=one.component,
            quantity=one.quantity,
            goes_on=rule is not None and rule.policy != Overage.Policy.BLOCK,
        ),
    )
