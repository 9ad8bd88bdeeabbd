from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import customers
from crm_billing import outbox
from packages import charges, renewals, subscriptions
from packages.models import Charge, Notice, Package, RenewalRun, Subscription
from packages.models.subscriptions import MOST_FAILURES
from packages.renewals import RenewalReport
from tests.factories import cny, funded_customer, open_customer
from tests.packages.buying import bought, left, on_sale, shanghai
from tests.packages.renewing import DAY, announced, now, renewed, swept, told
from tests.packages.shelf import basic, calls, once, repriced, seats, terms
from tests.wallet.tampering import tamper
from wallet import books, holds
from wallet.models import Freeze, JournalEntry

pytestmark = pytest.mark.django_db


class TestSweep:
    def test_charges_what_was_announced_and_extends(self):
        customer = funded_customer("1000.00")
        begun = bought(customer, on_sale(terms(basic("99.00"), seats(1), once(), calls())), seats=3)
        after = renewed(begun)
        assert left(customer) == cny("202.00")  # 649 at first, 149 again
        assert (after.period_number, after.state, after.failures) == (2, "ACTIVE", 0)
        charge = Charge.objects.get(kind="RENEWAL")
        assert charge.amount == charges.recompute(charge.lines, "CNY") == cny("149.00")
        assert [line["code"] for line in charge.lines] == ["base", "seats"]
        assert charge.notice.sent_at + 5 * DAY <= charge.charged_at
        assert charge.consent == begun.consent
        entry = JournalEntry.objects.get(charge=charge)
        assert entry.reference == f"renewal:{begun.pk}:2025-04-01"

    def test_again_charges_nothing(self):
        subscription = renewed(bought())
        assert swept(subscription.paid_until - DAY) == RenewalReport()
        assert Charge.objects.filter(kind="RENEWAL").count() == 1

    def test_does_nothing_before_the_moment(self):
        subscription = announced(bought())
        assert swept(subscription.paid_until - timedelta(microseconds=1)) == RenewalReport()
        assert swept(subscription.paid_until) == RenewalReport(ok=1)

    def test_keeps_the_anchor_through_short_months(self):
        customer = funded_customer("2000.00")
        begun = bought(customer, at=shanghai(2026, 1, 31, 10))
        last = renewed(begun, count=12)
        days = [f"{one.starts_at + timedelta(hours=8):%m-%d}" for one in last.periods.all()]
        assert " ".join(days) == (
            "01-31 02-28 03-31 04-30 05-31 06-30 07-31 08-31 09-30 10-31 11-30 12-31 01-31"
        )
        assert left(customer) == cny("713.00")  # 13 × 99

    def test_keeps_local_midnight_through_summer_time(self):
        customer = funded_customer("2000.00", time_zone="America/New_York")
        last = renewed(bought(customer, at=shanghai(2025, 3, 2, 1)), count=12)
        offsets = [one.starts_at.hour for one in last.periods.all()]
        assert offsets == [5, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5]

    def test_comes_back_to_the_leap_day(self):
        yearly = on_sale(terms(basic("10.00"), interval="year"))
        last = renewed(bought(version=yearly, at=shanghai(2028, 2, 29, 9)), count=4)
        assert [f"{one.starts_at + timedelta(hours=8):%Y-%m-%d}" for one in last.periods.all()] == [
            "2028-02-29",
            "2029-02-28",
            "2030-02-28",
            "2031-02-28",
            "2032-02-29",
        ]

    def test_waits_when_nothing_was_announced(self):
        subscription = bought()
        assert swept(subscription.paid_until) == RenewalReport(waiting=1)
        assert not Charge.objects.filter(kind="RENEWAL").exists()

    def test_waits_five_days_after_a_late_notice(self):
        subscription = bought()
        late = subscription.paid_until - 2 * DAY
        told(late)
        assert swept(subscription.paid_until) == RenewalReport(waiting=1)
        good_from = Notice.objects.get().sent_at + 5 * DAY
        assert now(subscription).next_try_at == good_from
        assert swept(good_from - timedelta(seconds=1)) == RenewalReport()
        assert swept(good_from) == RenewalReport(ok=1)
        assert now(subscription).periods.get(number=2).starts_at == subscription.paid_until

    def test_goes_on_when_the_notice_goes_out_at_last(self):
        subscription = bought()
        assert swept(subscription.paid_until) == RenewalReport(waiting=1)
        told(subscription.paid_until + DAY)
        assert swept(Notice.objects.get().sent_at + 5 * DAY) == RenewalReport(ok=1)

    def test_ends_what_does_not_renew(self):
        subscription = bought(auto_renew=False)
        assert swept(subscription.paid_until) == RenewalReport(ended=1)
        after = now(subscription)
        assert (after.state, after.ended_at) == ("ENDED", subscription.paid_until)

    def test_ends_what_was_cancelled_after_its_notice(self):
        customer = funded_customer("1000.00")
        subscription = announced(bought(customer))
        subscriptions.cancel(subscription_id=subscription.pk, at=subscription.paid_until - DAY)
        assert swept(subscription.paid_until) == RenewalReport(ended=1)
        assert left(customer) == cny("901.00")

    def test_turns_a_trial_into_a_paid_term(self):
        customer = funded_customer("100.00")
        begun = bought(customer, on_sale(terms(basic("99.00"), trial_days=14)))
        assert begun.state == "TRIAL"
        after = renewed(begun)
        assert (after.state, left(customer)) == ("ACTIVE", cny("1.00"))
        assert after.paid_until == shanghai(2025, 4, 15)

    def test_takes_what_is_paid_once_with_the_first_term_after_a_trial(self):
        customer = funded_customer("1000.00")
        begun = bought(customer, on_sale(terms(basic("99.00"), once("500.00"), trial_days=14)))
        after = renewed(begun)
        assert left(customer) == cny("401.00")
        charge = Charge.objects.get()
        assert charge.notice.amount == charge.amount == cny("599.00")
        assert charges.recompute(charge.lines, "CNY") == charge.amount
        renewed(after)
        assert left(customer) == cny("302.00")

    def test_ends_a_trial_nobody_agreed_to_pay(self):
        begun = bought(version=on_sale(terms(trial_days=14)), auto_renew=False)
        assert swept(begun.paid_until) == RenewalReport(ended=1)

    def test_renews_what_is_free_unannounced(self):
        begun = bought(open_customer(), on_sale(terms(basic("0.00"))))
        assert swept(begun.paid_until) == RenewalReport(ok=1)
        assert not Charge.objects.exists()

    def test_keeps_the_price_it_was_bought_at(self):
        customer = funded_customer("1000.00")
        begun = bought(customer)
        repriced(Package.objects.get(), terms(basic("199.00"), seats(1)))
        renewed(begun)
        assert left(customer) == cny("802.00")

    def test_leaves_frozen_customers_alone(self):
        subscription = announced(bought())
        connection.check_constraints()
        customers.freeze(
            customer_id=subscription.customer_id, reason="x", at=subscription.paid_until, by=None
        )
        assert swept(subscription.paid_until) == RenewalReport(waiting=1)
        assert now(subscription).state == "ACTIVE"

    def test_does_nothing_while_all_money_is_stopped(self):
        subscription = announced(bought())
        Freeze.objects.create(reason="x", at=subscription.paid_until)
        assert swept(subscription.paid_until) == RenewalReport()

    def test_adds_up_whatever_happens(self):
        version = on_sale()
        paid, poor = funded_customer("1000.00"), funded_customer("99.00")
        for customer in (paid, poor, funded_customer("500.00")):
            bought(customer, version)
        announced(Subscription.objects.earliest("pk"))
        bought(funded_customer("1000.00"), on_sale(code="max"), auto_renew=False)
        due = Subscription.objects.latest("pk").paid_until
        report = swept(due)
        assert report == RenewalReport(ok=2, insufficient=1, ended=1)
        assert report.looked_at == 4

    def test_takes_what_one_wallet_can_pay_and_no_more(self):
        customer = funded_customer("400.00")
        for code in ("one", "two"):
            bought(customer, on_sale(code=code))
        announced(Subscription.objects.earliest("pk"))
        holds.place(
            customer=customer,
            amount=cny("100.00"),
            reference="h",
            at=shanghai(2025, 3, 2),
            expires_at=shanghai(2025, 5, 1),
        )
        assert swept(shanghai(2025, 4, 1)) == RenewalReport(ok=1, insufficient=1)
        assert left(customer) == cny("3.00")

    def test_catches_up_after_a_long_silence(self):
        subscription = announced(bought())
        late = subscription.paid_until + 40 * DAY
        assert swept(late) == RenewalReport(ok=1, waiting=1)
        assert now(subscription).period_number == 2

    @pytest.mark.tampers
    def test_poison_is_parked_and_others_go_on(self):
        version = on_sale()
        poisoned, healthy = bought(version=version), bought(version=version)
        announced(healthy)
        tamper(f"UPDATE packages_subscription SET zone = 'Nowhere' WHERE id = {poisoned.pk}")
        assert swept(healthy.paid_until) == RenewalReport(ok=1, failed=1)
        at = healthy.paid_until
        for _ in range(MOST_FAILURES - 1):
            at = now(poisoned).next_try_at
            assert swept(at) == RenewalReport(failed=1)
        assert swept(at + 2 * DAY) == RenewalReport()
        assert now(poisoned).failures == MOST_FAILURES
        assert outbox.pending().filter(topic="renewal.parked").count() == 1
        tamper(f"UPDATE packages_subscription SET zone = 'Asia/Shanghai' WHERE id = {poisoned.pk}")
        renewals.unpark(subscription_id=poisoned.pk, at=at)
        assert swept(at) == RenewalReport(ok=1)

    def test_rehearsal_says_the_same_and_writes_nothing(self):
        subscription = announced(bought())
        bought(funded_customer("100.00"), on_sale(code="max"), auto_renew=False)
        rehearsed = renewals.sweep(at=subscription.paid_until, rehearse=True)
        assert now(subscription).period_number == 1
        assert swept(subscription.paid_until) == rehearsed == RenewalReport(ok=1, ended=1)

    def test_goes_through_chunks(self, monkeypatch):
        monkeypatch.setattr(renewals, "CHUNK", 2)
        version = on_sale()
        for _ in range(5):
            last = bought(version=version)
        announced(last)
        assert swept(last.paid_until) == RenewalReport(ok=5)

    def test_mails_what_was_taken(self):
        subscription = renewed(bought())
        mail.outbox.clear()
        outbox.relay(at=subscription.paid_until)
        [message] = mail.outbox
        charge = Charge.objects.get(kind="RENEWAL")
        assert "99.00" in message.body
        assert f"/charges/{charge.pk}/" in message.body


