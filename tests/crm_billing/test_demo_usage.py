from datetime import timedelta

import pytest

from accounts import roles
from crm_billing.demo import cast, shelf, use
from packages import totals
from packages.models import Meter, UsageEvent
from packages.terms import METERED, PERCENTAGE
from tests.factories import NOON, open_customer, staff

pytestmark = pytest.mark.django_db


def test_the_demo_uses_what_its_shelf_sells_and_is_the_same_each_time():
    since = NOON - timedelta(days=8)
    use.fit(at=since, by=staff(roles.ADMIN))
    sold = {
        one.code
        for _facts, prices in shelf.goods()
        for terms in prices
        for one in terms.of_kind(METERED, PERCENTAGE)
    }
    assert {meter.code for meter in Meter.objects.all()} == sold

    customers = [
        open_customer(part.name, currency=part.currency, time_zone=part.time_zone, at=since)
        for part in cast.PARTS[:4]
    ]
    use.tell(customers, since=since, until=NOON, seed=1)
    told = UsageEvent.objects.count()
    use.tell(customers, since=since, until=NOON, seed=1)

    assert UsageEvent.objects.count() == told > 400
    for customer in customers:
        found = totals.between(customer, list(Meter.objects.all()), start=since, end=NOON)
        assert all(used.quantity > 0 for used in found)
        assert all(one.occurred_at <= NOON for one in customer.usage_events.all())
