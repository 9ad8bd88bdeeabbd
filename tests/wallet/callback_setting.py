"""
Messages of the gateway as they arrive, honest and changed.
"""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from django.test import Client

from tests.fake_gateway import MERCHANT_ID, Callback
from wallet.gateways.sandbox import keys
from wallet.models import (
    Case,
    GatewayCallback,
    GatewayPayment,
    JournalEntry,
    LedgerAccount,
    PaymentAttempt,
    Receipt,
    TopUp,
)

URL = "/gateways/sandbox/callback/"


def post(callback: Callback, url: str = URL):
    """
    Post as a gateway does: another client, no cookie, CSRF checks on.
    """
    client = Client(enforce_csrf_checks=True)
    return client.post(
        url, callback.body, content_type="application/json", headers=callback.headers
    )


def everything() -> dict[str, object]:
    """
    Return what a refused callback must leave as it was.
    """
    models = (GatewayCallback, GatewayPayment, Case, JournalEntry, Receipt)
    return {
        **{model.__name__: model.objects.count() for model in models},
        "balances": list(
            LedgerAccount.objects.order_by("pk").values_list("pk", "balance_minor", "version")
        ),
        "states": list(TopUp.objects.order_by("pk").values_list("pk", "state")),
        "attempts": list(PaymentAttempt.objects.order_by("pk").values_list("pk", "state")),
    }


def signed(fake, body: bytes, *, key=None, merchant=MERCHANT_ID, serial=None, at=None, nonce=None):
    """
    Sign a body as the gateway would, except for what is given.
    """
    own = keys.private_key(str(fake.keys.gateway_private))
    key = key or own
    stamp, nonce = str(at or int(time.time())), nonce or "0123456789abcdef0123456789abcdef"
    message = f"CALLBACK\n{merchant}\n{stamp}\n{nonce}\n".encode() + body
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return Callback(
        {
            "Sandbox-Merchant": merchant,
            "Sandbox-Serial": serial or keys.serial(own.public_key()),
            "Sandbox-Timestamp": stamp,
            "Sandbox-Nonce": nonce,
            "Sandbox-Signature": base64.b64encode(signature).decode(),
        },
        body,
    )


def changed(callback: Callback, **fields: object) -> bytes:
    return json.dumps(json.loads(callback.body) | fields).encode()


def without(callback: Callback, header: str) -> Callback:
    kept = {name: value for name, value in callback.headers.items() if name != header}
    return Callback(kept, callback.body)


def with_header(callback: Callback, header: str, value: str) -> Callback:
    return Callback(callback.headers | {header: value}, callback.body)
