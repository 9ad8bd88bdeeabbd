"""
The catalogue as staff see it: packages and their prices to read, and the acts that change them.
"""

from packages.admin import (
    advice,
    cases,
    charges,
    coupons,
    customers,
    dunning,
    moves,
    notices,
    packages,
    prices,
    runs,
    scans,
    subscriptions,
    usage,
    use,
)

__all__ = [
    "advice",
    "cases",
    "charges",
    "coupons",
    "customers",
    "dunning",
    "moves",
    "notices",
    "packages",
    "prices",
    "runs",
    "scans",
    "subscriptions",
    "usage",
    "use",
]
