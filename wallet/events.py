"""
Facts other apps may want to hear about, sent after the transaction that made them true.

A listener only enqueues a task. Losing an event is safe: a scheduled sweep finds the
same work later, so events buy speed, never correctness.
"""

from django.dispatch import Signal

funds_arrived = Signal()  # customer_id: int
