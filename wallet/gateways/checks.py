"""
System checks: no gateway runs without its secrets, and no instrument of tests in production.
"""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from wallet.gateways.registry import PROVIDERS


@register("gateways")
def gateways_are_safe(**kwargs: Any) -> list[CheckMessage]:
    """
    Refuse an enabled gateway that is unknown (E001), lacks a secret (E002), or moves play money
    outside a demo (E003).

    source: reliability.md #36, R10
    """
    found: list[CheckMessage] = []
    for code, options in settings.GATEWAYS.items():
        provider = PROVIDERS.get(code)
        if provider is None:
            found.append(
                Error(f"GATEWAYS names an unknown gateway: {code!r}.", id="wallet.gateways.E001")
            )
            continue
        found += [
            Error(
                f"The gateway {code!r} is enabled but cannot work safely: {problem}.",
                hint="Set its options in the environment; see .env.example.",
                id="wallet.gateways.E002",
            )
            for problem in provider.problems(options)
        ]
        if code == "sandbox" and not (settings.DEBUG or settings.DEMO):
            found.append(
                Error(
                    "The sandbox gateway is enabled outside a demo: its money is not real.",
                    hint="Unset SANDBOX_GATEWAY_URL, or set DEMO=1 on a machine for trying out.",
                    id="wallet.gateways.E003",
                )
            )
    return found
