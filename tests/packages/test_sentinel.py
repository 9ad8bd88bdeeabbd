import json
from decimal import Decimal
from fractions import Fraction

import pytest
from django.core import mail
from django.db import Error, connection, transaction
from django.utils import timezone
from django.utils.translation import override

from crm_billing import outbox
from crm_billing.money import rounded
from packages import sentinel, subscriptions, suspicions
from packages.models import ChargeScan, Subscription
from packages.sentinel import Scanned
from packages.suspicions import Suspect
from tests.factories import (
    NOON,
    cny,
    fund,
    funded_customer,
    open_customer,
    owner_of,
    sign_in_staff,
    staff,
)
from tests.packages.buying import bought, on_sale
from tests.packages.couponing import coupon
from tests.packages.renewing import now, swept
from tests.packages.shelf import basic, terms
from tests.packages.suspecting import (
    DAY,
    HOUR,
    MINUTE,
    facts,
    last,
    plant,
    renewed,
    rules,
    spend,
    subscribed,
)
from tests.wallet.racing import race
from tests.wallet.tampering import tamper
from wallet import cases, ledger
from wallet.models import Case

pytestmark = pytest.mark.django_db

# what a planted charge must get past the guards for
planted = pytest.mark.tampers


class TestOnCleanBooks:
    def test_finds_nothing(self):
        subscription = renewed(subscribed(count=2), 7)
        owner = owner_of(subscription.customer)
        at = last(subscription).charged_at + DAY
        for many in (3, 4, 40):  # each after the other, and far more than before: agreed to
            at += MINUTE
            subscriptions.change(subscription_id=subscription.pk, seats=many, at=at, by=owner)
        subscription = renewed(now(subscription), 1)
        other = subscribed_again(subscription)
        subscriptions.cancel(subscription_id=other.pk, at=at, by=None)
        for n in range(3):
            spend(subscription.customer, "7.00", f"seat {n}", at=at)
        assert sentinel.scan(at=last(subscription).charged_at + HOUR) == Scanned(0, 0)
        assert not Case.objects.exists()

    def test_keeps_what_it_looked_at_and_overlaps_with_it(self):
        sentinel.scan(at=NOON)
        sentinel.scan(at=NOON + DAY)
        first, second = ChargeScan.objects.order_by("pk")
        assert (first.since, second.since) == (NOON - sentinel.FIRST_LOOK, NOON - sentinel.OVERLAP)


def subscribed_again(one: Subscription) -> Subscription:
    """
    Return a subscription of the same customer to something else at the same price.
    """
    fund(one.customer, "500.00")
    return bought(one.customer, on_sale(terms(basic("99.00")), code="other"))


@planted
class TestDuplicates:
    def test_of_one_term_are_found_once_with_the_whole_amount(self):
        subscription = subscribed()
        again = plant(subscription, at=NOON + 3 * HOUR)
        assert rules(NOON + DAY) == [["DUPLICATE"]]
        assert facts()["refund"] == facts()["amount"] == "99.00"
        assert facts()["charge"] == again.pk
        assert rules(NOON + DAY) == rules(NOON + 2 * DAY) == []

    def test_of_one_change_minutes_apart_are_found(self):
        subscription = subscribed(count=2)
        owner = owner_of(subscription.customer)
        subscriptions.change(subscription_id=subscription.pk, seats=3, at=NOON + HOUR, by=owner)
        plant(subscription)
        assert rules(NOON + DAY) == [["DUPLICATE"]]

    def test_of_one_amount_for_other_seats_are_none(self):
        subscription = subscribed(count=2)
        owner = owner_of(subscription.customer)
        subscriptions.change(subscription_id=subscription.pk, seats=3, at=NOON + HOUR, by=owner)
        lines = [dict(line, quantity="4") for line in last(subscription).lines]
        plant(subscription, lines=f"'{json.dumps(lines)}'::jsonb")
        assert rules(NOON + DAY) == []

    def test_that_were_reversed_are_put_right(self):
        again = plant(subscribed(), at=NOON + 3 * HOUR)
        ledger.reverse(entry_id=again.entry_id, reason="twice", occurred_at=NOON + 4 * HOUR)
        assert rules(NOON + DAY) == []

    def test_are_found_among_many_customers_by_as_few_questions(self, django_assert_num_queries):
        at = NOON + DAY
        sentinel.scan(at=at)
        with django_assert_num_queries(8):
            sentinel.suspects(since=NOON - DAY, at=at)
        price = on_sale(terms(basic("99.00")))
        for _customer in range(3):
            plant(bought(funded_customer("500.00"), price), at=NOON + HOUR)
        with django_assert_num_queries(8):
            assert len(sentinel.suspects(since=NOON - DAY, at=at)) == 3


