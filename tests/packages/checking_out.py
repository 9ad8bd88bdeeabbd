"""
Buying through a quote, with money to be topped up first where it is missing.
"""

from datetime import timedelta

from packages import checkout
from packages.models import PriceQuote, Subscription
from tests.factories import funded_customer
from tests.packages.buying import MARCH_FIRST, on_sale
from wallet import gateways, payments
from wallet.gateways.base import GatewayFact, PaymentStatus
from wallet.models import TopUp

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def quoted(customer=None, version=None, *, at=MARCH_FIRST, **options) -> PriceQuote:
    return checkout.quote(
        customer=customer or funded_customer("1000.00"),
        price_version=version or on_sale(),
        at=at,
        **options,
    )


def accepted(quote, *, at=MARCH_FIRST + HOUR, auto_renew=False, **options) -> Subscription:
    return checkout.accept(quote_id=quote.pk, auto_renew=auto_renew, at=at, **options)


def topped_up_first(quote, *, at=MARCH_FIRST + HOUR, auto_renew=False, key="key", **options):
    return checkout.top_up_first(
        quote_id=quote.pk,
        auto_renew=auto_renew,
        gateway="sandbox",
        request_key=key,
        at=at,
        **options,
    )


def paid(topup: TopUp, *, at) -> None:
    """
    Let a top-up be reported as paid.
    """
    fact = GatewayFact(
        gateway=topup.gateway,
        merchant_id=gateways.get(topup.gateway).merchant_id,
        number=topup.number,
        external_id=f"paid-{topup.number}",
        status=PaymentStatus.PAID,
        amount=topup.amount,
        paid_at=at,
    )
    payments.settle(fact, at=at, learned_by="CALLBACK")
    topup.refresh_from_db()
    assert topup.state == "PAID"
