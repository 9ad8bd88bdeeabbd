"""
The HTTP side: one server for every wire, the cashier and the controls.
"""

import json
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wallet.gateways.fake.cashier import Cashier
from wallet.gateways.fake.control import Control
from wallet.gateways.fake.exchange import Answer, Dropped, Request
from wallet.gateways.fake.notifier import RETRY_SECONDS, Notifier, Wire
from wallet.gateways.fake.scenarios import Scenarios
from wallet.gateways.fake.state import Bank
from wallet.gateways.fake.wires.sandbox import SandboxWire

LARGEST_BODY = 256 * 1024

log = logging.getLogger("fake_gateway")


class FakeGateway:
    """
    One running instrument; `start` serves in a thread, `serve` in this one, `stop` ends both.

    port: 0 takes a free one. public_url: how a payer's browser reaches it, when not by url.
    """

    def __init__(
        self,
        *,
        merchant_id: str,
        merchant_public_key: bytes,
        private_key: bytes,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str = "",
        merchant: str = "",
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
    ) -> None:
        self._server = _Server((host, port), _Handler)
        self._server.fake = self
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}"
        self.stopping = threading.Event()
        self.bank = Bank()
        self.wires: dict[str, Wire] = {}
        self.notifier = Notifier(self.bank, self.wires, retry_seconds)
        self.scenarios = Scenarios(self.bank, self.notifier, stopping=self.stopping)
        self.cashier = Cashier(
            self.bank,
            self.scenarios,
            public_url=(public_url or self.url).rstrip("/"),
            merchant=merchant or merchant_id,
        )
        self.control = Control(self.bank, self.scenarios)
        self.mount(
            SandboxWire(
                self.bank,
                merchant_id=merchant_id,
                merchant_public_key=merchant_public_key,
                private_key=private_key,
                cashier_url=self.cashier.url,
                stopping=self.stopping,
            )
        )

    def mount(self, wire: Wire) -> None:
        """Speak one more provider's format, under its own prefix."""
        self.wires[wire.name] = wire

    def start(self) -> None:
        threading.Thread(target=self.serve, name="fake-gateway", daemon=True).start()

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        """Finish quickly: end delayed answers and deliveries, close the port."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self.notifier.stop()

    def answer(self, request: Request) -> Answer:
        for wire in self.wires.values():
            if request.path.startswith(wire.prefix):
                return wire.answer(request)
        if request.path.startswith("/cashier/"):
            return self.cashier.answer(request)
        if request.path.startswith("/control/"):
            return self.control.answer(request)
        if request.path == "/livez":
            return Answer(body=b"ok", content_type="text/plain")
        return Answer(
            status=404,
            body=json.dumps({"code": "NOT_FOUND", "message": "No such address."}).encode(),
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    fake: FakeGateway

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "fake-gateway", ""
    timeout = 30
    server: _Server

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > LARGEST_BODY:
            self.close_connection = True
            self.send_error(413)
            return
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            peer=self.client_address[0],
        )
        try:
            answer = self.server.fake.answer(request)
        except Dropped:
            self.close_connection = True
            return
        except Exception:
            log.exception("%s %s failed", self.command, request.path)
            answer = Answer(status=500, body=b"failed", content_type="text/plain")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: Any) -> None:
        if self.path != "/livez":
            log.info(format, *args)
