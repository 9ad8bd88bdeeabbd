import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fake_gateway import Callback
from tests.wallet.callback_setting import changed, everything, post, signed, with_header, without
from tests.wallet.topup_setting import cny, submitted
from wallet import queries
from wallet.gateways.sandbox import keys

pytestmark = pytest.mark.django_db


STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


FORGED = {
    "no signature": lambda fake, good: without(good, "Sandbox-Signature"),
    "no timestamp": lambda fake, good: without(good, "Sandbox-Timestamp"),
    "no nonce": lambda fake, good: without(good, "Sandbox-Nonce"),
    "no serial": lambda fake, good: without(good, "Sandbox-Serial"),
    "no merchant": lambda fake, good: without(good, "Sandbox-Merchant"),
    "no headers at all": lambda fake, good: Callback({}, good.body),
    "empty signature": lambda fake, good: with_header(good, "Sandbox-Signature", ""),
    "garbage signature": lambda fake, good: with_header(good, "Sandbox-Signature", "%%%"),
    "short signature": lambda fake, good: with_header(good, "Sandbox-Signature", "QUJD"),
    "a stranger's key": lambda fake, good: signed(fake, good.body, key=STRANGER),
    "a stranger's key and serial": lambda fake, good: signed(
        fake, good.body, key=STRANGER, serial=keys.serial(STRANGER.public_key())
    ),
    "our own key": lambda fake, good: signed(
        fake, good.body, key=keys.private_key(str(fake.keys.merchant_private))
    ),
    "another amount under the old signature": lambda fake, good: Callback(
        good.headers, changed(good, amount_minor=999_999)
    ),
    "another number under the old signature": lambda fake, good: Callback(
        good.headers, good.body.replace(b"TU", b"TV")
    ),
    "the same JSON written otherwise": lambda fake, good: Callback(
        good.headers, json.dumps(json.loads(good.body), indent=1).encode()
    ),
    "one blank more": lambda fake, good: Callback(good.headers, good.body + b" "),
    "six minutes old": lambda fake, good: signed(fake, good.body, at=int(time.time()) - 360),
    "six minutes ahead": lambda fake, good: signed(fake, good.body, at=int(time.time()) + 360),
    "a new timestamp under the old signature": lambda fake, good: with_header(
        good, "Sandbox-Timestamp", str(int(time.time()) + 1)
    ),
    "for another merchant": lambda fake, good: signed(fake, good.body, merchant="SOMEBODY"),
    "about another merchant": lambda fake, good: signed(
        fake, changed(good, merchant_id="SOMEBODY")
    ),
    "no JSON": lambda fake, good: signed(fake, b"status=PAID"),
    "an empty body": lambda fake, good: signed(fake, b""),
    "a list": lambda fake, good: signed(fake, b"[]"),
    "deep nesting": lambda fake, good: signed(fake, b"[" * 20_000),
    "an unknown status": lambda fake, good: signed(fake, changed(good, status="GIFT")),
    "a fraction of a fen": lambda fake, good: signed(fake, changed(good, amount_minor=100.5)),
    "a negative amount": lambda fake, good: signed(fake, changed(good, amount_minor=-100)),
    "an amount as text": lambda fake, good: signed(fake, changed(good, amount_minor="10000")),
    "true for an amount": lambda fake, good: signed(fake, changed(good, amount_minor=True)),
    "no amount": lambda fake, good: signed(fake, changed(good, amount_minor=None)),
    "no gateway's number": lambda fake, good: signed(fake, changed(good, external_id="")),
    "a time without a zone": lambda fake, good: signed(
        fake, changed(good, paid_at="2026-01-01T00:00:00")
    ),
}


class TestForged:
    @pytest.mark.parametrize("name", FORGED)
    def test_is_refused_and_leaves_no_trace(self, name, fake_gateway):
        topup = submitted()
        good = fake_gateway.pay(topup.number)
        before = everything()
        response = post(FORGED[name](fake_gateway, good))

        assert response.status_code == 400 and response.content == b"fail"
        assert everything() == before

    def test_the_good_one_is_taken_after_all_of_them(self, fake_gateway):
        topup = submitted()
        good = fake_gateway.pay(topup.number)
        for forge in FORGED.values():
            post(forge(fake_gateway, good))
        assert post(good).content == b"success"
        assert queries.balance(topup.customer).available == cny(100)
