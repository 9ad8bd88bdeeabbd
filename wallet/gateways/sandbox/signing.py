"""
The sandbox's signatures: RSA-SHA256 (PKCS#1 v1.5, 2048 bits) over lines that end with a newline,
followed by the raw body. Base64 in `Sandbox-Signature`, with `Sandbox-Merchant`, `-Serial`,
`-Timestamp` (Unix seconds) and `-Nonce` beside it.

    request    REQUEST   merchant  METHOD  path?query     timestamp  nonce  body
    answer     ANSWER    merchant  status  request nonce  timestamp  nonce  body
    callback   CALLBACK  merchant                         timestamp  nonce  body

The first word keeps a message of one kind from being passed off as another; the request's nonce
ties an answer to its question. The fake gateway implements the same page a second time on purpose
(`fake/wires/sandbox.py`): a mistake made here does not verify there.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from wallet.gateways.base import BadCallback, BadReason
from wallet.gateways.sandbox import keys

TOLERANCE_SECONDS = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9]{16,64}")


def lines(*parts: str | int) -> bytes:
    return "".join(f"{part}\n" for part in parts).encode()


@dataclass(frozen=True, slots=True)
class Signer:
    """Our side: signs requests with the merchant's private key."""

    merchant_id: str
    key: rsa.RSAPrivateKey

    def headers(
        self, *, method: str, target: str, body: bytes, now: int, nonce: str
    ) -> dict[str, str]:
        """
        Return the headers that authenticate one request.

        target: path and query as sent. now: Unix seconds.
        """
        message = lines("REQUEST", self.merchant_id, method, target, now, nonce) + body
        signature = self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return {
            "Sandbox-Merchant": self.merchant_id,
            "Sandbox-Serial": keys.serial(self.key.public_key()),
            "Sandbox-Timestamp": str(now),
            "Sandbox-Nonce": nonce,
            "Sandbox-Signature": base64.b64encode(signature).decode(),
        }


@dataclass(frozen=True, slots=True)
class Verifier:
    """The gateway's side: its one pinned public key, and the merchant its messages are for."""

    merchant_id: str
    key: rsa.RSAPublicKey

    def verify_answer(
        self, *, status: int, request_nonce: str, body: bytes, headers: Mapping[str, str], now: int
    ) -> None:
        """raises BadCallback: not an answer of our gateway to this very request."""
        self._verify(("ANSWER", status, request_nonce), body=body, headers=headers, now=now)

    def verify_callback(self, *, body: bytes, headers: Mapping[str, str], now: int) -> None:
        """raises BadCallback: not a fresh message of our gateway to this merchant."""
        self._verify(("CALLBACK",), body=body, headers=headers, now=now)

    def _verify(
        self, opening: tuple[str | int, ...], *, body: bytes, headers: Mapping[str, str], now: int
    ) -> None:
        seen = {name.lower(): value for name, value in headers.items()}
        values = {}
        for name in ("Merchant", "Serial", "Timestamp", "Nonce", "Signature"):
            values[name] = seen.get(f"sandbox-{name.lower()}", "")
            if not values[name]:
                raise BadCallback(BadReason.MISSING_HEADER, f"Sandbox-{name}")
        if not _same(values["Serial"], keys.serial(self.key)):
            raise BadCallback(BadReason.UNKNOWN_KEY, values["Serial"][:64])
        if not _TIMESTAMP.fullmatch(values["Timestamp"]) or not _NONCE.fullmatch(values["Nonce"]):
            raise BadCallback(BadReason.MALFORMED, "timestamp or nonce")
        kind, *rest = opening
        message = lines(kind, values["Merchant"], *rest, values["Timestamp"], values["Nonce"])
        try:
            signature = base64.b64decode(values["Signature"], validate=True)
            self.key.verify(signature, message + body, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise BadCallback(BadReason.SIGNATURE) from error
        age = now - int(values["Timestamp"])
        if age > TOLERANCE_SECONDS:
            raise BadCallback(BadReason.STALE, f"{age} s old")
        if age < -TOLERANCE_SECONDS:
            raise BadCallback(BadReason.FUTURE, f"{-age} s ahead")
        if not _same(values["Merchant"], self.merchant_id):
            raise BadCallback(BadReason.OTHER_MERCHANT, values["Merchant"][:64])


def nonce() -> str:
    return secrets.token_hex(16)


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(*(text.encode(errors="replace") for text in (left, right)))
