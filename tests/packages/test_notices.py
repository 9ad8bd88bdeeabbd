from datetime import timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction
from psycopg.errors import Error

from accounts import customers
from crm_billing import outbox
from packages import notices, subscriptions
from packages.models import Notice
from tests.factories import cny, funded_customer, open_customer
from tests.packages.buying import bought, on_sale, shanghai
from tests.packages.renewing import DAY, announced, now, swept, told
from tests.packages.shelf import basic, terms
from wallet import spending

pytestmark = pytest.mark.django_db


def kinds() -> list[tuple[str, int]]:
    return [(one.kind, one.step) for one in Notice.objects.order_by("pk")]


class TestPrepare:
    def test_announces_a_renewal_a_week_before_and_once(self):
        begun = bought()
        assert notices.prepare(at=begun.paid_until - 7 * DAY - timedelta(seconds=1)) == 0
        assert notices.prepare(at=begun.paid_until - 7 * DAY) == 1
        assert notices.prepare(at=begun.paid_until - 6 * DAY) == 0
        notice = Notice.objects.get()
        assert (notice.kind, notice.period_number, notice.due_at) == (
            "RENEWAL",
            2,
            begun.paid_until,
        )
        assert (notice.amount.amount, notice.sent_at) == (99, None)

    def test_says_when_how_much_and_how_to_stop_in_the_customers_language(self):
        begun = bought(funded_customer("1000.00", locale="en"))
        told(begun.paid_until - 7 * DAY)
        [message] = mail.outbox
        assert message.subject.endswith("Pro renews on April 1, 2025 for ¥99.00")
        assert "April 1, 2025" in message.body
        assert "¥99.00" in message.body
        assert f"/subscriptions/{begun.number}/" in message.body
        assert "enough" in message.body

    def test_says_what_the_wallet_lacks(self):
        told(bought(funded_customer("100.00", locale="en")).paid_until - 7 * DAY)
        assert "lacks ¥98.00" in mail.outbox[0].body

    def test_counts_renewals_of_one_wallet_together(self):
        customer = funded_customer("300.00", locale="en")
        for code in ("one", "two"):
            last = bought(customer, on_sale(code=code))
        told(last.paid_until - 7 * DAY)
        assert ["lacks ¥96.00" in message.body for message in mail.outbox] == [False, True]

    def test_announces_nothing_that_costs_nothing_or_does_not_renew(self):
        free = bought(open_customer(), on_sale(terms(basic("0.00"))))
        ending = bought(version=on_sale(code="max"), auto_renew=False)
        notices.prepare(at=free.paid_until - 6 * DAY)
        assert kinds() == [("EXPIRY", 7)]
        assert Notice.objects.get().subscription == ending

    def test_warns_of_an_end_by_steps_that_still_make_sense(self):
        monthly = bought(auto_renew=False)
        yearly = bought(
            version=on_sale(terms(basic(), interval="year"), code="max"), auto_renew=False
        )
        for days in (31, 30, 8, 7, 5, 1, 0.5):
            notices.prepare(at=monthly.paid_until - timedelta(days=days))
        assert kinds() == [("EXPIRY", 7), ("EXPIRY", 1)]
        for days in (31, 30, 7, 1):
            notices.prepare(at=yearly.paid_until - timedelta(days=days))
        assert kinds()[2:] == [("EXPIRY", 30), ("EXPIRY", 7), ("EXPIRY", 1)]

    def test_warns_of_a_low_balance_shortly_before(self):
        begun = bought(funded_customer("100.00"))
        for days in (7, 4, 3, 2, 1):
            notices.prepare(at=begun.paid_until - timedelta(days=days))
        assert kinds() == [("RENEWAL", 0), ("LOW_BALANCE", 3), ("LOW_BALANCE", 1)]

    def test_leaves_frozen_customers_alone(self):
        begun = bought()
        connection.check_constraints()
        customers.freeze(customer_id=begun.customer_id, reason="x", at=begun.created_at, by=None)
        assert notices.prepare(at=begun.paid_until - 6 * DAY) == 0


