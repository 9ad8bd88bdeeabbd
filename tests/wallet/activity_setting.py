"""
A small wallet with a bit of everything in it, and the moments it happened at.
"""

from datetime import UTC, datetime, timedelta

from djmoney.money import Money

from accounts.models import Customer
from wallet import holds, ledger, lots, spending
from wallet.models import JournalEntry, Lot

BEGAN = datetime(2025, 3, 10, 4, tzinfo=UTC)  # noon in Shanghai
DAY = timedelta(days=1)


def cny(amount: str) -> Money:
    return Money(amount, "CNY")


def credit(customer: Customer, amount: str, *, at: datetime = BEGAN, **more) -> Lot:
    kind = more.pop("kind", Lot.Kind.PRINCIPAL)
    return lots.grant(
        customer=customer,
        amount=cny(amount),
        kind=kind,
        origin=more.pop("origin", Lot.Origin.GOODWILL),
        reference=more.pop("reference", f"grant-{customer.pk}-{kind}-{at:%m%d%H%M%S%f}"),
        at=at,
        **more,
    )


def spend(customer: Customer, amount: str, reference: str, *, at: datetime, text: str = "Order"):
    return spending.spend(
        customer=customer, amount=cny(amount), reference=reference, description=text, at=at
    )


def a_bit_of_everything(customer: Customer) -> dict[str, JournalEntry]:
    """
    Principal 500, bonus 40 that expires unspent to the half, charges, a capture, a reversal.
    """
    told = {"principal": credit(customer, "500.00").entry}
    told["bonus"] = credit(
        customer, "40.00", kind=Lot.Kind.BONUS, at=BEGAN + DAY, expires_at=BEGAN + 5 * DAY
    ).entry
    told["small"] = spend(customer, "20.00", "ORDER-0001", at=BEGAN + 2 * DAY, text="Text messages")
    told["mixed"] = spend(customer, "30.00", "ORDER-0002", at=BEGAN + 3 * DAY, text="API 调用")
    told["undone"] = ledger.reverse(
        entry_id=told["mixed"].pk, reason="Charged twice", occurred_at=BEGAN + 4 * DAY
    )
    lots.expire(at=BEGAN + 6 * DAY)
    told["expiry"] = JournalEntry.objects.get(customer=customer, kind="EXPIRY")
    hold = holds.place(
        customer=customer, amount=cny("100.00"), reference="CAMPAIGN-7", at=BEGAN + 7 * DAY
    )
    told["capture"] = holds.capture(hold_id=hold.pk, amount=cny("60.00"), at=BEGAN + 8 * DAY).entry
    return told
