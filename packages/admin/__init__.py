"""
The catalogue as staff see it: packages and their prices to read, and the acts that change them.
"""

from packages.admin import charges, customers, packages, prices, runs, subscriptions, usage, use

__all__ = ["charges", "customers", "packages", "prices", "runs", "subscriptions", "usage", "use"]