class TestRenew:
    def test_is_once_whoever_asks(self):
        begun = announced(bought())
        end = begun.paid_until
        seen = {"subscription_id": begun.pk, "at": end, "paid_until": end}
        assert renewals.renew(**seen) == RenewalReport(ok=1)
        assert renewals.renew(**seen) == RenewalReport()
        assert renewals.renew(subscription_id=begun.pk, at=end) == RenewalReport()


class TestRun:
    def test_keeps_what_it_did(self):
        begun = announced(bought())
        done = renewals.run(at=begun.paid_until)
        assert (done.ok, done.looked_at, done.is_rehearsal) == (1, 1, False)
        assert done.finished_at is not None

    def test_keeps_only_the_last_of_those_that_found_nothing(self):
        for day in range(3):
            renewals.run(at=shanghai(2025, 3, 2 + day))
        assert RenewalRun.objects.get().at == shanghai(2025, 3, 4)


class TestCommand:
    def test_prints_what_it_did(self, capsys):
        begun = announced(bought())
        for dry_run in (True, False):
            call_command("renew", at=begun.paid_until.isoformat(), dry_run=dry_run)
            assert capsys.readouterr().out.strip() == (
                "ok=1 insufficient=0 waiting=0 failed=0 ended=0 paused=0"
            )

    @pytest.mark.parametrize("moment", ["soon", "2025-04-01T00:00:00"])
    def test_refuses_a_moment_that_is_none(self, moment):
        with pytest.raises(CommandError):
            call_command("renew", at=moment)


