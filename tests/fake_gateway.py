"""
The fake gateway inside a test: real HTTP, real signatures, a fresh one for each test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wallet.gateways import registry
from wallet.gateways.fake.server import FakeGateway
from wallet.gateways.fake.state import Fault, Order
from wallet.gateways.sandbox import keys
from wallet.gateways.sandbox.gateway import SandboxGateway

MERCHANT_ID = "CRMPORTAL"


@dataclass(frozen=True)
class Callback:
    """A signed callback as it would arrive; hand both to a test client."""

    headers: dict[str, str]
    body: bytes


class Instrument:
    """
    What a test does to the gateway. `fake` is the server itself, for everything else.
    """

    def __init__(self, fake: FakeGateway, demo: keys.DemoKeys) -> None:
        self.fake, self.keys = fake, demo
        self.url = fake.url
        self.options: dict[str, Any] = {
            "url": fake.url,
            "merchant_id": MERCHANT_ID,
            "private_key": str(demo.merchant_private),
            "gateway_public_key": str(demo.gateway_public),
            "read_timeout": 2,
        }

    @property
    def orders(self) -> dict[str, Order]:
        return self.fake.bank.orders

    @property
    def gateway(self) -> SandboxGateway:
        """The product's client of this server."""
        gateway = registry.get("sandbox")
        assert isinstance(gateway, SandboxGateway)
        return gateway

    @property
    def impatient(self) -> SandboxGateway:
        """The same client with a read timeout that is soon over."""
        return SandboxGateway(**self.options | {"read_timeout": 0.2})

    def pay(self, number: str, *, notify: int = 0, **options: Any) -> Callback:
        """
        Pay an order and return the callback of its last payment.

        notify: how many copies to deliver over HTTP as well; none unless asked for.
        options: payments, amount_minor, currency, late, delay (see `fake.scenarios`).
        """
        self.fake.scenarios.pay(self.orders[number], notify=notify, **options)
        return self.callback(number)

    def fail(self, number: str, *, notify: int = 0) -> Callback:
        self.fake.scenarios.fail(self.orders[number], notify=notify)
        return self.callback(number)

    def callback(self, number: str, *, payment: int = -1) -> Callback:
        """Write a fresh signed callback about an order; `payment` picks one of several."""
        headers, body = self.fake.scenarios.callback(self.orders[number], payment=payment)
        del headers["Content-Type"]
        return Callback(headers, body)

    def set_fault(self, name: str, number: str | None = None, **terms: Any) -> None:
        """
        Make something go wrong: see `fake.state.FAULTS`, for example "create_5xx_after_accept".

        terms: times (None for ever), seconds ("slow" and "timeout").
        """
        self.fake.bank.set_fault(Fault(name, number, **terms))

    def clear_faults(self) -> None:
        self.fake.bank.clear_faults()


@pytest.fixture(scope="session")
def sandbox_keys(tmp_path_factory: pytest.TempPathFactory) -> keys.DemoKeys:
    return keys.ensure(Path(tmp_path_factory.mktemp("sandbox")) / "keys")


@pytest.fixture
def fake_gateway(sandbox_keys: keys.DemoKeys, settings: Any) -> Iterator[Instrument]:
    """A running fake gateway; `settings.GATEWAYS` holds the sandbox, pointed at it."""
    fake = FakeGateway(
        merchant_id=MERCHANT_ID,
        merchant_public_key=sandbox_keys.merchant_public.read_bytes(),
        private_key=sandbox_keys.gateway_private.read_bytes(),
        retry_seconds=(0.05, 0.05, 0.05),
    )
    fake.start()
    instrument = Instrument(fake, sandbox_keys)
    settings.GATEWAYS = {"sandbox": instrument.options}
    yield instrument
    fake.stop()
