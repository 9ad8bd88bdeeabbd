"""
A real mail server inside the test run: real SMTP, what arrives is kept as it came.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.utils.functional import cached_property


@dataclass(frozen=True)
class Mail:
    """One delivery: the envelope's sender and receivers, and the raw message."""

    sender: str
    to: tuple[str, ...]
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        return self._body("plain")

    @property
    def html(self) -> str:
        return self._body("html")

    @property
    def attachments(self) -> dict[str, bytes]:
        parts = self.message.iter_attachments()
        return {part.get_filename() or "": part.get_content() for part in parts}

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return part.get_content() if part else ""


class Mailbox:
    """
    What a test sees of the server. It can be told to say no, and be stopped and started again.
    """

    def __init__(self) -> None:
        self.messages: list[Mail] = []
        self.refusal = ""
        self.refusal_of_addresses = ""
        self.port = _free_port()
        self._controller: Controller | None = None
        self.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refusal:
            return self.refusal
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        self.messages.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw))
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusal_of_addresses:
            return self.refusal_of_addresses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def to(self, address: str) -> list[Mail]:
        """Return what arrived for an address, oldest first."""
        return [mail for mail in self.messages if address in mail.to]

    def refuse(self, reply: str = "451 Try again later") -> None:
        self.refusal = reply

    def refuse_addresses(self, reply: str) -> None:
        """Say no before the mail is given, to whom it is for."""
        self.refusal_of_addresses = reply

    def accept(self) -> None:
        self.refusal = self.refusal_of_addresses = ""

    def stop(self) -> None:
        """Close the port: connections are refused until `start`."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def start(self) -> None:
        if self._controller is None:
            self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
            self._controller.start()

    def reset(self) -> None:
        self.start()
        self.accept()
        self.messages.clear()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def mail_server() -> Iterator[Mailbox]:
    server = Mailbox()
    yield server
    server.stop()


@pytest.fixture
def mailbox(mail_server: Mailbox, settings: Any) -> Mailbox:
    """An empty mailbox behind real SMTP; everything the test sends arrives there."""
    mail_server.reset()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    return mail_server
