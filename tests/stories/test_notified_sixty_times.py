"""
A gateway that shouts: sixty notifications of one payment, all at the same moment, over real HTTP.
"""

import pytest

from crm_billing.models import Outbox
from tests.factories import fund, open_customer
from tests.stories.telling import books_prove, entries, eventually, holding, receipts, wallet
from tests.wallet.topup_setting import submitted
from wallet.models import Case, GatewayCallback, GatewayPayment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("portal")]

SIXTY = 60


def test_sixty_notifications_credit_once(fake_gateway):
    customer = fund(open_customer(), "5.00")
    topup = submitted(customer, "88.00")
    assert wallet(customer) == holding("5.00", available="5.00")

    fake_gateway.pay(topup.number, notify=SIXTY)
    [news] = fake_gateway.fake.notifier.notifications
    accepted = lambda: sum(one.accepted for one in list(news.deliveries))  # noqa: E731
    assert eventually(lambda: accepted() >= SIXTY, seconds=120)

    assert wallet(customer) == holding("93.00", available="93.00")
    assert entries(customer) == [
        ("GRANT", {"ADJUSTMENT": "+5.00", "PRINCIPAL": "-5.00"}),
        ("TOP_UP", {"CLEARING": "+88.00", "PRINCIPAL": "-88.00"}),
    ]
    assert receipts(customer) == [("88.00", "", "93.00")]
    assert list(Outbox.objects.values_list("topic", flat=True)) == ["receipt.issued"]
    assert GatewayPayment.objects.count() == 1 and not Case.objects.exists()
    kept = GatewayCallback.objects.all()
    assert sum(callback.times for callback in kept) >= SIXTY
    assert {callback.outcome for callback in kept} <= {"CREDITED", "REPEATED"}
    assert books_prove()
