from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.utils import translation
from djmoney.money import Money

from accounts import customers
from accounts.customers import CustomerClosed
from accounts.models import Customer
from packages import meters, totals, usage
from packages.models import UsageEvent
from packages.usage import REASONS, Event, Rejected, TooManyEvents, UsageResult
from tests.factories import NOON, cny, open_customer
from tests.packages.metering import HOUR, codes, correction, event, meter, record, recorded

pytestmark = pytest.mark.django_db


DAY = timedelta(days=1)


@pytest.fixture
def customer():
    return open_customer()


@pytest.fixture
def calls():
    return meter()


def used(customer, code="api_calls", *, start=NOON - 90 * DAY, end=NOON + DAY) -> Decimal:
    return totals.total(customer, code, start=start, end=end)


@pytest.mark.usefixtures("calls")
class TestRecord:
    def test_keeps_an_event_as_it_was_told(self, customer, calls):
        told = event("12.345678", subject="user 1")

        assert record(customer, told) == UsageResult(accepted=1, duplicates=0, rejected=[])

        kept = UsageEvent.objects.get()
        assert (kept.customer, kept.event_id, kept.meter) == (customer, told.event_id, calls)
        assert (kept.quantity, kept.subject) == (Decimal("12.345678"), "user 1")
        assert kept.occurred_at == kept.counts_at == told.occurred_at
        assert (kept.received_at, kept.corrects, kept.value_minor) == (NOON, "", None)

    def test_takes_nothing_from_an_empty_batch(self, customer):
        assert record(customer) == UsageResult(accepted=0, duplicates=0, rejected=[])

    def test_changes_nothing_when_told_again(self, customer):
        told = event(5)
        recorded(customer, told)

        assert record(customer, told) == UsageResult(accepted=0, duplicates=1, rejected=[])
        assert used(customer) == 5

    def test_knows_the_same_moment_and_number_written_otherwise(self, customer):
        told = event("5.00")
        recorded(customer, told)
        elsewhere = told.occurred_at.astimezone(timezone(8 * HOUR))

        again = record(customer, replace(told, quantity=Decimal("5"), occurred_at=elsewhere))

        assert (again.duplicates, again.rejected) == (1, [])

    @pytest.mark.parametrize(
        "other",
        [
            {"quantity": Decimal(6)},
            {"occurred_at": NOON},
            {"subject": "somebody"},
            {"meter": "storage"},
        ],
    )
    def test_refuses_other_content_under_a_known_number(self, customer, other):
        meter("storage")
        told = event(5)
        recorded(customer, told)

        result = record(customer, replace(told, **other))

        assert result.rejected == [Rejected(0, told.event_id, "event_id_reused")]
        assert used(customer) == 5

    def test_keeps_numbers_of_customers_apart(self, customer):
        told, other = event(5), open_customer("Other")
        recorded(customer, told)
        recorded(other, replace(told, quantity=Decimal(7)))

        assert (used(customer), used(other)) == (5, 7)

    def test_keeps_the_good_events_of_a_batch_and_names_the_others(self, customer):
        good, known = event(1), event(2)
        recorded(customer, known)

        result = record(
            customer, event("NaN"), good, event(meter="nothing"), known, event(3), event("-1")
        )

        assert (result.accepted, result.duplicates) == (2, 1)
        told = [(one.index, one.code) for one in result.rejected]
        assert told == [(0, "bad_quantity"), (2, "unknown_meter"), (5, "negative_quantity")]
        assert used(customer) == 1 + 2 + 3

    def test_takes_the_first_of_several_with_one_number(self, customer):
        told = event(5)

        result = record(customer, told, told, replace(told, quantity=Decimal(9)))

        assert (result.accepted, result.duplicates) == (1, 1)
        assert result.rejected == [Rejected(2, told.event_id, "event_id_reused")]
        assert used(customer) == 5

    def test_refuses_the_repetition_of_what_it_refuses(self, customer):
        late = event(5, occurred_at=NOON - 4 * DAY)

        assert codes(record(customer, late, late)) == ["too_late", "too_late"]

    def test_takes_what_happened_up_to_72_hours_ago(self, customer):
        edge = NOON - timedelta(hours=72)
        moment = timedelta(microseconds=1)

        result = record(
            customer, event(occurred_at=edge), event(occurred_at=edge - moment), event()
        )

        assert (result.accepted, codes(result)) == (2, ["too_late"])

    def test_knows_a_late_event_again(self, customer):
        told = event(5)
        recorded(customer, told)

        later = record(customer, told, replace(told, quantity=Decimal(6)), at=NOON + 9 * DAY)
        assert (later.duplicates, codes(later)) == (1, ["event_id_reused"])
        assert codes(record(customer, event(), at=NOON + 9 * DAY)) == ["too_late"]

    def test_forgives_clocks_five_minutes_fast(self, customer):
        fast, faster = (event(occurred_at=NOON + timedelta(minutes=five)) for five in (5, 6))

        result = record(customer, fast, faster)

        assert (result.accepted, codes(result)) == (1, ["in_future"])

    @pytest.mark.parametrize(
        "quantity",
        ["NaN", "sNaN", "Infinity", "-Infinity", "0.0000001", "1e14", "1e400", "1e-400", "9" * 30],
    )
    def test_refuses_what_is_no_quantity(self, customer, quantity):
        assert codes(record(customer, event(quantity))) == ["bad_quantity"]
        assert not UsageEvent.objects.exists()

    @pytest.mark.parametrize("quantity", [1.5, "5", None, float("nan")])
    def test_refuses_a_quantity_that_is_not_exact(self, customer, quantity):
        told = replace(event(), quantity=quantity)
        assert codes(record(customer, told)) == ["bad_quantity"]

    @pytest.mark.parametrize("quantity", ["0", "-0", "99999999999999.999999", "0.000001", "1e13"])
    def test_takes_every_quantity_its_column_holds(self, customer, quantity):
        recorded(customer, event(quantity))
        assert used(customer) == Decimal(quantity)

    @pytest.mark.parametrize("number", ["", " ", "a b", "é", "a\n", "x" * 101, "\x00", None, 7])
    def test_refuses_numbers_that_are_not_plain(self, customer, number):
        assert codes(record(customer, event(event_id=number))) == ["bad_event_id"]

    @pytest.mark.parametrize("subject", ["x" * 101, "a\x00", "a\nb", "\ud800"])
    def test_refuses_subjects_that_cannot_be_shown(self, customer, subject):
        assert codes(record(customer, event(subject=subject))) == ["bad_subject"]

    def test_refuses_times_without_a_zone(self, customer):
        naive = datetime(2025, 3, 1, 11)  # noqa: DTZ001
        assert codes(record(customer, event(occurred_at=naive))) == ["bad_time"]

    def test_refuses_the_ends_of_time(self, customer):
        first = datetime.min.replace(tzinfo=timezone(14 * HOUR))
        last = datetime.max.replace(tzinfo=timezone(-12 * HOUR))

        result = record(customer, event(occurred_at=first), event(occurred_at=last))

        assert codes(result) == ["too_late", "in_future"]

    def test_takes_a_thousand_and_refuses_more_whole(self, customer):
        many = [event() for _ in range(usage.MOST)]
        recorded(customer, *many)

        with pytest.raises(TooManyEvents):
            record(customer, event(), *many)
        assert used(customer) == 1_000

    def test_refuses_closed_customers(self, customer):
        customer.status = Customer.Status.CLOSED
        with pytest.raises(CustomerClosed):
            record(customer, event())

    def test_takes_what_a_frozen_customer_has_used(self, customer):
        customer = customers.freeze(customer_id=customer.pk, reason="x", at=NOON, by=None)
        recorded(customer, event(5))

    def test_refuses_events_on_a_retired_meter_but_knows_the_old_ones(self, customer, calls):
        told = event(5)
        recorded(customer, told)
        meters.retire(meter_id=calls.pk, at=NOON, by=None)

        result = record(customer, told, event())

        assert (result.duplicates, codes(result)) == (1, ["meter_retired"])
        assert used(customer) == 5

    def test_says_why_in_the_readers_language(self, customer):
        result = record(customer, event("NaN"))
        with translation.override("en"):
            assert result.rejected[0].detail.startswith("The quantity is a number")
        assert REASONS.keys() > {"bad_quantity", "event_id_reused"}

    def test_asks_the_database_few_things(self, customer, django_assert_max_num_queries):
        batch = [event() for _ in range(300)]
        with django_assert_max_num_queries(5):  # meters, begin, lock, insert, commit
            recorded(customer, *batch)
        with django_assert_max_num_queries(8):
            record(customer, *batch, *(correction(one, -1) for one in batch))


