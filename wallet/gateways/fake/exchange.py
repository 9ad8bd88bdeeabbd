"""
Requests and answers as plain data, and the faults that can befall them.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from wallet.gateways.fake.state import Bank, Refused


@dataclass(frozen=True)
class Request:
    """target: path and query exactly as received. headers: names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: str

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def form(self) -> dict[str, str]:
        text = self.body.decode(errors="replace")
        return {name: values[-1] for name, values in parse_qs(text).items()}


@dataclass
class Answer:
    """forged: a wire signs it with a key nobody pinned. raw: a wire leaves it as it is."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    forged: bool = False
    raw: bool = False


class Dropped(Exception):
    """Close the connection without an answer."""


def _broken() -> Answer:
    return Answer(502, b"<h1>502 Bad Gateway</h1>", "text/html", raw=True)


def with_faults(
    bank: Bank,
    operation: str,
    number: str,
    accept: Callable[[], Answer],
    *,
    stopping: threading.Event,
) -> Answer:
    """
    Do one operation of a wire, unless a fault was asked for: then fail before it, after it, or
    only while answering.
    """

    def asked(effect: str) -> float | None:
        fault = bank.take(f"{operation}_{effect}", number)
        return None if fault is None else fault.seconds

    if asked("refused") is not None:
        raise Refused("REFUSED_ON_REQUEST", "The fake gateway was told to refuse this.", 403)
    if asked("5xx") is not None:
        return _broken()
    if asked("lost") is not None:
        raise Dropped
    answer = accept()
    if asked("5xx_after_accept") is not None:
        return _broken()
    if (seconds := asked("timeout")) is not None:
        stopping.wait(seconds)
        raise Dropped
    if (seconds := asked("slow")) is not None:
        stopping.wait(seconds)
    if asked("garbage") is not None:
        return Answer(body=b'{"status": "PAI', raw=True)
    if asked("forged") is not None:
        answer.forged = True
    return answer
