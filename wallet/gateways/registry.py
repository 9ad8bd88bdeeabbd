"""
Which providers are switched on, from `settings.GATEWAYS` (code → options).
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from crm_billing.errors import DomainError
from wallet.gateways.base import Gateway
from wallet.gateways.sandbox.gateway import SandboxGateway

PROVIDERS: dict[str, type[SandboxGateway]] = {SandboxGateway.code: SandboxGateway}
"""Every provider shipped, by code."""

_built: dict[str, tuple[Mapping[str, Any], Gateway]] = {}


class UnknownGateway(DomainError):
    """
    There is no such payment method, or it is switched off.
    """

    code = "unknown_gateway"


def get(code: str) -> Gateway:
    """
    Return the provider switched on under `code`, the same instance while its options stay the same.

    raises UnknownGateway: no such provider, or it is off.
    """
    options = settings.GATEWAYS.get(code)
    if options is None or code not in PROVIDERS:
        raise UnknownGateway(_("This payment method is not available."), gateway=code)
    if code not in _built or _built[code][0] != options:
        _built[code] = (dict(options), PROVIDERS[code](**options))
    return _built[code][1]


def label(code: str) -> str:
    """
    Name a gateway, also one that has been switched off since.
    """
    provider = PROVIDERS.get(code)
    return str(provider.label) if provider else code


def enabled() -> list[Gateway]:
    """Return the providers that are switched on, in the order of the settings."""
    return [get(code) for code in settings.GATEWAYS]
