from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
from djmoney.money import Money

from wallet.gateways.base import PaymentOrder, RefundOrder

http = httpx.Client(trust_env=False)
"""The payer's browser."""

NUMBER = "TU20261122ABCDEFGH"


def now() -> datetime:
    return datetime.now(UTC)


def order(number: str = NUMBER, amount: Money | None = None, **terms: Any) -> PaymentOrder:
    return PaymentOrder(
        **{
            "number": number,
            "amount": amount or Money("100.00", "CNY"),
            "subject": "充值 Top-up",
            "notify_url": "http://127.0.0.1:9/notify/",
            "return_url": "http://127.0.0.1:9/topups/1/?from=gateway",
            "expires_at": now() + timedelta(minutes=30),
        }
        | terms
    )


def refund(
    number: str = "RF20261122ABCDEFGH01", amount: str = "40.00", **terms: Any
) -> RefundOrder:
    return RefundOrder(
        **{
            "number": number,
            "payment_number": NUMBER,
            "external_id": "",
            "amount": Money(amount, "CNY"),
            "paid": Money("100.00", "CNY"),
            "reason": "customer asked",
        }
        | terms
    )


def eventually(holds: Callable[[], Any], seconds: float = 5) -> Any:
    """Wait until `holds` is true, and return what it says."""
    deadline = monotonic() + seconds
    while not (found := holds()):
        assert monotonic() < deadline, "it never happened"
        sleep(0.01)
    return found


class Merchant:
    """Our notify address, as plain HTTP: keeps what arrives, answers what it is told."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, bytes]] = []
        merchant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                merchant.received.append((dict(self.headers), body))
                answers = merchant.answers
                status, answer = answers.pop(0) if answers else (200, b"success")
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/notify/"
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def merchant():
    running = Merchant()
    yield running
    running.server.shutdown()
    running.server.server_close()
