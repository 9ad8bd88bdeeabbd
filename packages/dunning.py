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
class Moment:
    """
    A step of one subscription's way. is_past: it has come. is_next: it comes before all others.
    """

    at: datetime
    step: Step
    is_past: bool
    is_next: bool
    changes_state: bool


def way(past_due_at: datetime, *, at: datetime) -> list[Moment]:
    """
    Return all steps of what is unpaid, the past ones and those to come.
    """
    moments: list[Moment] = []
    state, has_next = "", False
    for step in STEPS:
        is_past = past_due_at + step.after <= at
        is_next = not is_past and not has_next
        has_next = has_next or is_next
        moments.append(
            Moment(past_due_at + step.after, step, is_past, is_next, step.state != state)
        )
        state = step.state
    return moments


def is_off(past_due_at: datetime, *, at: datetime) -> bool:
    """
    Tell whether service has stopped, so that days in between are not to be paid.
    """
    return at >= reached(SUSPENDED, past_due_at)


def reached(state: str, past_due_at: datetime) -> datetime:
    """
    Return when what is unpaid comes into a state.
    """
    return next(past_due_at + step.after for step in STEPS if step.state == state)


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
