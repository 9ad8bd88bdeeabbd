"""
Receipts are numbered here, inside the transaction that credits; `reports` draws and mails them.
"""

from datetime import datetime

from django.db import connection

from wallet import numbers, queries
from wallet.models import GatewayPayment, Receipt, TopUp


def issue(*, topup: TopUp, payment: GatewayPayment, at: datetime) -> Receipt:
    """
    Write the receipt of a credited payment, under the next number of the year.

    Call it last in the transaction: from here to the commit every other receipt waits, which is
    what keeps the numbers without gaps.
    """
    customer = topup.customer
    balance = queries.balance(customer, topup.amount.currency.code)
    day = numbers.business_day(at)
    serial = _next(day.year)
    return Receipt.objects.create(
        number=f"R{day.year}-{serial:06d}",
        year=day.year,
        serial=serial,
        code=numbers.code(),
        topup=topup,
        customer=customer,
        payer_name=customer.name,
        amount=payment.amount,
        bonus=topup.promised_bonus,
        balance_after=balance.total,
        gateway=payment.gateway,
        external_id=payment.external_id,
        paid_at=payment.paid_at,
        issued_at=at,
        issued_on=day,
        locale=customer.locale,
    )


def _next(year: int) -> int:
    """
    Take the next number; its row stays locked until the transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO wallet_receiptseries (year, last) VALUES (%s, 1)
            ON CONFLICT (year) DO UPDATE SET last = wallet_receiptseries.last + 1
            RETURNING last
            """,
            [year],
        )
        return cursor.fetchone()[0]