@planted
class TestSpikes:
    def test_are_far_above_the_median_of_the_last(self):
        subscription = renewed(subscribed(), 3)
        at = last(subscription).charged_at + 20 * DAY
        plant(subscription, minor=29_701, at=at, period_number=9, charged_by_id="NULL")
        assert rules(at + HOUR) == [["SPIKE"]]
        assert (facts()["refund"], facts()["amount"]) == ("198.01", "297.01")

    def test_are_none_at_exactly_three_times(self):
        subscription = renewed(subscribed(), 3)
        at = last(subscription).charged_at + 20 * DAY
        plant(subscription, minor=29_700, at=at, period_number=9, charged_by_id="NULL")
        assert rules(at + HOUR) == []

    def test_are_none_after_a_change_somebody_made(self):
        subscription = renewed(subscribed(), 3)
        owner = owner_of(subscription.customer)
        at = last(subscription).charged_at
        subscriptions.change(subscription_id=subscription.pk, seats=30, at=at + HOUR, by=owner)
        renewed(now(subscription), 1)
        assert last(subscription).amount_minor > 3 * 9900
        assert rules(last(subscription).charged_at + HOUR) == []

    def test_are_none_when_a_coupon_is_over(self):
        subscription = renewed(subscribed(coupon=coupon(bps=9_000, terms=4)), 3)
        for _term in range(2):
            subscription = renewed(subscription, 1)
            assert last(subscription).amount == cny("99.00")
            assert rules(last(subscription).charged_at + HOUR) == []

    @pytest.mark.parametrize(
        ("amount", "before", "refund"),
        [
            (40_000, [9900, 9900], None),  # two say nothing of what is usual
            (5_000, [1000, 1000, 1000], None),  # no more than the floor
            (5_001, [1000, 1000, 1000], 4001),
            (40_000, [10_000, 90_000, 10_000], 30_000),
            (30_001, [10_000, 10_000, 10_001, 90_000], None),  # the median is 10,000.50
            (30_002, [10_000, 10_000, 10_001, 90_000], 20_001),
        ],
    )
    def test_are_judged_by_the_middle(self, amount, before, refund):
        suspect = Suspect(1, 1, 1, "", "", "CNY", amount, NOON)
        found = suspicions.spike(suspect, before)
        assert (found and found.refund_minor) == refund

    def test_have_an_exact_median(self):
        assert suspicions.median([3, 1]) == 2
        assert suspicions.median([2, 1]) == Fraction(3, 2)
        assert suspicions.median([5, 1, 9]) == 5


@planted
class TestAfterCancel:
    def test_what_nobody_asked_for_is_given_back_whole(self):
        subscription = subscribed()
        subscriptions.cancel(subscription_id=subscription.pk, at=NOON + HOUR, by=None)
        at = subscription.paid_until
        plant(subscription, at=at, kind="'RENEWAL'", period_number=2, charged_by_id="NULL")
        assert rules(at + HOUR) == [["AFTER_CANCEL"]]
        assert facts()["refund"] == "99.00"

    def test_what_somebody_asked_for_is_none(self):
        subscription = subscribed(count=2)
        owner = owner_of(subscription.customer)
        subscriptions.cancel(subscription_id=subscription.pk, at=NOON + HOUR, by=owner)
        subscriptions.change(subscription_id=subscription.pk, seats=3, at=NOON + DAY, by=owner)
        assert rules(NOON + 2 * DAY) == []

    def test_what_came_after_the_end_is_found_whoever_did_it(self):
        subscription = subscribed(auto_renew=False)
        swept(subscription.paid_until)
        assert now(subscription).state == "ENDED"
        at = subscription.paid_until + HOUR
        plant(subscription, at=at, kind="'TERM'", period_number=2)
        assert rules(at + HOUR) == [["AFTER_CANCEL"]]


