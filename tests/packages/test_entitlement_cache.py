"""
A kept answer is always the one that would be worked out: whatever has happened, at any moment.
"""

from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from redis.exceptions import RedisError

from accounts import customers
from accounts.models.customers import time_zones
from packages import billing, catalogue, entitlement_cache, packs, periods, subscriptions
from packages.entitlement_cache import QUARTER
from packages.entitlements import check
from packages.models import Package, PriceVersion
from tests.factories import cny, fund, open_customer
from tests.packages.asking import AT, answers, are_kept, seen, worked_out
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.metering import correction, event, meter, recorded
from tests.packages.renewing import DAY, announced, swept
from tests.packages.resting import APRIL, MAY_10, asked, resumed
from tests.packages.shelf import basic, feature, published, repriced, seats, terms
from tests.packages.using import (
    MARCH_10,
    allowed,
    billed,
    calls,
    capped,
    final,
    metered,
    stopped,
    used,
)
from wallet import holds, lots, spending

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, MICROSECOND = timedelta(minutes=1), timedelta(microseconds=1)
AROUND = (-6 * MINUTE, -MINUTE, -MICROSECOND, timedelta(0), MICROSECOND, MINUTE)


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()


class TestKept:
    def test_asks_once_what_is_the_same(self):
        one = metered()
        first = answers(one.customer)
        assert are_kept(one.customer)
        assert answers(one.customer) == first == worked_out(one.customer)

    def test_holds_a_little_while(self):
        one = metered()
        answers(one.customer)
        assert are_kept(one.customer, AT + MINUTE)
        assert not are_kept(one.customer, AT + QUARTER)

    def test_is_nothing_for_an_earlier_moment(self):
        one = metered()
        answers(one.customer)
        assert not are_kept(one.customer, AT - MICROSECOND)

    def test_is_of_one_customer_feature_and_quantity(self):
        one = metered(calls(10))
        assert check(one.customer, "api_calls", at=AT).allowed
        assert not check(one.customer, "api_calls", at=AT, quantity=Decimal(11)).allowed
        assert not check(one.customer, "exports", at=AT).allowed
        assert not check(open_customer(), "api_calls", at=AT).allowed

    def test_is_not_touched_by_what_is_not_committed(self):
        one = metered()
        before = answers(one.customer)
        with transaction.atomic():
            used(one, 5, at=MARCH_10)
            assert answers(one.customer) != before
            transaction.set_rollback(True)
        assert are_kept(one.customer)
        assert answers(one.customer) == before

    def test_is_nothing_to_another_release(self, monkeypatch):
        one = metered()
        answers(one.customer)
        monkeypatch.setattr(entitlement_cache, "_RELEASE", "another")
        assert not are_kept(one.customer)

    def test_is_missed_by_nobody_when_redis_is_down(self, settings):
        one = metered()
        answers(one.customer)
        settings.CACHES = {
            "default": settings.CACHES["default"] | {"LOCATION": "unix:///nowhere/redis.sock"}
        }
        used(one, 5, at=MARCH_10)
        assert answers(one.customer) == worked_out(one.customer)
        assert check(one.customer, "api_calls", at=AT).used == 5

    def test_is_not_needed_when_redis_goes_down_meanwhile(self, monkeypatch):
        def refused(*args: object, **more: object) -> None:
            raise RedisError("Error 111. Connection refused.")

        one = metered()
        monkeypatch.setattr(cache, "set", refused)
        assert answers(one.customer) == worked_out(one.customer)


