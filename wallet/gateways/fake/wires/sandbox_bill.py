"""
The sandbox's daily bills: one header, one row per movement, times of Beijing, major units.
"""

from datetime import datetime

from wallet.gateways.fake.amounts import major
from wallet.gateways.fake.state import BEIJING, Order, Payment, Refund

FEE_PER_MILLE = 6
TRADE_COLUMNS = (
    *("time", "kind", "number", "external_id", "refund_number", "refund_id"),
    *("currency", "amount", "fee", "subject"),
)
FUNDS_COLUMNS = ("time", "kind", "number", "reference", "currency", "amount", "balance")
Movement = tuple[datetime, Order, Payment | Refund]


def _clock(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def trade(movements: list[Movement]) -> list[list[str]]:
    """List each payment with its fee, and each refund as a negative amount."""
    rows = [list(TRADE_COLUMNS)]
    for moment, order, one in movements:
        if isinstance(one, Refund):
            row = ["REFUND", order.number, one.payment.external_id, one.number, one.external_id]
            currency, amount, fee = one.payment.currency, -one.amount_minor, 0
        else:
            row = ["PAYMENT", order.number, one.external_id, "", ""]
            currency, amount, fee = one.currency, one.amount_minor, _fee(one)
        money = [currency, major(amount, currency), major(fee, currency)]
        rows.append([_clock(moment), *row, *money, order.subject])
    return rows


def funds(movements: list[Movement]) -> list[list[str]]:
    """List what moved our balance at the gateway; it starts each day at zero, per currency."""
    rows = [list(FUNDS_COLUMNS)]
    balance: dict[str, int] = {}
    for moment, order, one in movements:
        if isinstance(one, Refund):
            parts = [("REFUND", one.external_id, -one.amount_minor)]
            currency = one.payment.currency
        else:
            parts = [
                ("PAYMENT", one.external_id, one.amount_minor),
                ("FEE", one.external_id, -_fee(one)),
            ]
            currency = one.currency
        for kind, reference, amount in parts:
            balance[currency] = balance.get(currency, 0) + amount
            money = [currency, major(amount, currency), major(balance[currency], currency)]
            rows.append([_clock(moment), kind, order.number, reference, *money])
    return rows


def _fee(payment: Payment) -> int:
    """Six per mille, rounded half up to a minor unit."""
    return (payment.amount_minor * FEE_PER_MILLE + 500) // 1000
