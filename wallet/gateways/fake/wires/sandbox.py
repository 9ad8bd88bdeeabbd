"""
The sandbox provider's wire format: JSON, RSA-SHA256 over lines, Unix timestamps and nonces.

    POST /sandbox/v1/orders                    open an order
    GET  /sandbox/v1/orders/NUMBER             its true state
    POST /sandbox/v1/orders/NUMBER/close       close it unless it is paid
    POST /sandbox/v1/refunds                   give money back
    GET  /sandbox/v1/refunds/NUMBER            the refund's true state
    GET  /sandbox/v1/bills/trade|funds/DATE    one business day (Beijing) as CSV

The merchant's side has its own implementation of the signatures (`wallet/gateways/sandbox`); the
two share no code, so that neither can hide a mistake of the other.
"""

import base64
import binascii
import csv
import hashlib
import io
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from wallet.gateways.fake.exchange import Answer, Request, with_faults
from wallet.gateways.fake.notifier import Notification
from wallet.gateways.fake.state import Bank, Order, Payment, Refund, Refused
from wallet.gateways.fake.wires import sandbox_bill

TOLERANCE_SECONDS = 300
_NUMBER = re.compile(r"[A-Z0-9]{6,32}")
_NONCE = re.compile(r"[A-Za-z0-9]{16,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class SandboxWire:
    name = "sandbox"
    prefix = "/sandbox/v1/"

    def __init__(
        self,
        bank: Bank,
        *,
        merchant_id: str,
        merchant_public_key: bytes,
        private_key: bytes,
        cashier_url: Callable[[Order], str],
        stopping: threading.Event,
    ) -> None:
        """
        merchant_public_key, private_key: PEM.
        cashier_url: where a payer pays an order. stopping: ends what a fault delays.
        """
        self.bank, self.merchant_id = bank, merchant_id
        self.cashier_url, self.stopping = cashier_url, stopping
        self._merchant_key: Any = serialization.load_pem_public_key(merchant_public_key)
        # Our own key of a moment ago; proving its primes again costs a tenth of a second.
        self._key: Any = serialization.load_pem_private_key(
            private_key, password=None, unsafe_skip_rsa_key_validation=True
        )
        self._stranger: rsa.RSAPrivateKey | None = None
        self._seen: dict[str, int] = {}

    def answer(self, request: Request) -> Answer:
        try:
            self._authenticate(request)
            answer = self._route(request)
        except Refused as no:
            answer = _json({"code": no.code, "message": no.message}, status=no.status)
        if not answer.raw:
            nonce = request.headers.get("sandbox-nonce", "")
            opening = ("ANSWER", self.merchant_id, answer.status, nonce)
            answer.headers |= self._signature(opening, answer.body, forged=answer.forged)
        return answer

    def callback(self, notification: Notification) -> tuple[dict[str, str], bytes]:
        order, payment = notification.order, notification.payment
        message = {"notification_id": notification.id} | self._order(order, payment)
        message["status"] = notification.status
        body = json.dumps(message, ensure_ascii=False).encode()
        headers = self._signature(("CALLBACK", order.merchant_id), body)
        return {"Content-Type": "application/json"} | headers, body

    def accepts(self, status: int, body: bytes) -> bool:
        return status == 200 and body == b"success"

    # Signatures

    def _authenticate(self, request: Request) -> None:
        said = {
            name: request.headers.get(f"sandbox-{name}", "")
            for name in ("merchant", "serial", "timestamp", "nonce", "signature")
        }
        if not all(said.values()):
            raise Refused("SIGN_MISSING", "A signature header is missing.", 401)
        if said["merchant"] != self.merchant_id or said["serial"] != _serial(self._merchant_key):
            raise Refused("MERCHANT_UNKNOWN", "No such merchant or key.", 401)
        if not _NONCE.fullmatch(said["nonce"]) or not re.fullmatch(
            "[0-9]{1,12}", said["timestamp"]
        ):
            raise Refused("SIGN_ERROR", "The nonce or timestamp is malformed.", 401)
        asked = f"REQUEST\n{said['merchant']}\n{request.method}\n{request.target}\n"
        asked += f"{said['timestamp']}\n{said['nonce']}\n"
        try:
            self._merchant_key.verify(
                base64.b64decode(said["signature"], validate=True),
                asked.encode() + request.body,
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except (InvalidSignature, binascii.Error):
            raise Refused("SIGN_ERROR", "The signature does not verify.", 401) from None
        now = int(time.time())
        if abs(now - int(said["timestamp"])) > TOLERANCE_SECONDS:
            raise Refused("TIMESTAMP_OUT_OF_RANGE", "The clocks differ too much.", 401)
        with self.bank.lock:
            if said["nonce"] in self._seen:
                raise Refused("NONCE_REUSED", "This request was made before.", 401)
            kept = {one: at for one, at in self._seen.items() if at > now - 2 * TOLERANCE_SECONDS}
            self._seen = kept | {said["nonce"]: now}

    def _signature(
        self, opening: tuple[Any, ...], body: bytes, *, forged: bool = False
    ) -> dict[str, str]:
        key = self._key
        if forged:
            self._stranger = self._stranger or rsa.generate_private_key(
                public_exponent=65537, key_size=2048
            )
            key = self._stranger
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        message = "\n".join([*map(str, opening), timestamp, nonce, ""]).encode() + body
        return {
            "Sandbox-Merchant": opening[1],
            "Sandbox-Serial": _serial(self._key.public_key()),
            "Sandbox-Timestamp": timestamp,
            "Sandbox-Nonce": nonce,
            "Sandbox-Signature": base64.b64encode(
                key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            ).decode(),
        }

    # Routes

    def _route(self, request: Request) -> Answer:
        parts = [request.method, *request.path.removeprefix(self.prefix).split("/")]
        match parts:
            case ["POST", "orders"]:
                said = _terms(request)
                return self._do("create", said["number"], lambda: self._create(said))
            case ["GET", "orders", number]:
                return self._do("query", number, lambda: self._query(number))
            case ["POST", "orders", number, "close"]:
                return self._do("close", number, lambda: self._close(number))
            case ["POST", "refunds"]:
                said = _refund_terms(request)
                return self._do("refund", said["payment_number"], lambda: self._refund(said))
            case ["GET", "refunds", number]:
                return self._do("query_refund", number, lambda: self._query_refund(number))
            case ["GET", "bills", "trade" | "funds" as kind, day]:
                return self._do("bill", day, lambda: self._bill(kind, day))
        raise Refused("NOT_FOUND", "No such address.", 404)

    def _do(self, operation: str, number: str, accept: Callable[[], Answer]) -> Answer:
        return with_faults(self.bank, operation, number, accept, stopping=self.stopping)

    def _create(self, said: dict[str, Any]) -> Answer:
        now = self.bank.clock()
        order = self.bank.open(
            Order(wire=self.name, merchant_id=self.merchant_id, created_at=now, **said)
        )
        return _json(self._order(order) | {"cashier_url": self.cashier_url(order)}, status=201)

    def _query(self, number: str) -> Answer:
        return _json(self._order(self.bank.order(self.name, number)))

    def _close(self, number: str) -> Answer:
        return _json(self._order(self.bank.close(self.bank.order(self.name, number))))

    def _refund(self, said: dict[str, Any]) -> Answer:
        order = self.bank.order(self.name, said["payment_number"])
        paid_in = {one.currency for one in order.payments} or {order.currency}
        if said["currency"] not in paid_in:
            raise Refused("CURRENCY_MISMATCH", "The payment was in another currency.", 409)
        refund = self.bank.refund(
            order,
            number=said["number"],
            external_id=said["external_id"],
            amount_minor=said["amount_minor"],
        )
        return _json(self._refund_state(order, refund), status=201)

    def _query_refund(self, number: str) -> Answer:
        return _json(self._refund_state(*self.bank.find_refund(self.name, number)))

    def _bill(self, kind: str, day: str) -> Answer:
        try:
            on = date.fromisoformat(day)
        except ValueError:
            raise Refused("DATE_INVALID", "A date is YYYY-MM-DD.") from None
        write = sandbox_bill.trade if kind == "trade" else sandbox_bill.funds
        rows = write(list(self.bank.movements(self.name, on)))
        text = io.StringIO()
        if len(rows) > 1:
            csv.writer(text).writerows(rows)
        return Answer(body=text.getvalue().encode(), content_type="text/csv; charset=utf-8")

    # Words

    def _order(self, order: Order, payment: Payment | None = None) -> dict[str, Any]:
        payment = payment or (order.payments[0] if order.payments else None)
        state: dict[str, Any] = {
            "merchant_id": order.merchant_id,
            "number": order.number,
            "status": order.status,
        }
        if payment is not None:
            state |= {
                "external_id": payment.external_id,
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "paid_at": payment.paid_at.isoformat(),
            }
        return state

    def _refund_state(self, order: Order, refund: Refund) -> dict[str, Any]:
        return {
            "merchant_id": order.merchant_id,
            "number": refund.number,
            "payment_number": order.number,
            "external_id": refund.external_id,
            "status": refund.status,
            "amount_minor": refund.amount_minor,
            "currency": refund.payment.currency,
            "refunded_at": refund.refunded_at and refund.refunded_at.isoformat(),
        }


def _json(message: dict[str, Any], *, status: int = 200) -> Answer:
    return Answer(status=status, body=json.dumps(message, ensure_ascii=False).encode())


def _serial(public_key: Any) -> str:
    der = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:16]


def _object(request: Request) -> dict[str, Any]:
    try:
        said = json.loads(request.body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Refused("BODY_INVALID", "The body is no JSON object.")
    return said


def _checked(said: dict[str, Any], rules: dict[str, Callable[[Any], bool]]) -> dict[str, Any]:
    for name, holds in rules.items():
        if not holds(said.get(name)):
            raise Refused("PARAM_INVALID", f"{name} is missing or malformed.")
    return {name: said[name] for name in rules}


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and bool(_NUMBER.fullmatch(value))


def _is_amount(value: Any) -> bool:
    return type(value) is int and 0 < value < 10**15


def _is_currency(value: Any) -> bool:
    return isinstance(value, str) and bool(_CURRENCY.fullmatch(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 256


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _terms(request: Request) -> dict[str, Any]:
    said = _checked(
        _object(request),
        {
            "number": _is_number,
            "amount_minor": _is_amount,
            "currency": _is_currency,
            "subject": _is_text,
            "notify_url": _is_url,
            "return_url": _is_url,
            "expires_at": _is_text,
            "locale": _is_text,
        },
    )
    try:
        said["expires_at"] = datetime.fromisoformat(said["expires_at"])
    except ValueError:
        raise Refused("PARAM_INVALID", "expires_at is malformed.") from None
    if said["expires_at"].tzinfo is None:
        raise Refused("PARAM_INVALID", "expires_at has no zone.")
    return said


def _refund_terms(request: Request) -> dict[str, Any]:
    return _checked(
        _object(request),
        {
            "number": _is_number,
            "payment_number": _is_number,
            "external_id": _is_text,
            "amount_minor": _is_amount,
            "currency": _is_currency,
            "reason": _is_text,
        },
    )