class TestChanges:
    """
    What commands do is in the next answer.
    """

    def test_of_use(self):
        one, told = metered(), event(5, at=MARCH_10)
        with seen(one):
            recorded(one.customer, told, at=MARCH_10)
        with seen(one):
            recorded(one.customer, correction(told, -2), at=MARCH_10)

    def test_of_limits(self):
        one = metered()
        used(one, 1100, at=MARCH_10)
        for decide in (
            lambda: allowed(one, "5.00", at=AT - 4 * MINUTE),
            lambda: allowed(one, at=AT - 3 * MINUTE),
            lambda: capped(one, "2.00", at=AT - 3 * MINUTE),
            lambda: capped(one, "3.00", at=AT - 2 * MINUTE, once=True),
            lambda: capped(one, "1.00", code="api_calls", at=AT - 2 * MINUTE),
            lambda: capped(one, None, code="api_calls", at=AT - MINUTE),
            lambda: stopped(one, at=AT - MINUTE),
        ):
            with seen(one):
                decide()

    def test_of_packs(self):
        one = metered(replace(calls(), pack_units=Decimal(500), pack_price=cny("4.00")))
        with seen(one):
            packs.buy(
                subscription_id=one.pk,
                code="api_calls",
                nth=1,
                period_number=1,
                price_version_id=one.price_version_id,
                at=AT,
            )

    def test_of_the_wallet(self):
        one = metered()
        customer = one.customer
        allowed(one)
        with seen(one):
            fund(customer, "3.00", bonus="700.00", at=MARCH_10)
        with seen(one):
            spending.spend(
                customer=customer, amount=cny("5.00"), reference="s", description="s", at=AT
            )
        with seen(one):
            hold = holds.place(customer=customer, amount=cny("50.00"), reference="h", at=AT)
        with seen(one):
            holds.capture(hold_id=hold.pk, amount=cny("20.00"), at=AT)
        over = MARCH_10 + 30 * DAY + MINUTE
        with seen(one, over):
            assert lots.expire(at=over) == 1

    def test_of_what_is_had(self):
        one = metered(balance="9000.00")
        more = on_sale(terms(basic("9.00"), feature()), code="more")
        with seen(one):
            bought(one.customer, more, at=AT - 3 * MINUTE)
        version = on_sale(terms(basic("500.00"), calls(9000), seats(1)), code="big")
        with seen(one):
            subscriptions.change(subscription_id=one.pk, price_version=version, at=AT - 2 * MINUTE)
        with seen(one):
            subscriptions.change(subscription_id=one.pk, seats=4, at=AT - MINUTE)

    def test_of_bills(self):
        one = metered(balance="199.00")
        allowed(one)
        used(one, 1500, at=MARCH_10)
        announced(one)
        at = final(one) + MINUTE
        with seen(one, at, differs=False):
            swept(one.paid_until)
        with seen(one, at):
            used(one, 1000, at=final(one))
        with seen(one, at, differs=False):
            billed(one, at=final(one))
        with seen(one, at):
            billing.settle(at=final(one))  # it lacks the money
        with seen(one, at, differs=False):
            fund(one.customer, "9.00", at=final(one))
        with seen(one, at):
            assert billing.settle(at=at, customer_id=one.customer_id) == 1

    def test_of_dunning(self):
        one = metered(balance="99.00")
        announced(one)
        said = []
        for day in range(31):
            at = one.paid_until + day * DAY
            with seen(one, at + MINUTE, differs=False):
                swept(at)
            said.append(check(one.customer, "api_calls", at=at + MINUTE).reason)
        assert list(dict.fromkeys(said)) == ["", "restricted", "suspended", "not_in_plan"]

    def test_of_rests(self):
        meter()
        one = bought(version=on_sale(terms(basic("99.00"), calls(), feature())))
        asked(one)
        with seen(one, APRIL + MINUTE):
            swept(APRIL)
        with seen(one, MAY_10 + MINUTE):
            resumed(one)

    def test_of_an_end(self):
        one = metered()
        with seen(one, differs=False):
            subscriptions.cancel(subscription_id=one.pk, at=AT)
        other = metered(no_meter=True, code="other", balance="99.00")
        announced(other)
        swept(other.paid_until)
        with seen(other, other.paid_until + MINUTE):
            subscriptions.cancel(subscription_id=other.pk, at=other.paid_until)

    def test_of_what_is_on_sale(self):
        one = metered()
        used(one, 1000, at=MARCH_10)
        with seen(one):
            package = published(terms(basic("900.00"), calls(5000)), code="big", at=MARCH_10)
        with seen(one):
            published(terms(basic("800.00"), calls(5000)), code="cheap", at=MARCH_10)
        with seen(one):
            repriced(package, terms(basic("700.00"), calls(5000)), at=MARCH_10 + DAY)
        with seen(one):
            repriced(
                Package.objects.get(code="cheap"),
                terms(basic("600.00"), calls(5000)),
                at=MARCH_10 + DAY,
                customer=one.customer,
            )
        own = PriceVersion.objects.get(customer=one.customer)
        with seen(one):
            catalogue.end(price_version_id=own.pk, valid_to=AT, at=AT, by=None)
        with seen(one):
            catalogue.retire(package_id=package.pk, at=AT, by=None)

    def test_of_the_customer(self):
        one = metered()
        with seen(one):
            customers.freeze(customer_id=one.customer_id, reason="x", at=AT, by=None)
        with seen(one):
            customers.unfreeze(customer_id=one.customer_id, reason="x", at=AT, by=None)

    def test_by_no_command(self):
        one = metered()
        with seen(one), connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_customer SET status = 'CLOSED'")


