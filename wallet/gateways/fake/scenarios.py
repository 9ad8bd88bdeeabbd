"""
What a payer at the cashier, or a test, can make happen.
"""

import threading
from datetime import timedelta

from wallet.gateways.fake.notifier import Notification, Notifier
from wallet.gateways.fake.state import Bank, Order, Payment

AFTER_CLOSING_SECONDS = 1


class Scenarios:
    def __init__(self, bank: Bank, notifier: Notifier, *, stopping: threading.Event) -> None:
        self.bank, self.notifier, self.stopping = bank, notifier, stopping
        bank.on_close = self._closed

    def pay(
        self,
        order: Order,
        *,
        payments: int = 1,
        amount_minor: int | None = None,
        currency: str | None = None,
        late: bool = False,
        notify: int = 1,
        delay: float = 0,
    ) -> list[Payment]:
        """
        Pay an order and tell the merchant.

        payments: 2 pays twice, under two external ids. amount_minor, currency: other than asked.
        late: even when the order is closed or failed. notify: copies of each notification, 0 for
        never. delay: seconds before the first.
        """
        made = [
            self.bank.pay(order, amount_minor=amount_minor, currency=currency, late=late)
            for _ in range(payments)
        ]
        for payment in made:
            if notify:
                self.notifier.announce(
                    Notification(order, "PAID", payment), copies=notify, delay=delay
                )
        return made

    def pay_later(self, order: Order) -> None:
        """Pay once the merchant has closed the order, or just after it expires."""
        order.pay_when_closed = True
        left = order.expires_at - self.bank.clock() + timedelta(seconds=AFTER_CLOSING_SECONDS)
        self.notifier.later(max(0, left.total_seconds()), lambda: self._pay_late(order))

    def pause(self, seconds: float) -> None:
        """Keep the payer waiting; stopping the gateway ends it."""
        self.stopping.wait(seconds)

    def fail(self, order: Order, *, notify: int = 1) -> None:
        """Let the payment fail, and tell the merchant."""
        self.bank.fail(order)
        if notify:
            self.notifier.announce(Notification(order, "FAILED"), copies=notify)

    def notify(self, order: Order, *, copies: int = 1) -> None:
        """Send the news of every payment again."""
        for payment in list(order.payments):
            self.notifier.announce(Notification(order, "PAID", payment), copies=copies)

    def callback(self, order: Order, *, payment: int = -1) -> tuple[dict[str, str], bytes]:
        """Write the callback of one payment without sending it: headers and raw body."""
        if order.payments:
            news = Notification(order, "PAID", order.payments[payment])
        else:
            news = Notification(order, order.status)
        return self.notifier.wires[order.wire].callback(news)

    def _closed(self, order: Order) -> None:
        if order.pay_when_closed:
            self.notifier.later(AFTER_CLOSING_SECONDS, lambda: self._pay_late(order))

    def _pay_late(self, order: Order) -> None:
        with self.bank.lock:
            if not order.pay_when_closed:
                return
            order.pay_when_closed = False
        self.pay(order, late=True)