class TestSend:
    def test_sends_once(self):
        begun = announced(bought())
        notice = Notice.objects.get()
        notices.send(notice_id=notice.pk, at=begun.paid_until)
        assert len(mail.outbox) == 1
        assert notice.sent_to == mail.outbox[0].to

    def test_drops_what_does_not_apply_any_more(self):
        begun = bought()
        notices.prepare(at=begun.paid_until - 7 * DAY)
        subscriptions.cancel(subscription_id=begun.pk, at=begun.paid_until - 7 * DAY)
        outbox.relay(at=begun.paid_until - 7 * DAY)
        notice = Notice.objects.get()
        assert (notice.sent_at, bool(notice.dropped_at), mail.outbox) == (None, True, [])

    def test_tells_of_dunning_and_the_end(self):
        begun = announced(bought(funded_customer("99.00", locale="en")))
        swept(begun.paid_until)
        outbox.relay(at=begun.paid_until)
        assert "renewed at once" in mail.outbox[-1].body
        at = now(begun).next_try_at
        while at is not None:
            swept(at)
            outbox.relay(at=at)
            at = now(begun).next_try_at
        subjects = [message.subject.rpartition(": ")[2] for message in mail.outbox[1:]]
        assert subjects == ["Pro could not be renewed"] * 6 + ["Pro has ended"]


# statement about one sent notice of a renewal -> the constraint that refuses it
REFUSED = {
    "UPDATE packages_notice SET text = 'x'": "packages_notice_fixed",
    "UPDATE packages_notice SET amount_minor = 1": "packages_notice_fixed",
    "UPDATE packages_notice SET sent_at = NULL": "packages_notice_sent_once",
    "UPDATE packages_notice SET dropped_at = now()": "packages_notice_sent_or_dropped",
    "DELETE FROM packages_notice": "packages_notice_stays",
    "INSERT INTO packages_notice (customer_id, subscription_id, kind, period_number, step, code,"
    " currency, amount_minor, due_at, locale, subject, text, created_at, sent_to, bounced_to,"
    " bounce_reason) SELECT customer_id, subscription_id, kind, period_number, step, code,"
    " currency, amount_minor, due_at, locale, subject, text, created_at, sent_to, bounced_to,"
    " bounce_reason FROM packages_notice": ("packages_notice_once"),
}


class TestGuards:
    def refused(self, statement: str) -> str | None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
        except IntegrityError as error:
            assert isinstance(error.__cause__, Error)
            return error.__cause__.diag.constraint_name
        return None

    @pytest.mark.parametrize("statement", REFUSED)
    def test_refuse(self, statement):
        announced(bought())
        assert self.refused(statement) == REFUSED[statement]

    CHARGE = (
        "INSERT INTO packages_subscriptionperiod (subscription_id, number, previous_number,"
        " starts_at, ends_at, price_version_id, seats, is_trial, amount_minor, created_at)"
        " SELECT subscription_id, 2, 1, ends_at, ends_at + interval '1 month', price_version_id,"
        " seats, false, amount_minor, created_at FROM packages_subscriptionperiod;"
        " INSERT INTO packages_charge (customer_id, kind, subscription_id, period_number,"
        " price_version_id, entry_id, consent_id, notice_id, currency, amount_minor, lines,"
        " charged_at) SELECT customer_id, 'RENEWAL', subscription_id, 2, price_version_id,"
        " (SELECT max(id) FROM wallet_journalentry), consent_id, {notice}, currency, 9900, lines,"
        " {at} FROM packages_charge"
    )

    def test_no_renewal_is_charged_unannounced_or_too_soon(self):
        begun = announced(bought())
        notice = Notice.objects.get()
        spending.spend(
            customer=begun.customer,
            amount=cny("99.00"),
            reference="x",
            description="x",
            at=begun.paid_until,
        )
        soon = notice.sent_at + 5 * DAY - timedelta(microseconds=1)
        late = notice.sent_at + 5 * DAY
        charge = self.CHARGE.format
        assert (
            self.refused(charge(notice="NULL", at=f"'{late.isoformat()}'"))
            == "packages_charge_of_a_renewal_was_announced"
        )
        assert (
            self.refused(charge(notice=notice.pk, at=f"'{soon.isoformat()}'"))
            == "packages_charge_was_announced"
        )
        assert self.refused(charge(notice=notice.pk, at=f"'{late.isoformat()}'")) is None

    def test_no_renewal_is_charged_after_it_was_switched_off(self):
        begun = announced(bought())
        spending.spend(
            customer=begun.customer,
            amount=cny("99.00"),
            reference="x",
            description="x",
            at=begun.paid_until,
        )
        subscriptions.cancel(subscription_id=begun.pk, at=shanghai(2025, 3, 28))
        notice = Notice.objects.get()
        late = (notice.sent_at + 6 * DAY).isoformat()
        assert (
            self.refused(self.CHARGE.format(notice=notice.pk, at=f"'{late}'"))
            == "packages_charge_was_announced"
        )