class TestTime:
    """
    Nothing happens, and yet another answer is right: at each moment around the one that counts.
    """

    def passes(self, one, moment, *, differs=True):
        for away in AROUND:
            assert answers(one.customer, moment + away) == worked_out(one.customer, moment + away)
        before, after = (
            worked_out(one.customer, moment + away) for away in (AROUND[0], AROUND[-1])
        )
        assert not differs or before != after

    def test_ends_what_is_paid(self):
        one = metered(auto_renew=False)
        self.passes(one, one.paid_until)

    def test_begins_a_term_nobody_has_paid(self):
        one = metered()
        used(one, 5, at=MARCH_10)
        self.passes(one, one.paid_until)

    def test_begins_a_month_with_a_cap_of_its_own(self):
        one = metered(at=MARCH_10)
        allowed(one, at=MARCH_10)
        capped(one, "2.00", at=MARCH_10)
        used(one, 1200, at=shanghai(2025, 3, 12))
        self.passes(one, shanghai(2025, 4, 1) - 5 * MINUTE)
        self.passes(one, shanghai(2025, 4, 1), differs=False)

    def test_begins_and_ends_a_sale(self):
        one = metered()
        used(one, 1000, at=MARCH_10)
        package = published(terms(basic("900.00"), calls(5000)), code="big", at=MARCH_10)
        moment = AT + 2 * DAY
        repriced(package, terms(basic("9.00"), calls(5)), at=AT, valid_from=moment)
        self.passes(one, moment)

    @pytest.mark.parametrize("kind", ["seats", "api_calls"])
    def test_reaches_use_told_by_a_fast_clock(self, kind):
        meter("seats", "LAST")
        one = metered(calls(), seats(1))
        moment = AT + 4 * MINUTE
        recorded(one.customer, event(1, meter=kind, at=moment + timedelta(hours=1)), at=AT)
        self.passes(one, moment, differs=kind == "seats")
        self.passes(one, moment - 5 * MINUTE, differs=kind == "api_calls")

    def test_forgets_terms_that_never_were_billed(self):
        one = metered(balance="110.00")
        allowed(one)
        used(one, 1500, at=MARCH_10)
        subscriptions.cancel(subscription_id=one.pk, at=AT)
        swept(one.paid_until)
        other = bought(one.customer, on_sale(terms(basic("1.00"), calls(5)), code="next"), at=APRIL)
        allowed(other, at=APRIL)
        at = one.paid_until + 100 * DAY
        for month in range(3):
            swept(other.paid_until + month * DAY)
        self.passes(other, at, differs=False)


def test_days_of_every_zone_begin_on_a_quarter_of_an_hour():
    months = [date(year, month, 1) for year in range(2024, 2036) for month in range(1, 13)]
    for zone in time_zones():
        for month in months:
            begun = periods.instant(month, zone).astimezone(UTC)
            assert (begun.minute % 15, begun.second, begun.microsecond) == (0, 0, 0), zone