@pytest.mark.usefixtures("calls")
class TestCorrections:
    def test_take_away_from_an_event_when_that_happened(self, customer):
        wrong = event(10, occurred_at=NOON - DAY)
        recorded(customer, wrong)
        recorded(customer, correction(wrong, -3, occurred_at=NOON))

        assert used(customer, start=NOON - DAY, end=NOON) == 7
        assert used(customer, start=NOON, end=NOON + DAY) == 0
        assert UsageEvent.objects.get(corrects=wrong.event_id).counts_at == wrong.occurred_at

    def test_may_come_in_the_batch_of_what_they_correct(self, customer):
        wrong = event(10)
        recorded(customer, correction(wrong, -3), wrong, correction(wrong, -4))
        assert used(customer) == 3

    def test_take_no_more_than_there_was(self, customer):
        wrong = event(10)
        recorded(customer, wrong, correction(wrong, -6))

        result = record(customer, correction(wrong, -5), correction(wrong, -4))

        assert (result.accepted, codes(result)) == (1, ["corrects_too_much"])
        assert codes(record(customer, correction(wrong, "-0.000001"))) == ["corrects_too_much"]
        assert used(customer) == 0

    def test_are_known_again(self, customer):
        wrong = event(10)
        mend = correction(wrong, -10)
        recorded(customer, wrong, mend)

        again = record(customer, mend, replace(mend, quantity=Decimal(-1)))

        assert (again.duplicates, codes(again)) == (1, ["event_id_reused"])

    def test_need_something_to_correct(self, customer):
        meter("storage")
        elsewhere, wrong = event(10, meter="storage"), event(10)
        recorded(customer, elsewhere)
        recorded(open_customer("Other"), wrong)

        result = record(
            customer,
            correction(event(), -1),
            correction(wrong, -1),
            correction(elsewhere, -1, meter="api_calls"),
            correction(wrong, -1, corrects="not a number"),
        )

        assert codes(result) == ["unknown_correction"] * 4

    def test_are_not_corrected_themselves(self, customer):
        wrong = event(10)
        mend = correction(wrong, -3)
        recorded(customer, wrong, mend)

        assert codes(record(customer, correction(mend, -1))) == ["corrects_correction"]

    def test_are_below_zero_and_only_they(self, customer):
        wrong = event(10)
        recorded(customer, wrong)

        result = record(customer, correction(wrong, 3), correction(wrong, 0), event(-1))

        assert codes(result) == ["negative_quantity"] * 3

    def test_come_as_late_as_what_they_correct(self, customer):
        wrong = event(10, occurred_at=NOON - 3 * DAY)
        recorded(customer, wrong)

        result = record(customer, correction(wrong, -1, occurred_at=NOON), at=NOON + HOUR)

        assert codes(result) == ["too_late"]

    def test_take_away_the_largest_the_last_and_the_subject(self, customer):
        for aggregation in ("MAX", "LAST", "UNIQUE"):
            meter(aggregation.lower(), aggregation)
        early, late = ({"occurred_at": NOON - hours * HOUR} for hours in (2, 1))
        for code in ("max", "last", "unique"):
            small = event(3, meter=code, subject="a", **early)
            big = event(8, meter=code, subject="b", **late)
            recorded(customer, small, big, correction(big, -2))
            before = used(customer, code)
            recorded(customer, correction(big, -6))
            assert (before, used(customer, code)) == ((2, 1) if code == "unique" else (6, 3))


