"""
A customer whose calls are counted, for the story about what use may cost.

Runs inside the portal: `manage.py shell -c "from tests.e2e import counting; counting.enter('en')"`.
"""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from accounts import customers
from packages import subscriptions, usage
from packages.models import Meter, PriceVersion
from packages.usage import Event
from tests import factories
from tests.factories import cny
from tests.packages.metering import meter
from tests.packages.shelf import basic, calls, published, terms


def enter(locale: str) -> None:
    """
    Make somebody who has used 85 of 100 calls of a package with packs of 50 for 4.00; print their
    mail address and the number of the subscription.
    """
    now = timezone.now()
    begun = now - timedelta(days=3)
    email = f"counting-{locale}@example.com"
    owner = factories.UserFactory(email=email, date_joined=begun)
    name = "Count Bay Ltd." if locale == "en" else "计数科技"
    customer = customers.open(name=name, owner_email=owner.email, at=begun, locale=locale)
    factories.fund(customer, "200.00", at=begun)
    if not Meter.objects.filter(code="api_calls").exists():
        meter()
    code = f"counted-{locale[:2]}"
    one = calls(100, pack_units=Decimal(50), pack_price=cny("4.00"))
    published(terms(basic("99.00"), one), code=code, at=begun)
    version = PriceVersion.objects.get(package__code=code)
    held = subscriptions.subscribe(
        customer=customer, price_version=version, auto_renew=True, at=begun
    )
    told = Event(
        event_id="first",
        meter="api_calls",
        quantity=Decimal(85),
        occurred_at=now - timedelta(hours=1),
    )
    assert usage.record(customer=customer, events=[told], at=now).accepted == 1
    print(email, held.number)
