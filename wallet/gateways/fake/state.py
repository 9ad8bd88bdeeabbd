"""
Everything the fake gateway remembers: orders, their payments and refunds, and faults to play.
"""

import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

BEIJING = timezone(timedelta(hours=8))
"""Business days of the gateway begin at midnight here."""

OPERATIONS = ("create", "query", "close", "refund", "query_refund", "bill")
EFFECTS = ("refused", "5xx", "5xx_after_accept", "lost", "timeout", "slow", "garbage", "forged")
FAULTS = {f"{operation}_{effect}" for operation in OPERATIONS for effect in EFFECTS} | {
    "notify_lost",  # the delivery never reaches the merchant and counts as failed
    "refund_processing",  # the refund is accepted but not done
}


class Refused(Exception):
    """A definite no of the gateway; each wire writes it in its own words."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message or code, status


def new_id(prefix: str) -> str:
    return prefix + secrets.token_hex(10).upper()


@dataclass
class Payment:
    external_id: str
    amount_minor: int
    currency: str
    paid_at: datetime


@dataclass
class Refund:
    number: str
    external_id: str
    payment: Payment
    amount_minor: int
    status: str
    created_at: datetime
    refunded_at: datetime | None = None


@dataclass
class Order:
    """
    terms: what the merchant asked for; the same number with other terms is refused.
    status: PENDING, PAID, FAILED or CLOSED.
    """

    wire: str
    merchant_id: str
    number: str
    amount_minor: int
    currency: str
    subject: str
    notify_url: str
    return_url: str
    expires_at: datetime
    locale: str
    created_at: datetime
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    status: str = "PENDING"
    pay_when_closed: bool = False
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    @property
    def terms(self) -> tuple[Any, ...]:
        return (self.merchant_id, self.amount_minor, self.currency)


@dataclass
class Fault:
    """
    number: one order, or None for all. times: how often it still happens, None for ever.
    seconds: how long "slow" delays and "timeout" keeps the line open.
    """

    name: str
    number: str | None = None
    times: int | None = None
    seconds: float = 5

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(f"unknown fault {self.name!r}")


class Bank:
    """The one shared state; every method may be called from any thread."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self._orders: dict[tuple[str, str], Order] = {}
        self._faults: list[Fault] = []
        self.on_close: Callable[[Order], None] = lambda order: None

    @property
    def orders(self) -> dict[str, Order]:
        """Every order by its number."""
        with self.lock:
            return {order.number: order for order in self._orders.values()}

    def open(self, order: Order) -> Order:
        """Remember an order; the same number and terms again is the same order."""
        with self.lock:
            known = self._orders.setdefault((order.wire, order.number), order)
        if known.terms != order.terms:
            raise Refused("ORDER_MISMATCH", "This number was used with other terms.", 409)
        return known

    def order(self, wire: str, number: str) -> Order:
        with self.lock:
            known = self._orders.get((wire, number))
        if known is None:
            raise Refused("ORDER_NOT_FOUND", "No such order.", 404)
        return known

    def order_of_token(self, token: str) -> Order | None:
        with self.lock:
            orders = list(self._orders.values())
        return next((one for one in orders if secrets.compare_digest(one.token, token)), None)

    def expired(self, order: Order) -> bool:
        """After its expiry the cashier takes no money; the order stays open until it is closed."""
        return self.clock() >= order.expires_at

    def pay(
        self,
        order: Order,
        *,
        amount_minor: int | None = None,
        currency: str | None = None,
        late: bool = False,
    ) -> Payment:
        """Take money for an order; `late` takes it for a closed or failed one too."""
        with self.lock:
            if order.status in {"CLOSED", "FAILED"} and not late:
                raise Refused("ORDER_CLOSED", "This order can no longer be paid.", 409)
            payment = Payment(
                external_id=new_id("SB"),
                amount_minor=order.amount_minor if amount_minor is None else amount_minor,
                currency=currency or order.currency,
                paid_at=self.clock().replace(microsecond=0),
            )
            order.payments.append(payment)
            order.status = "PAID"
            order.pay_when_closed = False
            return payment

    def fail(self, order: Order) -> None:
        with self.lock:
            if order.status == "PAID":
                raise Refused("ORDER_PAID", "This order is paid.", 409)
            order.status = "FAILED"

    def close(self, order: Order) -> Order:
        """Close an unpaid order; a paid one stays paid."""
        with self.lock:
            if order.status != "PENDING":
                return order
            order.status = "CLOSED"
        self.on_close(order)
        return order

    def refund(self, order: Order, *, number: str, external_id: str, amount_minor: int) -> Refund:
        """Give money back; the same number and amount again is the same refund."""
        with self.lock:
            if known := next((one for one in order.refunds if one.number == number), None):
                if known.amount_minor != amount_minor:
                    raise Refused("REFUND_MISMATCH", "This number was used before.", 409)
                return known
            payment = next(
                (one for one in order.payments if external_id in {"", one.external_id}), None
            )
            if payment is None:
                raise Refused("ORDER_NOT_PAID", "There is no such payment.", 409)
            given = sum(one.amount_minor for one in order.refunds if one.payment is payment)
            if given + amount_minor > payment.amount_minor:
                raise Refused("REFUND_TOO_LARGE", "More than was paid.", 409)
            now = self.clock().replace(microsecond=0)
            slow = self.take("refund_processing", order.number) is not None
            refund = Refund(
                number=number,
                external_id=new_id("SR"),
                payment=payment,
                amount_minor=amount_minor,
                status="PROCESSING" if slow else "SUCCEEDED",
                created_at=now,
                refunded_at=None if slow else now,
            )
            order.refunds.append(refund)
            return refund

    def find_refund(self, wire: str, number: str) -> tuple[Order, Refund]:
        with self.lock:
            for order in self._orders.values():
                for refund in order.refunds:
                    if order.wire == wire and refund.number == number:
                        return order, refund
        raise Refused("REFUND_NOT_FOUND", "No such refund.", 404)

    def settle_refund(self, refund: Refund, *, succeeded: bool) -> None:
        with self.lock:
            refund.status = "SUCCEEDED" if succeeded else "FAILED"
            refund.refunded_at = self.clock().replace(microsecond=0) if succeeded else None

    def movements(self, wire: str, on: date) -> Iterator[tuple[datetime, Order, Payment | Refund]]:
        """Yield the payments and refunds of one business day, in the order they happened."""
        with self.lock:
            all_of_them: list[tuple[datetime, Order, Payment | Refund]] = []
            for order in self._orders.values():
                if order.wire == wire:
                    all_of_them += [(one.paid_at, order, one) for one in order.payments]
                    all_of_them += [(one.created_at, order, one) for one in order.refunds]
        for moment, order, movement in sorted(all_of_them, key=lambda row: row[0]):
            if moment.astimezone(BEIJING).date() == on:
                yield moment, order, movement

    def set_fault(self, fault: Fault) -> None:
        with self.lock:
            self._faults.append(fault)

    def clear_faults(self) -> None:
        with self.lock:
            self._faults.clear()

    @property
    def faults(self) -> list[Fault]:
        with self.lock:
            return list(self._faults)

    def take(self, name: str, number: str) -> Fault | None:
        """Return the fault to play now, if one was asked for, and count it."""
        with self.lock:
            for fault in self._faults:
                if fault.name != name or fault.number not in {None, number}:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None
