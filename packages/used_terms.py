"""
Terms whose use counts, each with the price it is reckoned by. Reads only.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.models import Customer
from packages import periods, prices
from packages.models import Subscription, SubscriptionChange, SubscriptionPeriod, UsageBill
from packages.terms import USED, Terms

LONGEST_WAIT = timedelta(days=100)  # a term that ended and is not billed by then never is


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """
    A term whose use is reckoned, by the price in force when it ends or now.
    """

    subscription: Subscription
    price_version_id: int
    terms: Terms
    number: int
    starts_at: datetime
    ends_at: datetime
    is_trial: bool


def unbilled(customer: Customer, *, at: datetime) -> list[Term]:
    """
    Return the terms of a customer that have begun and whose use is not billed yet, oldest first.
    """
    periods_ = SubscriptionPeriod.objects.filter(
        subscription__customer=customer, starts_at__lte=at, ends_at__gt=at - LONGEST_WAIT
    )
    billed = UsageBill.objects.filter(
        subscription=OuterRef("subscription"), period_number=OuterRef("number")
    )
    ended = Q(ends_at__lte=at)
    return terms_of(periods_.exclude(ended & (Q(is_trial=True) | Exists(billed))))


def in_use(customer: Customer, *, at: datetime) -> list[Term]:
    """
    Return the terms whose use is not billed, and those that are used without being paid yet.
    """
    unpaid = Subscription.objects.live().filter(
        customer=customer, auto_renew=True, paid_until__lte=at
    )
    return unbilled(customer, at=at) + [
        _unpaid_term(one)
        for one in unpaid.select_related("customer", "package").order_by("pk")
        if not one.is_paused and prices.terms_of(one.price_version_id).of_kind(*USED)
    ]


def terms_of(periods_: QuerySet[SubscriptionPeriod]) -> list[Term]:
    """
    Return periods with the price their use is reckoned by, if that charges any.
    """
    found = with_price(periods_).select_related("subscription__customer", "subscription__package")
    return [
        Term(
            subscription=one.subscription,
            price_version_id=one.held,
            terms=prices.terms_of(one.held),
            number=one.number,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            is_trial=one.is_trial,
        )
        for one in found.order_by("subscription_id", "number")
        if prices.terms_of(one.held).of_kind(*USED)
    ]


def with_price(periods_: QuerySet[SubscriptionPeriod]) -> QuerySet[SubscriptionPeriod]:
    """
    Annotate periods with the price version that was the last to hold in each, as `held`.
    """
    changed = SubscriptionChange.objects.filter(
        subscription=OuterRef("subscription"),
        to_version__isnull=False,
        applied_at__gte=OuterRef("starts_at"),
        applied_at__lt=OuterRef("ends_at"),
    ).order_by("-applied_at", "-pk")
    return periods_.annotate(
        held=Coalesce(
            Subquery(changed.values("to_version_id")[:1]),
            F("price_version_id"),
            output_field=BigIntegerField(),
        )
    )


def _unpaid_term(one: Subscription) -> Term:
    """
    Return the term that a subscription in grace is using without having paid it yet.
    """
    terms = prices.terms_of(one.price_version_id)
    number = one.period_number + 1
    _start, ends_at = periods.span(
        one.anchor_on, terms.interval, number - one.anchor_number, one.zone
    )
    return Term(
        subscription=one,
        price_version_id=one.price_version_id,
        terms=terms,
        number=number,
        starts_at=one.paid_until,
        ends_at=ends_at,
        is_trial=False,
    )
