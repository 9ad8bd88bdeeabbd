"""
Which state may follow which. PostgreSQL holds the same pairs in its triggers; a test compares.
"""

_AFTER = {
    "TRIAL": "ACTIVE PAST_DUE ENDED",
    "ACTIVE": "PAST_DUE PAUSED ENDED",
    "PAST_DUE": "ACTIVE RESTRICTED ENDED",
    "RESTRICTED": "ACTIVE SUSPENDED ENDED",
    "SUSPENDED": "ACTIVE ENDED",
    "PAUSED": "ACTIVE PAST_DUE ENDED",
}

TRANSITIONS: dict[str, frozenset[tuple[str, str]]] = {
    "packages_subscription": frozenset(
        (old, new) for old, news in _AFTER.items() for new in news.split()
    ),
}
