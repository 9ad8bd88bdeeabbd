"""
A customer's first top-up, from the form to the receipt in the mailbox.
"""

import hashlib
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from crm_billing import outbox
from crm_billing.models import Outbox
from tests.factories import cny, open_customer, owner_of
from tests.stories.telling import (
    books_prove,
    entries,
    eventually,
    holding,
    lots,
    receipts,
    wallet,
)
from tests.wallet.topup_setting import submitted
from wallet import topups
from wallet.models import GatewayPayment, Receipt, TopUp

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("portal")]

NOTHING = holding("0.00", available="0.00")


def pending_errands() -> list[str]:
    waiting = Outbox.objects.filter(sent_at=None).order_by("pk")
    return list(waiting.values_list("topic", flat=True))


def test_a_first_topup_arrives_with_its_receipt(fake_gateway, mailbox):
    customer = open_customer("晨星科技")
    browser = Client()
    browser.force_login(owner_of(customer))
    form = {"amount": "100.00", "gateway": "sandbox", "request_key": "firsttopup23456722"}
    assert wallet(customer) == NOTHING

    # The form, sent twice by an impatient finger, is one top-up; nothing has moved.
    answers = [browser.post("/wallet/topups/new/confirm/", form) for _ in range(2)]
    topup = TopUp.objects.get(customer=customer)
    assert {answer.url for answer in answers} == {f"/wallet/topups/{topup.number}/"}
    attempt = topup.attempts.get()
    assert (topup.state, attempt.state) == ("PENDING", "PENDING")
    assert fake_gateway.orders[topup.number].amount_minor == 100_00
    assert wallet(customer) == NOTHING
    assert entries(customer) == [] and pending_errands() == []

    # The customer pays at the gateway, whose signed callback credits the wallet.
    fake_gateway.pay(topup.number, notify=1)
    assert eventually(lambda: TopUp.objects.get().state == "PAID")
    assert wallet(customer) == holding("100.00", available="100.00")
    assert entries(customer) == [("TOP_UP", {"CLEARING": "+100.00", "PRINCIPAL": "-100.00"})]
    assert lots(customer) == [("PRINCIPAL", "100.00")]
    assert receipts(customer) == [("100.00", "", "100.00")]
    topup.refresh_from_db()
    attempt.refresh_from_db()
    payment = GatewayPayment.objects.get()
    assert topup.entry == payment.entry
    assert (attempt.state, attempt.external_id) == ("SUCCEEDED", payment.external_id)
    receipt = Receipt.objects.get()
    assert receipt.number.endswith("-000001") and receipt.topup == topup
    assert pending_errands() == ["receipt.issued"]

    # The page says so, and offers the receipt.
    page = browser.get(f"/wallet/topups/{topup.number}/").content.decode()
    assert receipt.number in page and "100.00" in page

    # The worker draws the PDF and mails it, once however often it looks.
    for _ in range(3):
        outbox.relay(at=timezone.now() + timedelta(seconds=1))
    assert pending_errands() == []
    [mail] = mailbox.messages
    assert mail.to == (owner_of(customer).email,)
    [(name, pdf)] = mail.attachments.items()
    assert name == f"{receipt.number}.pdf" and pdf.startswith(b"%PDF-")
    stored = browser.get(f"/receipts/{receipt.number}.pdf")
    assert b"".join(stored) == pdf

    # Whoever holds the receipt can check it without signing in.
    verified = Client().get(f"/verify/{receipt.code}/").content.decode()
    assert receipt.number in verified and hashlib.sha256(pdf).hexdigest() in verified
    assert customer.name not in verified

    # Nothing of all this moved the money again.
    assert wallet(customer) == holding("100.00", available="100.00")
    assert len(entries(customer)) == len(receipts(customer)) == 1
    assert books_prove()


def test_the_bonus_promised_on_the_way_is_granted_with_it(fake_gateway):
    customer = open_customer()
    promise = topups.Promise(bonus=cny("20.00"), days=30, terms="Spring offer")
    topup = submitted(customer, "200.00", promise=promise)
    assert wallet(customer) == NOTHING

    fake_gateway.pay(topup.number, notify=1)
    assert eventually(lambda: TopUp.objects.get().state == "PAID")

    assert wallet(customer) == holding("200.00", "20.00", available="220.00")
    assert entries(customer) == [
        ("TOP_UP", {"CLEARING": "+200.00", "PRINCIPAL": "-200.00"}),
        ("BONUS", {"BONUS_COST": "+20.00", "BONUS": "-20.00"}),
    ]
    assert lots(customer) == [("PRINCIPAL", "200.00"), ("BONUS", "20.00")]
    assert receipts(customer) == [("200.00", "20.00", "220.00")]
    assert books_prove()