class TestSeatJumps:
    def test_nobody_agreed_to_are_found_with_what_they_cost(self):
        subscription = subscribed(count=2)
        subscriptions.change(subscription_id=subscription.pk, seats=9, at=NOON + HOUR, by=None)
        charge = last(subscription)
        assert rules(NOON + DAY) == [["SEAT_JUMP"]]
        assert facts()["refund"] == facts()["amount"] == str(charge.amount.amount)
        [found] = facts()["findings"]
        assert (found["before"], found["seats"]) == (2, 9)

    def test_somebody_agreed_to_are_none(self):
        subscription = subscribed(count=2)
        owner = owner_of(subscription.customer)
        subscriptions.change(subscription_id=subscription.pk, seats=9, at=NOON + HOUR, by=owner)
        assert rules(NOON + DAY) == []

    @planted
    def test_in_a_renewal_cost_the_seats_that_came(self):
        subscription = subscribed(count=2)
        tamper(f"UPDATE packages_subscription SET seats = 8 WHERE id = {subscription.pk}")
        subscription = renewed(now(subscription), 1)
        charge = last(subscription)
        [_basic, by_seats] = charge.lines
        assert rules(charge.charged_at + HOUR) == [["SEAT_JUMP"]]
        part = Fraction(by_seats["amount_minor"] * 6, 8)
        assert facts()["refund"] == str(rounded(part, "CNY").amount)

    @pytest.mark.parametrize(("before", "after", "is_one"), [(1, 3, 0), (2, 5, 1), (5, 10, 0)])
    def test_more_than_double(self, before, after, is_one):
        suspect = Suspect(1, 1, 1, "", "", "CNY", 10_000, NOON)
        found = suspicions.seat_jump(suspect, "CHANGE", Decimal(before), Decimal(after), 500)
        assert bool(found) is bool(is_one)


class TestRepeatedSpends:
    def test_are_one_case_of_all_that_came_after_the_first(self):
        customer = funded_customer("500.00")
        for minutes in (0, 5, 14):
            spend(customer, at=NOON + minutes * MINUTE)
        assert rules(NOON + DAY) == [["REPEATED"]]
        assert (facts()["refund"], facts()["amount"], facts()["charge"]) == ("14.00", "7.00", None)
        assert rules(NOON + 2 * DAY) == []

    def test_are_none_further_apart_otherwise_called_or_of_another(self):
        customer = funded_customer("500.00")
        spend(customer)
        spend(customer, at=NOON + 11 * MINUTE)
        spend(customer, "7.01", at=NOON + 12 * MINUTE)
        spend(customer, description="Other", at=NOON + 12 * MINUTE)
        spend(funded_customer("500.00"), at=NOON + 12 * MINUTE)
        assert rules(NOON + DAY) == []

    def test_are_none_where_they_are_a_habit(self):
        customer = funded_customer("500.00")
        for hours in (0, 5, 10):
            spend(customer, at=NOON + hours * HOUR)
        for minutes in (0, 1):
            spend(customer, at=NOON + DAY + minutes * MINUTE)
        assert rules(NOON + 2 * DAY) == []

    def test_are_put_right_by_a_reversal(self):
        customer = funded_customer("500.00")
        spend(customer)
        twice = spend(customer, at=NOON + MINUTE)
        ledger.reverse(entry_id=twice.pk, reason="twice", occurred_at=NOON + HOUR)
        assert rules(NOON + DAY) == []


