"""
Customers, the people who act for them, and the staff, as staff see them.
"""

from accounts.admin import consents, people, staff, trail
from accounts.admin.customers import CustomerAdmin

__all__ = ["CustomerAdmin", "consents", "people", "staff", "trail"]
