"""
Customers hear in time how much of what is included they have used, each step once.
"""

from datetime import timedelta

import pytest

from crm_billing import outbox
from packages import billing, quotas, usage
from packages.models import Notice
from tests.factories import fund
from tests.packages.metering import correction, event, recorded
from tests.packages.renewing import announced, swept
from tests.packages.test_subscription_guards import refused
from tests.packages.using import (
    MARCH_10,
    MARCH_20,
    allowed,
    billed,
    calls,
    final,
    metered,
    used,
)

pytestmark = pytest.mark.django_db


def told(subscription, at=MARCH_20) -> list[int]:
    """
    Tell what is due and return the steps that were told.
    """
    quotas.tell(customer_id=subscription.customer_id, at=at)
    notices = Notice.objects.filter(subscription=subscription, kind="QUOTA").order_by("pk")
    return list(notices.values_list("step", flat=True))


class TestTell:
    @pytest.mark.parametrize(
        ("quantity", "steps"),
        [(799, []), (800, [80]), (899, [80]), (900, [90]), (1000, [100]), (5000, [100])],
    )
    def test_tells_the_last_step_passed(self, quantity, steps):
        subscription = metered()
        used(subscription, quantity, at=MARCH_10)
        assert told(subscription) == steps

    def test_tells_each_step_once(self):
        subscription = metered()
        used(subscription, 850, at=MARCH_10)
        assert told(subscription) == told(subscription) == [80]
        used(subscription, 60, at=MARCH_10)
        assert told(subscription) == [80, 90]
        used(subscription, 100, at=MARCH_10)
        assert told(subscription) == [80, 90, 100]

    def test_does_not_tell_again_after_a_correction(self):
        subscription = metered()
        first = event(850, at=MARCH_10)
        recorded(subscription.customer, first, at=MARCH_10)
        told(subscription)
        recorded(subscription.customer, correction(first, -100), at=MARCH_10)
        used(subscription, 100, at=MARCH_10)
        assert told(subscription) == [80]

    def test_begins_anew_with_each_term(self):
        subscription = metered()
        used(subscription, 850, at=MARCH_10)
        told(subscription)
        announced(subscription)
        swept(subscription.paid_until)
        april = subscription.paid_until + timedelta(days=3)
        used(subscription, 820, at=april)
        assert told(subscription, april) == [80, 80]

    def test_is_silent_where_nothing_is_included(self):
        subscription = metered(calls(0))
        used(subscription, 850, at=MARCH_10)
        assert told(subscription) == []

    def test_tells_everybody_by_night(self):
        subscription = metered()
        used(subscription, 850, at=MARCH_10)
        assert (quotas.tell_all(at=MARCH_20), quotas.tell_all(at=MARCH_20)) == (1, 0)

    @pytest.mark.parametrize("goes_on", [True, False])
    def test_mails_what_happens_next(self, mailoutbox, goes_on):
        subscription = metered()
        if goes_on:
            allowed(subscription)
        used(subscription, 1000, at=MARCH_10)
        told(subscription)
        outbox.relay(at=MARCH_20)
        [mail] = mailoutbox
        assert "100" in mail.subject
        assert "1,000" in mail.body
        assert "/usage/limits/" in mail.body

    def test_is_not_mailed_when_the_term_is_over(self, mailoutbox):
        subscription = announced(metered())
        used(subscription, 850, at=MARCH_10)
        told(subscription)
        swept(subscription.paid_until)
        mailoutbox.clear()
        outbox.relay(at=subscription.paid_until)
        assert not [mail for mail in mailoutbox if "/usage/limits/" in mail.body]


class TestUnpaid:
    def test_is_told_once_and_not_when_it_is_paid_before(self, mailoutbox):
        subscription = metered(balance="100.00")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        billed(subscription)
        at = final(subscription)
        for day in range(3):
            billing.settle(at=at + timedelta(days=day))
        assert Notice.objects.filter(kind="USE_UNPAID").count() == 1
        fund(subscription.customer, "10.00", at=at)
        billing.settle(at=at, customer_id=subscription.customer_id)
        outbox.relay(at=at + timedelta(days=3))
        notice = Notice.objects.get(kind="USE_UNPAID")
        assert (notice.sent_at, notice.dropped_at is not None) == (None, True)


def test_use_that_is_told_has_quotas_looked_at(django_capture_on_commit_callbacks):
    heard = []

    def listen(sender, customer_id, **more):
        heard.append(customer_id)

    subscription = metered()
    usage.use_told.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            used(subscription, 850, at=MARCH_10)
    finally:
        usage.use_told.disconnect(listen)
    assert heard == [subscription.customer_id]


@pytest.mark.parametrize(
    ("statement", "guard"),
    [
        ("UPDATE packages_notice SET code = 'sms'", "packages_notice_fixed"),
        (
            'INSERT INTO packages_notice SELECT (jsonb_populate_record(x, \'{"id": -1, "code":'
            ' ""}\')).* FROM packages_notice AS x',
            "packages_notice_names_a_feature_iff_of_a_quota",
        ),
        (
            'INSERT INTO packages_notice SELECT (jsonb_populate_record(x, \'{"id": -1, "kind":'
            ' "EXPIRY"}\')).* FROM packages_notice AS x',
            "packages_notice_names_a_feature_iff_of_a_quota",
        ),
        (
            "INSERT INTO packages_notice SELECT (jsonb_populate_record(x, '{\"id\": -1}')).*"
            " FROM packages_notice AS x",
            "packages_notice_once",
        ),
    ],
)
def test_the_database_keeps_notices_of_quotas(statement, guard):
    subscription = metered()
    used(subscription, 850, at=MARCH_10)
    told(subscription)
    assert refused(statement) == guard
