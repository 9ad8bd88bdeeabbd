"""
Deliveries to the merchant's notify address, tried again on a schedule like real gateways do.
"""

import heapq
import itertools
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from wallet.gateways.fake.state import Bank, Order, Payment, new_id

RETRY_SECONDS = (2, 5, 10, 30, 60, 300, 900)
ANSWER_SECONDS = 10
KEPT_CHARACTERS = 500

log = logging.getLogger("fake_gateway")


@dataclass
class Delivery:
    """One try: status is None when no answer came."""

    at: datetime
    status: int | None
    answer: str
    accepted: bool


@dataclass
class Notification:
    """One piece of news; every try carries the same id. payment: None for a failed order."""

    order: Order
    status: str
    payment: Payment | None = None
    id: str = field(default_factory=lambda: new_id("NT"))
    deliveries: list[Delivery] = field(default_factory=list)


class Wire(Protocol):
    """How one provider writes its API and its callbacks."""

    name: str
    prefix: str

    def answer(self, request: Any) -> Any: ...

    def callback(self, notification: Notification) -> tuple[dict[str, str], bytes]:
        """Write and sign a callback, fresh for each try: headers and raw body."""
        ...

    def accepts(self, status: int, body: bytes) -> bool:
        """Tell whether the merchant said the success word."""
        ...


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


class Notifier:
    def __init__(
        self, bank: Bank, wires: Mapping[str, Wire], retry_seconds: tuple[float, ...]
    ) -> None:
        self.bank, self.wires, self.retry_seconds = bank, wires, retry_seconds
        self.notifications: list[Notification] = []
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._turn = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="notify")
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._thread.start()

    def announce(self, notification: Notification, *, copies: int = 1, delay: float = 0) -> None:
        """
        Deliver news `copies` times at once; each copy is tried again until it is accepted.
        """
        self.notifications.append(notification)
        for _ in range(copies):
            self.later(delay, lambda: self._try(notification, 0))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in a thread of the pool after `seconds`."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._turn), action))
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(timeout=2)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                action = heapq.heappop(self._due)[2]
                self._pool.submit(self._safely, action)

    @staticmethod
    def _safely(action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            log.exception("a scheduled action failed")

    def _try(self, notification: Notification, tries: int) -> None:
        delivery = self._deliver(notification)
        notification.deliveries.append(delivery)
        log.info(
            "notified %s of %s: %s",
            notification.order.number,
            notification.status,
            "accepted" if delivery.accepted else delivery.answer[:80] or delivery.status,
        )
        if not delivery.accepted and tries < len(self.retry_seconds):
            self.later(
                self.retry_seconds[tries],
                lambda: self._try(notification, tries + 1),
            )

    def _deliver(self, notification: Notification) -> Delivery:
        order = notification.order
        at = datetime.now(UTC)
        if self.bank.take("notify_lost", order.number):
            return Delivery(at, 502, "lost on the way, as asked for", accepted=False)
        wire = self.wires[order.wire]
        headers, body = wire.callback(notification)
        # The wire took http and https addresses only.
        request = urllib.request.Request(  # noqa: S310
            order.notify_url, body, headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=ANSWER_SECONDS) as response:
                status, answer = response.status, response.read(64 * 1024)
        except urllib.error.HTTPError as error:
            with error:
                status, answer = error.code, error.read(64 * 1024)
        except (OSError, ValueError) as error:
            return Delivery(at, None, f"{type(error).__name__}: {error}", accepted=False)
        text = answer.decode(errors="replace")[:KEPT_CHARACTERS]
        return Delivery(at, status, text, accepted=wire.accepts(status, answer))
