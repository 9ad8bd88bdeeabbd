"""
The catalogue as staff see it: packages and their prices to read, and the acts that change them.
"""

from packages.admin import packages, prices, usage

__all__ = ["packages", "prices", "usage"]
