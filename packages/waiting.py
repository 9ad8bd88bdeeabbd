"""
Changes agreed to while the wallet could not pay them: a top-up first, then they are made.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import customers
from accounts.consents import Circumstances
from accounts.customers import NotAllowed
from accounts.models import User
from crm_billing.errors import DomainError
from crm_billing.money import to_minor
from crm_billing.transactions import money_transaction
from packages import acting, changing, shortfall, subscriptions
from packages.changing import ChangeStale
from packages.checkout import HONOURED_FOR
from packages.models import PriceVersion, Subscription, WaitingChange
from wallet import topups
from wallet.ledger import InsufficientFunds
from wallet.models import TopUp

log = structlog.get_logger(__name__)

Reason = WaitingChange.Reason


@money_transaction
def top_up_first(
    *,
    subscription_id: int,
    price_version: PriceVersion | None = None,
    seats: int | None = None,
    gateway: str,
    request_key: str,
    quoted_at: datetime,
    at: datetime,
    by: User | None = None,
    circumstances: Circumstances | None = None,
) -> TopUp:
    """
    Agree to a change and order the top-up it lacks; it is made when that is paid, within a day.

    It takes the place of one that waits already. Asked again by the same key, nothing changes.

    quoted_at: when it was shown.
    raises: as `subscriptions.change` and `topups.start`.
    raises ChangeStale: it waits for no money.
    """
    subscription, planned = subscriptions.plan_change(
        subscription_id=subscription_id,
        price_version=price_version,
        seats=seats,
        offered_at=quoted_at,
        at=quoted_at,
        by=by,
    )
    changing.require_fresh(subscription, quoted_at, at)
    customer = subscription.customer
    known = subscription.waiting_changes.open().select_related("topup").first()
    if known is not None and known.topup.request_key == request_key:
        return known.topup
    if not planned.at_once or not shortfall.missing(customer, planned.due):
        raise ChangeStale(_("Your wallet holds enough. Please look at it once more."))
    topup = topups.start(
        customer=customer,
        amount=shortfall.top_up_amount(customer, planned.due, at=at),
        gateway=gateway,
        at=at,
        by=by,
        request_key=request_key,
    )
    changing.drop_waiting(subscription, Reason.REPLACED, at)
    WaitingChange.objects.create(
        subscription=subscription,
        from_version_id=subscription.price_version_id,
        from_seats=subscription.seats,
        to_version=planned.version,
        to_seats=planned.seats,
        due_minor=to_minor(planned.due),
        consent=changing.agree(subscription, planned, at, by, circumstances),
        topup=topup,
        agreed_at=at,
        agreed_by=by,
        expires_at=at + HONOURED_FOR,
    )
    return topup


@money_transaction
def revoke(*, subscription_id: int, at: datetime, by: User | None = None) -> None:
    """
    Take back the change a subscription waits for money to make. Revoking again changes nothing.

    What has been paid meanwhile stays in the wallet.
    raises NotAllowed: `by` may not spend for the customer.
    """
    subscription = acting.lock(subscription_id)
    acting.require_right(by, subscription.customer_id)
    changing.drop_waiting(subscription, Reason.REVOKED, at)


def go_on(*, at: datetime, customer_id: int | None = None, limit: int = 500) -> int:
    """
    Make the changes whose money has come, close those whose time is over; return how many were
    made.

    customer_id: only of this customer.
    """
    waiting = WaitingChange.objects.open()
    if customer_id is not None:
        waiting = waiting.filter(subscription__customer_id=customer_id)
    over = waiting.filter(expires_at__lte=at)
    paid = waiting.filter(expires_at__gt=at, topup__state=TopUp.State.PAID)
    ids = list((over | paid).order_by("pk").values_list("pk", flat=True)[:limit])
    return sum(_go_on_with(waiting_id=one, at=at) for one in ids)


@money_transaction
def _go_on_with(*, waiting_id: int, at: datetime) -> bool:
    waits_for = WaitingChange.objects.values_list("subscription_id", flat=True)
    subscription = acting.lock(waits_for.get(pk=waiting_id))
    related = WaitingChange.objects.open().select_related("agreed_by", "to_version", "consent")
    waiting = related.filter(pk=waiting_id).first()
    if waiting is None:
        return False
    if waiting.expires_at <= at:
        changing.drop_waiting(subscription, Reason.EXPIRED, at)
        return False
    try:
        with transaction.atomic(), override(subscription.customer.locale):
            _make(waiting, subscription, at)
    except (InsufficientFunds, customers.CustomerFrozen) as refusal:
        # The page says what is in the way; it may be made until its time is over.
        log.info("change.waits", number=subscription.number, reason=refusal.code)
        return False
    except NotAllowed:
        changing.drop_waiting(subscription, Reason.NOT_ALLOWED, at)
        return False
    except DomainError as refusal:
        log.info("change.lapsed", number=subscription.number, reason=refusal.code)
        changing.drop_waiting(subscription, Reason.STALE, at)
        return False
    return True


def _make(waiting: WaitingChange, subscription: Subscription, at: datetime) -> None:
    """
    raises ChangeStale: it is not what was agreed to any more.
    """
    now = (subscription.price_version_id, subscription.seats)
    subscription, planned = subscriptions.plan_change(
        subscription_id=subscription.pk,
        price_version=waiting.to_version,
        seats=waiting.to_seats,
        offered_at=waiting.agreed_at,
        at=at,
        by=waiting.agreed_by,
    )
    dearer = to_minor(planned.due) > waiting.due_minor
    if now != (waiting.from_version_id, waiting.from_seats) or dearer or not planned.at_once:
        raise ChangeStale(_("This was shown too long ago. Please look at it once more."))
    made = changing.write_down(subscription, planned, waiting.consent, at, waiting.agreed_by)
    changing.apply(subscription, planned, made, at, waiting.agreed_by)
    waiting.change = made
    waiting.save(update_fields=["change"])
    log.info(
        "subscription.changed",
        number=subscription.number,
        at_once=True,
        due_minor=to_minor(planned.due),
        by=waiting.agreed_by_id,
    )
