"""
Payment providers: one folder each, all speaking `base.Gateway`.

`gateways.get(code)`, `gateways.label(code)` and `gateways.enabled()` come from `registry`. They
are looked up on first use because `fake`, which lives in this package too, is a process that runs
without Django.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wallet.gateways.registry import UnknownGateway, enabled, get, label

__all__ = ["UnknownGateway", "enabled", "get", "label"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wallet.gateways import registry

    return getattr(registry, name)
