"""
Documents made from what the other apps know, and kept as they were handed out.
"""

from reports.models.documents import ReceiptDocument

__all__ = ["ReceiptDocument"]
