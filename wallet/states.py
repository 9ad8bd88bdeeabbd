"""
Which state may follow which. PostgreSQL holds the same pairs in its triggers; a test compares.
"""

Pairs = frozenset[tuple[str, str]]


def _pairs(**after: str) -> Pairs:
    return frozenset((old, new) for old, news in after.items() for new in news.split())


TRANSITIONS: dict[str, Pairs] = {
    "wallet_topup": _pairs(
        CREATED="PENDING EXPIRED CANCELLED PAID",
        PENDING="PAID EXPIRED CANCELLED",
        EXPIRED="PAID",
        CANCELLED="PAID",
    ),
    "wallet_paymentattempt": _pairs(
        CREATED="SUBMITTED CLOSED",
        SUBMITTED="PENDING FAILED UNKNOWN SUCCEEDED",
        PENDING="SUCCEEDED FAILED CLOSED UNKNOWN",
        UNKNOWN="PENDING SUCCEEDED FAILED CLOSED",
        FAILED="SUCCEEDED",
        CLOSED="SUCCEEDED",
    ),
    "wallet_hold": _pairs(OPEN="CAPTURED RELEASED EXPIRED"),
    "wallet_case": _pairs(OPEN="RESOLVED"),
    "wallet_adjustment": _pairs(PROPOSED="POSTED REJECTED"),
    "wallet_receipt": _pairs(ISSUED="VOIDED"),
}
