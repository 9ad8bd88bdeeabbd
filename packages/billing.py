"""
Charging use: reckoned once when its term is over and no more can be told, then taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import customers
from accounts.customers import CustomerClosed, CustomerFrozen
from crm_billing import outbox
from crm_billing.money import from_minor
from crm_billing.transactions import money_transaction
from packages import charges, charging, notices, reckoning, used_terms, wording
from packages.models import (
    Charge,
    Notice,
    Overage,
    PriceComponent,
    Subscription,
    SubscriptionPeriod,
    UsageBill,
    UsageShare,
)
from packages.models.usage import LATEST
from packages.reckoning import Reckoned
from packages.telling import Told
from packages.terms import USED
from packages.used_terms import LONGEST_WAIT
from wallet.ledger import InsufficientFunds, MoneyFrozen

log = structlog.get_logger(__name__)

AGAIN = timedelta(days=1)  # what could not be paid is tried again; any credit tries at once
MOST_AT_ONCE = 10_000


def close(*, at: datetime) -> int:
    """
    Write the bills of all terms that ended 72 hours ago; return how many. Again changes nothing.
    """
    made = 0
    for pk in list(_unbilled(at).values_list("pk", flat=True)):
        with _going_on("use.not_billed", period=pk):
            made += _close(pk, at)
    return made


def settle(*, at: datetime, customer_id: int | None = None) -> int:
    """
    Take from wallets what bills say; return how many were settled.

    customer_id: only this customer's, whose money has come: all of them, not only what is due.
    """
    bills = UsageBill.objects.due(at)
    if customer_id is not None:
        bills = UsageBill.objects.unpaid().filter(customer_id=customer_id)
    done = 0
    for pk in list(bills.order_by("made_at", "pk").values_list("pk", flat=True)):
        with _going_on("use.not_settled", bill=pk):
            done += _settle(pk, at)
    return done


@contextmanager
def _going_on(event: str, **facts: int) -> Iterator[None]:
    """
    Log what goes wrong with one, so that it is not in the way of others; I25 finds what is left.
    """
    try:
        yield
    except (OperationalError, InterfaceError):
        raise  # the database is away: nobody's turn
    except Exception:
        log.exception(event, **facts)


@money_transaction
def _close(period_id: int, at: datetime) -> bool:
    period = SubscriptionPeriod.objects.select_related("subscription").get(pk=period_id)
    customer = customers.lock(period.subscription.customer_id)
    known = UsageBill.objects.filter(
        subscription=period.subscription_id, period_number=period.number
    )
    terms = used_terms.terms_of(SubscriptionPeriod.objects.filter(pk=period_id))
    if known.exists() or not terms:
        return False
    [term] = terms
    together = reckoning.reckon(customer, used_terms.unbilled(customer, at=at), at=at)
    mine = (term.subscription.pk, term.number)
    found = [one for one in together if (one.term.subscription.pk, one.term.number) == mine]
    amount = sum(one.amount_minor for one in found)
    bill = UsageBill.objects.create(
        customer=customer,
        subscription=term.subscription,
        period_number=term.number,
        price_version_id=term.price_version_id,
        starts_at=term.starts_at,
        ends_at=term.ends_at,
        currency=term.terms.currency,
        rated_minor=sum(one.rated_minor for one in found),
        amount_minor=amount,
        lines=[_frozen(one) for one in found],
        made_at=at,
        next_try_at=at if amount else None,
        settled_at=None if amount else at,
    )
    UsageShare.objects.bulk_create(
        UsageShare(
            bill=bill,
            customer=customer,
            code=one.component.code,
            month=share.month,
            starts_at=share.starts_at,
            ends_at=share.ends_at,
            rated_minor=share.rated_minor,
            amount_minor=share.amount_minor,
            overage=one.overage if share.amount_minor else None,
        )
        for one in found
        for share in one.shares
    )
    log.info("use.billed", number=term.subscription.number, amount_minor=amount)
    return True


@money_transaction
def _settle(bill_id: int, at: datetime) -> bool:
    """
    Take one bill from its wallet, or look again later.
    """
    bill = UsageBill.objects.select_related("customer").get(pk=bill_id)
    customer = customers.lock(bill.customer_id)
    bill = UsageBill.objects.select_for_update(no_key=True).get(pk=bill_id)
    if bill.settled_at is not None:
        return False
    subscription = Subscription.objects.whole().get(pk=bill.subscription_id)
    try:
        customers.require_active(customer)
        with transaction.atomic():
            charge = charging.take(
                subscription,
                bill.amount,
                kind=Charge.Kind.USAGE,
                reference=f"use:{subscription.pk}:{bill.period_number}",
                description=_described(bill, subscription),
                lines=bill.lines,
                consent_id=_agreed_by(bill),
                period_number=bill.period_number,
                price_version_id=bill.price_version_id,
                at=at,
            )
    except (InsufficientFunds, CustomerFrozen, CustomerClosed, MoneyFrozen) as refusal:
        UsageBill.objects.filter(pk=bill.pk).update(next_try_at=at + AGAIN)
        if isinstance(refusal, InsufficientFunds):
            notices.write([_unpaid(bill, subscription, at)], at=at)
        log.info("use.unpaid", number=subscription.number, reason=refusal.code)
        return False
    UsageBill.objects.filter(pk=bill.pk).update(settled_at=at, next_try_at=None, charge=charge)
    outbox.put(topic="use.charged", key=str(bill.pk), payload={"bill_id": bill.pk}, at=at)
    log.info("use.charged", number=subscription.number, amount_minor=bill.amount_minor)
    return True


def _agreed_by(bill: UsageBill) -> int:
    """
    Return the consent of the last rule that has one, among those by which a bill takes something.
    """
    taken = bill.shares.filter(amount_minor__gt=0)
    last = taken.aggregate(Max("overage_id"))["overage_id__max"]
    rules = Overage.objects.filter(subscription=bill.subscription_id, consent__isnull=False)
    rules = rules.filter(code__in=taken.values("code"), pk__lte=last)
    return rules.order_by("pk").values_list("consent_id", flat=True).reverse()[0]


def _unbilled(at: datetime) -> QuerySet[SubscriptionPeriod]:
    """
    Return the paid periods whose use is final and not billed.
    """
    counted = PriceComponent.objects.filter(version=OuterRef("held"), kind__in=USED)
    billed = UsageBill.objects.filter(
        subscription=OuterRef("subscription"), period_number=OuterRef("number")
    )
    ended = used_terms.with_price(SubscriptionPeriod.objects.all()).filter(
        Exists(counted),
        ~Exists(billed),
        Q(is_trial=False),
        ends_at__lte=at - LATEST,
        ends_at__gt=at - LONGEST_WAIT,
    )
    return ended.order_by("ends_at", "pk")[:MOST_AT_ONCE]


def _frozen(one: Reckoned) -> dict[str, Any]:
    """
    Freeze a line; what was not allowed is a step that takes it off again.
    """
    [line] = charges.frozen([one.line])
    amount = from_minor(one.amount_minor, one.term.terms.currency)
    if one.amount_minor != line["amount_minor"]:
        exact = sum((charges.exact_of(step) for step in line["steps"]), Fraction())
        line["steps"].append(
            {
                "owed" if one.amount_minor > line["amount_minor"] else "not_allowed": True,
                "units": "1",
                "unit_price": str(Fraction(amount.amount) - exact),
                "flat_price": "0",
            }
        )
        line["amount_minor"] = one.amount_minor
    return line


def _unpaid(bill: UsageBill, subscription: Subscription, at: datetime) -> Told:
    return Told(
        subscription=subscription,
        kind=Notice.Kind.USE_UNPAID,
        period_number=bill.period_number,
        step=0,
        amount=bill.amount,
        due_at=at,
    )


def _described(bill: UsageBill, subscription: Subscription) -> str:
    term = wording.described(subscription, starts_at=bill.starts_at, ends_at=bill.ends_at)
    with override(subscription.customer.locale):
        return _("%(term)s: use") % {"term": term}
