"""
How states look: one colour and one icon per word, the same on every page and in the admin.

The words are the status constants of every document; a word means the same wherever it stands.
"""

TONE_WORDS = {
    "good": """
        ACTIVE APPROVED CAPTURED CREDITED DELIVERED DONE FIXED GOOD ISSUED MATCHED OK PAID POSTED
        PUBLISHED RELEASED RESOLVED SEALED SENT SETTLED SUCCEEDED TOP_UP UPHELD VALID VERIFIED WON
    """,
    "wait": """
        CREATED DRAFT INVITED OPENED PAYING PENDING PROCESSING PROPOSED QUEUED REQUESTED RETRYING
        SENDING SUBMITTED UNDER_REVIEW WAITING
    """,
    "warn": """
        ADJUSTMENT AT_RISK HELD MISMATCH OPEN PARTIAL PARTLY_USED PAST_DUE RESTRICTED SUSPENSE
        UNKNOWN UNMATCHED UNVERIFIED
    """,
    "bad": "BROKEN FAILED FROZEN LOST OVERDUE PARKED REFUSED REJECTED REVOKED SUSPENDED",
    "info": "BONUS GRANT INFO PAUSED PRINCIPAL REFUNDED RETURNED REVERSAL REVERSED TRIAL",
    "plain": """
        CANCELLED CAPTURE CLOSED EMPTY ENDED EXPIRED EXPIRY IGNORED INACTIVE RETIRED SPEND SPENT
        TRANSFER USED VOID VOIDED
    """,
}
TONES = {word: tone for tone, words in TONE_WORDS.items() for word in words.split()}
TONE_ICONS = {
    "good": "circle-check",
    "wait": "hourglass",
    "warn": "alert-triangle",
    "bad": "circle-x",
    "info": "info-circle",
    "plain": "circle-minus",
}
ICONS = {
    "ADJUSTMENT": "scale",
    "BONUS": "gift",
    "CAPTURE": "lock-open",
    "CREATED": "circle-dashed",
    "DRAFT": "circle-dashed",
    "EXPIRED": "clock",
    "EXPIRY": "clock",
    "FROZEN": "snowflake",
    "GRANT": "plus",
    "HELD": "lock",
    "PRINCIPAL": "cash-banknote",
    "REFUNDED": "arrow-back-up",
    "RETURNED": "arrow-back-up",
    "REVERSAL": "arrow-back-up",
    "REVERSED": "arrow-back-up",
    "SPEND": "arrow-up-right",
    "TOP_UP": "arrow-down-left",
    "PAUSED": "player-pause",
    "SUSPENDED": "lock",
    "TRANSFER": "arrows-exchange",
    "TRIAL": "flask",
    "UNKNOWN": "help-circle",
    "VERIFIED": "shield-check",
}
