"""
A customer's first month: money comes on the way to a subscription, and its charge says why.
"""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from packages import charges, checkout, renewals
from packages.models import Charge, Subscription
from tests.factories import open_customer, owner_of
from tests.packages import shelf
from tests.packages.reading import text
from tests.stories.telling import books_prove, entries, eventually, holding, lots, wallet
from wallet.models import TopUp

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("portal")]


def test_a_first_month_from_an_empty_wallet_to_a_cancellation(fake_gateway):
    price = shelf.terms(shelf.basic("99.00"), shelf.seats(1), shelf.once("500.00"))
    shelf.published(price, at=timezone.now() - timedelta(days=1))
    customer = open_customer("晨星科技", locale="en")
    owner = owner_of(customer)
    owner.locale = "en"
    owner.save()
    browser = Client()
    browser.force_login(owner)
    assert wallet(customer) == holding("0.00", available="0.00")

    # Three seats and the setup are quoted; the wallet is empty, and nothing is promised yet.
    quote = browser.post("/packages/pro/subscribe/", {"term": "month", "seats": "3"}).url
    assert "Top up ¥649.00 and subscribe" in text(browser.get(quote))
    assert wallet(customer) == holding("0.00", available="0.00")
    assert not Subscription.objects.exists()

    # The missing money is topped up: ordered once, however often the form is sent.
    form = {
        "top_up": "yes",
        "auto_renew": "on",
        "gateway": "sandbox",
        "request_key": "firstmonth2345672222",
    }
    answers = {browser.post(quote, form).url for _ in range(2)}
    topup = TopUp.objects.get()
    assert answers == {f"/wallet/topups/{topup.number}/"}
    assert checkout.go_on(at=timezone.now()) == 0
    assert wallet(customer) == holding("0.00", available="0.00")

    # It is paid; the subscription begins with it, once however often the clock strikes.
    fake_gateway.pay(topup.number, notify=1)
    assert eventually(lambda: TopUp.objects.get().state == "PAID")
    bought = sum(checkout.go_on(at=timezone.now()) for _ in range(3))
    assert bought <= 1 and Subscription.objects.count() == 1
    subscription = Subscription.objects.get()
    assert (subscription.state, subscription.auto_renew) == ("ACTIVE", True)
    assert wallet(customer) == holding("0.00", available="0.00")
    assert entries(customer) == [
        ("TOP_UP", {"CLEARING": "+649.00", "PRINCIPAL": "-649.00"}),
        ("SPEND", {"PRINCIPAL": "+649.00", "SPENT": "-649.00"}),
    ]
    assert lots(customer) == [("PRINCIPAL", "0.00")]
    there = f"/subscriptions/{subscription.number}/"
    assert browser.get(quote).url == there

    # The charge says why: every line, the credit it took, and what was agreed to.
    charge = Charge.objects.get()
    assert charges.recompute(charge.lines, "CNY") == charge.amount
    why = text(browser.get(f"/charges/{charge.pk}/"))
    for words in ("1 – 10: 2 × ¥25.00 = ¥50.00", "Onboarding ¥500.00", "Sum of the lines ¥649.00"):
        assert words in why
    assert "Balance afterwards ¥0.00" in why and charge.consent.text_sha256 in why

    # Cancelled in two clicks, it runs to the end of the month that is paid, and takes nothing more.
    assert f"{there}cancel/" in browser.get(there).content.decode()
    assert "It runs until" in text(browser.post(f"{there}cancel/", follow=True))
    assert wallet(customer) == holding("0.00", available="0.00")
    subscription.refresh_from_db()
    assert subscription.state == "ACTIVE"
    renewals.sweep(at=subscription.paid_until + timedelta(minutes=1))
    subscription.refresh_from_db()
    assert subscription.state == "ENDED"
    assert wallet(customer) == holding("0.00", available="0.00")
    assert len(entries(customer)) == 2
    assert books_prove()
