from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.utils.translation import override

from crm_billing import outbox
from packages import billing, charges, subscriptions
from packages.explain import explain, told
from packages.models import Charge, UsageBill
from tests.factories import NOON, cny, fund
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.metering import event, meter, recorded
from tests.packages.renewing import announced, now, swept
from tests.packages.shelf import basic, fee, terms
from tests.packages.using import (
    MARCH_10,
    MARCH_20,
    allowed,
    billed,
    calls,
    final,
    metered,
    stopped,
    taken,
    used,
    without_the_rule,
)
from tests.wallet.tampering import tamper
from wallet import books

pytestmark = pytest.mark.django_db


TICK = timedelta(microseconds=1)


class TestClose:
    def test_waits_until_no_more_use_can_be_told(self):
        subscription = metered()
        assert billing.close(at=final(subscription) - TICK) == 0
        assert billing.close(at=final(subscription)) == 1

    def test_bills_a_term_once(self):
        subscription = metered()
        billed(subscription)
        assert billing.close(at=final(subscription) + timedelta(days=1)) == 0

    def test_costs_nothing_within_what_is_included(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1000, at=MARCH_10)
        bill = billed(subscription)
        assert (bill.amount, bill.settled_at) == (cny(0), final(subscription))

    def test_takes_nothing_that_was_not_allowed(self):
        subscription = metered()
        used(subscription, 1500, at=MARCH_10)
        bill = billed(subscription)
        assert (bill.rated, bill.amount) == (cny("5.00"), cny(0))

    def test_takes_what_is_beyond_at_its_price(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        assert taken(subscription) == cny("5.00")

    def test_takes_no_more_than_the_amount_allowed(self):
        subscription = metered()
        allowed(subscription, "3.00")
        used(subscription, 1500, at=MARCH_10)
        assert taken(subscription) == cny("3.00")

    def test_leaves_out_use_of_other_terms(self):
        subscription = metered()
        allowed(subscription)
        announced(subscription)
        swept(subscription.paid_until)
        used(subscription, 1500, at=subscription.paid_until + timedelta(hours=1))
        assert taken(subscription) == cny(0)

    def test_counts_use_that_is_told_late(self):
        subscription = metered()
        allowed(subscription)
        late = subscription.paid_until + timedelta(hours=70)
        happened = subscription.paid_until - TICK
        recorded(subscription.customer, event(1500, occurred_at=happened, at=late), at=late)
        assert taken(subscription) == cny("5.00")

    def test_charges_nothing_for_a_trial(self):
        subscription = metered_trial()
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        assert billing.close(at=final(subscription)) == 0

    def test_takes_a_share_of_transactions(self):
        meter("collection", carries_value=True)
        subscription = metered(fee(), no_meter=True)
        allowed(subscription, code="collection")
        recorded(
            subscription.customer,
            event(1, meter="collection", value=cny("1000.00")),
            event(1, meter="collection", value=cny("500.00")),
        )
        assert taken(subscription) == cny("9.00")

    def test_rates_by_the_price_that_held_last(self):
        subscription = metered(balance="5000.00")
        dearer = on_sale(terms(basic("199.00"), calls(1400)), code="max")
        allowed(subscription)
        subscriptions.change(subscription_id=subscription.pk, price_version=dearer, at=MARCH_10)
        used(subscription, 1500, at=MARCH_20)
        assert taken(subscription) == cny("1.00")

    def test_leaves_owed_what_use_had_cost_before_another_price(self):
        subscription = metered(balance="5000.00")
        dearer = on_sale(terms(basic("199.00"), calls(10_000)), code="max")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        subscriptions.change(subscription_id=subscription.pk, price_version=dearer, at=MARCH_20)
        used(subscription, 3000, at=MARCH_20 + timedelta(days=1))
        bill = billed(subscription)
        assert bill.amount == cny("5.00") == charges.recompute(bill.lines, "CNY")
        assert explain_told(bill) == ["used before the price changed"]

    def test_goes_on_from_there_when_the_new_price_costs_more(self):
        subscription = metered(balance="5000.00")
        dearer = on_sale(terms(basic("199.00"), calls(1400)), code="max")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        subscriptions.change(subscription_id=subscription.pk, price_version=dearer, at=MARCH_20)
        used(subscription, 800, at=MARCH_20 + timedelta(days=1))
        assert taken(subscription) == cny("9.00")

    def test_leaves_out_what_no_longer_counts_anything(self):
        subscription = metered(balance="5000.00")
        metered(code="other", no_meter=True)
        plain = on_sale(terms(basic("199.00")), code="max")
        subscriptions.change(subscription_id=subscription.pk, price_version=plain, at=MARCH_20)
        assert billing.close(at=final(subscription) + timedelta(hours=3)) == 1
        assert books.violations()["I24"] == 0

    def test_bills_use_once_though_two_packages_count_it(self, monkeypatch):
        without_the_rule(monkeypatch)
        first = metered(balance="5000.00")
        second = on_sale(terms(basic("10.00"), calls(0)), code="other")
        second = subscriptions.subscribe(
            customer=first.customer, price_version=second, auto_renew=False, at=NOON
        )
        for one in (first, second):
            allowed(one)
        used(first, 1500, at=MARCH_10)
        billing.close(at=final(first))
        amounts = UsageBill.objects.order_by("subscription").values_list("amount_minor", flat=True)
        assert list(amounts) == [500, 0]

    def test_the_older_package_counts_though_its_term_ends_later(self, monkeypatch):
        without_the_rule(monkeypatch)
        older = metered(calls(2000), balance="5000.00")
        used(older, 1500, at=MARCH_20)
        other = on_sale(terms(basic("10.00"), calls(0)), code="other")
        younger = subscriptions.subscribe(
            customer=older.customer, price_version=other, auto_renew=False, at=MARCH_10
        )
        allowed(younger, at=MARCH_10)
        announced(older)
        swept(older.paid_until)
        used(older, 1500, at=older.paid_until + timedelta(hours=1))
        billing.close(at=final(younger))
        assert [bill.amount_minor for bill in UsageBill.objects.all()] == [0, 0]

    def test_takes_no_more_than_a_price_that_falls_with_volume(self):
        tiers = ({"up_to": "100", "unit_price": "1"}, {"up_to": None, "unit_price": "0.1"})
        subscription = metered(calls(0, model="VOLUME", tiers=tiers), at=MARCH_20)
        allowed(subscription, at=MARCH_20)
        used(subscription, 100, at=MARCH_20)
        used(subscription, 100, at=shanghai(2025, 4, 10))
        bill = billed(subscription)
        assert (bill.rated, bill.amount) == (cny("20.00"), cny("20.00"))

    def test_goes_on_with_others_where_one_cannot_be_billed(self, monkeypatch):
        first, second = metered(), metered(code="other", no_meter=True)
        written = UsageBill.objects.create

        def create(**facts):
            if facts["subscription"].pk == first.pk:
                raise IntegrityError("no")
            return written(**facts)

        monkeypatch.setattr(UsageBill.objects, "create", create)
        assert billing.close(at=final(second)) == 1
        assert UsageBill.objects.get().subscription == second

    def test_keeps_lines_that_recompute_what_is_taken(self):
        subscription = metered(calls(1000, tiers=({"up_to": None, "unit_price": "0.0033"},)))
        allowed(subscription, "1.00")
        used(subscription, 1501, at=MARCH_10)
        bill = billed(subscription)
        assert charges.recompute(bill.lines, "CNY") == bill.amount == cny("1.00")


class TestSettle:
    def test_takes_the_bill_and_explains_it(self):
        subscription = metered(balance="200.00")
        rule = allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        bill = billed(subscription)
        assert billing.settle(at=final(subscription)) == 1
        charge = Charge.objects.get(kind="USAGE")
        assert left(subscription.customer) == cny("96.00")
        assert (charge.amount, charge.consent_id) == (cny("5.00"), rule.consent_id)
        assert explain(charge).total == cny("5.00")
        bill.refresh_from_db()
        assert (bill.charge, bill.settled_at) == (charge, final(subscription))

    def test_names_the_consent_by_which_it_was_used(self):
        meter("sms")
        subscription = metered(calls(), calls(0, code="sms", name="短信", name_en="SMS"))
        rule = allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        billed(subscription)
        allowed(subscription, code="sms", at=final(subscription))
        allowed(subscription, "9.00", at=final(subscription))
        billing.settle(at=final(subscription))
        assert Charge.objects.get(kind="USAGE").consent_id == rule.consent_id

    def test_names_the_consent_from_before_it_was_stopped(self):
        subscription = metered()
        rule = allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        stopped(subscription, at=MARCH_20)
        billed(subscription)
        billing.settle(at=final(subscription))
        assert Charge.objects.get(kind="USAGE").consent_id == rule.consent_id

    def test_settles_a_bill_once(self):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        billed(subscription)
        billing.settle(at=final(subscription))
        assert billing.settle(at=final(subscription)) == 0
        assert left(subscription.customer) == cny("896.00")

    def test_tells_what_was_taken(self, mailoutbox):
        subscription = metered()
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        billed(subscription)
        billing.settle(at=final(subscription))
        outbox.relay(at=final(subscription))
        assert "5.00" in mailoutbox[-1].subject
        assert f"/charges/{Charge.objects.get(kind='USAGE').pk}/" in mailoutbox[-1].body

    def test_leaves_a_wallet_that_has_too_little_alone(self):
        subscription = metered(balance="100.00")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        bill = billed(subscription)
        assert billing.settle(at=final(subscription)) == 0
        bill.refresh_from_db()
        assert (bill.settled_at, bill.next_try_at) == (
            None,
            final(subscription) + timedelta(days=1),
        )
        assert left(subscription.customer) == cny("1.00")

    def test_tries_at_once_when_money_has_come(self):
        subscription = metered(balance="100.00")
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        billed(subscription)
        at = final(subscription)
        billing.settle(at=at)
        fund(subscription.customer, "10.00", at=at)
        assert billing.settle(at=at, customer_id=subscription.customer_id) == 1
        assert left(subscription.customer) == cny("6.00")

    def test_goes_on_after_the_subscription_has_ended(self):
        subscription = metered(auto_renew=False)
        allowed(subscription)
        used(subscription, 1500, at=MARCH_10)
        swept(subscription.paid_until)
        assert now(subscription).state == "ENDED"
        billed(subscription)
        assert billing.settle(at=final(subscription)) == 1


def explain_told(bill) -> list[str]:
    """
    Return what the steps of a bill that are no tiers say, in English.
    """
    with override("en"):
        [line] = told(bill.lines, bill.currency)
        return [step.told for step in line.steps if "×" not in step.told]


def metered_trial():
    meter()
    return bought(version=on_sale(terms(basic(), calls(), trial_days=14)))


def test_quantities_stay_exact():
    subscription = metered(calls(0, tiers=({"up_to": None, "unit_price": "0.0001"},)))
    allowed(subscription)
    used(subscription, Decimal("33333.333333"), at=MARCH_10)
    assert taken(subscription) == cny("3.33")


@pytest.mark.tampers
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE packages_usagebill SET amount_minor = 1",
        "UPDATE packages_usagebill SET rated_minor = 9999",
        "UPDATE packages_usagebill SET period_number = 2",
        "UPDATE packages_usagebill SET charge_id = NULL, settled_at = NULL, next_try_at = made_at",
        "UPDATE packages_charge SET kind = 'CHANGE' WHERE kind = 'USAGE'",
        "UPDATE packages_usageshare SET amount_minor = 1",
        "UPDATE packages_usagebill SET made_at = made_at + interval '3 days', period_number = 9",
    ],
)
def test_the_books_find_what_was_tampered_with(statement):
    subscription = metered()
    allowed(subscription)
    used(subscription, 1500, at=MARCH_10)
    announced(subscription)
    swept(subscription.paid_until)
    billed(subscription)
    billing.settle(at=final(subscription))
    assert books.violations()["I25"] == 0
    tamper(statement)
    assert books.violations()["I25"] > 0


def test_no_promise_of_the_books_takes_the_place_of_another():
    with pytest.raises(ValueError, match="I24"):
        books.promise("I24", "x", "SELECT 1")
