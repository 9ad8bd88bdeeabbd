"""
What every payment provider must be able to do, in plain data: no model and no transaction here.

Commands record their intent, commit, call a gateway, and record the answer. A call ends in one of
three ways: it returns, it raises GatewayRefused (a definite no), or it raises GatewayUnknown (the
outcome must be asked for again; never treat it as failed).

source: docs/adr/0010-gateways.md | D§3.4, money.md §5
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from django.utils.functional import Promise
from djmoney.money import Money

NUMBER = re.compile(r"[A-Z0-9]{6,32}")
"""What every provider accepts as an order or refund number; use `NUMBER.fullmatch`."""


class GatewayError(Exception):
    """Anything a gateway may raise; callers handle the three kinds below."""


class GatewayUnknown(GatewayError):
    """
    The outcome is not known: timeout, 5xx, an answer that cannot be read or trusted.

    The order may or may not exist at the gateway. Ask again with `query`; never record a failure.
    """


class GatewayRefused(GatewayError):
    """
    The gateway said no, definitely: nothing happened there and nothing will.

    code: the gateway's own word. message: its explanation, for staff and the log.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class BadReason(StrEnum):
    MISSING_HEADER = "missing_header"
    UNKNOWN_KEY = "unknown_key"
    STALE = "stale"
    FUTURE = "future"
    SIGNATURE = "signature"
    MALFORMED = "malformed"
    OTHER_MERCHANT = "other_merchant"


class BadCallback(GatewayError):
    """
    A callback that must not be believed: forged, stale, meant for another merchant, unreadable.

    Answer it with `acknowledgement(ok=False)` and write no row.
    """

    def __init__(self, reason: BadReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOrder:
    """
    One attempt to collect `amount`; the number is immutable and never used for another amount.

    number: matches NUMBER.
    notify_url: where the gateway posts callbacks. return_url: where the payer's browser comes back.
    locale: "zh-hans" or "en", the language of the gateway's page where it can be chosen.
    """

    number: str
    amount: Money
    subject: str
    notify_url: str
    return_url: str
    expires_at: datetime
    locale: str = ""


class ActionKind(StrEnum):
    REDIRECT = "REDIRECT"
    FORM = "FORM"
    QR = "QR"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAction:
    """
    What the payer's browser does next.

    REDIRECT: go to `url`. FORM: post `fields` to `url`. QR: show `text` as a QR code.
    external_id: the gateway's own number, when it exists this early.
    """

    kind: ActionKind
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    external_id: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": str(self.kind),
            "url": self.url,
            "fields": dict(self.fields),
            "text": self.text,
            "external_id": self.external_id,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ClientAction":
        return cls(**{**stored, "kind": ActionKind(stored["kind"])})


class PaymentStatus(StrEnum):
    """PENDING: open, not paid yet. NOT_FOUND: the gateway has never heard of the number."""

    PAID = "PAID"
    PENDING = "PENDING"
    CLOSED = "CLOSED"
    FAILED = "FAILED"
    NOT_FOUND = "NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFact:
    """
    What a gateway says about one payment, authenticated but not yet compared with our intent.

    number: ours. external_id: theirs, one per payment ("" when nothing was paid).
    amount: what was really paid; None unless PAID.
    raw: the decoded message, to be kept beside the raw bytes.
    """

    gateway: str
    merchant_id: str
    number: str
    external_id: str
    status: PaymentStatus
    amount: Money | None = None
    paid_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """
    Give back `amount` of one payment; the number is the idempotency key and never changes.

    payment_number, external_id: the payment's number, ours and theirs. paid: what was paid in all.
    """

    number: str
    payment_number: str
    external_id: str
    amount: Money
    paid: Money
    reason: str = ""
    notify_url: str = ""


class RefundStatus(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    PROCESSING = "PROCESSING"
    FAILED = "FAILED"
    NOT_FOUND = "NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFact:
    """What a gateway says about one refund; `amount` is this refund's, never a running total."""

    gateway: str
    merchant_id: str
    number: str
    external_id: str
    status: RefundStatus
    amount: Money | None = None
    refunded_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


class BillKind(StrEnum):
    """TRADE: each payment and refund. FUNDS: each movement of our balance there, fees included."""

    TRADE = "TRADE"
    FUNDS = "FUNDS"


class Acknowledgement(NamedTuple):
    """The HTTP answer a gateway expects to its callback."""

    status: int
    content_type: str
    body: bytes


@runtime_checkable
class Gateway(Protocol):
    """
    One configured provider. Instances hold keys and may be shared between threads.

    at: the moment of the call; callers read the clock. Every network call has its own timeouts and
    must happen outside a transaction.
    """

    code: str
    label: str | Promise
    currencies: tuple[str, ...]
    merchant_id: str

    def create(self, order: PaymentOrder, *, at: datetime) -> ClientAction:
        """
        Open the order at the gateway; doing it again with the same order returns the same action.

        raises GatewayRefused, GatewayUnknown
        """
        ...

    def parse_callback(
        self, *, body: bytes, headers: Mapping[str, str], at: datetime
    ) -> list[GatewayFact]:
        """
        Verify a callback over its raw bytes and return what it says; no network, no clock.

        headers: names are matched without regard to case.
        raises BadCallback: it must not be believed.
        """
        ...

    def acknowledgement(self, *, ok: bool) -> Acknowledgement:
        """Say the gateway's exact success word (ok) or make it try again or give up (not ok)."""
        ...

    def query(self, order: PaymentOrder, *, at: datetime) -> GatewayFact:
        """
        Ask for the true state of an order; an unknown number is a NOT_FOUND fact, not an error.

        raises GatewayRefused, GatewayUnknown
        """
        ...

    def close(self, order: PaymentOrder, *, at: datetime) -> GatewayFact:
        """
        Stop an unpaid order from being paid and return the state it is in now.

        An order paid in the meantime returns a PAID fact; one never opened returns NOT_FOUND.
        raises GatewayRefused, GatewayUnknown
        """
        ...

    def refund(self, refund: RefundOrder, *, at: datetime) -> RefundFact:
        """
        Give money back; the same number and amount again has no second effect.

        raises GatewayRefused, GatewayUnknown
        """
        ...

    def query_refund(self, refund: RefundOrder, *, at: datetime) -> RefundFact:
        """
        Ask for the true state of a refund; an unknown number is a NOT_FOUND fact.

        raises GatewayRefused, GatewayUnknown
        """
        ...

    def fetch_bill(self, kind: BillKind, on: date, *, at: datetime) -> bytes:
        """
        Download the gateway's list of one business day, as it sends it; b"" for an empty day.

        raises GatewayRefused, GatewayUnknown
        """
        ...
