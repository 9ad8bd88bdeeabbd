"""
What happens while a renewal cannot be paid: tries, messages and states, counted from the first
failure. Pure. source: D§8.2
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

PAST_DUE, RESTRICTED, SUSPENDED, ENDED = "PAST_DUE", "RESTRICTED", "SUSPENDED", "ENDED"

DATA_KEPT = timedelta(days=90)  # after the end


@dataclass(frozen=True, slots=True)
class Step:
    """
    One moment of the way. tells: the customer gets a message then.
    """

    after: timedelta
    state: str
    tells: bool = False


def _step(days: float, state: str, *, tells: bool = False) -> Step:
    return Step(timedelta(days=days), state, tells)


# Every step tries to charge again, the last but ends. Any credit tries at once besides.
STEPS = (
    _step(0, PAST_DUE, tells=True),
    _step(0.25, PAST_DUE),
    _step(1, PAST_DUE, tells=True),
    _step(3, PAST_DUE, tells=True),
    _step(5, PAST_DUE),
    _step(7, RESTRICTED, tells=True),
    _step(10, RESTRICTED),
    _step(13, RESTRICTED, tells=True),
    _step(14, SUSPENDED, tells=True),
    _step(30, ENDED, tells=True),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where a subscription stands. tells: the day whose message is due, None when none is.
    next_at: when the next step comes, None after the last.
    """

    state: str
    tells: int | None
    next_at: datetime | None


def standing(past_due_at: datetime, *, at: datetime) -> Standing:
    """
    Return where an unpaid subscription stands at a moment.

    past_due_at: when the first try failed.
    """
    reached = [step for step in STEPS if past_due_at + step.after <= at]
    coming = STEPS[len(reached) :]
    told = [step.after.days for step in reached if step.tells]
    return Standing(
        state=reached[-1].state if reached else PAST_DUE,
        tells=told[-1] if told else None,
        next_at=past_due_at + coming[0].after if coming else None,
    )
