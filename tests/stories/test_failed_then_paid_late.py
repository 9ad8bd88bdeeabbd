"""
A payment fails, the second try is left alone until the top-up expires, and then is paid after all.
"""

from datetime import timedelta

import pytest

from crm_billing.models import Outbox
from tests.factories import open_customer
from tests.stories.telling import (
    books_prove,
    entries,
    eventually,
    holding,
    lots,
    receipts,
    wallet,
)
from tests.wallet.topup_setting import deliver, now, submitted
from wallet import payments, topups
from wallet.models import Case, PaymentAttempt, TopUp

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("portal")]

NOTHING = holding("0.00", available="0.00")


def test_money_that_comes_late_is_credited_all_the_same(fake_gateway):
    customer = open_customer()
    start = now() - timedelta(minutes=20)
    topup = submitted(customer, "60.00", at=start)

    # The bank says no. Nothing has moved; the top-up can be tried again.
    deliver(fake_gateway.fail(topup.number))
    topup.refresh_from_db()
    [first] = topup.attempts.all()
    assert (topup.state, first.state) == ("PENDING", "FAILED")
    assert wallet(customer) == NOTHING and entries(customer) == [] and receipts(customer) == []

    # The second try has a number of its own and is left unpaid.
    second = topups.retry(topup_id=topup.pk, at=now())
    assert second.number != first.number
    assert payments.submit(attempt_id=second.pk, at=now()).state == "PENDING"
    assert wallet(customer) == NOTHING

    # The half hour passes. The top-up expires and the janitor closes the order at the gateway.
    evening = start + timedelta(hours=1)
    assert topups.expire_due(at=evening) == 1
    payments.resolve_open(at=evening)
    topup.refresh_from_db()
    second.refresh_from_db()
    assert (topup.state, second.state) == ("EXPIRED", "CLOSED")
    assert wallet(customer) == NOTHING and entries(customer) == [] and receipts(customer) == []

    # The bank had taken the money before: the gateway now says paid, and money is money.
    fake_gateway.pay(second.number, late=True, notify=1)
    assert eventually(lambda: TopUp.objects.get().state == "PAID")
    assert wallet(customer) == holding("60.00", available="60.00")
    assert entries(customer) == [("TOP_UP", {"CLEARING": "+60.00", "PRINCIPAL": "-60.00"})]
    assert lots(customer) == [("PRINCIPAL", "60.00")]
    assert receipts(customer) == [("60.00", "", "60.00")]
    states = PaymentAttempt.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["FAILED", "SUCCEEDED"]
    assert list(Outbox.objects.values_list("topic", flat=True)) == ["receipt.issued"]
    assert not Case.objects.exists()

    # The same news again, by callback and by query, changes nothing.
    assert deliver(fake_gateway.callback(second.number)).outcome == "REPEATED"
    payments.ask(attempt_id=second.pk, at=now())
    assert wallet(customer) == holding("60.00", available="60.00")
    assert len(entries(customer)) == len(receipts(customer)) == 1

    # Should the first try be paid as well, that is too much: people see it, nobody credits it.
    fake_gateway.pay(first.number, late=True)
    assert deliver(fake_gateway.callback(first.number)).outcome == "CASE"
    [case] = Case.objects.all()
    assert (case.kind, case.state, case.customer) == ("SURPLUS", "OPEN", customer)
    assert wallet(customer) == holding("60.00", available="60.00")
    assert len(entries(customer)) == len(receipts(customer)) == 1
    assert books_prove()
