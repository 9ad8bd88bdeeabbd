from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_billing import outbox
from packages import charges
from packages.changes import NothingChanges
from packages.changing import ChangeStale
from packages.models import Charge
from tests.factories import cny, funded_customer
from tests.packages.becoming import by_month_and_year, changed
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.renewing import DAY, now, swept, told
from tests.packages.shelf import basic, calls, seats, terms
from tests.wallet.tampering import tamper
from wallet.books import violations

pytestmark = pytest.mark.django_db


class TestCap:
    def test_gives_back_no_more_than_was_paid(self):
        free, mid, big = (
            on_sale(terms(basic(amount)), code=code)
            for code, amount in (("free", "0.00"), ("mid", "300.00"), ("big", "900.00"))
        )
        subscription = bought(funded_customer("1000.00"), free, at=shanghai(2025, 3, 2))
        half = shanghai(2025, 3, 17, 12)  # of March 2nd to April 2nd
        changed(subscription, mid, at=half)
        changed(subscription, big, at=half)
        first, second = Charge.objects.order_by("pk")
        assert (first.amount, second.amount) == (cny("150.00"), cny("300.00"))
        assert [line["amount_minor"] for line in second.lines] == [-15000, 45000]

    @pytest.mark.tampers
    def test_of_a_discount_given_before(self):
        """A line that was charged less than its price gives back that less."""
        mid, big = (
            on_sale(terms(basic(amount)), code=code)
            for code, amount in (("mid", "300.00"), ("big", "900.00"))
        )
        subscription = bought(funded_customer("1000.00"), mid)
        tamper("UPDATE packages_charge SET lines = jsonb_set(lines, '{0,amount_minor}', '10000')")
        changed(subscription, big)
        lines = Charge.objects.get(kind="CHANGE").lines
        assert [line["amount_minor"] for line in lines] == [-10000, 60968]
        assert charges.recompute(lines, "CNY") == cny("509.68")


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 20 * 24),
            st.sampled_from(["seats 1", "seats 4", "seats 12", "small", "big", "year", "wait"]),
        ),
        max_size=5,
    )
)
def test_any_sequence_of_changes_tiles_and_never_pays_out(steps):
    with transaction.atomic():
        month, year = by_month_and_year(code="small")
        big = on_sale(terms(basic("300.00"), seats(1), calls()), code="big")
        wanted = {"small": month, "big": big, "year": year}
        customer = funded_customer("100000.00")
        subscription = bought(customer, month)
        at = subscription.created_at
        for hours, step in steps:
            at += timedelta(hours=hours)
            while now(subscription).paid_until <= at:
                due = now(subscription).paid_until
                told(due - 6 * DAY)
                assert swept(due).ok == 1
            try:
                if step.startswith("seats"):
                    changed(subscription, count=int(step.split()[1]), at=at)
                elif step in wanted:
                    changed(subscription, wanted[step], at=at)
            except (NothingChanges, ChangeStale):
                continue
        outbox.relay(at=at)
        assert not any(violations().values())
        for charge in Charge.objects.all():
            assert charge.amount_minor > 0
            assert charges.recompute(charge.lines, "CNY") == charge.amount
        transaction.set_rollback(True)
