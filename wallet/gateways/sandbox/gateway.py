"""
The sandbox provider: signed JSON over HTTP against the fake gateway, for tests and demos.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from djmoney.money import Money

from crm_billing.money import from_minor, to_minor
from wallet.gateways.base import (
    NUMBER,
    Acknowledgement,
    ActionKind,
    BadCallback,
    BadReason,
    BillKind,
    ClientAction,
    GatewayFact,
    GatewayRefused,
    GatewayUnknown,
    PaymentOrder,
    PaymentStatus,
    RefundFact,
    RefundOrder,
    RefundStatus,
)
from wallet.gateways.sandbox import keys, signing

Fact = TypeVar("Fact", GatewayFact, RefundFact)

LARGEST_ANSWER = 1024 * 1024
LARGEST_BILL = 64 * 1024 * 1024
PATIENCE_SECONDS = 30  # for one whole call, however slowly its bytes drip
_AGAIN_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_NEVER_HEARD = {"ORDER_NOT_FOUND", "REFUND_NOT_FOUND"}


class SandboxGateway:
    """
    Talk to the fake gateway.

    url: where its API is reached from here. merchant_id: who we are there.
    private_key, gateway_public_key: PEM text or a path. Without them, keys_directory: where a demo
    makes and keeps its own.
    """

    code = "sandbox"
    label: str | Promise = _("Sandbox payment")
    currencies: tuple[str, ...] = ("CNY", "USD", "EUR", "JPY", "KWD")

    def __init__(
        self,
        *,
        url: str,
        merchant_id: str = "",
        private_key: str = "",
        gateway_public_key: str = "",
        keys_directory: str = "",
        connect_timeout: float = 3,
        read_timeout: float = 10,
    ) -> None:
        if not (url and merchant_id and (keys_directory or (private_key and gateway_public_key))):
            raise ValueError("The sandbox gateway needs a url, a merchant id and its keys.")
        if not private_key:
            made = keys.ensure(Path(keys_directory))
            private_key, gateway_public_key = str(made.merchant_private), str(made.gateway_public)
        self.url = url.rstrip("/")
        self.merchant_id = merchant_id
        self._signer = signing.Signer(merchant_id, keys.private_key(private_key))
        self._verifier = signing.Verifier(merchant_id, keys.public_key(gateway_public_key))
        # No connection is kept: a pool must not be shared by the children of a fork.
        self._http = httpx.Client(
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            verify=_tls(),
            headers={"Accept-Encoding": "identity", "User-Agent": "crm-billing"},
        )

    @staticmethod
    def problems(options: Mapping[str, Any]) -> list[str]:
        """Say what is missing or unreadable in the options; makes and fetches nothing."""
        found = [f"{name} is empty" for name in ("url", "merchant_id") if not options.get(name, "")]
        if options.get("url") and urlsplit(options["url"]).scheme not in {"http", "https"}:
            found.append("url is no http address")
        readers = {"private_key": keys.private_key, "gateway_public_key": keys.public_key}
        given = [name for name in readers if options.get(name)]
        if not given and options.get("keys_directory"):
            return found
        for name, read in readers.items():
            if name not in given:
                found.append(f"{name} is empty")
                continue
            try:
                read(options[name])
            except (ValueError, TypeError, OSError) as error:
                found.append(f"{name} cannot be read ({type(error).__name__})")
        return found

    def create(self, order: PaymentOrder, *, at: datetime) -> ClientAction:
        answer = self._call(
            "POST",
            "/orders",
            {
                "number": _number(order.number),
                "amount_minor": to_minor(order.amount),
                "currency": order.amount.currency.code,
                "subject": order.subject,
                "notify_url": order.notify_url,
                "return_url": order.return_url,
                "expires_at": order.expires_at.isoformat(),
                "locale": order.locale,
            },
        )
        cashier = answer.get("cashier_url")
        if not isinstance(cashier, str) or urlsplit(cashier).scheme not in {"http", "https"}:
            raise GatewayUnknown("The answer names no cashier page.")
        return ClientAction(kind=ActionKind.REDIRECT, url=cashier)

    def parse_callback(
        self, *, body: bytes, headers: Mapping[str, str], at: datetime
    ) -> list[GatewayFact]:
        self._verifier.verify_callback(body=body, headers=headers, now=int(at.timestamp()))
        try:
            return [self._payment_fact(_object(body))]
        except (ValueError, LookupError, TypeError) as error:
            raise BadCallback(BadReason.MALFORMED, str(error)[:200]) from error

    def acknowledgement(self, *, ok: bool) -> Acknowledgement:
        if ok:
            return Acknowledgement(HTTPStatus.OK, "text/plain; charset=utf-8", b"success")
        return Acknowledgement(HTTPStatus.BAD_REQUEST, "text/plain; charset=utf-8", b"fail")

    def query(self, order: PaymentOrder, *, at: datetime) -> GatewayFact:
        return self._payment("GET", f"/orders/{_number(order.number)}", order)

    def close(self, order: PaymentOrder, *, at: datetime) -> GatewayFact:
        return self._payment("POST", f"/orders/{_number(order.number)}/close", order)

    def refund(self, refund: RefundOrder, *, at: datetime) -> RefundFact:
        answer = self._call(
            "POST",
            "/refunds",
            {
                "number": _number(refund.number),
                "payment_number": _number(refund.payment_number),
                "external_id": refund.external_id,
                "amount_minor": to_minor(refund.amount),
                "currency": refund.amount.currency.code,
                "reason": refund.reason,
            },
        )
        return _believed(self._refund_fact, answer, refund.number)

    def query_refund(self, refund: RefundOrder, *, at: datetime) -> RefundFact:
        try:
            answer = self._call("GET", f"/refunds/{_number(refund.number)}")
        except GatewayRefused as refusal:
            if refusal.code not in _NEVER_HEARD:
                raise
            return RefundFact(
                gateway=self.code,
                merchant_id=self.merchant_id,
                number=refund.number,
                external_id="",
                status=RefundStatus.NOT_FOUND,
            )
        return _believed(self._refund_fact, answer, refund.number)

    def fetch_bill(self, kind: BillKind, on: date, *, at: datetime) -> bytes:
        """
        Download one day, by the clock of Beijing: CSV in UTF-8, amounts in major units.
        """
        return self._send("GET", f"/bills/{kind.lower()}/{on.isoformat()}", largest=LARGEST_BILL)

    def _payment(self, method: str, path: str, order: PaymentOrder) -> GatewayFact:
        try:
            answer = self._call(method, path, {} if method == "POST" else None)
        except GatewayRefused as refusal:
            if refusal.code not in _NEVER_HEARD:
                raise
            return GatewayFact(
                gateway=self.code,
                merchant_id=self.merchant_id,
                number=order.number,
                external_id="",
                status=PaymentStatus.NOT_FOUND,
            )
        return _believed(self._payment_fact, answer, order.number)

    def _payment_fact(self, said: dict[str, Any]) -> GatewayFact:
        status = PaymentStatus(said["status"])
        paid = status is PaymentStatus.PAID
        return GatewayFact(
            gateway=self.code,
            merchant_id=self._merchant(said),
            number=_number(said["number"]),
            external_id=_external_id(said) if paid else "",
            status=status,
            amount=_amount(said) if paid else None,
            paid_at=_moment(said["paid_at"]) if paid else None,
            raw=said,
        )

    def _refund_fact(self, said: dict[str, Any]) -> RefundFact:
        status = RefundStatus(said["status"])
        done = status is RefundStatus.SUCCEEDED
        return RefundFact(
            gateway=self.code,
            merchant_id=self._merchant(said),
            number=_number(said["number"]),
            external_id=_external_id(said),
            status=status,
            amount=_amount(said),
            refunded_at=_moment(said["refunded_at"]) if done else None,
            raw=said,
        )

    def _merchant(self, said: dict[str, Any]) -> str:
        if said["merchant_id"] != self.merchant_id:
            raise ValueError("the message is about another merchant")
        return self.merchant_id

    def _call(self, method: str, path: str, message: dict[str, Any] | None = None) -> dict:
        body = b"" if message is None else json.dumps(message, ensure_ascii=False).encode()
        answer = self._send(method, path, body=body)
        try:
            return _object(answer)
        except ValueError as error:
            raise GatewayUnknown("The answer is not a JSON object.") from error

    def _send(
        self, method: str, path: str, *, body: bytes = b"", largest: int = LARGEST_ANSWER
    ) -> bytes:
        """
        Make one signed call and return the verified body of a 2xx answer.

        raises GatewayRefused: a verified 4xx. raises GatewayUnknown: anything else.
        """
        target = f"{self.url}/sandbox/v1{path}"
        nonce = signing.nonce()
        headers = self._signer.headers(
            method=method,
            target=urlsplit(target).path,
            body=body,
            now=int(time.time()),
            nonce=nonce,
        )
        if body:
            headers["Content-Type"] = "application/json"
        try:
            status, answer_headers, answer = self._exchange(
                method, target, body=body, headers=headers, largest=largest
            )
        except httpx.HTTPError as error:
            raise GatewayUnknown(f"{type(error).__name__}: {error}") from error
        if status >= 500 or status in _AGAIN_LATER:
            raise GatewayUnknown(f"The gateway answered {status}.")
        try:
            self._verifier.verify_answer(
                status=status,
                request_nonce=nonce,
                body=answer,
                headers=answer_headers,
                now=int(time.time()),
            )
        except BadCallback as error:
            raise GatewayUnknown(f"The answer ({status}) cannot be trusted: {error}") from error
        if 200 <= status < 300:
            return answer
        if status >= 400:
            raise _refusal(answer, status)
        raise GatewayUnknown(f"The gateway answered {status}.")

    def _exchange(
        self, method: str, target: str, *, body: bytes, headers: dict[str, str], largest: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        with self._http.stream(method, target, content=body, headers=headers) as response:
            answer = bytearray()
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > largest:
                    raise GatewayUnknown("The answer is too large.")
                if time.monotonic() > give_up_at:
                    raise GatewayUnknown("The answer took too long.")
            return response.status_code, response.headers, bytes(answer)


@cache
def _tls() -> ssl.SSLContext:
    """Reading the authorities' certificates takes longer than a call; once is enough."""
    return httpx.create_ssl_context(trust_env=False)