@pytest.mark.tampers
class TestProof:
    TAMPERINGS = {
        "I13": [
            "UPDATE packages_subscription SET paid_until = paid_until + interval '1 day'",
            "UPDATE packages_subscriptionperiod SET starts_at = starts_at + interval '1 hour'"
            " WHERE number = 2",
            "UPDATE packages_subscriptionperiod SET number = 7 WHERE number = 1",
            "UPDATE packages_charge SET amount_minor = 1 WHERE kind = 'RENEWAL'",
            "DELETE FROM packages_charge WHERE kind = 'RENEWAL'",
            "UPDATE packages_charge SET period_number = 2 WHERE kind = 'FIRST'",
            "UPDATE packages_notice SET sent_at = sent_at + interval '3 days'",
            "UPDATE packages_notice SET amount_minor = 1",
        ],
        "I14": ["UPDATE packages_subscription SET next_try_at = '2025-01-01'"],
    }

    @pytest.mark.parametrize(
        ("code", "statement"),
        [(code, statement) for code, all_ in TAMPERINGS.items() for statement in all_],
    )
    def test_finds_what_was_tampered_with(self, code, statement):
        begun = announced(bought())
        renewals.run(at=begun.paid_until)
        assert books.violations()[code] == 0
        if "period_number = 2 WHERE" in statement:
            tamper("DROP INDEX packages_charge_once_per_period")
        tamper(statement)
        assert books.violations()[code] > 0
