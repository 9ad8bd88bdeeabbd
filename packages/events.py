"""
Facts that start work of packages, sent after the transaction that made them true.

A listener only enqueues a task. Losing one is safe: a nightly task finds the same work.
"""

from django.dispatch import Signal

use_told = Signal()  # customer_id: int
