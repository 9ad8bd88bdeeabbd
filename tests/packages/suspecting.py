"""
Charges of tests that look wrong, and what a scan says of them.
"""

from datetime import timedelta
from decimal import Decimal
from itertools import count

from packages import sentinel
from packages.models import Charge, Subscription
from tests.factories import (
    NOON,
    cny,
    funded_customer,
    owner_of,
)
from tests.packages.buying import bought, on_sale
from tests.packages.renewing import announced, now, swept
from tests.packages.shelf import basic, seats, terms
from tests.wallet.tampering import tamper
from wallet import spending
from wallet.models import Case

SERIAL = count(1)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def renewed(subscription: Subscription, times: int) -> Subscription:
    for _time in range(times):
        announced(subscription)
        swept(subscription.paid_until)
        subscription = now(subscription)
    return subscription


def subscribed(*, count=1, **options) -> Subscription:
    price = on_sale(terms(basic("99.00"), seats(1)))
    customer = funded_customer("5000.00", locale="en")
    return bought(customer, price, seats=count, by=owner_of(customer), **options)


def last(subscription: Subscription) -> Charge:
    return subscription.charges.order_by("pk").last()


def plant(subscription: Subscription, *, minor=None, at=None, **columns) -> Charge:
    """
    Write one more charge beside the last, with an entry of its own, past every guard.
    """
    like = last(subscription)
    at = at or like.charged_at + MINUTE
    amount = like.amount_minor if minor is None else minor
    entry = spending.spend(
        customer=subscription.customer,
        amount=cny(Decimal(amount) / 100),
        reference=f"planted{Charge.objects.count()}",
        description="planted",
        at=at,
    )
    set_to = {
        "kind": f"'{like.kind}'",
        "period_number": like.period_number,
        "lines": "lines",
        "consent_id": "consent_id",
        "charged_by_id": "charged_by_id",
    } | columns
    names = ", ".join(set_to)
    values = ", ".join(str(value) for value in set_to.values())
    tamper("DROP INDEX IF EXISTS packages_charge_once_per_period")
    announced_only = "packages_charge_of_a_renewal_was_announced"
    tamper(f"ALTER TABLE packages_charge DROP CONSTRAINT IF EXISTS {announced_only}")
    tamper(f"UPDATE wallet_journalentry SET reference = 'renewal:{entry.pk}' WHERE id = {entry.pk}")
    tamper(
        f"INSERT INTO packages_charge (customer_id, subscription_id, price_version_id, entry_id,"
        f" currency, amount_minor, charged_at, {names}) SELECT customer_id, subscription_id,"
        f" price_version_id, {entry.pk}, currency, {amount}, '{at.isoformat()}', {values}"
        f" FROM packages_charge WHERE id = {like.pk}"
    )
    return Charge.objects.get(entry=entry)


def rules(at) -> list[list[str]]:
    """
    Scan, and return the rules each new case names.
    """
    before = set(Case.objects.values_list("pk", flat=True))
    sentinel.scan(at=at)
    opened = Case.objects.filter(kind="CHARGE_SUSPECT").exclude(pk__in=before).order_by("pk")
    return [[one["rule"] for one in case.facts["findings"]] for case in opened]


def facts() -> dict:
    return Case.objects.get(kind="CHARGE_SUSPECT").facts


def spend(customer, amount="7.00", description="Report", *, at=NOON):
    return spending.spend(
        customer=customer,
        amount=cny(amount),
        reference=f"r{next(SERIAL)}",
        description=description,
        at=at,
    )
