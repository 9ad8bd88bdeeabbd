"""
A customer with a past, for the story about pauses and unpaid renewals.

Runs inside the portal: `manage.py shell -c "from tests.e2e import resting; resting.enter('en')"`.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts import customers
from accounts.models import Customer
from packages import notices, pausing, renewals, subscriptions
from packages.models import Notice, PriceVersion, Subscription
from packages.terms import Terms
from tests import factories
from tests.packages.shelf import basic, published, seats, terms

DAY = timedelta(days=1)


def enter(locale: str) -> None:
    """
    Make somebody with a plan that runs, one that is unpaid since eight days and one that rests;
    print their mail address and the three numbers.
    """
    now = timezone.now()
    begun = now - 45 * DAY
    email = f"resting-{locale}@example.com"
    owner = factories.UserFactory(email=email, date_joined=begun)
    name = "Quiet Bay Ltd." if locale == "en" else "静湾科技"
    customer = customers.open(name=name, owner_email=owner.email, at=begun, locale=locale)
    factories.fund(customer, "500.00", at=begun)
    quiet = bought(customer, "quiet", terms(basic("9.00")), at=begun)
    pausing.pause(subscription_id=quiet.pk, until=pausing.last_day(quiet), at=begun)
    late = bought(customer, "late", terms(basic("480.00")), at=begun)
    announce(late.paid_until - 6 * DAY)
    renewals.sweep(at=now - 8 * DAY)
    renewals.sweep(at=now)
    factories.fund(customer, "198.00", at=now)
    plan = bought(customer, "rest", terms(basic("99.00"), seats(1)), at=now - 3 * DAY)
    print(email, plan.number, late.number, quiet.number)


def bought(customer: Customer, code: str, prices: Terms, *, at: datetime) -> Subscription:
    code = f"{code}-{customer.locale[:2]}"
    published(prices, code=code, at=at)
    version = PriceVersion.objects.get(package__code=code)
    return subscriptions.subscribe(customer=customer, price_version=version, auto_renew=True, at=at)


def announce(at: datetime) -> None:
    """
    Tell of renewals at a moment in the past, as if the mails had gone out then.
    """
    with transaction.atomic():
        notices.prepare(at=at)
        unsent = Notice.objects.filter(sent_at=None, dropped_at=None, created_at=at)
        unsent.update(sent_at=at, sent_to=["past@example.com"])
