"""
Before anything is done to a subscription: lock it, see that it lives, that this person may and
what they agree to.
"""

from datetime import datetime

from django.utils.translation import gettext as _

from accounts import consents, customers
from accounts.consents import Circumstances
from accounts.customers import NotAllowed
from accounts.models import Consent, Customer, Member, User
from accounts.queries import role_in
from crm_billing.errors import DomainError
from packages.drafting import TERMS_VERSION
from packages.models import Subscription


class SubscriptionEnded(DomainError):
    """
    It has ended; a new one must be bought.
    """

    code = "subscription_ended"


def lock(subscription_id: int) -> Subscription:
    """
    Lock a subscription, its customer first, until the transaction ends; return it whole.
    """
    customer_id = Subscription.objects.values_list("customer_id", flat=True).get(pk=subscription_id)
    customers.lock(customer_id)
    Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
    return Subscription.objects.whole().get(pk=subscription_id)


def require_live(subscription: Subscription) -> None:
    """
    Refuse what is over.

    raises SubscriptionEnded: as it says.
    """
    if not subscription.is_live:
        raise SubscriptionEnded(_("This subscription has ended."), number=subscription.number)


def may_spend(user: User, customer_id: int) -> bool:
    return role_in(user, customer_id) in (Member.Role.OWNER, Member.Role.FINANCE)


def require_right(by: User | None, customer_id: int) -> None:
    """
    Let owners and finance people of a customer pass, and the house itself (None).

    raises NotAllowed: anybody else.
    """
    if by is not None and not may_spend(by, customer_id):
        raise NotAllowed(_("Only owners and finance people may do this. Ask one of them."))


def agreed(
    customer: Customer,
    purpose: str,
    text: str,
    *,
    at: datetime,
    by: User | None,
    circumstances: Circumstances | None,
) -> Consent:
    """
    Keep what somebody agrees to, word for word, in the wording of today.

    raises NotRead: another text was shown.
    """
    return consents.record(
        customer=customer,
        purpose=purpose,
        text=text,
        version=TERMS_VERSION,
        at=at,
        by=by,
        circumstances=circumstances,
    )