class TestCases:
    @pytest.fixture
    def case(self):
        customer = fund(open_customer(locale="en"), "500.00", at=timezone.now() - DAY)
        at = timezone.now() - HOUR
        spend(customer, at=at)
        spend(customer, at=at + MINUTE)
        sentinel.scan(at=timezone.now())
        return Case.objects.get()

    def test_that_staff_closed_are_not_opened_again(self, case):
        clerk = staff(is_superuser=True)
        cases.resolve(case_id=case.pk, resolution="Two reports.", at=timezone.now(), by=clerk)
        assert sentinel.scan(at=timezone.now()) == Scanned(1, 0)
        assert Case.objects.count() == 1

    def test_say_why_in_words_by_mail_and_on_their_page(self, case, client, settings):
        settings.ALARM_EMAILS = ["duty@example.com"]
        outbox.relay(at=timezone.now(), topics=["case.opened"])
        assert case.facts["reason"] in mail.outbox[0].body
        maker = sign_in_staff(client, staff("FINANCE_MAKER", locale="en"))
        page = maker.get(f"/admin/wallet/case/{case.pk}/change/").content.decode()
        assert "“Report” was taken 2 times" in page
        assert "adjustment/propose/?" in page and "amount=7.00" in page
        assert f"/admin/wallet/journalentry/{case.facts['entry']}/change/" in page

    @planted
    def test_of_charges_lead_to_them(self, client):
        again = plant(subscribed(), at=NOON + 3 * HOUR)
        sentinel.scan(at=NOON + DAY)
        maker = sign_in_staff(client, staff("FINANCE_MAKER", locale="en"))
        page = maker.get(f"/admin/wallet/case/{Case.objects.get().pk}/change/").content.decode()
        charge_page = f"/admin/packages/charge/{again.pk}/change/"
        assert charge_page in page and "took the same for the same" in page
        assert f"/admin/wallet/case/{Case.objects.get().pk}/" in str(maker.get(charge_page).content)

    @pytest.mark.parametrize("language", ["en", "zh-hans"])
    def test_have_words_for_every_rule(self, language):
        stamp = NOON.isoformat()
        values = {
            "DUPLICATE": {"first": 1, "first_at": stamp},
            "REPEATED": {"first_at": stamp, "description": "x", "amount_minor": 1, "times": 2},
            "SPIKE": {"usual_minor": 100, "last": 6},
            "AFTER_CANCEL": {"cancelled_at": stamp},
            "SEAT_JUMP": {"before": 1, "seats": 9},
        }
        with override(language):
            told = [sentinel.told({"rule": rule, **more}, "CNY") for rule, more in values.items()]
        assert len(set(told)) == 5 and not [one for one in told if "%(" in one]


def test_scans_tell_how_much_they_looked_at_and_how_long():
    subscription = subscribed()
    subscribed_at = last(subscription).charged_at
    sentinel.scan(at=subscribed_at - MINUTE)
    sentinel.scan(at=subscribed_at + HOUR)
    before, after = ChargeScan.objects.order_by("at")
    assert (before.looked_at, after.looked_at) == (0, 1) and after.took_ms >= 0
    ledger.reverse(
        entry_id=last(subscription).entry_id, reason="x", occurred_at=subscribed_at + HOUR
    )
    sentinel.scan(at=subscribed_at + 2 * HOUR)
    assert ChargeScan.objects.latest("at").looked_at == 0
    named = "packages_scan_counts_what_it_looked_at"
    with pytest.raises(Error, match=named), transaction.atomic():
        ChargeScan.objects.create(
            at=NOON, since=NOON - DAY, found=0, opened=0, looked_at=-1, took_ms=0
        )


def test_pages_of_scans_lead_to_the_cases_each_opened(client):
    customer = fund(open_customer(locale="en"), "500.00", at=timezone.now() - DAY)
    at = timezone.now() - HOUR
    spend(customer, at=at)
    spend(customer, at=at + MINUTE)
    sentinel.scan(at=at + 2 * MINUTE)
    sentinel.scan(at=at + 3 * MINUTE)
    case = Case.objects.get()
    clerk = sign_in_staff(client, staff("SUPPORT", locale="en"))
    pages = "/admin/packages/chargescan/"
    listed = clerk.get(f"{pages}?cases=some").content.decode()
    opener, other = ChargeScan.objects.order_by("at")
    assert f"{pages}{opener.pk}/change/" in listed and f"{pages}{other.pk}/" not in listed
    page = clerk.get(f"{pages}{opener.pk}/change/").content.decode()
    assert f"/admin/wallet/case/{case.pk}/change/" in page and "was taken 2 times" in page
    assert "It opened no case." in clerk.get(f"{pages}{other.pk}/change/").content.decode()


def test_scans_stay_on_record():
    sentinel.scan(at=NOON)
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE packages_chargescan SET found = 1")


@pytest.mark.django_db(transaction=True)
def test_scans_at_once_open_one_case():
    customer = funded_customer("500.00")
    spend(customer)
    spend(customer, at=NOON + MINUTE)
    done = race([lambda: sentinel.scan(at=NOON + DAY)] * 4)
    assert done.broken == [] and Case.objects.count() == 1