class TestTransactions:
    @pytest.fixture(autouse=True)
    def collection(self):
        return meter("collection", carries_value=True)

    def told(self, quantity=1, value="12.30", **facts) -> Event:
        return event(quantity, meter="collection", value=cny(value), **facts)

    def test_keep_their_value(self, customer, collection):
        recorded(customer, self.told(), self.told(value="0.70"), self.told(value="0"))

        [seen] = totals.between(customer, [collection], start=NOON - DAY, end=NOON)

        assert (seen.quantity, seen.value) == (3, cny("13.00"))

    def test_are_corrected_with_theirs(self, customer, collection):
        wrong = self.told()
        recorded(customer, wrong)

        result = record(
            customer,
            correction(wrong, "-0.5", value="-12.31"),
            correction(wrong, "-0.5", value="-12.30"),
            correction(wrong, "-0.1", value="-0.01"),
            correction(wrong, "-0.1", value="0.01"),
            correction(wrong, "-0.1"),
        )

        assert codes(result) == ["corrects_too_much"] * 2 + ["bad_value"] * 2
        [seen] = totals.between(customer, [collection], start=NOON - DAY, end=NOON)
        assert (seen.quantity, seen.value) == (Decimal("0.5"), cny("0.00"))

    @pytest.mark.parametrize(
        "value", [None, cny("-0.01"), Money("1", "USD"), cny("0.001"), cny("1e30")]
    )
    def test_need_a_value_in_the_customers_currency(self, customer, value):
        told = replace(self.told(), value=value)
        assert codes(record(customer, told)) == ["bad_value"]

    def test_are_no_matter_of_other_meters(self, customer):
        meter()
        assert codes(record(customer, event(value=cny("1.00")))) == ["bad_value"]

    def test_with_another_value_are_others(self, customer):
        told = self.told()
        recorded(customer, told)
        assert codes(record(customer, replace(told, value=cny("1.00")))) == ["event_id_reused"]
