"""
Months go by for the real worker and beat, whose clock is moved; the database keeps the true time.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from packages.models import Charge, Notice, RenewalRun, Subscription
from tests.factories import fund, open_customer, owner_of
from tests.mailbox import Mailbox
from tests.moving_clock import Clock, Workers, at_work
from tests.packages.buying import bought, on_sale
from tests.packages.renewing import DAY, now, told
from tests.packages.shelf import basic, terms
from tests.stories.telling import wallet
from wallet.models import JournalEntry

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def clock(tmp_path) -> Clock:
    return Clock(tmp_path)


def test_months_go_by_for_worker_and_beat(clock: Clock, mailbox: Mailbox):
    at = timezone.now()
    customer = fund(open_customer(at=at, locale="en"), "200.00", at=at)
    address = owner_of(customer).email
    one = bought(customer, on_sale(), at=at)
    first_end = one.paid_until

    with at_work(clock, beat=True) as workers:

        def mailed(kind: str, period_number: int, step: int = 0) -> Notice:
            """
            Wait for the mail of a notice, which must say so by the moved clock.
            """
            wanted = Notice.objects.filter(
                subscription=one, kind=kind, period_number=period_number, step=step
            )
            workers.until(
                lambda: (found := wanted.first()) and found.sent_at and arrived(found),
                f"{kind} {step}",
            )
            assert clock.now - MINUTE < wanted.get().sent_at <= clock.now
            return wanted.get()

        def arrived(notice: Notice) -> bool:
            return any(mail.subject.endswith(notice.subject) for mail in mailbox.to(address))

        def becomes(state: str) -> None:
            workers.until(lambda: now(one).state == state, state)

        # Announced six days before, and nothing is taken yet.
        clock.set(first_end - 6 * DAY)
        notice = mailed("RENEWAL", 2)
        assert wallet(customer)["available"] == "101.00"

        # Charged when the term is over, by this notice.
        clock.set(first_end + MINUTE)
        workers.until(lambda: now(one).period_number == 2, "renewal")
        charge = Charge.objects.get(subscription=one, kind="RENEWAL")
        assert charge.notice == notice and charge.amount_minor == 9900
        assert first_end <= charge.charged_at <= clock.now
        assert wallet(customer)["available"] == "2.00"

        # The journal has both clocks: it happened by ours and was recorded by the server's.
        entry = JournalEntry.objects.get(pk=charge.entry_id)
        assert first_end <= entry.occurred_at
        assert entry.created_at < timezone.now() + MINUTE < first_end

        # Next month there is too little: announced, tried, told, led down the steps to the end.
        second_end = now(one).paid_until
        clock.set(second_end - 6 * DAY)
        mailed("RENEWAL", 3)
        clock.set(second_end + MINUTE)
        becomes("PAST_DUE")
        mailed("DUNNING", 3)
        failed_at = now(one).past_due_at
        assert second_end <= failed_at <= clock.now
        for days, state in [(7, "RESTRICTED"), (14, "SUSPENDED"), (30, "ENDED")]:
            clock.set(failed_at + days * DAY + MINUTE)
            becomes(state)
            mailed("DUNNING", 3, days)
        assert wallet(customer)["available"] == "2.00"
        assert Charge.objects.filter(kind="RENEWAL").count() == 1
        assert not [line for line in workers.said if "Traceback" in line]


@pytest.fixture
def berlin(clock: Clock, mailbox: Mailbox) -> Iterator[Callable[..., Subscription]]:
    """
    Let customers of Berlin buy at a moment of their own clock, with the renewal announced.
    """

    def buy(year: int, month: int, day: int, version) -> Subscription:
        at = datetime(year, month, day, 10, tzinfo=BERLIN).astimezone(UTC)
        customer = open_customer(at=at, time_zone="Europe/Berlin", locale="en")
        one = bought(fund(customer, "500.00", at=at), version, at=at)
        told(one.paid_until - 6 * DAY)
        return one

    yield buy


def berlin_time(moment: datetime) -> str:
    return f"{moment.astimezone(BERLIN):%Y-%m-%d %H:%M %Z}"


def midnight_is_crossed(
    workers: Workers, clock: Clock, midnight: datetime, one: Subscription
) -> None:
    """
    Have the worker sweep all the time from two seconds before midnight on.
    """
    clock.set(midnight - timedelta(seconds=4))
    before = RenewalRun.objects.filter(at__gt=midnight - MINUTE, at__lt=midnight)

    def swept() -> bool:
        workers.ask("packages.tasks.sweep_renewals")
        if before.exists() and clock.now < midnight - timedelta(seconds=1):
            assert now(one).period_number == 1
        return now(one).period_number == 2

    workers.until(swept, "renewal after midnight")
    assert before.exists()  # it looked a moment too early, and took nothing
    assert midnight <= one.charges.get(kind="RENEWAL").charged_at < midnight + MINUTE


def test_the_leap_day_is_crossed_at_midnight_in_berlin(clock, berlin):
    monthly, yearly = on_sale(), on_sale(terms(basic("60.00"), interval="year"), code="year")
    leaping = berlin(2028, 2, 1, monthly)
    last_day = berlin(2028, 1, 31, monthly)
    over_years = berlin(2028, 2, 29, yearly)
    assert berlin_time(leaping.paid_until) == "2028-03-01 00:00 CET"
    assert berlin_time(last_day.paid_until) == "2028-02-29 00:00 CET"
    assert berlin_time(over_years.paid_until) == "2029-02-28 00:00 CET"

    with at_work(clock, beat=False) as workers:
        # 29 February 2028, 23:59:56: what was due that morning is renewed, the other not yet.
        midnight_is_crossed(workers, clock, leaping.paid_until, leaping)
        assert now(last_day).period_number == 2
        # both terms go into summer time
        assert berlin_time(now(leaping).paid_until) == "2028-04-01 00:00 CEST"
        assert berlin_time(now(last_day).paid_until) == "2028-03-31 00:00 CEST"
        assert now(leaping).paid_until - leaping.paid_until == 31 * DAY - timedelta(hours=1)

        # A year from a leap day is over with 27 February.
        midnight_is_crossed(workers, clock, over_years.paid_until, over_years)
        assert berlin_time(now(over_years).paid_until) == "2030-02-28 00:00 CET"
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            [servers_now] = cursor.fetchone()
        assert servers_now < leaping.paid_until  # the server has been nowhere near
        assert not [line for line in workers.said if "Traceback" in line]