def _believed(read: Callable[[dict[str, Any]], Fact], answer: dict[str, Any], number: str) -> Fact:
    try:
        fact = read(answer)
    except (ValueError, LookupError, TypeError) as error:
        raise GatewayUnknown(f"The answer cannot be read: {error}") from error
    if fact.number != number:
        raise GatewayUnknown("The answer is about another number.")
    return fact


def _refusal(answer: bytes, status: int) -> GatewayRefused | GatewayUnknown:
    try:
        said = _object(answer)
        return GatewayRefused(str(said["code"])[:64], str(said.get("message", ""))[:500])
    except (ValueError, LookupError):
        return GatewayUnknown(f"The gateway answered {status} without a reason.")


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(said, dict):
        raise ValueError("not a JSON object")
    return said


def _number(value: Any) -> str:
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError("a number is 6 to 32 capital letters and digits")
    return value


def _external_id(said: dict[str, Any]) -> str:
    value = said["external_id"]
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise ValueError("external_id is malformed")
    return value


def _amount(said: dict[str, Any]) -> Money:
    minor, currency = said["amount_minor"], said["currency"]
    if type(minor) is not int or not 0 < minor < 2**63 or not isinstance(currency, str):
        raise ValueError("amount_minor or currency is malformed")
    return from_minor(minor, currency)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time has no zone")
    return moment
